//! `async guard`: what a script leaves running is cancelled when the script ends.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use async_core::process::ProcessIdentity;
use async_core::{FutureName, State, Store};
use clap::Args;

use crate::cli::Place;
use crate::failure::Failure;
use crate::messages::Output;

/// Waits in the background for a script to end, and then cancels the futures that it owns
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Guard {
    /// The script's process
    #[arg(long)]
    process: u32,
    /// This is the one in the background
    #[arg(long)]
    identity: Option<String>,
}

impl Guard {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let dir: PathBuf = std::path::absolute(place.dir()?).map_err(Failure::Task)?;
        if let Some(identity) = &self.identity {
            let identity: ProcessIdentity =
                identity.parse().map_err(|_| Failure::Usage(format!("no process identity: {identity}")))?;
            // A terminal's signals are the script's, not ours.
            nix::unistd::setsid().map_err(|errno| Failure::Task(errno.into()))?;
            identity.wait().map_err(Failure::Task)?;
            cancel_all_of(&place.store()?, &identity)?;
            return Ok(ExitCode::SUCCESS);
        }
        // It starts here, so that it can't be another process by the time the other one looks.
        let identity = ProcessIdentity::of(self.process).map_err(Failure::Task)?;
        // It stays longer than the script.
        async_core::descriptor::keep_from_children().map_err(Failure::Task)?;
        Command::new("/proc/self/exe")
            .args(["guard", "--process", &self.process.to_string(), "--identity", &identity.to_string()])
            .args(["--for", place.profile().name(), "--dir"])
            .arg(dir)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::Task)?;
        // What its futures are to say of it.
        Output::stdout()?.print(&format!("{identity}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A task that is just being stopped may start another one, so it takes another look until there are none.
fn cancel_all_of(store: &Store, owner: &ProcessIdentity) -> Result<(), Failure> {
    loop {
        let names = running(store, owner)?;
        if names.is_empty() {
            return Ok(());
        }
        let results = store.cancel_all(names, None);
        if let Some((_, Err(error))) = results.into_iter().find(|(_, result)| result.is_err()) {
            return Err(error.into());
        }
    }
}

fn running(store: &Store, owner: &ProcessIdentity) -> Result<Vec<FutureName>, Failure> {
    let mut names = Vec::new();
    for name in store.names()? {
        // One that can't be read is nobody's.
        if let Ok(Some((record, State::Running | State::Queued))) = store.look(&name)
            && record.owner.as_ref() == Some(owner)
            && !record.is_synchronous()
        {
            names.push(name);
        }
    }
    Ok(names)
}
