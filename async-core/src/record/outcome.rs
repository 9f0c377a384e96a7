//! How a future ended, and when the wait for it was.

use super::Cause;
use crate::clock::{self, Millis};

/// How a future ended, as seen by a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status: the recorded one, else 128 + N if the shell's own wait saw signal N. None if it is unknown.
    pub rc: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether the task's process went away without leaving a result.
    pub lost: bool,
    /// Why it ended, if the task itself did not decide that.
    pub cause: Option<Cause>,
    /// When it ended, in ms since the epoch; if that is unknown, the moment of collecting.
    pub end_time: Millis,
    /// How long it ran, in ms, never negative; none if it was lost and nobody knows.
    pub run_time: Option<Millis>,
}

/// The wait that collected a future, in ms since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// When it began.
    pub start: Millis,
    /// When it ended.
    pub end: Millis,
}

impl Wait {
    /// A wait of no length, now.
    #[must_use]
    pub fn none() -> Self {
        let now = clock::wall();
        Self { start: now, end: now }
    }
}
