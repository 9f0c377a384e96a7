//! What all chores share: the workspace, and the builds of the program.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

pub mod program;

/// A cargo command, for this workspace.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command that reports its own progress and errors.
///
/// # Errors
///
/// It can't be started, or fails.
pub fn succeed(command: &mut Command) -> Result<(), String> {
    let status =
        command.status().map_err(|error| format!("can't start {}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// The output of a command.
///
/// # Errors
///
/// It can't be started, fails, or prints no text.
pub fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("can't run {program}: {error}"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| format!("{program} prints no text: {error}"));
    }
    Err(format!("{program} failed, {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

/// A command line for a reader.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The folder for cargo's builds, wherever it was configured to be.
///
/// # Errors
///
/// This program's own file can't be found.
pub fn target_dir() -> Result<PathBuf, String> {
    // This program is TARGET/PROFILE/NAME.
    let own = env::current_exe().map_err(|error| format!("can't find this program's own file: {error}"))?;
    Ok(own.ancestors().nth(2).unwrap_or(Path::new("/")).to_owned())
}

/// The root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    // The manifest of this crate is one level below it.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}
