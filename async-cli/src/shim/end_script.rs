//! `async end-script`: what a script has started and not collected is stopped at its end.

use std::process::ExitCode;

use async_core::process::ProcessIdentity;
use async_core::{Cancelled, Cause, Entry, FutureName, Store, clock};
use clap::Args;

use crate::cli::Place;
use crate::collecting::Manner;
use crate::commands::cancel::in_shell;
use crate::failure::{Failure, warn};
use crate::messages::{self, Lines, Output};
use crate::place::OnExit;
use crate::sleeper::Sleeper;
use crate::targets::{self, Scope};
use crate::waiting::{How, Waiting};

/// Cancels, or waits for, what the functions of the script have started and it has not collected
///
/// What failed without anybody having heard of it is told of. The supervisors say whom they have stopped.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct EndScript {}

impl EndScript {
    #[allow(clippy::unused_self, reason = "as with all commands")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let on_exit = place.on_exit()?;
        let store = place.store()?;
        // Without an identity nothing says what it has started.
        let Some(script) = place.script() else {
            return Ok(ExitCode::SUCCESS);
        };
        let ended = match on_exit {
            OnExit::Leave => Ok(ExitCode::SUCCESS),
            OnExit::Wait => wait(place, &store),
            OnExit::Cancel => Self::stop(&store, &script),
        };
        // Nothing but the length of the run hangs on it.
        let _ = store.note_end_of(&script);
        ended
    }

    /// Tells of what failed without anybody having heard of it, and cancels the rest.
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

/// Waits for all, and gives the status of the first that failed.
fn wait(place: &Place, store: &Store) -> Result<ExitCode, Failure> {
    let mut output = Output::stdout()?;
    let (targets, _) = targets::found(store, &place.caller(), &Scope::Script(place.script().as_ref()), &[], false)?;
    let manner = Manner::usual(Lines::of(place, false)?);
    let mut waiting = Waiting::of_program(store, &mut output, manner, targets, How::Each);
    waiting.run(&Sleeper::new(None, None))?;
    Ok(waiting.status().into())
}

/// A task that is just being stopped may start another one, so it takes another look until there are none.
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
                return Ok(ExitCode::from(125));
            }
        }
    }
}

/// The live futures that the script has started. One that can't be read is nobody's.
fn of_script(store: &Store, script: &ProcessIdentity) -> Result<impl Iterator<Item = Entry>, Failure> {
    let entries = store.entries(&store.record_files(false)?).into_iter().filter_map(|entry| entry.ok().flatten());
    Ok(entries.filter(move |entry| entry.record.script.as_ref() == Some(script)))
}
