//! `async pause`: keeps queued futures from starting.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::queue;
use crate::cli::Context;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:

  async pause                      # nothing that is queued starts any more
  async pause fetch index          # these two do not; the others go on
  async resume fetch";

/// Pause the queue, or only these queued futures, until `async resume`
///
/// Running futures keep running, and so does what they start and wait for. While the queue is paused, everything else that is
/// started is queued, whether or not a limit applies to it, except what a script runs itself (`ASYNC_PARALLEL=false`). A pause
/// outlives the process that made it, and `async init`. Paused futures can be cancelled. A timeout begins when the task starts.
///
/// Exits with 125, and changes nothing, if one of the futures is not queued.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pause {
    #[command(flatten)]
    shown: queue::Shown,
    /// Pause only these futures
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

impl Pause {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = context.store()?;
        store.pause(&super::names(&self.names)?)?;
        self.shown.print(&store)
    }
}
