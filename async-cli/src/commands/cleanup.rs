//! `async cleanup`: waits for whatever nobody waited for.

use std::process::ExitCode;
use std::slice;

use async_core::Caller;
use clap::Args;

use super::may_take;
use crate::account::Account;
use crate::cli::Place;
use crate::collecting::Manner;
use crate::failure::{Failure, warn};
use crate::json::{self, Envelope, WaitEnd, Waited};
use crate::messages::{self, About, Lines, Output, QUIET_HELP};
use crate::sleeper::Sleeper;
use crate::waiting::Waiting;

const EXAMPLES: &str = "\
Examples:

  async cleanup                    # fails if one can't be collected, and not
                                   # because a task failed
  async cleanup --json | jq -r '.futures[] | select(.failed) | .name'";

/// Waits for all live futures but those of scripts that run, with a warning for each, and hands them over
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cleanup {
    /// Print one JSON document at the end, and no warnings and logs; `async schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Say nothing of what succeeds; its log is printed all the same
    #[arg(long, short, help = QUIET_HELP)]
    quiet: bool,
}

impl Cleanup {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        let mut output = Output::stdout()?;
        let sleeper = Sleeper::new(None);
        let mut account = self.json.then(Account::default);
        let lines = Lines::of(place, self.quiet)?;
        let manner = if self.json { Manner::ACCOUNTED } else { Manner::usual(lines) };
        let names = store.names()?.into_iter();
        let (names, others): (Vec<_>, Vec<_>) = names.partition(|name| may_take(&Caller::Program, &store, name));
        let mut status = 0;
        for name in &names {
            if !self.json {
                lines.say(About::Progress, &messages::uncollected(name))?;
            }
            // One that can't be collected must not keep the others from being.
            let account = account.as_mut();
            let waiting = Waiting { store: &store, output: &mut output, manner, sleeper: &sleeper, account };
            if let Err(failure) = waiting.for_all(slice::from_ref(name)) {
                warn(&failure.to_string());
                status = 125;
            }
        }
        if let Some(account) = account {
            let ended = if status == 0 { WaitEnd::Complete } else { WaitEnd::Error };
            let together = account.claim(&store, false)?;
            let document = Waited::new(&together, &names, &others, ended, status);
            json::print(&Envelope::new(store.dir(), document), &mut output)?;
            together.finish()?;
        }
        Ok(status.into())
    }
}
