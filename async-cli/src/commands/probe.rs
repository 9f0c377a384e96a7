//! `async probe`: a look at whether a future can begin.

use clap::Args;

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Makes what a store lacks where futures begin, and says why none can begin if that is so
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Probe {}

impl Probe {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        place.store()?.probe()?;
        Ok(ExitCode::SUCCESS)
    }
}
