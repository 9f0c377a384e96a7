//! JSON for programs: the output of `--json`, and its schema.
//!
//! The types are the contract. Within one [`VERSION`], new fields may appear, but none disappears or changes its
//! meaning. After a change, `cargo xtask schema` writes the schema again.

mod cancelled;
mod future;
#[cfg(test)]
mod schema;
pub(crate) mod timing;
mod waited;

use std::path::Path;

use async_core::record::Argument;
use serde::Serialize;

use crate::failure::Failure;
use crate::messages::Output;
use async_core::text::printable_json;

pub(crate) use cancelled::{Cancellation, Cancellations};
pub(crate) use future::{Future, Futures, NumberedRun, Runs, Script, Start};
pub(crate) use waited::{WaitEnd, Waited};

/// The version of the format.
const VERSION: u32 = 1;

/// What all documents have around their content.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "{T}Document"))]
pub(crate) struct Envelope<T> {
    /// The version of this format. Readers should ignore fields that they do not know.
    #[cfg_attr(test, schemars(range(min = 1, max = 1)))]
    version: u32,
    /// The directory of the futures.
    store: Argument,
    #[serde(flatten)]
    content: T,
}

impl<T: Serialize> Envelope<T> {
    pub(crate) fn new(store: &Path, content: T) -> Self {
        Self { version: VERSION, store: store.as_os_str().into(), content }
    }
}

/// Prints a document with one write.
pub(crate) fn print(document: &impl Serialize, output: &mut Output) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::Output(error.into()))?;
    output.print(&(printable_json(&text) + "\n"))
}
