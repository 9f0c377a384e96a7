//! Another user, who gets files and runs commands. Both need root.

use std::os::unix::fs::lchown;
use std::path::Path;
use std::process::Command;

use crate::shell::{Sandbox, copy_program};

/// That user's id and group id, which most systems call nobody.
pub const THEM: u32 = 65534;

/// Gives them the file at that path; a symlink itself, not its target.
///
/// # Panics
/// If that fails.
pub fn give(path: &Path) {
    lchown(path, Some(THEM), Some(THEM)).expect("root can give it away");
}

/// A bash command line for them to run, with their own copy of the program; not run yet.
///
/// # Panics
/// If the program can't be copied.
#[must_use]
pub fn bash(sandbox: &Sandbox, script: &str) -> Command {
    // The build may be in a folder that only root can read.
    let bin = sandbox.path("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    copy_program(&bin.join("async"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("."), mode).expect("the way there");
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = sandbox.command("setpriv");
    command.args([format!("--reuid={THEM}"), format!("--regid={THEM}")]);
    command.args(["--clear-groups", "bash", "-c", script]).env("PATH", path);
    command
}
