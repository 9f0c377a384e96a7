//! `async pause` and `async resume`: keep what is queued from starting, and let it go on.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::queue;
use crate::cli::Context;
use crate::failure::Failure;

const PAUSE_EXAMPLES: &str = "\
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
#[command(after_help = PAUSE_EXAMPLES)]
pub(crate) struct Pause {
    #[command(flatten)]
    shown: queue::Shown,
    /// Pause only these futures
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

const RESUME_EXAMPLES: &str = "\
Examples:

  async resume                     # the queue goes on, in its order
  async resume fetch               # this one is paused no more";

/// Let the queue go on in its order, or only these futures that were paused by name
///
/// Futures that were paused by name stay paused when the queue goes on. A resumed future waits for its turn like the others.
///
/// Exits with 125, and changes nothing, if one of the futures is not queued.
#[derive(Args, Debug)]
#[command(after_help = RESUME_EXAMPLES)]
pub(crate) struct Resume {
    #[command(flatten)]
    shown: queue::Shown,
    /// Resume only these futures
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

impl Resume {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = context.store()?;
        store.resume(&super::names(&self.names)?)?;
        self.shown.print(&store)
    }
}
