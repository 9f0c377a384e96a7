//! The commands that only scripts call, one file each: the functions of the shim, and the completions of shells.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod functions;
pub(crate) mod rendering;
mod rounds;
mod snapshot;

use std::ffi::OsString;

use crate::commands::list::commands;
use crate::context::ContextArgs;

commands! {
    /// A command for scripts.
    Plumbing {
        supervise => Supervise,
        begin_here => BeginHere,
        end_here => EndHere,
        collect => Collect,
        end_script => EndScript,
        settle => Settle,
        message => Message,
        complete => Complete,
        attend => Attend,
    }
}

/// Parses a command line (the program's name, then the command) if the command is one of these.
pub(crate) fn read(args: &[OsString]) -> Option<Result<(ContextArgs, Plumbing), clap::Error>> {
    let [_, name, args @ ..] = args else {
        return None;
    };
    Plumbing::read(name.to_str()?, args)
}
