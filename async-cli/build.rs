//! Tells the program which commit it is built from, where git knows.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = package.parent().and_then(commit).map_or_else(String::new, |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=ASYNC_VERSION={version}{commit}");
}

/// The newest commit and its date, if the workspace is a work tree of its own. Sources unpacked somewhere inside another
/// one have nothing to do with that one's commits.
fn commit(workspace: &Path) -> Option<String> {
    let top = git(workspace, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != workspace.canonicalize().ok()? {
        return None;
    }
    // Git writes to this log whenever another commit is checked out or made, and at no other time.
    let log = workspace.join(git(workspace, &["rev-parse", "--git-path", "logs/HEAD"])?);
    let head = workspace.join(git(workspace, &["rev-parse", "--git-path", "HEAD"])?);
    for path in [log, head].iter().filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    git(workspace, &["log", "-1", "--no-show-signature", "--abbrev=7", "--format=%h %cs"])
}

/// What git answers; nothing if there is no git, or it has no answer.
fn git(workspace: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // They name another repository, where a hook of it runs cargo.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    let output = command.args(args).current_dir(workspace).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
