//! `cargo xtask schema`: writes the schema of the JSON down.

use clap::Args;

/// Writes async-cli/schema/async-1.json, the schema of what `--json` prints
#[derive(Args)]
pub(crate) struct Schema {
    /// Write nothing; fail if the file is out of date
    #[arg(long)]
    check: bool,
}

impl Schema {
    pub(crate) fn run(&self) -> Result<(), String> {
        crate::generated::write("async-cli/schema/async-1.json", &async_cli::schema(), self.check, "schema")
    }
}
