//! `async launched`: the last thing that a shell with the builtin does to start a future.

use std::ffi::OsString;
use std::os::fd::RawFd;

use async_core::{append_to_new, descriptor};
use clap::Args;

use crate::cli::Place;
use crate::failure::{Failure, warn};
use crate::messages;
use crate::status::ExitCode;

/// Notes the process that runs a future, closes the descriptors that `begin --open` has left, and says that it runs
///
/// This is for a shell, not for a program.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Launched {
    /// The descriptor of the record
    #[arg(long)]
    record: RawFd,
    /// The descriptor of the log
    #[arg(long)]
    log: RawFd,
    /// The process id of the background subshell
    #[arg(long)]
    pid: u32,
    /// The name
    name: OsString,
    /// The command, as the messages show it
    #[arg(allow_hyphen_values = true)]
    command: String,
}

impl Launched {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let record = descriptor::take(self.record);
        drop(descriptor::take(self.log));
        let name = super::name(&self.name)?;
        let pid = self.pid.to_string();
        let noted = record.and_then(|record| append_to_new(&record, &format!("pid = {pid}\n")));
        place.stdout()?.print(&messages::line(&name, Some(&pid), &format!("running: {}", self.command)))?;
        if let Err(error) = noted {
            warn(&format!("`{name}` runs, but its process {pid} can't be noted: {error}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}
