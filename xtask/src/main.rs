//! Chores of this workspace: `cargo xtask --help`.

mod bench;
mod demo;
mod generated;
mod man;
mod random;
mod schema;
mod shim;
mod snapshots;
mod test;
mod torture;

use std::process::ExitCode;

use clap::Parser;

/// Chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    Bench(bench::Bench),
    Demo(demo::Demo),
    Man(man::Man),
    Gather(bench::crowd::Gather),
    Schema(schema::Schema),
    Shim(shim::Shim),
    Snapshots(snapshots::Snapshots),
    Test(test::Test),
    Torture(torture::Torture),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Bench(task) => task.run(),
        Task::Demo(task) => task.run(),
        Task::Man(task) => task.run(),
        Task::Gather(task) => task.run(),
        Task::Schema(task) => task.run(),
        Task::Shim(task) => task.run(),
        Task::Snapshots(task) => task.run(),
        // Its last line is the summary.
        Task::Test(task) => return task.run(),
        Task::Torture(task) => task.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> &'static std::path::Path {
    // The manifest of this crate is one level below it.
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a member of a workspace")
}
