//! `async watch`: the supervisor of a future's task.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use async_core::{FutureName, Store, Task, supervise};
use clap::Args;

use crate::cli::Place;
use crate::ending;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Runs or waits for a task, records how it ended, and exits with its status
///
/// A future's background subshell turns into it once the task, a child of this process, is there and waits at the gate.
/// Without a gate it starts a program itself: that is the other half of `async run`.
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
    #[arg(long, requires_all = ["id", "task"], required_unless_present = "program")]
    gate: Option<i32>,
    /// What the names of its files end with
    #[arg(long)]
    id: Option<OsString>,
    /// The task's process
    #[arg(long)]
    task: Option<u32>,
    /// The file of the program to start
    #[arg(long, conflicts_with = "gate")]
    program: Option<PathBuf>,
    /// The name, then the program's command line
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Watch {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let Some((name, command)) = self.words.split_first() else {
            return Err(Failure::Usage("watch needs a name".into()));
        };
        let name = super::name(name)?;
        let store = place.store()?;
        match (self.gate, self.task, &self.id, &self.program) {
            (Some(gate), Some(pid), Some(id), _) => {
                store.remove_gate(id);
                let end = supervise(&store, &name, self.fd, self.planned, Task::Gated { pid, gate })?;
                ending::announce(place, &name, &std::process::id().to_string(), &end);
                Ok(ending::exit_code(end.rc))
            }
            (_, _, _, Some(program)) => self.run_program(&store, &name, program, command),
            _ => Err(Failure::Usage("watch needs a gate or a program".into())),
        }
    }

    fn run_program(
        &self,
        store: &Store,
        name: &FutureName,
        program: &PathBuf,
        words: &[OsString],
    ) -> Result<ExitCode, Failure> {
        // It is no leader of a group: it has just been started.
        nix::unistd::setsid().map_err(|errno| Failure::Task(errno.into()))?;
        let mut command = Box::new(Command::new(program));
        if let Some((zeroth, arguments)) = words.split_first() {
            command.arg0(zeroth).args(arguments);
        }
        store.note_supervisor(self.fd)?;
        let mut told = false;
        let mut report = |result: io::Result<bool>| {
            if !std::mem::replace(&mut told, true) {
                let text = match result {
                    Ok(true) => "started \n".to_owned(),
                    Ok(false) => "queued \n".to_owned(),
                    Err(error) => format!("failed {error}\n"),
                };
                // Whoever asked may be gone.
                let _ = io::stderr().write_all(text.as_bytes());
                // From here on nobody listens.
                if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
                    let _ = rustix::stdio::dup2_stderr(&null);
                }
            }
        };
        let task = Task::Program { command, report: &mut report };
        let end = supervise(store, name, self.fd, self.planned, task)?;
        Ok(ending::exit_code(end.rc))
    }
}
