//! The command line of `async`: what each command does, and what it says.
//!
//! It has two callers: the program, and the bash builtin, which runs the same command line in the user's own shell.

mod account;
mod cli;
mod collecting;
mod commands;
mod completing;
mod duration;
mod ending;
mod export;
mod failure;
mod human;
mod io;
mod json;
mod kernel_copy;
mod live_line;
mod messages;
mod planning;
mod progress;
mod signal;
mod sleeper;
mod status;
mod suggestion;
mod waiting;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use failure::warn;
pub use io::{Fork, Io};
pub use json::schema;

/// The version, with the commit that it is built from where that is known.
pub const VERSION: &str = env!("ASYNC_VERSION");

/// The versions of bash that the builtin was tried in: what it knows of bash is no fixed interface.
pub const BUILTIN_SHELLS: [&str; 5] = ["4.4", "5.0", "5.1", "5.2", "5.3"];

/// Runs a command line, the program's name first, and gives the exit status.
///
/// Wrong usage, `--help` and `--version` end the process, as clap has it.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // An error can be reported, a death can't; and it can fail only where the signal would not come.
    let _ = async_core::process::outlive_file_size_limit();
    status(parse(args).unwrap_or_else(|error| error.exit()).run(&Io::of_program())).into()
}

/// Runs a command line, the program's name first, as a guest in somebody else's process, and gives the exit status.
///
/// It never ends the process, starts no thread and no process, and leaves no signal, descriptor or lock behind. It sleeps
/// for at most some seconds: the commands that wait for tasks, and those that turn into their parents, are for the
/// program, and wrong usage here (status 2).
pub fn run_in_process(args: impl IntoIterator<Item = OsString>, io: &Io) -> u8 {
    match parse(args) {
        Ok(cli) => status(cli.run_as_guest(io)),
        Err(error) => failure::report_usage(&error, io),
    }
}

/// Makes up what later calls of [`run_in_process`] need, in this process and in those that it becomes.
pub fn prepare_guest() {
    cli::prepare_guest();
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<cli::Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(cli) = cli::Cli::of_one_command(&args) {
        return Ok(cli);
    }
    let mut command = command();
    command
        .try_get_matches_from_mut(&args)
        .and_then(|mut matches| {
            cli::Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
        })
        .map_err(|error| suggestion::improve(error, &command, &args))
}

fn status(result: Result<status::ExitCode, failure::Failure>) -> u8 {
    result.map_or_else(|failure| failure.report(), u8::from)
}

/// The definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}
