//! `async live`: the names that `async_cleanup` goes through.

use clap::Args;

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Prints the names of the live futures, a line each
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Live {}

impl Live {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let mut output = place.stdout()?;
        for name in place.store()?.names()? {
            output.print(&format!("{name}\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
