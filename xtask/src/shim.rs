//! `cargo xtask shim`: renders the checked-in inc/async from the template.

use std::fs;

use clap::Args;

/// Renders async-bash-shim/inc/async, the file that devstack sources
///
/// The tests fail if the file is out of date.
#[derive(Args)]
pub(crate) struct Shim {}

impl Shim {
    #[allow(clippy::unused_self, reason = "a task like the others")]
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut cargo = xtask::cargo();
        cargo.args(["run", "--package", "async-cli", "--", "shim", "--profile", "devstack"]);
        let wanted = xtask::output(&mut cargo)?;
        let path = xtask::root().join("async-bash-shim/inc/async");
        fs::write(&path, wanted).map_err(|e| format!("can't write {}: {e}", path.display()))
    }
}
