//! `async end`: the end of a task that a shell ran itself.

use std::ffi::OsString;

use clap::Args;

use crate::cli::Place;
use crate::ending;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Records how a task ended, and exits with its status
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct End {
    /// The task's exit status
    #[arg(long)]
    rc: u8,
    /// The process id to show; without it, nothing is printed
    #[arg(long)]
    pid: Option<String>,
    name: OsString,
}

impl End {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let name = super::name(&self.name)?;
        let rc = i32::from(self.rc);
        place.store()?.finish(&name, rc)?;
        if let Some(pid) = &self.pid {
            ending::announce(place, &name, pid, &async_core::End { rc, ..Default::default() });
        }
        Ok(ending::exit_code(rc))
    }
}
