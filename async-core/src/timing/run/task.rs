//! One future on the axis of its run.

use crate::clock::Millis;
use crate::name::FutureName;
use crate::record::{self, Cause, Samples, State, Usage};
use crate::store::StoreFile;

/// One future of a run. All moments are ms from the run's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: FutureName,
    /// Which task of that name it is, counting from 1; none if there is only one.
    pub number: Option<usize>,
    /// Its command. May contain any characters; see [`crate::text::printable`].
    pub command: String,
    /// Its parent future, as an index lower than its own.
    pub parent: Option<usize>,
    /// When it was started.
    pub start: Millis,
    /// When the task was allowed to run: later than its start if it was queued, or if its limit had to be checked. If
    /// it never ran, when that was decided; if it is still queued, the end of the run.
    pub run_start: Millis,
    /// Whether it was held back until then.
    pub held: bool,
    /// When its task was over. None while it is running or queued, and if it was lost and never collected.
    pub end: Option<Millis>,
    /// How long its task ran, in ms: from `run_start` to its end, or to the end of the run while it runs. For a lost
    /// task, up to when somebody noticed, and 0 if nobody has: see [`Task::known_run_time`].
    pub run_time: Millis,
    /// Whether that is known. It is not if the task was lost and its record has no end.
    pub is_known: bool,
    /// The wait that collected it.
    pub wait: Option<Collected>,
    /// How it ended, or its present state.
    pub status: Status,
    /// Whether it ran in the shell itself (not parallel).
    pub synchronous: bool,
    /// The futures that had to end before it could run, as indices.
    pub after: Vec<usize>,
    /// How many tasks could run at once, including this one, if there was a limit.
    pub jobs: Option<u32>,
    /// Where it ran, or is to run, if not here: the engine, with its job once there is one, as `slurm:42`.
    pub on: Option<String>,
    /// The node that ran it, if that is known.
    pub node: Option<String>,
    /// What it used, if that is known.
    pub usage: Option<Usage>,
    /// What it used over time, if that is known.
    pub samples: Option<Samples>,
    /// Its log, if that still exists.
    pub log: Option<StoreFile>,
}

/// A wait that collected a future, in ms from the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// When it began.
    pub start: Millis,
    /// When it ended. Never before the end of the task.
    pub end: Millis,
}

/// How a future ended, or its present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// The task's exit status, 0 to 255; none while it runs, or if nobody knows it.
    pub rc: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why it ended or never started, if the task itself did not decide that.
    pub cause: Option<Cause>,
}

/// The status in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskOutcome {
    /// Its task is held back.
    Queued,
    /// Its task runs.
    Running,
    /// It ended with status 0.
    Succeeded,
    /// It ended with another status of its own, or by a signal that nobody here sent.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It timed out.
    TimedOut,
    /// It never started, because a future that had to succeed first did not.
    Skipped,
    /// It never started, because its program could not start.
    Unstartable,
    /// Its process went away without leaving a result.
    Lost,
}

impl Status {
    /// How it ended, or its present state, in one word.
    #[must_use]
    pub fn outcome(&self) -> TaskOutcome {
        match (self.state, self.cause, self.rc) {
            (State::Queued, ..) => TaskOutcome::Queued,
            (State::Running, ..) => TaskOutcome::Running,
            (State::Lost, ..) | (_, _, None) => TaskOutcome::Lost,
            (_, Some(Cause::Cancelled), _) => TaskOutcome::Cancelled,
            (_, Some(Cause::Timeout), _) => TaskOutcome::TimedOut,
            (_, Some(Cause::Skipped), _) => TaskOutcome::Skipped,
            (_, Some(Cause::Unstartable), _) => TaskOutcome::Unstartable,
            (_, None, Some(0)) => TaskOutcome::Succeeded,
            (_, None | Some(Cause::Memory | Cause::Node | Cause::Preempted | Cause::Silent), Some(_)) => {
                TaskOutcome::Failed
            }
        }
    }
}

impl Task {
    /// When its task was over. If it is not, the end of a run of that length in ms; if it was lost and nobody knows,
    /// the moment that it was allowed to run.
    #[must_use]
    pub fn until(&self, length: Millis) -> Millis {
        match (self.end, self.status.state) {
            (Some(end), _) => end,
            (None, State::Running | State::Queued) => length.max(self.run_start),
            (None, _) => self.run_start,
        }
    }

    /// Whether its task was ever allowed to run, as far as known.
    #[must_use]
    pub fn ran(&self) -> bool {
        match self.status.outcome() {
            TaskOutcome::Succeeded | TaskOutcome::Running | TaskOutcome::TimedOut => true,
            TaskOutcome::Queued | TaskOutcome::Skipped | TaskOutcome::Unstartable => false,
            // It may have ended while it was still queued.
            TaskOutcome::Failed | TaskOutcome::Cancelled | TaskOutcome::Lost => {
                self.run_start == self.start || self.end.is_some_and(|end| end > self.run_start)
            }
        }
    }

    /// How long its task ran, in ms; none if it was lost and nobody knows.
    #[must_use]
    pub fn known_run_time(&self) -> Option<Millis> {
        self.is_known.then_some(self.run_time)
    }

    /// How long it was queued, in ms.
    #[must_use]
    pub fn queued(&self) -> Millis {
        if self.held { self.run_start - self.start } else { 0 }
    }

    /// How long it was finished before somebody came for it, in ms. None while nobody has, and for a task that ran in
    /// the shell itself.
    #[must_use]
    pub fn slack(&self) -> Option<Millis> {
        match (self.end, self.wait) {
            (Some(end), Some(wait)) if !self.synchronous => Some((wait.start - end).max(0)),
            _ => None,
        }
    }

    /// The most memory that it had resident, in KiB: all of its processes together if it was sampled, else any single one.
    /// None if that is not known.
    #[must_use]
    pub fn max_resident(&self) -> Option<u64> {
        record::max_resident(self.samples.as_ref(), self.usage)
    }
}
