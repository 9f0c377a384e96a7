//! `async cleanup`: waits for whatever nobody waited for.

use clap::Args;

use crate::cli::Place;
use crate::collecting::Manner;
use crate::failure::{Failure, warn};
use crate::sleeper::Sleeper;
use crate::status::ExitCode;
use crate::waiting::Waiting;

const EXAMPLES: &str = "\
Examples:

  async cleanup                    # fails if one can't be collected, and not
                                   # because a task failed";

/// Waits for all live futures, with a warning for each, and hands them over
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cleanup {}

impl Cleanup {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        let mut output = place.stdout()?;
        let sleeper = Sleeper::new(None);
        let mut status = ExitCode::SUCCESS;
        for name in store.names()? {
            output.print(&format!("WARNING: uncollected async future {name}\n"))?;
            // One that can't be collected must not keep the others from being.
            let waiting =
                Waiting { place, store: &store, output: &mut output, manner: Manner::USUAL, sleeper: &sleeper };
            if let Err(failure) = waiting.for_all(&[name]) {
                warn(&failure.to_string());
                status = ExitCode::from(125);
            }
        }
        Ok(status)
    }
}
