//! Ending a task that is cancelled, timed out, or can't be supervised any more.

use super::attempts::ends_attempts;
use std::io;
use std::thread::sleep;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};

use super::events::Event;
use super::{BETWEEN_TRIES, Supervisor, TERMINATED, TIMED_OUT, TRIES};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::record::Cause;
use crate::store::{End, INSIDE};
use crate::tree::{self, Ended};

impl Supervisor<'_> {
    pub(super) fn cancel(&mut self, grace: Millis) -> Result<End> {
        let ended = Some(self.end_tree(grace)?);
        // Without a child the task never ran: as if it had ended at once.
        let rc = self.reap().unwrap_or(TERMINATED);
        Ok(End { rc, cause: Some(Cause::Cancelled), ended, ..End::default() })
    }

    pub(super) fn end_tree(&mut self, grace: Millis) -> Result<Ended> {
        // It has run nothing yet, so it does not count among the ended processes.
        self.dismiss_spare();
        let ended = if self.terminal.is_none() && self.events.relays().is_empty() {
            insist(|| tree::end_own(grace, &|| self.events.sample_if_due()))
        } else {
            self.end_tree_beside(grace)
        };
        ended.or_else(|error| {
            // Even without seeing the other processes, the supervisor can end the task's own process, its child.
            self.say_in_log(&format!("only the task's own process was ended: {error}"));
            self.end_child_in_time(grace)
        })
    }

    /// Ends a task that can't be supervised any more. Needs no descriptor and no memory.
    pub(super) fn give_up(&mut self, error: &Error) -> End {
        self.end_child();
        self.say_in_log(&format!("killed, as its supervisor can't go on: {error}"));
        End { rc: self.rc.unwrap_or(128 + Signal::SIGKILL as i32), ..End::default() }
    }

    /// Ends the task's own process: sends SIGTERM, and SIGKILL if it still exists `grace` ms later.
    pub(super) fn end_child_in_time(&mut self, grace: Millis) -> Result<Ended> {
        let deadline = clock::since_boot().saturating_add(grace);
        let mut ended = Ended::default();
        while let Some(child) = self.child.filter(|_| self.reap().is_none()) {
            if ended.terminated == 0 {
                ended.terminated = 1;
                let _ = kill(child, Signal::SIGTERM);
                let _ = kill(child, Signal::SIGCONT);
            }
            if clock::since_boot() >= deadline {
                ended.killed = 1;
                self.end_child();
                break;
            }
            self.next(&[], Some(deadline))?;
        }
        Ok(ended)
    }

    /// The grace period, if somebody has cancelled the future.
    pub(super) fn cancelled(&self) -> Option<Millis> {
        // If the record can't be read, the canceller asks again.
        if self.script_is_gone.get() {
            return Some(self.plan.grace());
        }
        let record = self.record.read().ok()?;
        record.cancel_time.map(|_| record.cancel_grace.unwrap_or_else(|| self.plan.grace()))
    }

    /// Whether it was asked to end because a parent future was cancelled.
    pub(super) fn was_ended_from_around(&mut self, end: &End) -> bool {
        // Most tasks have no parent future, and this check saves them a look.
        if end.cause.is_some() || end.rc == 0 && std::env::var_os(INSIDE).is_none() {
            return false;
        }
        // The task may have got the signal before this process did.
        while let Ok(Event::Signal(signal)) = self.next(&[], Some(0)) {
            self.stop_retrying |= ends_attempts(signal);
        }
        let is_killed = [Signal::SIGTERM, Signal::SIGKILL].into_iter().any(|signal| end.rc == 128 + signal as i32);
        (self.stop_retrying || is_killed)
            && self.record.read().is_ok_and(|record| self.store.is_cancelled_around(&record))
    }

    /// Copies the rest that the task, which has come to that end, has written to its relays. That waits for whoever reads
    /// it, as the task would: as long as the task may run, and nobody ends it. What is left then goes to the log.
    pub(super) fn close_relays(&mut self, end: &mut End) {
        let mut is_left = self.events.relays().take_rest();
        if is_left && self.stop_retrying && end.rc == 0 {
            // It may have been over when it was told to end.
            (end.rc, end.signal) = (TERMINATED, Some(Signal::SIGTERM as i32));
        }
        while is_left && end.cause.is_none() && end.signal.is_none() && self.signal.is_none() {
            let deadline = self.deadline().filter(|_| self.has_started);
            match self.next(&[], deadline) {
                Ok(Event::Relayed) | Err(_) => is_left = false,
                Ok(Event::TimeUp) => (end.rc, end.cause) = (TIMED_OUT, Some(Cause::Timeout)),
                Ok(Event::Signal(signal)) if ends_attempts(signal) => {
                    self.stop_retrying = true;
                    (end.rc, end.signal) = (128 + signal as i32, Some(signal as i32));
                }
                Ok(_) => end.cause = self.cancelled().map(|_| Cause::Cancelled),
            }
        }
        let mut relays = self.events.relays();
        relays.leave_pipes();
        end.unlogged = Some(end.unlogged.unwrap_or(0) + relays.unlogged()).filter(|bytes| *bytes > 0);
    }

    /// Ends a task that should not start any more.
    pub(super) fn end_child(&mut self) {
        if let Some(child) = self.child
            && self.reap().is_none()
        {
            let _ = kill(child, Signal::SIGKILL);
            if let Ok(WaitStatus::Signaled(_, signal, _)) = waitpid(child, None) {
                (self.rc, self.signal) = (Some(128 + signal as i32), Some(signal as i32));
            }
        }
    }
}

/// Retries what can fail for a while, for example when all descriptors are taken, but not what never works here.
pub(super) fn insist<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES {
        match attempt() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => sleep(BETWEEN_TRIES),
            done => return done,
        }
    }
    attempt()
}
