//! `async end-script`: at the end of a script, stops what it has started and not collected.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use async_core::process::ProcessIdentity;
use async_core::{Cancelled, Cause, Entry, Error, FutureName, Store, clock};
use clap::Args;

use crate::cli::Context;
use crate::commands::cancel::in_shell;
use crate::context::OnExit;
use crate::exit_code::FAILED;
use crate::failure::{Failure, warn};
use crate::messages::{self, Lines, Output};
use crate::wait::collecting::{Functions, WaitOptions};
use crate::wait::sleeper::Sleeper;
use crate::wait::started::{tell_of_failed_starts, tell_of_missing};
use crate::wait::targets::{Rank, Target};
use crate::wait::{WaitMode, Waiting};

/// Cancels, or waits for, what the functions of the script have started and it has not collected
///
/// What failed without anybody having heard of it is told of. The supervisors say whom they have stopped.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct EndScript {
    /// What the shell remembers of futures: in the first word /NAME/ of each that did not start, and then SHELL-START/NAME of
    /// each that did
    #[arg(long, value_name = "WORD", num_args = 1..)]
    started: Vec<OsString>,
}

impl EndScript {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let on_exit = context.on_exit()?;
        let store = match context.store() {
            // The script has removed its store, and does not want what was in it.
            Err(Failure::Store(Error::NoStore(_)))
                if on_exit != OnExit::Wait || self.started.iter().all(|word| word.is_empty()) =>
            {
                return Ok(ExitCode::SUCCESS);
            }
            store => store?,
        };
        // Without an identity nothing says what the script has started.
        let Some(script) = context.script() else {
            return Ok(ExitCode::SUCCESS);
        };
        let ended = match on_exit {
            OnExit::Leave => Ok(ExitCode::SUCCESS),
            OnExit::Wait => self.wait(context, &store, &script),
            OnExit::Cancel => Self::stop(&store, &script),
        };
        // Only the reported length of the run depends on it.
        let _ = store.note_end_of(&script);
        ended
    }

    /// Waits for all, and returns the status of the first that failed.
    fn wait(&self, context: &Context, store: &Store, script: &ProcessIdentity) -> Result<ExitCode, Failure> {
        let mut output = Output::stdout()?;
        let sleeper = Sleeper::new(context, None, None)?;
        let (mut status, mut seen) = (0, BTreeSet::new());
        loop {
            // Those that a task of the script started, too; it may have started some during the last wait.
            let new: BTreeSet<Rank> = of_script(store, script)?
                .map(|entry| Rank { number: entry.record.start_time, name: entry.name.to_string() })
                .filter(|rank| !seen.contains(rank))
                .collect();
            if new.is_empty() {
                break;
            }
            seen.extend(new.iter().cloned());
            let targets = new.into_iter().map(|rank| Target { text: rank.name.clone().into(), rank }).collect();
            let options = WaitOptions::usual(Lines::of(context, false)?);
            let mut waiting = Waiting::of_program(store, &mut output, options, targets, WaitMode::Each);
            waiting.collecting.functions = Some(Functions { context, noted: self.noted() });
            waiting.run(&sleeper)?;
            status = if status == 0 { waiting.status() } else { status };
        }
        if status == 0 {
            status = tell_of_missing(store, Some(script), &self.started, self.noted())?;
        }
        let has_failed = tell_of_failed_starts(self.noted()) > 0;
        Ok(if status == 0 && has_failed { FAILED } else { status }.into())
    }

    fn noted(&self) -> &OsStr {
        self.started.first().map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// Reports failures that nobody has heard of, and cancels the rest.
    fn stop(store: &Store, script: &ProcessIdentity) -> Result<ExitCode, Failure> {
        for entry in of_script(store, script)? {
            if entry.state.is_over() && entry.has_failed() && entry.record.cause != Some(Cause::Cancelled) {
                let outcome = entry.record.outcome(None, clock::wall());
                let failed = if outcome.rc.is_some() { "failed " } else { "" };
                warn(&format!("nobody waited for `{}`, which {failed}{}", entry.name, messages::failed(&outcome)));
            }
        }
        cancel(store, script)
    }
}

/// A task may start another one while it is being stopped, so look again until there are none.
fn cancel(store: &Store, script: &ProcessIdentity) -> Result<ExitCode, Failure> {
    loop {
        let running =
            of_script(store, script)?.filter(|entry| !entry.state.is_over() && !entry.record.is_synchronous());
        let names: Vec<FutureName> = running.map(|entry| entry.name).collect();
        if names.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        for (name, result) in store.cancel_all(names, None) {
            if let Cancelled::InShell(pid) = result? {
                warn(&in_shell(&name, pid));
                return Ok(ExitCode::from(FAILED));
            }
        }
    }
}

/// The live futures that the script has started. An unreadable record belongs to nobody.
fn of_script(store: &Store, script: &ProcessIdentity) -> Result<impl Iterator<Item = Entry>, Failure> {
    let entries = store.entries(&store.record_files(false)?).into_iter().filter_map(|entry| entry.ok().flatten());
    Ok(entries.filter(move |entry| entry.record.script.as_ref() == Some(script)))
}
