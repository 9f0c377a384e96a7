//! Where a future stands, and why it ended.

use serde::Serialize;

/// Where a future stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its task is held back: by other futures that have to end first, or by a limit on running tasks.
    Queued,
    /// Its task runs.
    Running,
    /// Its task has ended and left a result, which nobody has collected.
    Finished,
    /// Its process is gone and left no result.
    Lost,
    /// It has been handed over.
    Collected,
}

impl State {
    /// Whether its task has stopped running or will never run.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Lost => "lost",
            Self::Collected => "collected",
        })
    }
}

/// Why a task ended, where that was not its own doing, or why it never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Somebody cancelled it, or a future inside whose task it was started.
    Cancelled,
    /// Its time was up.
    Timeout,
    /// It was never started, because a future that had to succeed first did not.
    Skipped,
    /// It was never started, because its program could not be.
    Unstartable,
    /// Its job had no memory left.
    Memory,
    /// The node that its job ran on failed.
    Node,
    /// Its job had to make room for another one.
    Preempted,
    /// Its job is over, and has not said how it ended.
    Silent,
}

impl Cause {
    /// The word for it in records and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
            Self::Unstartable => "unstartable",
            Self::Memory => "memory",
            Self::Node => "node",
            Self::Preempted => "preempted",
            Self::Silent => "silent",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let engines = [Self::Memory, Self::Node, Self::Preempted, Self::Silent];
        [Self::Cancelled, Self::Timeout, Self::Skipped, Self::Unstartable]
            .into_iter()
            .chain(engines)
            .find(|cause| cause.as_str() == word)
    }

    /// Whether the task might do better on another node.
    #[must_use]
    pub(crate) fn is_of_the_engine(self) -> bool {
        matches!(self, Self::Node | Self::Preempted | Self::Silent)
    }
}
