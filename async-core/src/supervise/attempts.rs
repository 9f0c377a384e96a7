//! The attempts to run a task: starting each one, and the pause between two.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

use super::events::Event;
use super::terminal::Terminal;
use super::{Begun, FAILED, Gated, NOT_EXECUTABLE, NOT_FOUND, Report, Supervisor, TERMINATED, TIMED_OUT};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::process::{self, ProcessIdentity};
use crate::record::{Cause, Line};
use crate::store::End;

impl Supervisor<'_> {
    /// Runs the task as often as the plan says, until it succeeds. `told` says that the caller already knows that the
    /// task was held back.
    pub(super) fn run_attempts(
        &mut self,
        mut program: Option<&mut Command>,
        log: &File,
        mut told: bool,
        report: Report<'_>,
    ) -> Result<End> {
        let attempts = self.plan.retry.map(|retry| retry.saturating_add(1));
        let mut attempt = 1;
        let mut has_begun = false;
        loop {
            let more = attempts.is_some_and(|attempts| attempt < attempts);
            let mut tell = || {
                if std::mem::replace(&mut has_begun, true) {
                    return Ok(());
                }
                let heard = report(Ok(Begun::Runs));
                // A task that was held back runs in any case.
                if told {
                    return Ok(());
                }
                told = heard.is_ok();
                heard
            };
            if let Err(error) = self.open_terminal(log) {
                self.end_child();
                if !told {
                    return Err(Error::io("open a terminal for", &self.store.log_path(self.name))(error));
                }
                self.say(log, &format!("can't be started: there is no terminal for it: {error}"));
                let attempts = attempts.map(|_| attempt - 1);
                return Ok(End { rc: FAILED, cause: Some(Cause::Unstartable), attempts, ..End::default() });
            }
            match self.start(program.as_deref_mut(), log, attempt, more, &mut tell) {
                Ok(()) if self.has_started => {}
                Ok(()) => {
                    self.has_started = true;
                    self.events.sample_from(self.run_start, self.store.log_path(self.name));
                }
                Err(error) if !told => {
                    self.end_child();
                    let _ = report(Err(io::Error::new(error.kind(), error.to_string())));
                    return Err(match program {
                        Some(command) => Error::io("start the program", command.get_program().as_ref())(error),
                        None => Error::io("start the task of", &self.store.log_path(self.name))(error),
                    });
                }
                Err(error) => {
                    self.end_child();
                    self.say(log, &format!("can't be started: {error}"));
                    let rc = match program {
                        None => FAILED,
                        Some(_) if error.kind() == io::ErrorKind::NotFound => NOT_FOUND,
                        Some(_) => NOT_EXECUTABLE,
                    };
                    let attempts = attempts.map(|_| attempt - 1);
                    return Ok(End { rc, cause: Some(Cause::Unstartable), attempts, ..End::default() });
                }
            }
            let mut end = self.wait_for_child()?;
            self.drain_terminal();
            end.attempts = attempts.map(|_| attempt);
            if end.rc == 0 || end.cause.is_some() || !more || self.stop_retrying {
                return Ok(end);
            }
            let delay = self.plan.retry_delay.unwrap_or(0);
            let of = attempts.unwrap_or(1);
            let seconds = crate::text::seconds(delay);
            self.say(
                log,
                &format!("attempt {attempt} of {of} ended with status {}, next in {seconds} seconds", end.rc),
            );
            match self.pause(delay)? {
                Pause::Over => {}
                Pause::Stop(rc, cause) => return Ok(End { rc, cause, ..end }),
            }
            attempt += 1;
            // Its process id may be another's by now.
            (self.rc, self.child) = (None, None);
        }
    }

    /// Starts the task once; `more` says whether another attempt may follow. A function may only run once the caller
    /// knows of its start.
    pub(super) fn start(
        &mut self,
        program: Option<&mut Command>,
        log: &File,
        attempt: u32,
        more: bool,
        tell: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let pid = match (program, &mut self.function) {
            (Some(command), _) => {
                if let Some(terminal) = &self.terminal {
                    command.stdout(terminal.side_of_the_task()?).stderr(terminal.side_of_the_task()?);
                }
                let spawned = process::with_patience(|| command.spawn());
                spawned.map_err(|error| explained(error, command.get_program()))?.id()
            }
            (None, Some(gated)) if attempt > 1 => gated.take_spare()?,
            (None, Some(gated)) => gated.pid(),
            (None, None) => return Err(Errno::ESRCH.into()),
        };
        self.adopt(pid);
        // A function's first process existed before the record.
        if attempt > 1 || self.function.is_none() {
            let process = self.terminal.as_ref().map_or(Ok(None), |_| ProcessIdentity::if_tellable(pid))?;
            let lines: Vec<Line> = [Line::Task(pid)].into_iter().chain(process.map(Line::TaskProcess)).collect();
            self.record.add(&lines).map_err(io::Error::other)?;
        }
        let Some(gated) = &mut self.function else {
            // The task runs, whether or not the caller can be told.
            let _ = tell();
            return Ok(());
        };
        let output = self.terminal.as_ref().map_or(log, Terminal::output);
        let order = gated.order(output, more, &self.store.place_of(self.name))?;
        tell()?;
        match gated.open(&order) {
            // Something has killed its process, and that is how the task ended.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            opened => opened,
        }
    }

    /// Ends the spare process of a function if there will be no other attempt.
    pub(super) fn dismiss_spare(&mut self) {
        let running = self.child;
        if let Some(Ok(spare)) = self.function.as_mut().map(Gated::take_spare) {
            self.adopt(spare);
            if let Some(spare) = self.child.filter(|spare| Some(*spare) != running) {
                let _ = kill(spare, Signal::SIGKILL);
                let _ = waitpid(spare, None);
            }
            self.child = running;
        }
    }

    /// Sleeps between two attempts.
    pub(super) fn pause(&mut self, delay: Millis) -> Result<Pause> {
        let until = clock::since_boot().saturating_add(delay);
        let deadline = self.deadline().map_or(until, |deadline| deadline.min(until));
        loop {
            match self.next(&[], Some(deadline))? {
                Event::TimeUp if deadline < until => return Ok(Pause::Stop(TIMED_OUT, Some(Cause::Timeout))),
                Event::TimeUp => return Ok(Pause::Over),
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone if self.cancelled().is_some() => {
                    return Ok(Pause::Stop(TERMINATED, Some(Cause::Cancelled)));
                }
                Event::Signal(signal) if ends_attempts(signal) => {
                    self.signal = Some(signal as i32);
                    return Ok(Pause::Stop(128 + signal as i32, None));
                }
                _ => {}
            }
        }
    }
}

/// Explains why a program did not start. The missing file may also be a script's interpreter.
pub(super) fn explained(error: io::Error, program: &OsStr) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && Path::new(program).exists() {
        return io::Error::other("the interpreter that its first line names is not there");
    }
    error
}

/// Whether the signal asks a program to end, which rules out another attempt.
pub(super) fn ends_attempts(signal: Signal) -> bool {
    matches!(signal, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM)
}

/// How the pause between two attempts ended.
pub(super) enum Pause {
    Over,
    /// There is no other attempt, for that cause or because of a signal. The future gets that status.
    Stop(i32, Option<Cause>),
}
