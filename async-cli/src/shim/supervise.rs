//! `async supervise`: the process behind the future of a shell function.

use std::ffi::OsString;
use std::io;
use std::os::fd::RawFd;
use std::process::ExitCode;

use async_core::{Begun, Elsewhere, End, Error, Files, Gated, Program, Request, Start, Target, Task, descriptor, process, supervise};
use clap::Args;

use super::answer::Answer;
use super::call::Origin;
use super::snapshot;
use crate::cli::{Context, Profile};
use crate::elsewhere;
use crate::exit_code;
use crate::failure::Failure;
use crate::messages::{self, About, Lines};
use crate::wait::started::Started;

/// Begins a future, has its task run, and records how it ended; exits with its status
///
/// A background subshell of the script turns into it once the task, a child of this process, waits at the gate. The script
/// is answered, behind two dots that it may lose, two texts with a NUL character behind each: the status, 0 if the task was
/// started or queued, and what to remember of it: its start, in ms since the epoch, and but for devstack a slash and its name;
/// the same behind `refused ` if nothing was started.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Supervise {
    /// The pipe that the script reads the answer from
    #[arg(long, value_name = "FD")]
    answer: RawFd,
    /// The pipe that the task waits at
    #[arg(long, value_name = "FD")]
    gate: RawFd,
    /// The task's process
    #[arg(long, value_name = "PID")]
    task: u32,
    #[command(flatten)]
    origin: Origin,
    /// The words are not all there, or cut
    #[arg(long)]
    shortened: bool,
    /// What `async_run` was given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Supervise {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let mut answer = Answer::on(self.answer)?;
        let end = match self.supervise(context, &mut answer) {
            Ok(end) => end,
            Err(failure) if answer.is_given() => return Err(failure),
            Err(failure) => {
                let first = || self.words.first().and_then(|word| word.to_str()).filter(|word| !word.starts_with('-'));
                let refused = match &failure {
                    Failure::Store(Error::AlreadyRunning { name, .. }) => Some(&**name),
                    Failure::Present(_) => None,
                    _ => first(),
                };
                let refused = refused.map_or_else(|| "0".to_owned(), Started::refused_to_text);
                let status = self.origin.at(failure).report();
                answer.give(format!("..{status}\0{refused}\0")).map_err(Failure::Answer)?;
                return Ok(status.into());
            }
        };
        Ok(exit_code::of_task(end.rc))
    }

    fn supervise(&self, context: &Context, answer: &mut Answer) -> Result<End, Failure> {
        let gate = descriptor::take(self.gate).map_err(Failure::Task)?;
        let call = self.origin.read(&self.words, context)?;
        let name = call.name(context)?;
        let lines = Lines::of(context, false)?;
        let task = Gated::new(self.task, gate, self.answer, call.skip(&self.words), context.script_pid()).map_err(Failure::Task)?;
        let task = task.ends_with(context.script_to_end_with()?);
        let store = context.store()?;
        let plan = call.planning.plan(context)?;
        let terminal_size = call.planning.terminal(context, plan.as_ref())?;
        let task = match plan.as_ref().and_then(|plan| plan.on.as_ref()) {
            Some(target) => copied(task, target)?,
            None => Task::Function(task),
        };
        let request =
            Request { pty: terminal_size.is_some(), ..call.request(context, &store, plan, self.shortened) };
        let started = call.planning.begin(&store, &name, &request, Start::Supervised(self.task))?;
        // Not everyone who lists processes should see the task's arguments. The record has them, for its readers.
        let _ = process::hide_arguments(&["async".as_ref(), "supervise".as_ref(), name.as_str().as_ref()]);
        let pid = std::process::id().to_string();
        let mut report = |result: io::Result<Begun>| {
            let Ok(begun) = result else {
                return Ok(());
            };
            // The original has no queue.
            if answer.is_given() && lines == Lines::AmongLogs {
                return Ok(());
            }
            let verb = messages::begun(&store, &name, begun);
            let line = messages::line(&name, Some(&pid), &format!("{verb}: {}", started.command));
            lines.mention(About::Progress, &line);
            if answer.is_given() {
                return Ok(());
            }
            let remembered = match context.profile() {
                Profile::Devstack => started.start_time.to_string(),
                Profile::Standalone => Started::to_text(started.start_time, &name),
            };
            answer.give(format!("..0\0{remembered}\0"))
        };
        let id = started.id;
        let files = Files { record: started.record, log: started.log };
        let end = supervise(&store, &name, files, started.planned, task, terminal_size, &mut report);
        if end.is_err() && !answer.is_given() {
            store.abandon(&name, id);
        }
        let end = end?;
        messages::announce(lines, &name, &pid, &end);
        Ok(end)
    }
}

/// The task as a copy of its shell, to be run elsewhere.
fn copied(mut shell: Gated, target: &Target) -> Result<Task, Failure> {
    let said = shell.take_snapshot().map_err(Failure::Task)?;
    let cwd = std::env::current_dir().map_err(|source| Failure::Directory { path: ".".into(), source })?;
    let program = Program {
        argv: Vec::new(),
        script: Some(snapshot::script(&said, !target.is_cluster()).map_err(Failure::Task)?),
        variables: Vec::new(),
        cwd,
        stdin: "/dev/null".into(),
    };
    let folders = elsewhere::folders()?;
    Ok(Task::Elsewhere(Elsewhere { program: Some(program), shell: Some(shell), folders }))
}
