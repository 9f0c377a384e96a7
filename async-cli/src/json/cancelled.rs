//! What came of requests to cancel futures, in JSON.

use async_core::{Cancelled, Entry};
use serde::Serialize;

use super::Future;

/// Futures that were to be cancelled.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cancellations {
    /// The futures, as they are named. Those that --all leaves alone, and one that is gone meanwhile, are not there.
    pub(crate) futures: Vec<Cancellation>,
}

/// A future that was to be cancelled.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cancellation {
    result: CancelResult,
    #[serde(flatten)]
    future: Future,
}

/// What came of a request to cancel a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum CancelResult {
    /// It was stopped.
    Stopped,
    /// The process that watches it was gone, so what was left of its task was stopped, and it has no exit status.
    Orphaned,
    /// It was over before.
    Over,
    /// It was left alone, as it runs in a shell itself; standard error says which.
    InShell,
}

impl Cancellation {
    /// The result for a future with that entry after the request. None if the future was gone.
    pub(crate) fn new(cancelled: &Cancelled, mut entry: Entry) -> Option<Self> {
        let result = match cancelled {
            Cancelled::Unknown => return None,
            Cancelled::Over(_) => CancelResult::Over,
            Cancelled::InShell(_) => CancelResult::InShell,
            Cancelled::Stopped(_) => CancelResult::Stopped,
            Cancelled::StoppedHere(_, ended) => {
                // Nobody was there to record it.
                entry.record.terminated = Some(ended.terminated);
                entry.record.killed = Some(ended.killed);
                CancelResult::Orphaned
            }
        };
        Some(Self { result, future: entry.into() })
    }
}
