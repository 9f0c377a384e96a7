//! `async init`: makes the store, without the futures of earlier runs.

use std::process::ExitCode;

use async_core::Store;
use async_core::store::KEPT_RUNS;
use clap::Args;

use super::uncollected_by;
use crate::cli::{Place, variable};
use crate::failure::{Failure, warn};

const EXAMPLES: &str = "\
Examples:

  async init
  DEST=/opt/stack async init       # devstack's, in /opt/stack/async
  async --dir ./futures init       # one of your own: say so each time";

/// Makes the store, or clears it of what earlier runs left; what still runs, or is a running script's, stays
///
/// What is over is kept as an earlier run, with its logs, until there are too many of these.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// How many earlier runs to keep
    #[arg(long, value_name = "N", help = KEEP_RUNS_HELP)]
    keep_runs: Option<usize>,
}

const KEEP_RUNS: &str = "ASYNC_KEEP_RUNS";
const KEEP_RUNS_HELP: &str = "How many earlier runs to keep; 0 keeps none [default: $ASYNC_KEEP_RUNS, else 5]";

impl Init {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let runs = self.keep_runs.map_or_else(kept_runs, Ok)?;
        let (_, leftovers) = Store::init_keeping(&place.dir()?, place.permissions(), runs, &place.caller())?;
        if let Some(version) = place.other_version() {
            warn(&format!("the functions are of version {version}, and the program of {}", env!("CARGO_PKG_VERSION")));
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
        Ok(ExitCode::SUCCESS)
    }
}

/// How many runs the environment says are to be kept.
fn kept_runs() -> Result<usize, Failure> {
    let Some(value) = variable(KEEP_RUNS) else {
        return Ok(KEPT_RUNS);
    };
    value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| {
        Failure::Usage(format!("{KEEP_RUNS} is `{}`, and should be a number of runs to keep", value.display()))
    })
}
