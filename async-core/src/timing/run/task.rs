//! One future on the axis of its run.

use crate::clock::Millis;
use crate::name::FutureName;
use crate::record::{Cause, State, Usage};
use crate::store::StoreFile;

/// One future of a run. All moments are ms from the run's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: FutureName,
    /// The how manyth of that name it is, from 1 on; none if there is no other.
    pub number: Option<usize>,
    /// Its command. May hold anything; see [`crate::text::printable`].
    pub command: String,
    /// The future inside whose task it was started, as an index before its own.
    pub parent: Option<usize>,
    /// When it was started.
    pub start: Millis,
    /// When its task was let go: later than that if it was queued, or its limit had to be looked at. If it was never let go, when
    /// that was given up; if it is still queued, the end of the run.
    pub run_start: Millis,
    /// Whether it was held back until then.
    pub held: bool,
    /// When its task was over. None while it runs or is queued, and for one that was lost and never collected.
    pub end: Option<Millis>,
    /// How long its task ran, in ms: from when it was let go to its end, or to the end of the run while it runs. For one that was
    /// lost, up to when somebody saw that, and 0 if nobody has: see [`Task::known_run_time`].
    pub run_time: Millis,
    /// Whether that is known. It is not of one that was lost and has left no record of its end.
    pub is_known: bool,
    /// The wait that collected it.
    pub wait: Option<Collected>,
    /// How it ended, or stands.
    pub status: Status,
    /// Whether it ran in the shell itself (not parallel).
    pub synchronous: bool,
    /// The futures that had to be over before it could run, as indices.
    pub after: Vec<usize>,
    /// How many tasks could run at once, this one included, if there was a limit.
    pub jobs: Option<u32>,
    /// Where it ran, or is to run, if not here: the engine, with its job once there is one, as `slurm:42`.
    pub on: Option<String>,
    /// The node that ran it, if that is known.
    pub node: Option<String>,
    /// What it used, if that is known.
    pub usage: Option<Usage>,
    /// Its log, if that is still there.
    pub log: Option<StoreFile>,
}

/// A wait that collected a future, in ms from the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// When it began.
    pub start: Millis,
    /// When it was over. Never before the end of the task.
    pub end: Millis,
}

/// How a future ended, or stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// The task's exit status, 0 to 255; none while it runs, or if nobody knows it.
    pub rc: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why it ended, or never started, where that was not the task's own doing.
    pub cause: Option<Cause>,
}

/// The same in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskOutcome {
    /// Its task is held back.
    Queued,
    /// Its task runs.
    Running,
    /// It ended with status 0.
    Succeeded,
    /// It ended with another status of its own, or by a signal that nobody here has sent.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// It never started, because a future that had to succeed first did not.
    Skipped,
    /// It never started, because its program could not be.
    Unstartable,
    /// Its process went away and left no result.
    Lost,
}

impl Status {
    /// How it ended, or stands, in one word.
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
    /// When its task was over; the end of a run of that length in ms if it is not, and the moment that it was let go if it
    /// was lost and nobody knows.
    #[must_use]
    pub fn until(&self, length: Millis) -> Millis {
        match (self.end, self.status.state) {
            (Some(end), _) => end,
            (None, State::Running | State::Queued) => length.max(self.run_start),
            (None, _) => self.run_start,
        }
    }

    /// Whether its task was ever let go, as far as that can be told.
    #[must_use]
    pub fn ran(&self) -> bool {
        match self.status.outcome() {
            TaskOutcome::Succeeded | TaskOutcome::Running | TaskOutcome::TimedOut => true,
            TaskOutcome::Queued | TaskOutcome::Skipped | TaskOutcome::Unstartable => false,
            // It may have been given up while it was queued.
            TaskOutcome::Failed | TaskOutcome::Cancelled | TaskOutcome::Lost => {
                self.run_start == self.start || self.end.is_some_and(|end| end > self.run_start)
            }
        }
    }

    /// How long its task ran, in ms; none if nobody knows, as it was lost.
    #[must_use]
    pub fn known_run_time(&self) -> Option<Millis> {
        self.is_known.then_some(self.run_time)
    }

    /// How long it was queued, in ms.
    #[must_use]
    pub fn queued(&self) -> Millis {
        if self.held { self.run_start - self.start } else { 0 }
    }

    /// How long it lay finished before somebody came for it, in ms. None while nobody has, and for one that ran in the shell
    /// itself.
    #[must_use]
    pub fn slack(&self) -> Option<Millis> {
        match (self.end, self.wait) {
            (Some(end), Some(wait)) if !self.synchronous => Some((wait.start - end).max(0)),
            _ => None,
        }
    }
}
