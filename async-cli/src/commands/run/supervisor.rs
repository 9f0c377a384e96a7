//! The process that `async run` leaves behind: it starts the program, waits for it, and records how it ended.

use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use async_core::{Begun, Elsewhere, Error, Files, FutureName, RecordId, Store, Task, TerminalSize, descriptor, process, supervise};

use crate::failure::Failure;

/// What it gets from the process that forked it.
pub(super) struct Supervisor<'a> {
    pub(super) store: &'a Store,
    pub(super) name: &'a FutureName,
    pub(super) id: RecordId,
    /// The lock on its record is the future's life.
    pub(super) files: Files,
    /// Whether the record has a plan.
    pub(super) planned: bool,
    pub(super) command: Box<Command>,
    /// The task for an engine, in place of a local program.
    pub(super) elsewhere: Option<Elsewhere>,
    /// The size of the terminal that the program's output is to be, if any.
    pub(super) terminal_size: Option<TerminalSize>,
    /// The program's input.
    pub(super) stdin: File,
    /// The working directory of the program and of this process.
    pub(super) cwd: &'a Path,
    pub(super) caller: AnswerChannel,
}

impl Supervisor<'_> {
    /// Does its work. The results are in the record; the caller also hears of them while it listens.
    pub(super) fn run(self) {
        let Self { store, name, id, files, planned, mut command, elsewhere, terminal_size, stdin, cwd, mut caller } = self;
        let detached = detach(store, &files, &stdin, &caller, cwd).map_err(Failure::Task);
        command.stdin(stdin);
        // The arguments and the variables are the program's, and may contain secrets.
        let _ = process::hide_arguments(&["async".as_ref(), "run".as_ref(), name.as_str().as_ref()]);
        let mut report = |result: io::Result<Begun>| {
            match result {
                Ok(Begun::Runs) => caller.hears("started "),
                Ok(Begun::Queued) => caller.hears_for_now("queued "),
                Ok(Begun::Never) => caller.hears("never "),
                Err(error) => {
                    store.abandon(name, id);
                    caller.hears(&format!("failed {error}"));
                }
            }
            Ok(())
        };
        let task = elsewhere.map_or(Task::Program(command), Task::Elsewhere);
        let end = detached.and_then(|()| Ok(supervise(store, name, files, planned, task, terminal_size, &mut report)?));
        if let Err(failure) = end
            && !caller.knows
        {
            store.abandon(name, id);
            let word = if matches!(failure, Failure::Store(Error::NotSubmitted(_))) { "refused" } else { "error" };
            caller.hears(&format!("{word} {failure}"));
        }
    }
}

/// Leaves the caller's session and directory, and closes everything that the caller had open.
fn detach(store: &Store, files: &Files, stdin: &File, caller: &AnswerChannel, cwd: &Path) -> io::Result<()> {
    nix::unistd::setsid()?;
    let answer = caller.answer.as_ref().map(AsFd::as_fd);
    let log = files.log.as_ref().map(AsFd::as_fd);
    let kept: Vec<_> = [files.record.as_fd(), stdin.as_fd()]
        .into_iter()
        .chain(log)
        .chain(answer)
        .chain(store.descriptor())
        .collect();
    descriptor::close_all_but(&kept)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    std::env::set_current_dir(cwd)
}

/// The process that waits to hear whether the task runs.
pub(super) struct AnswerChannel {
    answer: Option<PipeWriter>,
    /// Whether it wants to know when a queued task starts to run.
    waits: bool,
    /// Whether it has been told anything.
    knows: bool,
}

impl AnswerChannel {
    pub(super) fn at(answer: PipeWriter, waits: bool) -> Self {
        Self { answer: Some(answer), waits, knows: false }
    }

    /// Tells the caller for the last time.
    fn hears(&mut self, text: &str) {
        self.hears_for_now(text);
        self.answer = None;
    }

    fn hears_for_now(&mut self, text: &str) {
        if let Some(answer) = &mut self.answer {
            // It may be gone.
            let _ = answer.write_all(format!("{text}\n").as_bytes());
        }
        self.knows = true;
        if !self.waits {
            self.answer = None;
        }
    }
}
