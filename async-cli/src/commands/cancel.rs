//! `async cancel`: stops futures, with everything that they have started.

use std::ffi::OsString;
use std::process::ExitCode;

use async_core::clock::Millis;
use async_core::tree::Ended;
use async_core::{Cancelled, Entry, FutureName, Record, Store, text};
use clap::Args;

use crate::cli::Context;
use crate::duration;
use crate::failure::{Failure, warn};
use crate::json::{self, Cancellation, Cancellations, Envelope};
use crate::messages::{self, About, Lines, Output};
use crate::script_option::ScriptOption;

const EXAMPLES: &str = "\
Examples:

  async cancel build
  async cancel --grace 1m db       # may take a minute to shut down
  async cancel --all
  async cancel --json build | jq '.futures[] | {name, terminated, killed}'
  async wait build                 # a cancelled one has a status and a log";

/// Stop futures: the whole process tree of each, SIGTERM first, then SIGKILL
///
/// Returns once they have stopped. They can still be waited for, like any others.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cancel {
    #[command(flatten)]
    of: ScriptOption,
    /// Stop all running and queued futures
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// The time between SIGTERM and SIGKILL [default: the future's own, else 5s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse)]
    grace: Option<Millis>,
    /// Don't report what was stopped
    #[arg(long, short)]
    quiet: bool,
    /// Print what became of each as JSON; `async schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// The names of the futures
    #[arg(required_unless_present = "all", value_name = "NAME")]
    names: Vec<OsString>,
}

impl Cancel {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = self.of.place(context)?.store()?;
        let names = if self.all {
            store.names()?
        } else {
            let names = self.names.iter().map(|name| super::name(name)).collect::<Result<Vec<_>, _>>()?;
            for name in &names {
                if store.read(name)?.is_none() {
                    return Err(store.unknown(name).into());
                }
            }
            names
        };
        let lines = Lines::of(context, self.quiet)?;
        let mut status = ExitCode::SUCCESS;
        let mut cancellations = Vec::new();
        for (name, result) in store.cancel_all(names, self.grace) {
            let result = result.and_then(|cancelled| {
                let entry = if self.json { entry_after(&store, &name, &cancelled)? } else { None };
                Ok((cancelled, entry))
            });
            match result {
                Ok((Cancelled::Over(_) | Cancelled::Unknown, _)) if self.all => {}
                Ok((cancelled, entry)) => {
                    cancellations.extend(entry.and_then(|entry| Cancellation::new(&cancelled, entry)));
                    if let Some(line) = describe(&name, &cancelled)
                        && !self.json
                    {
                        lines.say(About::Progress, &line)?;
                    }
                    if let Cancelled::InShell(pid) = cancelled {
                        warn(&in_shell(&name, pid));
                        status = ExitCode::from(125);
                    }
                }
                Err(error) => {
                    warn(&error.to_string());
                    status = ExitCode::from(125);
                }
            }
        }
        if self.json {
            let document = Cancellations { futures: cancellations };
            json::print(&Envelope::new(store.dir(), document), &mut Output::stdout()?)?;
        }
        Ok(status)
    }
}

/// The future after that; none if it was gone.
fn entry_after(store: &Store, name: &FutureName, cancelled: &Cancelled) -> async_core::Result<Option<Entry>> {
    match cancelled {
        Cancelled::Unknown => Ok(None),
        Cancelled::InShell(_) => store.live_entry(name),
        Cancelled::Over(record) | Cancelled::Stopped(record) | Cancelled::StoppedHere(record, _) => {
            store.entry_of(name, record).map(Some)
        }
    }
}

/// The message about a future that only its shell can stop.
pub(crate) fn in_shell(name: &FutureName, pid: u32) -> String {
    format!("`{name}` runs in the shell {pid} itself, so it was left alone: end that shell")
}

/// The message about a future that was stopped, or was over.
pub(crate) fn describe(name: &FutureName, cancelled: &Cancelled) -> Option<String> {
    let (record, text) = match cancelled {
        Cancelled::Unknown | Cancelled::InShell(_) => return None,
        Cancelled::Over(record) => (record, "was over already".to_owned()),
        Cancelled::Stopped(record) => (record, format!("cancelled: {}", how(record))),
        Cancelled::StoppedHere(record, ended) => {
            (record, format!("stopped without its supervisor: {}", counts(*ended)))
        }
    };
    Some(messages::record_line(name, record, &text))
}

fn how(record: &Record) -> String {
    if record.is_held_back() {
        return "it had not started".to_owned();
    }
    counts(Ended { terminated: record.terminated.unwrap_or(0), killed: record.killed.unwrap_or(0) })
}

fn counts(ended: Ended) -> String {
    let processes = |number: u32| text::counted(number, "process", "processes");
    match ended {
        Ended { terminated: 0, killed: 0 } => "nothing of it was left".to_owned(),
        Ended { terminated, killed: 0 } => format!("{} terminated", processes(terminated)),
        Ended { terminated, killed } => {
            format!("{} terminated, {} of that tree killed after the grace period", processes(terminated), killed)
        }
    }
}
