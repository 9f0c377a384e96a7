//! What came of a wait, in JSON.

use std::collections::BTreeSet;

use async_core::FutureName;
use serde::Serialize;

use super::Future;
use crate::failure::Failure;
use crate::wait::batch::ClaimedBatch;
use crate::wait::{Score, WaitMode};

/// What came of a wait.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Waited {
    /// The futures that are handed over by this, in the order in which they were waited for.
    futures: Vec<Future>,
    /// The names of which there was no future any more when their turn came: somebody else had collected it.
    not_there: Vec<String>,
    /// The others that were named, or were there at first: they are not handed over.
    left: Vec<String>,
    ended: WaitEnd,
    /// The exit status of the command.
    status: u8,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum WaitEnd {
    /// What was asked for was done.
    Complete,
    /// A future failed, and the others were cancelled, as was asked for.
    Failed,
    /// The time was up.
    Timeout,
    /// Something could not be done; standard error says what.
    Error,
}

impl Waited {
    /// The result of a wait for these names that left the `others` alone.
    pub(crate) fn new(
        together: &ClaimedBatch<'_>,
        names: &[FutureName],
        others: &[FutureName],
        ended: WaitEnd,
        status: u8,
    ) -> Self {
        let over = together.entries().map(|entry| &entry.name);
        let told: BTreeSet<_> = over.chain(&together.not_there).collect();
        Self {
            futures: together.entries().cloned().map(Future::from).collect(),
            not_there: together.not_there.iter().map(FutureName::to_string).collect(),
            left: names.iter().filter(|name| !told.contains(name)).chain(others).map(FutureName::to_string).collect(),
            ended,
            status,
        }
    }
}

impl WaitEnd {
    /// The outcome of a wait that failed as a whole, or ended with that score.
    pub(crate) fn of(failure: Option<&Failure>, how: WaitMode, score: &Score) -> Self {
        match failure {
            Some(Failure::TimeUp(_)) => Self::Timeout,
            Some(_) => Self::Error,
            None if score.unsure => Self::Error,
            None if how == WaitMode::FailFast && score.rc.is_some() => Self::Failed,
            None => Self::Complete,
        }
    }
}
