//! The command line of `async`: what each command does, and what it says.

mod cli;
mod collecting;
mod commands;
mod ending;
mod failure;
mod messages;
mod suggestion;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

/// Runs a command line, the program's name first, and gives the exit status.
///
/// Wrong usage, `--help` and `--version` end the process, as clap has it.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // An error can be reported, a death can't; and it can fail only where the signal would not come.
    let _ = async_core::process::outlive_file_size_limit();
    let cli =
        cli::Cli::try_parse_from(args).unwrap_or_else(|error| suggestion::without_hidden(error, &command()).exit());
    match cli.run() {
        Ok(status) => status,
        Err(failure) => failure.report().into(),
    }
}

/// The definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}
