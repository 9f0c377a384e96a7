//! JSON for programs: what `--json` prints, and the schema of it.
//!
//! The types are the contract. Within one [`VERSION`] fields may come, but none goes away or means something else. After
//! a change `cargo xtask schema` writes the schema anew.

mod cancelled;
mod future;
pub(crate) mod timing;
mod waited;

use std::path::Path;

use async_core::record::Argument;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
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
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Document")]
pub(crate) struct Envelope<T> {
    /// The version of this format. Readers should ignore fields that they do not know.
    #[schemars(range(min = 1, max = 1))]
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

/// Every document that a command prints.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(title = "async --json", description = "What the commands of `async` print with `--json`.")]
#[allow(dead_code, clippy::large_enum_variant, reason = "for the schema alone")]
enum Document {
    /// `async status --json`; `async queue`, `pause` and `resume` with `--json`: the queued ones, in the order of the queue
    Status(Envelope<Futures>),
    /// `async log --list-runs --json`
    Log(Envelope<Runs>),
    /// `async timing --json`
    Timing(Envelope<timing::Timing>),
    /// `async run --json`
    Run(Envelope<Start>),
    /// `async wait --json`, `async cleanup --json`
    Wait(Envelope<Waited>),
    /// `async cancel --json`
    Cancel(Envelope<Cancellations>),
}

/// The JSON schema of every document.
#[must_use]
pub fn schema() -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Document>();
    // What serde_json made of types, it can print.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// Prints a document with one write.
pub(crate) fn print(document: &impl Serialize, output: &mut Output) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::Output(error.into()))?;
    output.print(&(printable_json(&text) + "\n"))
}
