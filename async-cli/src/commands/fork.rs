//! `async fork`: the task and the supervisor of a future, in a shell's background subshell.

use std::ffi::OsString;
use std::os::fd::RawFd;

use async_core::process::Side;
use async_core::{descriptor, fork_and_supervise};
use clap::Args;

use crate::cli::Place;
use crate::ending;
use crate::failure::Failure;
use crate::io::Fork;
use crate::status::ExitCode;

/// Makes the process two; the new one, in which it succeeds at once, is to run the task
///
/// In the one of before it comes back with the status of the task, when that is over and recorded. This is for a shell, not
/// for a program.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct ForkOff {
    /// The descriptor of the record, which the task lets go of
    #[arg(long)]
    record: RawFd,
    /// The descriptor of the log, which is the task's alone
    #[arg(long)]
    log: RawFd,
    /// The name
    name: OsString,
}

impl ForkOff {
    pub(crate) fn run(self, place: &Place, fork: Fork) -> Result<ExitCode, Failure> {
        let name = super::name(&self.name)?;
        let store = place.store()?;
        let Some(end) = fork_and_supervise(&store, &name, self.record, || {
            let side = fork()?;
            if matches!(side, Side::Parent(_)) {
                // Nobody else's, whoever may wait for its end.
                drop(descriptor::take(self.log));
            }
            Ok(side)
        })?
        else {
            return Ok(ExitCode::SUCCESS);
        };
        ending::announce(place, &name, &std::process::id().to_string(), &end);
        Ok(ending::exit_code(end.rc))
    }
}
