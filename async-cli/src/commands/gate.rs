//! `async gate`: what a task waits at until it is watched, where the shell itself can be given it.

use std::io;
use std::os::fd::RawFd;

use clap::Args;
use nix::fcntl::{FcntlArg, fcntl};

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;

/// The lowest number that scripts leave to their shell.
const FIRST: i32 = 10;

/// Leaves a pipe open in this process, and prints the numbers of its ends, the reading one first
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Gate {}

impl Gate {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let mut output = place.stdout()?;
        let (reading, writing) = ends().map_err(Failure::Gate)?;
        output.print(&format!("{reading} {writing}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Both ends, which stay open, and in the program that this process may turn into too.
fn ends() -> io::Result<(RawFd, RawFd)> {
    let (reading, writing) = io::pipe()?;
    Ok((fcntl(reading, FcntlArg::F_DUPFD(FIRST))?, fcntl(writing, FcntlArg::F_DUPFD(FIRST))?))
}
