//! `async wait`: waits for futures and hands them over.

use std::ffi::OsString;
use std::process::ExitCode;

use async_core::clock::Millis;
use async_core::{Caller, Error, FutureName, Store};
use clap::Args;

use super::may_take;
use crate::account::Account;
use crate::cli::Place;
use crate::collecting::{Manner, Tally};
use crate::duration;
use crate::failure::{Failure, warn};
use crate::json::{self, Envelope, WaitEnd, Waited};
use crate::messages::{Lines, Output, QUIET_HELP};
use crate::sleeper::Sleeper;
use crate::waiting::Waiting;

const EXAMPLES: &str = "\
Examples:

  async wait docs tests           # in this order, up to the first that fails
  async wait docs || echo \"docs failed with status $?\"
  async wait --all --timeout 10m  # all there are; status 124 if time is up
  name=$(async wait --any --no-log a b)  # the first to end, and its status
  size=$(async wait size_of_dump) # what it has printed, and nothing else
  async --dir ./futures wait docs # one of another store
  async wait --all --json | jq '.futures[] | {name, rc, run_time_ms, log}'";

/// Waits for futures, prints their logs, and exits with the first status that is not 0
///
/// They are waited for in that order, and the first that fails is the last. If this is interrupted, or the time is up
/// (status 124), what has not been handed over can be waited for again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Wait {
    /// The names of the futures
    #[arg(required_unless_present_any = ["all", "any"], conflicts_with = "all", value_name = "NAME")]
    names: Vec<OsString>,
    /// Wait for all live futures but those of other scripts that run, also after one has failed
    #[arg(long)]
    all: bool,
    /// Wait for the first of them, or of all live ones, to end; its name is the last line of the output
    #[arg(long)]
    any: bool,
    /// Wait no longer than that, all in all: 90s, 5m, or a number of seconds
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Millis>,
    /// Do not print the logs
    #[arg(long)]
    no_log: bool,
    /// Say nothing of what succeeds; its log is printed all the same
    #[arg(long, short, help = QUIET_HELP)]
    quiet: bool,
    /// Print one JSON document when the wait is over, and no lines and logs; `async schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Leave the futures to be waited for again, and their logs to be printed then
    #[arg(long)]
    keep: bool,
}

impl Wait {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        let (names, others) = self.names(&store)?;
        if self.any && names.is_empty() {
            return Err(Failure::Usage(format!("there is nothing to wait for in {}", store.dir().display())));
        }
        let mut output = Output::stdout()?;
        let sleeper = Sleeper::new(self.timeout);
        if self.json {
            return self.run_in_json(&store, &names, &others, &sleeper, &mut output);
        }
        let (lines, log) = (Lines::of(place, self.quiet)?, !(self.no_log || self.keep));
        let manner = Manner { lines, log, keep: self.keep, stop: !self.all };
        let waiting = Waiting { store: &store, output: &mut output, manner, sleeper: &sleeper, account: None };
        if self.any {
            let (name, tally) = waiting.for_any(&names)?;
            output.print(&format!("{name}\n"))?;
            return Ok(tally.rc.into());
        }
        Ok(self.status_of(&waiting.for_all(&names)?, names.len()).into())
    }

    fn run_in_json(
        &self,
        store: &Store,
        names: &[FutureName],
        others: &[FutureName],
        sleeper: &Sleeper,
        output: &mut Output,
    ) -> Result<ExitCode, Failure> {
        loop {
            let mut account = Account::default();
            let manner = Manner { stop: !self.all, ..Manner::ACCOUNTED };
            let waiting = Waiting { store, output, manner, sleeper, account: Some(&mut account) };
            let waited = if self.any { waiting.for_any(names).map(|(_, tally)| tally) } else { waiting.for_all(names) };
            let together = account.claim(store, self.keep)?;
            if self.any && waited.is_ok() && together.entries().next().is_none() {
                // Somebody else was faster, so it is another one.
                continue;
            }
            let status = waited.as_ref().map_or_else(Failure::status, |tally| self.status_of(tally, names.len()));
            let ended = WaitEnd::of(waited.as_ref(), !self.any && !self.all);
            let document = Waited::new(&together, names, others, ended, status);
            json::print(&Envelope::new(store.dir(), document), output)?;
            together.finish()?;
            return waited.map(|_| status.into());
        }
    }

    fn status_of(&self, tally: &Tally, count: usize) -> u8 {
        if self.all && !self.any { status_of_all(tally, count) } else { tally.rc }
    }

    /// All of which are there; and those that are left alone.
    fn names(&self, store: &Store) -> Result<(Vec<FutureName>, Vec<FutureName>), Failure> {
        if self.names.is_empty() {
            let names = in_order_of_start(store)?.into_iter();
            return Ok(names.partition(|name| self.keep || may_take(&Caller::Program, store, name)));
        }
        let mut names = Vec::new();
        for arg in &self.names {
            let name = super::name(arg)?;
            if store.read(&name)?.is_none() {
                return Err(store.unknown(&name).into());
            }
            names.push(name);
        }
        Ok((names, Vec::new()))
    }
}

/// All live futures. One whose record says nothing comes first, for that to be told at once.
fn in_order_of_start(store: &Store) -> Result<Vec<FutureName>, Failure> {
    let mut names = Vec::new();
    for name in store.names()? {
        match store.read(&name) {
            Ok(Some(record)) => names.push((record.start_time, name)),
            Ok(None) => {}
            Err(Error::BadRecord { .. } | Error::Planted { .. }) => names.push((0, name)),
            Err(error) => return Err(error.into()),
        }
    }
    names.sort_unstable();
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// Says which of them failed. The status is that of the first, unless some could not even be waited for.
fn status_of_all(tally: &Tally, count: usize) -> u8 {
    let failed = &tally.failed;
    let Some(first) = failed.first() else {
        return 0;
    };
    let each: Vec<String> = failed.iter().map(|failed| format!("`{}` {}", failed.name, failed.how)).collect();
    warn(&format!("{} of {count} failed: {}", failed.len(), each.join(", ")));
    let is_known = failed.iter().all(|failed| failed.rc.is_some());
    first.rc.filter(|_| is_known).unwrap_or(125)
}
