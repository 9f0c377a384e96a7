//! `async watch`: what a future's background subshell turns into once the task is started.

use std::ffi::OsString;
use std::io::Write;

use async_core::{descriptor, process};
use clap::Args;

use crate::cli::Place;
use crate::ending;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Waits for the task, a child of this process, records how it ended, and exits with its status
///
/// Signals are passed on to the task meanwhile.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Watch {
    /// The descriptor of the record
    #[arg(long)]
    fd: i32,
    /// The pipe that the task waits for a word on before it starts
    #[arg(long)]
    gate: i32,
    /// What the names of its files end with
    #[arg(long)]
    id: OsString,
    /// The task's process
    #[arg(long)]
    task: u32,
    name: OsString,
}

impl Watch {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        // If it can't be opened, the end of this process tells the task not to start.
        let open_gate = || descriptor::duplicate(self.gate)?.write_all(b"\n");
        let name = super::name(&self.name)?;
        let store = place.store()?;
        store.remove_gate(&self.id);
        let rc = process::watch_child(self.task, open_gate).map_err(Failure::Task)?;
        store.finish_on_descriptor(self.fd, rc)?;
        ending::announce(place, &name, &std::process::id().to_string(), rc);
        Ok(ending::exit_code(rc))
    }
}
