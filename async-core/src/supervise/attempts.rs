//! The attempts to run a task, on whatever launcher: how many there are, and the pause between two.

use std::fs::File;

use nix::sys::signal::Signal;

use super::events::Event;
use super::launcher::{Caller, Launcher};
use super::{Supervisor, TERMINATED, TIMED_OUT};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::record::Cause;
use crate::store::End;

/// How often to look for requests that come without a signal, as from another host, in ms.
const LOOK_AGAIN: Millis = 1000;

impl Supervisor<'_> {
    /// Runs the task as often as the plan says, until it succeeds.
    pub(super) fn run_attempts(
        &mut self,
        launcher: &mut dyn Launcher,
        log: &File,
        caller: &mut Caller<'_>,
    ) -> Result<End> {
        let attempts = self.plan.retry.map(|retry| retry.saturating_add(1));
        let mut number = launcher.first_attempt();
        loop {
            let more = attempts.is_some_and(|attempts| number < attempts);
            let mut end = launcher.run(self, number, more, log, caller)?;
            let is_started = end.cause != Some(Cause::Unstartable);
            end.attempts = attempts.map(|_| if is_started { number } else { number - 1 });
            if end.rc == 0 || !more || self.stop_retrying || !launcher.may_repeat(&end) {
                return Ok(end);
            }
            let delay = self.plan.retry_delay.unwrap_or(0);
            let (of, seconds) = (attempts.unwrap_or(1), crate::text::seconds(delay));
            self.say(log, &format!("attempt {number} of {of} ended with status {}, next in {seconds} seconds", end.rc));
            match self.pause(launcher, delay)? {
                Pause::Over => {}
                Pause::Stop(rc, cause) => return Ok(End { rc, cause, ..end }),
            }
            launcher.clear(self)?;
            number += 1;
        }
    }

    /// Sleeps between two attempts.
    fn pause(&mut self, launcher: &dyn Launcher, delay: Millis) -> Result<Pause> {
        let until = clock::since_boot().saturating_add(delay);
        let deadline = self.deadline().filter(|_| self.has_started).map_or(until, |deadline| deadline.min(until));
        let look = if launcher.is_child() { Millis::MAX } else { LOOK_AGAIN };
        loop {
            if !launcher.is_child() && self.cancelled().is_some() {
                return Ok(Pause::Stop(TERMINATED, Some(Cause::Cancelled)));
            }
            let wake = clock::since_boot().saturating_add(look).min(deadline);
            match self.next(&[], Some(wake))? {
                Event::TimeUp if wake < deadline => {}
                Event::TimeUp if deadline < until => return Ok(Pause::Stop(TIMED_OUT, Some(Cause::Timeout))),
                Event::TimeUp => return Ok(Pause::Over),
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone if self.cancelled().is_some() => {
                    return Ok(Pause::Stop(TERMINATED, Some(Cause::Cancelled)));
                }
                Event::Signal(signal) if ends_attempts(signal) => {
                    if !launcher.is_child() {
                        return Err(Error::Unattended(self.name.to_string()));
                    }
                    self.signal = Some(signal as i32);
                    return Ok(Pause::Stop(128 + signal as i32, None));
                }
                _ => {}
            }
        }
    }
}

/// Whether the signal asks a program to end, which rules out another attempt.
pub(super) fn ends_attempts(signal: Signal) -> bool {
    matches!(signal, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM)
}

/// How the pause between two attempts ended.
enum Pause {
    Over,
    /// There is no other attempt, for that cause or because of a signal. The future gets that status.
    Stop(i32, Option<Cause>),
}
