//! The schema of the JSON, in the file `schema/async-1.json`: the program prints that file, and only tests derive it
//! from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::{Cancellations, Envelope, Futures, Runs, Start, Waited, timing};

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
    /// `async timing --history --json`
    History(Envelope<timing::HistoryFields>),
    /// `async run --json`
    Run(Envelope<Start>),
    /// `async wait --json`, `async cleanup --json`
    Wait(Envelope<Waited>),
    /// `async cancel --json`
    Cancel(Envelope<Cancellations>),
}

/// `cargo xtask schema` makes this test write the file.
#[test]
fn the_schema_that_is_written_down_is_that_of_the_types() {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Document>();
    let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/async-1.json");
    if std::env::var_os("ASYNC_TEST_WRITE_SCHEMA").is_some() {
        std::fs::write(file, &schema).unwrap();
    }
    assert!(std::fs::read_to_string(file).unwrap() == schema, "{file} is out of date: run `cargo xtask schema`");
}
