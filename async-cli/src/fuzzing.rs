//! Internals for the fuzz targets in `tests/fuzz`. Only with the feature `fuzzing`. Runs no command.

use std::ffi::OsString;

use clap::Parser;

use crate::cli::{Cli, CommandLine};
use crate::shim::call::Call;

/// Parses a command line, which begins with the program's name, once by the definition of its command alone and once by
/// the whole definition. The first is none if that definition leaves the command line to the whole one.
#[allow(clippy::must_use_candidate, reason = "a part of it has to be used")]
pub fn read(args: &[OsString]) -> (Option<String>, Result<String, Refused>) {
    // What only scripts call has a definition of its own.
    if let Ok(read @ CommandLine::Plumbing(..)) = CommandLine::read(args) {
        return (None, Ok(format!("{read:?}")));
    }
    let alone = Cli::of_one_command(args).map(|cli| format!("{cli:?}"));
    let together = Cli::try_parse_from(args).map(|cli| format!("{cli:?}"));
    (alone, together.map_err(|_| refused(args)))
}

/// The result of a command line that is wrong or asks for help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The printed text.
    pub text: String,
    /// The exit status.
    pub status: i32,
}

fn refused(args: &[OsString]) -> Refused {
    match CommandLine::read(args) {
        Ok(cli) => Refused { text: format!("it is read after all: {cli:?}"), status: -1 },
        Err(error) => {
            let error = crate::shown(error, args);
            Refused { text: error.render().to_string(), status: error.exit_code() }
        }
    }
}

/// How `async_run` reads its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name of the future.
    pub name: String,
    /// The command.
    pub command: Vec<OsString>,
    /// How many words come before the command.
    pub skip: usize,
    /// How to run it, as a record writes it.
    pub plan: Option<async_core::Plan>,
}

/// Reads the words of `async_run` like devstack's functions or the others; the error is the message and the exit
/// status.
pub fn words(words: &[OsString], devstack: bool) -> Result<Asked, (String, u8)> {
    let told = |failure: crate::failure::Failure| (failure.to_string(), failure.status());
    let profile: &[&str] = if devstack { &["async", "--for=devstack", "status"] } else { &["async", "status"] };
    let context = Cli::try_parse_from(profile).map_err(|error| (error.to_string(), 2))?.context();
    let call = Call::read(words, &context).map_err(told)?;
    let name = call.name(&context).map_err(told)?.to_string();
    let plan = call.planning.plan(&context).map_err(told)?;
    Ok(Asked { name, skip: call.skip(words), plan, command: call.command })
}
