//! `async queue`: lists the queue and changes it.

use std::ffi::OsString;
use std::process::ExitCode;

use async_core::{Amendment, State, Store, To};
use clap::Args;

use crate::cli::Context;
use crate::commands::run::planning::jobs;
use crate::commands::status;
use crate::failure::{Failure, warn};
use crate::json::{self, Envelope, Future, Futures};
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  async queue                      # what is queued, who is first at the top
  async queue index --first        # this one is next
  async queue index --before fetch
  async queue index --jobs 1       # it starts when nothing else runs
  async queue index --no-after --after fetch";

/// List the queue in order, or change a queued future's place, limit or dependencies
///
/// Exits with 125, and changes nothing, if the future is no longer queued or would have to come after itself. The place and the
/// rest are changed one at a time.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Queue {
    /// Move it before all others
    #[arg(long, group = "place", requires = "name")]
    first: bool,
    /// Move it right before that one
    #[arg(long, value_name = "NAME", group = "place", requires = "name")]
    before: Option<OsString>,
    /// Move it behind all others
    #[arg(long, group = "place", requires = "name")]
    last: bool,
    /// Start when fewer than N futures run, or that share of the cores
    #[arg(long, value_name = "N|PERCENT%", allow_hyphen_values = true, value_parser = jobs, conflicts_with = "place", requires = "name")]
    jobs: Option<u32>,
    /// Also wait until this future has succeeded (may be given several times)
    #[arg(long, value_name = "NAME", conflicts_with = "place", requires = "name")]
    after: Vec<OsString>,
    /// Also wait until this future has ended, however it ends (may be given several times)
    #[arg(long, value_name = "NAME", conflicts_with = "place", requires = "name")]
    after_any: Vec<OsString>,
    /// Drop all its dependencies
    #[arg(long, conflicts_with = "place", requires = "name")]
    no_after: bool,
    #[command(flatten)]
    shown: Shown,
    /// The queued future to change
    #[arg(value_name = "NAME")]
    name: Option<OsString>,
}

/// How the queue is shown after a change.
#[derive(Args, Debug)]
pub(crate) struct Shown {
    /// Print nothing
    #[arg(long, short)]
    quiet: bool,
    /// Print what is queued as JSON, in its order; `async schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

impl Queue {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = context.store()?;
        if let Some(name) = &self.name {
            let amendment = self.amendment()?;
            if amendment == Amendment::default() {
                return Err(Failure::Usage(
                    "say what to change: --first, --before, --last, --jobs, --after, --after-any or --no-after".into(),
                ));
            }
            store.amend(&super::name(name)?, &amendment)?;
        }
        self.shown.print(&store)
    }

    fn amendment(&self) -> Result<Amendment, Failure> {
        let to = match &self.before {
            _ if self.first => Some(To::First),
            _ if self.last => Some(To::Last),
            before => before.as_ref().map(|name| super::name(name).map(To::Before)).transpose()?,
        };
        Ok(Amendment {
            to,
            jobs: self.jobs,
            no_after: self.no_after,
            after: super::names(&self.after)?,
            after_any: super::names(&self.after_any)?,
        })
    }
}

impl Shown {
    /// Prints the queued futures, in order.
    pub(super) fn print(&self, store: &Store) -> Result<ExitCode, Failure> {
        if self.quiet {
            return Ok(ExitCode::SUCCESS);
        }
        let mut entries = Vec::new();
        for name in store.queue()? {
            entries.extend(store.live_entry(&name)?.filter(|entry| entry.state == State::Queued));
        }
        let mut output = Output::stdout()?;
        let queue_paused_ms = store.paused_since()?;
        if self.json {
            let futures = entries.into_iter().map(Future::from).collect();
            json::print(
                &Envelope::new(store.dir(), Futures { queue_paused_ms, futures, scripts: Vec::new() }),
                &mut output,
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        if !entries.is_empty() {
            status::print(&entries, &mut output)?;
        }
        match (queue_paused_ms.is_some(), entries.is_empty()) {
            (true, _) => warn("the queue is paused: `async resume` lets it go on"),
            (false, true) => warn(&format!("nothing is queued in {}", store.dir().display())),
            (false, false) => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}
