//! `cargo xtask schema`: writes the schema of the JSON.

use clap::Args;

/// Writes async-cli/schema/async-1.json, the schema of what `--json` prints
///
/// The tests fail if the file is out of date.
#[derive(Args)]
pub(crate) struct Schema {}

impl Schema {
    #[allow(clippy::unused_self, reason = "a task like the others")]
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut cargo = xtask::cargo();
        cargo.args(["test", "--package", "async-cli", "--lib", "json::schema"]).env("ASYNC_TEST_WRITE_SCHEMA", "1");
        xtask::succeed(&mut cargo)
    }
}
