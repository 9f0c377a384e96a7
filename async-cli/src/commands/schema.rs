//! `async schema`: prints the schema of the other commands' JSON.

use std::process::ExitCode;

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  async schema >async.schema.json";

/// Print the JSON schema of what `--json` prints
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Schema {}

impl Schema {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, _: &Context) -> Result<ExitCode, Failure> {
        Output::stdout()?.print(include_str!("../../schema/async-1.json"))?;
        Ok(ExitCode::SUCCESS)
    }
}
