//! The interface between a supervisor and what runs its task.

use std::fs::File;
use std::io;

use super::{Begun, Report, Supervisor};
use crate::error::Result;
use crate::store::End;

/// Runs the attempts of a task: [`Here`](super::here::Here), or an [`Attendant`](super::attend::Attendant) of jobs on an
/// engine.
///
/// What is the same for all is the supervisor's: when the task may start, its retries, and its record.
pub(super) trait Launcher {
    /// Whether the task is a child of this process, which decides when it starts, knows what it uses, and must not leave
    /// it alone.
    fn is_child(&self) -> bool;

    /// Records who runs it, before anything else.
    fn enter(&mut self, supervisor: &mut Supervisor<'_>, log: &File) -> Result<()>;

    /// Whether the task was allowed to start before, and only its end is to be seen.
    fn is_resumed(&self) -> bool {
        false
    }

    /// Makes everything ready for the first attempt, which may start now.
    fn make_ready(&mut self, _supervisor: &mut Supervisor<'_>) -> Result<()> {
        Ok(())
    }

    /// The number of the first attempt from now on.
    fn first_attempt(&self) -> u32 {
        1
    }

    /// Runs the attempt with that number, from 1, to its end. `more` says whether another may follow.
    ///
    /// Fails if the task can't be started and the caller does not know of its start yet.
    fn run(
        &mut self,
        supervisor: &mut Supervisor<'_>,
        number: u32,
        more: bool,
        log: &File,
        caller: &mut Caller<'_>,
    ) -> Result<End>;

    /// Whether another attempt may help after that end, which is no success.
    fn may_repeat(&self, end: &End) -> bool;

    /// Removes what is left of the last attempt, before the next one.
    fn clear(&mut self, supervisor: &mut Supervisor<'_>) -> Result<()>;

    /// Removes everything, once the end is recorded.
    fn clean_up(&mut self) {}
}

/// Who waits for the start of a task.
pub(super) struct Caller<'a> {
    report: Report<'a>,
    /// Whether it knows that the task starts, or is to start. After that, failures are only recorded.
    pub(super) is_told: bool,
    knows_that_it_runs: bool,
}

impl<'a> Caller<'a> {
    pub(super) fn new(report: Report<'a>) -> Self {
        Self { report, is_told: false, knows_that_it_runs: false }
    }

    /// Tells that the task runs, once. Fails if it is to run only if the caller knows, and that can't be told.
    pub(super) fn runs(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.knows_that_it_runs, true) {
            return Ok(());
        }
        let heard = (self.report)(Ok(Begun::Runs));
        // A task that was held back runs in any case.
        if self.is_told {
            return Ok(());
        }
        self.is_told = heard.is_ok();
        heard
    }

    /// Tells that it is held back, or will never start.
    pub(super) fn begun(&mut self, begun: Begun) -> io::Result<()> {
        if std::mem::replace(&mut self.is_told, true) { Ok(()) } else { (self.report)(Ok(begun)) }
    }

    /// Tells why it can't be started.
    pub(super) fn fail(&mut self, error: &io::Error) {
        let _ = (self.report)(Err(io::Error::new(error.kind(), error.to_string())));
    }
}
