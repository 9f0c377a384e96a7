//! Trials of the program: what a future costs, what it survives, and whether predictions come true. `cargo xtask bench`,
//! `cargo xtask torture` and `cargo xtask predict` run them.

mod bench;
mod predict;
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
    Predict(predict::Predict),
    Torture(torture::Torture),
}

fn main() -> ExitCode {
    let result = match Trial::parse() {
        Trial::Bench(trial) => trial.run(),
        Trial::Gather(trial) => trial.run(),
        Trial::Predict(trial) => trial.run(),
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
