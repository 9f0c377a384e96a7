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
    match cli::Cli::parse().run() {
        Ok(status) => status,
        Err(failure) => failure.report().into(),
    }
}
