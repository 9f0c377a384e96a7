//! `async wait`: waits for futures and hands them over.

use std::ffi::OsString;
use std::process::ExitCode;

use async_core::clock::Millis;
use async_core::{Caller, Error, FutureName, Store};
use clap::Args;

use crate::cli::Context;
use crate::commands::run::planning;
use crate::duration;
use crate::failure::Failure;
use crate::json::{self, Envelope, WaitEnd, Waited};
use crate::messages::{Lines, Output, QUIET_HELP};
use crate::wait::batch::PendingBatch;
use crate::wait::collecting::WaitOptions;
use crate::wait::sleeper::Sleeper;
use crate::wait::targets::{self, Scope, Target};
use crate::wait::{WaitMode, Waiting};

const EXAMPLES: &str = "\
Examples:

  async wait docs tests           # each log; the first status that is not 0
  async wait docs || echo \"docs failed with status $?\"
  async wait --fail-fast a b c    # cancels the others when one has failed
  async wait --all --timeout 10m  # all there are; status 124 if time is up
  async wait --timeout 0 docs     # its result if it is over, else status 124
  name=$(async wait --any --no-log a b)  # the first to end, and its status
  size=$(async wait size_of_dump) # what it has printed, and nothing else
  async --dir ./futures wait docs # one of another store
  async wait --all --json | jq '.futures[] | {name, rc, run_time_ms, log}'";

/// What is waited for, and how. So it is for `async_wait` too.
#[derive(Args, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Wanted {
    /// The names of the futures
    #[arg(conflicts_with = "all", value_name = "NAME")]
    pub(crate) names: Vec<OsString>,
    /// Wait for all live futures except those of other running scripts
    #[arg(long)]
    pub(crate) all: bool,
    /// Wait until one of them, or of all live futures, has ended, and print its name last
    #[arg(long)]
    pub(crate) any: bool,
    /// When one fails, cancel the others and exit with its status
    #[arg(long, conflicts_with_all = ["any", "keep"])]
    pub(crate) fail_fast: bool,
    /// Stop waiting after that time in total, with status 124: 90s, 5m, or a number of seconds; 0 only looks
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse)]
    pub(crate) timeout: Option<Millis>,
    /// Don't print the logs
    #[arg(long)]
    pub(crate) no_log: bool,
    /// Say nothing of what succeeds; its log is printed all the same
    #[arg(long, short, help = QUIET_HELP)]
    pub(crate) quiet: bool,
    /// Keep the futures and their logs for a later wait
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Wanted {
    pub(crate) fn how(&self) -> WaitMode {
        match (self.any, self.fail_fast) {
            (true, _) => WaitMode::Any,
            (false, true) => WaitMode::FailFast,
            (false, false) => WaitMode::Each,
        }
    }

    pub(crate) fn options(&self, context: &Context) -> Result<WaitOptions, Failure> {
        let lines = Lines::of(context, self.quiet)?;
        Ok(WaitOptions { lines, log: !(self.no_log || self.keep), keep: self.keep })
    }
}

/// The error for a wait for the first of no futures.
pub(crate) fn nothing_to_wait_for(store: &Store) -> Failure {
    Failure::Usage(format!("there is nothing to wait for in {}", store.dir().display()))
}

/// Wait for futures, print their logs, and exit with the first status that is not 0
///
/// Futures are waited for in the order given, even after one has failed; the last line says which failed. A future that was
/// waited for before returns its status again, without its log. If the wait is interrupted, or the time is up (status 124),
/// the rest can be waited for again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Wait {
    #[command(flatten)]
    wanted: Wanted,
    /// Print one JSON document at the end instead of lines and logs; `async schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

impl Wait {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let wanted = &self.wanted;
        if wanted.names.is_empty() && !wanted.all && !wanted.any {
            return Err(Failure::Usage("name the futures to wait for, or wait for --all or --any".into()));
        }
        let store = context.store()?;
        let (targets, others) = self.targets(&store)?;
        if wanted.any && targets.is_empty() {
            return Err(nothing_to_wait_for(&store));
        }
        let mut output = Output::stdout()?;
        let sleeper = Sleeper::new(context, wanted.timeout, Some(targets::go_on(context, &wanted.names)))?;
        if self.json {
            return self.run_in_json(&store, &targets, &others, &sleeper, &mut output);
        }
        let options = wanted.options(context)?;
        let mut waiting = Waiting::of_program(&store, &mut output, options, targets, wanted.how());
        waiting.collecting.has_limit = wanted.timeout.is_some();
        waiting.run(&sleeper)?;
        let status = waiting.status();
        if let Some(name) = waiting.first.take().filter(|_| wanted.any) {
            output.print(&format!("{name}\n"))?;
        }
        Ok(status.into())
    }

    fn run_in_json(
        &self,
        store: &Store,
        targets: &[Target],
        others: &[FutureName],
        sleeper: &Sleeper,
        output: &mut Output,
    ) -> Result<ExitCode, Failure> {
        let names: Vec<FutureName> =
            targets.iter().filter_map(|target| FutureName::from_arg(&target.text).ok()).collect();
        loop {
            let mut batch = PendingBatch::default();
            let how = self.wanted.how();
            let mut waiting = Waiting::of_program(store, output, WaitOptions::BATCHED, targets.to_vec(), how);
            waiting.batch = Some(&mut batch);
            waiting.collecting.has_limit = self.wanted.timeout.is_some();
            let waited = waiting.run(sleeper);
            let status = waited.as_ref().map_or_else(Failure::status, |()| waiting.status());
            let ended = WaitEnd::of(waited.as_ref().err(), how, &waiting.state.score);
            drop(waiting);
            let together = batch.claim(store, self.wanted.keep)?;
            if self.wanted.any && waited.is_ok() && together.entries().next().is_none() {
                // Another process was faster, so another future will be the first.
                continue;
            }
            let document = Waited::new(&together, &names, others, ended, status);
            json::print(&Envelope::new(store.dir(), document), output)?;
            together.finish()?;
            return waited.map(|()| status.into());
        }
    }

    /// The futures to wait for, and those that are left alone.
    fn targets(&self, store: &Store) -> Result<(Vec<Target>, Vec<FutureName>), Failure> {
        let Wanted { names, keep, .. } = &self.wanted;
        if names.is_empty() {
            let ancestors = targets::ancestors(store, planning::parent(store));
            let (found, others) = targets::found(store, &Caller::Program, &Scope::Store, &ancestors, *keep)?;
            targets::tell_of_others(store, &Caller::Program, &others);
            return Ok((found, others));
        }
        for arg in names {
            let name = super::name(arg)?;
            let was_collected =
                || Ok::<_, Error>(store.last_collected(&name)?.is_some_and(|kept| kept.wait_end.is_some()));
            if store.read(&name)?.is_none() && !was_collected()? {
                return Err(store.unknown(&name).into());
            }
        }
        Ok((targets::named(names), Vec::new()))
    }
}
