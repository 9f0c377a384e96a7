//! `async pid`: prints the process behind a name.

use std::ffi::OsString;
use std::process::ExitCode;

use async_core::text;
use clap::Args;

use crate::cli::Context;
use crate::failure::Failure;
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  async pid docs
  ps -fp \"$(async pid docs)\"";

/// Print the process id of a live future, or `UNKNOWN` with status 1 if there is none
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pid {
    /// The name of the future
    name: OsString,
}

impl Pid {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let record = match super::name(&self.name) {
            Ok(name) => context.store()?.read(&name)?,
            Err(_) => None,
        };
        let mut output = Output::stdout()?;
        let Some(record) = record else {
            output.print("UNKNOWN\n")?;
            return Ok(ExitCode::FAILURE);
        };
        if let Some(host) = record.other_host() {
            let (name, host) = (text::printable(&self.name), text::printable(host.as_ref()));
            return Err(Failure::OnAnotherHost { name, host });
        }
        output.print(&format!("{}\n", text::printable(record.pid.unwrap_or_default().as_ref())))?;
        Ok(ExitCode::SUCCESS)
    }
}
