//! `async pause` and `async resume`: keep what is queued from starting, and let it go on.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::queue;
use crate::cli::Place;
use crate::failure::Failure;

const PAUSE_EXAMPLES: &str = "\
Examples:

  async pause                      # nothing that is queued starts any more
  async pause fetch index          # these two do not; the others go on
  async resume fetch";

/// Pauses the queue, or just these queued futures: none of them starts before `async resume`
///
/// What runs goes on, and so does what it starts and waits for. While the queue is paused, all that others start is queued,
/// whether or not a limit applies to it; only what a script runs itself (`ASYNC_PARALLEL=false`) is not. A pause lasts until
/// `async resume`, also if nobody is left who knows of it, and through `async init`. What is paused can be cancelled. Its timeout
/// begins when it starts.
///
/// Exits with 125 if one of the names is not queued: nothing is changed then.
#[derive(Args, Debug)]
#[command(after_help = PAUSE_EXAMPLES)]
pub(crate) struct Pause {
    #[command(flatten)]
    shown: queue::Shown,
    /// These only
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

const RESUME_EXAMPLES: &str = "\
Examples:

  async resume                     # the queue goes on, in its order
  async resume fetch               # this one is paused no more";

/// Lets the queue go on in its order, or just these futures of it that were paused by name
///
/// What was paused by its name stays so when the queue goes on, and one that is let go waits for its turn like the others.
///
/// Exits with 125 if one of the names is not queued: nothing is changed then.
#[derive(Args, Debug)]
#[command(after_help = RESUME_EXAMPLES)]
pub(crate) struct Resume {
    #[command(flatten)]
    shown: queue::Shown,
    /// These only
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

impl Pause {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        store.pause(&super::names(&self.names)?)?;
        self.shown.print(&store)
    }
}

impl Resume {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        store.resume(&super::names(&self.names)?)?;
        self.shown.print(&store)
    }
}
