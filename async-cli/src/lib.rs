//! The command line of `async`: what each command does, and what it says.

mod cli;
mod collecting;
mod commands;
mod duration;
mod ending;
mod examples;
mod failure;
mod messages;
mod planning;
mod suggestion;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

/// Runs a command line, the program's name first, and gives the exit status.
///
/// Wrong usage, `--help` and `--version` end the process, as clap has it.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // An error can be reported, a death can't; and it can fail only where the signal would not come.
    let _ = async_core::process::outlive_file_size_limit();
    let mut command = command();
    let cli = command
        .try_get_matches_from_mut(args)
        .and_then(|mut matches| {
            cli::Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
        })
        .unwrap_or_else(|error| suggestion::without_hidden(error, &command).exit());
    match cli.run() {
        Ok(status) => status,
        Err(failure) => failure.report().into(),
    }
}

/// The definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    examples::added_to(cli::Cli::command())
}
