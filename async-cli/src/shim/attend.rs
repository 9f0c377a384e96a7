//! `async attend`: attends a future whose task runs on an engine and has no attendant.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use async_core::process::{self, Side};
use clap::Args;

use crate::cli::Context;
use crate::commands;
use crate::failure::Failure;

/// Attends a future whose task runs elsewhere, to its end
///
/// Called by a command that finds one that nobody attends. It closes its standard output once it has heard all that
/// there is so far.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Attend {
    /// The name of the future
    name: OsString,
}

impl Attend {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let name = commands::name(&self.name)?;
        let store = context.store()?;
        // The caller waits no longer than this. It may end, and its process group may be killed.
        if let Side::Parent(_) = process::fork().map_err(Failure::Task)? {
            return Ok(ExitCode::SUCCESS);
        }
        let _ = nix::unistd::setsid();
        let _ = process::hide_arguments(&["async".as_ref(), "attend".as_ref(), name.as_str().as_ref()]);
        let mut report = |_| {
            let null = std::fs::File::options().write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdout(&null).map_err(io::Error::from)
        };
        store.attend(&name, &mut report)?;
        Ok(ExitCode::SUCCESS)
    }
}
