//! What the fuzz targets in `tests/fuzz` reach of the inside. Only with the feature `fuzzing`. Nothing of a command is run.

use std::ffi::OsString;

use clap::Parser;

use crate::cli::{Cli, CommandLine};
use crate::shim::call::Call;

/// A command line, the program's name first, as one definition of its command reads it and as that of all together does;
/// none where that one leaves it to all together.
#[allow(clippy::must_use_candidate, reason = "a part of it has to be used")]
pub fn read(args: &[OsString]) -> (Option<String>, Result<String, Refused>) {
    let alone = Cli::of_one_command(args).map(|cli| format!("{cli:?}"));
    let together = Cli::try_parse_from(args).map(|cli| format!("{cli:?}"));
    (alone, together.map_err(|_| refused(args)))
}

/// What a command line that is wrong, or asks for help, comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is printed.
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

/// What `async_run` makes of its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name of the future.
    pub name: String,
    /// The command.
    pub command: Vec<OsString>,
    /// How many words come before that.
    pub skip: usize,
    /// How it is to be run, as a record has it.
    pub plan: Option<async_core::Plan>,
}

/// Reads the words of `async_run`, as devstack's functions or the others do; the error is what is said and the exit status.
pub fn words(words: &[OsString], devstack: bool) -> Result<Asked, (String, u8)> {
    let told = |failure: crate::failure::Failure| (failure.to_string(), failure.status());
    let profile: &[&str] = if devstack { &["async", "--for=devstack", "status"] } else { &["async", "status"] };
    let context = Cli::try_parse_from(profile).map_err(|error| (error.to_string(), 2))?.context();
    let call = Call::read(words, &context).map_err(told)?;
    let name = call.name(&context).map_err(told)?.to_string();
    let plan = call.planning.plan(&context).map_err(told)?;
    Ok(Asked { name, skip: call.skip(words), plan, command: call.command })
}
