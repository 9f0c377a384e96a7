//! `async begin-here`: the start of `async_run` if the script runs the task itself.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::process::ExitCode;

use async_core::Start;
use clap::Args;

use super::answer::Answer;
use super::call::Origin;
use crate::cli::Context;
use crate::elsewhere;
use crate::failure::Failure;
use crate::messages::{self, About, Lines};

/// Begins a future whose task the calling shell runs; answers how many of the words come before the command
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct BeginHere {
    /// The pipe that the script reads the answer from
    #[arg(long, value_name = "FD")]
    answer: RawFd,
    /// The shell's process
    #[arg(long, value_name = "PID")]
    shell: u32,
    #[command(flatten)]
    origin: Origin,
    /// The words are not all there, or cut
    #[arg(long)]
    shortened: bool,
    /// What `async_run` was given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl BeginHere {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        self.begin(context).map_err(|failure| self.origin.at(failure))
    }

    fn begin(&self, context: &Context) -> Result<ExitCode, Failure> {
        let mut answer = Answer::on(self.answer)?;
        let call = self.origin.read(&self.words, context)?;
        let name = call.name(context)?;
        let lines = Lines::of(context, false)?;
        let store = context.store()?;
        let plan = call.planning.plan(context)?;
        elsewhere::must_be_here(plan.as_ref())?;
        // The output is the shell's own; but a wrong value of the variable is as wrong here.
        call.planning.terminal(context, None)?;
        if let Some(plan) = &plan
            && let Some(why) = store.wait_for_plan(plan)?
        {
            return Err(Failure::Skipped { name: name.to_string(), why });
        }
        let request = call.request(context, &store, plan, self.shortened);
        let started = call.planning.begin(&store, &name, &request, Start::InProcess(self.shell))?;
        let line = messages::line(&name, Some("self"), &format!("Running synchronously: {}", started.command));
        let give = |()| answer.give(format!("{}\n", call.skip(&self.words))).map_err(Failure::Answer);
        lines.say(About::Progress, &line).and_then(give).inspect_err(|_| store.abandon(&name, started.id))?;
        Ok(ExitCode::SUCCESS)
    }
}
