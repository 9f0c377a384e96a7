//! Trials of the program: what a future costs, and what it survives. `cargo xtask bench` and `cargo xtask torture` run them.

mod bench;
mod random;
mod torture;

use std::process::ExitCode;

use clap::Parser;

/// Trials of the program.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Trial {
    Bench(Box<bench::Bench>),
    Gather(bench::crowd::Gather),
    Torture(torture::Torture),
}

fn main() -> ExitCode {
    let result = match Trial::parse() {
        Trial::Bench(trial) => trial.run(),
        Trial::Gather(trial) => trial.run(),
        Trial::Torture(trial) => trial.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
