//! `async init`: makes the store, without the futures of earlier runs.

use async_core::Store;
use clap::Args;

use crate::cli::Place;
use crate::failure::{Failure, warn};
use crate::status::ExitCode;

/// Makes the store, or clears it of what earlier runs left; what still runs is kept
#[derive(Args, Debug)]
pub(crate) struct Init {}

impl Init {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let (_, leftovers) = Store::init(&place.dir()?, place.permissions())?;
        for name in leftovers.running {
            warn(&format!("`{name}` of an earlier run still runs, so it was kept: wait for it by name"));
        }
        Ok(ExitCode::SUCCESS)
    }
}
