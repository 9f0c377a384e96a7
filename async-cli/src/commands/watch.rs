//! `async watch`: the supervisor of a future's task.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_core::{End, FutureName, Store, Task, supervise};
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
    #[arg(long, requires = "task", required_unless_present = "program")]
    gate: Option<i32>,
    /// What the name of the pipe ends with, if it has one
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
        match (self.gate, self.task, &self.program) {
            (Some(gate), Some(pid), _) => {
                if let Some(id) = &self.id {
                    store.remove_gate(id);
                }
                let end = supervise(&store, &name, self.fd, self.planned, Task::Gated { pid, gate })?;
                ending::announce(place, &name, &std::process::id().to_string(), &end);
                Ok(ending::exit_code(end.rc))
            }
            (_, _, Some(program)) => self.run_program(&store, &name, program, command),
            _ => Err(Failure::Usage("watch needs a gate or a program".into())),
        }
    }

    fn run_program(
        &self,
        store: &Store,
        name: &FutureName,
        program: &Path,
        words: &[OsString],
    ) -> Result<ExitCode, Failure> {
        let mut caller = Caller { knows: false };
        let result = self.supervise_program(store, name, program, words, &mut caller);
        if let Err(failure) = &result
            && !caller.knows
        {
            store.abandon(name);
            caller.hears(&format!("error {failure}"));
        }
        Ok(ending::exit_code(result?.rc))
    }

    fn supervise_program(
        &self,
        store: &Store,
        name: &FutureName,
        program: &Path,
        words: &[OsString],
        caller: &mut Caller,
    ) -> Result<End, Failure> {
        // It is no leader of a group: it has just been started.
        nix::unistd::setsid().map_err(|errno| Failure::Task(errno.into()))?;
        let mut command = Box::new(Command::new(program));
        if let Some((zeroth, arguments)) = words.split_first() {
            command.arg0(zeroth).args(arguments);
        }
        let mut report = |result: io::Result<bool>| match result {
            Ok(true) => caller.hears("started "),
            Ok(false) => caller.hears("queued "),
            Err(error) => {
                store.abandon(name);
                caller.hears(&format!("failed {error}"));
            }
        };
        Ok(supervise(store, name, self.fd, self.planned, Task::Program { command, report: &mut report })?)
    }
}

/// The process that has started this one, and reads its standard error until it knows whether the task runs.
struct Caller {
    knows: bool,
}

impl Caller {
    /// Only what it hears first counts.
    fn hears(&mut self, text: &str) {
        if std::mem::replace(&mut self.knows, true) {
            return;
        }
        // It may be gone.
        let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
        // From here on nobody listens.
        if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stderr(&null);
        }
    }
}
