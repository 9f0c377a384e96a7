//! Chores of this workspace: `cargo xtask --help`.

mod bench;
mod demo;
mod dist;
mod fuzz;
mod generated;
mod random;
mod schema;
mod shim;
mod snapshots;
mod test;
mod torture;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

/// Chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    Bench(Box<bench::Bench>),
    Demo(demo::Demo),
    Dist(dist::Dist),
    Fuzz(fuzz::Fuzz),
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
        Task::Dist(task) => task.run(),
        Task::Fuzz(task) => task.run(),
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

/// A cargo command, for this workspace.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command, which says itself what it does and what is wrong.
fn succeed(command: &mut Command) -> Result<(), String> {
    let status =
        command.status().map_err(|error| format!("can't start {}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", command.get_program().display())) }
}

/// The folder where cargo puts what it builds, wherever it was told that is.
fn target_dir() -> Result<PathBuf, String> {
    // This program is TARGET/PROFILE/xtask.
    let own = env::current_exe().map_err(|error| format!("can't find this program's own file: {error}"))?;
    Ok(own.ancestors().nth(2).unwrap_or(Path::new("/")).to_owned())
}

/// The root of the workspace.
fn root() -> &'static Path {
    // The manifest of this crate is one level below it.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a member of a workspace")
}
