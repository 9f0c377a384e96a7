//! `async end`: the end of a task, in the place of its background subshell.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::cli::Place;
use crate::failure::{Failure, warn};
use crate::messages::{self, Output};

/// Records how a task ended, says so, and exits with the task's status
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct End {
    /// The descriptor of the record; without it, the live future of that name is meant
    #[arg(long)]
    fd: Option<i32>,
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
        let store = place.store()?;
        let rc = i32::from(self.rc);
        // The result first: a terminal that stands still must not keep it from being written.
        match self.fd {
            Some(fd) => store.finish_on_descriptor(fd, rc)?,
            None => store.finish(&name, rc)?,
        };
        if let Some(pid) = &self.pid {
            let text = match rc {
                0 => "finished successfully".to_owned(),
                rc => format!("FAILED with rc {rc}{}", messages::killed(rc)),
            };
            if let Err(failure) = Output::stdout().and_then(|mut o| o.print(&messages::line(&name, Some(pid), &text))) {
                warn(&failure.to_string());
            }
        }
        Ok(ExitCode::from(self.rc))
    }
}
