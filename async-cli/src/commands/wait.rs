//! `async wait`: waits for futures and hands them over.

use std::ffi::OsString;

use clap::Args;

use crate::cli::Place;
use crate::collecting;
use crate::failure::Failure;
use crate::status::ExitCode;

const EXAMPLES: &str = "\
Examples:

  async wait docs tests
  async wait docs || echo \"docs failed with status $?\"
  async --dir ./futures wait docs  # one of another store";

/// Waits for futures, prints their logs, and exits with the first status that is not 0
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Wait {
    /// The names of the futures
    #[arg(required = true, value_name = "NAME")]
    names: Vec<OsString>,
}

impl Wait {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        for arg in &self.names {
            let name = super::name(arg)?;
            if store.read(&name)?.is_none() {
                return Err(store.unknown(&name).into());
            }
        }
        let rc = collecting::wait_for(place, &store, &self.names, &mut place.stdout()?)?;
        Ok(ExitCode::from(rc))
    }
}
