//! `async watch`: the supervisor of a function's task.

use std::ffi::OsString;

use async_core::{Task, supervise};
use clap::Args;

use crate::cli::Place;
use crate::ending;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Waits for a task, records how it ended, and exits with its status
///
/// A future's background subshell turns into it once the task, a child of this process, is there and waits at the gate.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Watch {
    /// The descriptor of the record
    #[arg(long)]
    fd: i32,
    /// The record has a plan
    #[arg(long)]
    planned: bool,
    /// The pipe that the task waits for a word on before it starts
    #[arg(long)]
    gate: i32,
    /// What the name of the pipe ends with
    #[arg(long)]
    id: OsString,
    /// The task's process
    #[arg(long)]
    task: u32,
    /// The name
    name: OsString,
}

impl Watch {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let name = super::name(&self.name)?;
        let store = place.store()?;
        store.remove_gate(&self.id);
        let task = Task::Gated { pid: self.task, gate: self.gate };
        let end = supervise(&store, &name, self.fd, self.planned, task)?;
        ending::announce(place, &name, &std::process::id().to_string(), &end);
        Ok(ending::exit_code(end.rc))
    }
}
