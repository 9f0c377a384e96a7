//! `async cleanup`: waits for everything that nobody has waited for.

use std::process::ExitCode;

use async_core::{Caller, FutureName};
use clap::Args;

use crate::cli::Context;
use crate::commands::run::planning;
use crate::failure::Failure;
use crate::json::{self, Envelope, WaitEnd, Waited};
use crate::messages::{Lines, Output, QUIET_HELP};
use crate::wait::batch::PendingBatch;
use crate::wait::collecting::WaitOptions;
use crate::wait::sleeper::Sleeper;
use crate::wait::targets::{self, Scope};
use crate::wait::{WaitMode, Waiting};

const EXAMPLES: &str = "\
Examples:

  async cleanup || echo \"something failed: $?\"
  async cleanup --json | jq -r '.futures[] | select(.failed) | .name'";

/// Wait for all live futures except those of running scripts, with a warning for each, and print their logs
///
/// Exits with the first status that is not 0, or with 125 if one can't be collected.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cleanup {
    /// Print one JSON document at the end instead of warnings and logs; `async schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Say nothing of what succeeds; its log is printed all the same
    #[arg(long, short, help = QUIET_HELP)]
    quiet: bool,
}

impl Cleanup {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = context.store()?;
        let lines = Lines::of(context, self.quiet)?;
        let mut output = Output::stdout()?;
        let ancestors = targets::ancestors(&store, planning::parent(&store));
        let (targets, others) = targets::found(&store, &Caller::Program, &Scope::Store, &ancestors, false)?;
        targets::tell_of_others(&store, &Caller::Program, &others);
        let sleeper = Sleeper::new(context, None, Some(targets::go_on(context, &[])))?;
        if !self.json {
            let options = WaitOptions::usual(lines);
            let mut waiting = Waiting::of_program(&store, &mut output, options, targets, WaitMode::CleanUp);
            waiting.run(&sleeper)?;
            return Ok(waiting.status().into());
        }
        let names: Vec<FutureName> =
            targets.iter().filter_map(|target| FutureName::from_arg(&target.text).ok()).collect();
        let mut batch = PendingBatch::default();
        let mut waiting = Waiting::of_program(&store, &mut output, WaitOptions::BATCHED, targets, WaitMode::CleanUp);
        waiting.batch = Some(&mut batch);
        let waited = waiting.run(&sleeper);
        let status = waited.as_ref().map_or_else(Failure::status, |()| waiting.status());
        let ended = WaitEnd::of(waited.as_ref().err(), WaitMode::CleanUp, &waiting.state.score);
        drop(waiting);
        let together = batch.claim(&store, false)?;
        let document = Waited::new(&together, &names, &others, ended, status);
        json::print(&Envelope::new(store.dir(), document), &mut output)?;
        together.finish()?;
        waited.map(|()| status.into())
    }
}
