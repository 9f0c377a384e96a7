//! What a future is doing, in a word and a colour.

use async_core::{Entry, State};

/// What a future is doing: where there is no room for all, those that matter most come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    Failed,
    Running,
    Queued,
    Finished,
}

impl Doing {
    pub(crate) fn of(entry: &Entry) -> Self {
        match entry.state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Finished | State::Lost | State::Collected if entry.has_failed() => Self::Failed,
            State::Finished | State::Lost | State::Collected => Self::Finished,
        }
    }
}
