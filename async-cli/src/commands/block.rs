//! `async block`: the wait of a shell for what is not its own child.

use std::ffi::OsString;

use clap::Args;

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;

/// Sleeps until the future's task is over
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Block {
    name: OsString,
}

impl Block {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        place.store()?.block(&super::name(&self.name)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
