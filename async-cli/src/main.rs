//! The program `async`: named futures for shell scripts.

mod cli;
mod collecting;
mod commands;
mod ending;
mod failure;
mod messages;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // An error can be reported, a death can't; and it can fail only where the signal would not come.
    let _ = async_core::process::outlive_file_size_limit();
    match cli::Cli::parse().run() {
        Ok(status) => status,
        Err(failure) => failure.report().into(),
    }
}
