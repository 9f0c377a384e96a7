//! `cargo xtask snapshots`: records the output of the original, and of the shim where it differs.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

/// Runs every scenario under the original, and commits its output to tests/snapshots
///
/// Where docs/compatibility.md lists a scenario as a deviation, what the shim prints is recorded beside it.
#[derive(Args)]
pub(crate) struct Snapshots {
    /// The original script: devstack's inc/async as it was before it kept a fifo for each task
    #[arg(long, value_name = "PATH")]
    original: PathBuf,
}

impl Snapshots {
    pub(crate) fn run(&self) -> Result<(), String> {
        let original = self.original.canonicalize().map_err(|e| format!("{}: {e}", self.original.display()))?;
        for subject in ["original::", "shim::"] {
            let status = Command::new(env!("CARGO"))
                .args(["test", "--quiet", "--package", "async-cli", "--test", "scenarios", "--", subject])
                .current_dir(xtask::root())
                .env("ASYNC_ORIGINAL", &original)
                .env("INSTA_UPDATE", "always")
                .status()
                .map_err(|e| format!("cargo does not run: {e}"))?;
            if !status.success() {
                return Err(format!("recording {subject} failed, as cargo says above"));
            }
        }
        println!("Recorded. Read `git diff tests/snapshots` before you commit.");
        Ok(())
    }
}
