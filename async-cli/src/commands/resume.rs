//! `async resume`: lets queued futures start again.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::queue;
use crate::cli::Context;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:

  async resume                     # the queue goes on, in its order
  async resume fetch               # this one is paused no more";

/// Let the queue go on in its order, or only these futures that were paused by name
///
/// Futures that were paused by name stay paused when the queue goes on. A resumed future waits for its turn like the others.
///
/// Exits with 125, and changes nothing, if one of the futures is not queued.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Resume {
    #[command(flatten)]
    shown: queue::Shown,
    /// Resume only these futures
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

impl Resume {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = context.store()?;
        store.resume(&super::names(&self.names)?)?;
        self.shown.print(&store)
    }
}
