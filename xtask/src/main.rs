//! Chores of this workspace: `cargo xtask --help`.

mod demo;
mod dist;
mod fuzz;
mod schema;
mod shim;
mod snapshots;
mod test;
mod trial;

use std::process::ExitCode;

use clap::Parser;

/// Chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Measures what a future costs, against plain bash and the other tools that are there
    Bench(trial::Trial),
    Demo(demo::Demo),
    Dist(dist::Dist),
    Fuzz(fuzz::Fuzz),
    /// Runs random scripts, predicts how long they would take otherwise, and runs them so
    Predict(trial::Trial),
    Schema(schema::Schema),
    Shim(shim::Shim),
    Snapshots(snapshots::Snapshots),
    Test(test::Test),
    /// Runs futures in many shells, kills at random, and proves that none was lost, torn or reported twice
    Torture(trial::Trial),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Bench(task) => task.run("bench"),
        Task::Demo(task) => task.run(),
        Task::Dist(task) => task.run(),
        Task::Fuzz(task) => task.run(),
        Task::Predict(task) => task.run("predict"),
        Task::Schema(task) => task.run(),
        Task::Shim(task) => task.run(),
        Task::Snapshots(task) => task.run(),
        // The summary must be the last line of the output.
        Task::Test(task) => return task.run(),
        Task::Torture(task) => task.run("torture"),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
