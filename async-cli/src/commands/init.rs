//! `async init`: makes the store, without the futures of earlier runs.

use std::process::ExitCode;

use async_core::Store;
use clap::Args;

use super::uncollected_by;
use crate::cli::Context;
use crate::context::kept_runs;
use crate::failure::{Failure, warn};
use crate::number;

const EXAMPLES: &str = "\
Examples:

  async init
  async --dir ./futures init       # one of your own: say so each time";

/// Create the store, or clear what earlier runs left in it; what still runs, or is a running script's, stays
///
/// Futures that have ended are kept as an earlier run, with their logs, and the oldest runs are removed. A paused queue stays
/// paused.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// How many earlier runs to keep
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = number::parse::<usize>, help = KEEP_RUNS_HELP)]
    keep_runs: Option<usize>,
}

const KEEP_RUNS_HELP: &str = "How many earlier runs to keep; 0 keeps none [default: $ASYNC_KEEP_RUNS, else 5]";

impl Init {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let runs = self.keep_runs.map_or_else(kept_runs, Ok)?;
        let dir = context.dir_to_init()?;
        let (_, leftovers) = Store::init_keeping(&dir, context.permissions(), runs, &context.caller())?;
        if let Some(version) = context.other_version() {
            warn(&format!(
                "the functions are version {version}, but the program is version {}",
                env!("CARGO_PKG_VERSION")
            ));
        }
        for name in leftovers.running {
            warn(&format!("`{name}` of an earlier run still runs, so it was kept: wait for it by name"));
        }
        for (name, script) in leftovers.of_others {
            warn(&format!("{}, so it was kept", uncollected_by(&name, script)));
        }
        for path in leftovers.no_records {
            warn(&format!("{} is no record that can be read, so it was left alone", path.display()));
        }
        if leftovers.is_paused {
            warn("the queue is paused, and stays so: `async resume` lets it go on");
        }
        Ok(ExitCode::SUCCESS)
    }
}
