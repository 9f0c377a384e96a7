//! `async end-here`: the end of a task that the script ran itself.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::call::Call;
use crate::cli::Context;
use crate::commands;
use crate::exit_code;
use crate::failure::Failure;

/// Records how a task ended, and exits with its status
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct EndHere {
    /// The task's exit status
    #[arg(long)]
    rc: u8,
    /// What `async_run` was given, without the command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl EndHere {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let call = Call::read(&self.words, context)?;
        let rc = i32::from(self.rc);
        context.store()?.finish(&commands::name(&call.name)?, rc)?;
        Ok(exit_code::of_task(rc))
    }
}
