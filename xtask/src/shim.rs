//! `cargo xtask shim`: renders the checked-in inc/async from the template.

use std::fs;

use clap::Args;

/// Renders async-bash-shim/inc/async, the file that devstack sources
#[derive(Args)]
pub(crate) struct Shim {
    /// Write nothing; fail if the file is out of date
    #[arg(long)]
    check: bool,
}

impl Shim {
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut cargo = xtask::cargo();
        cargo.args(["run", "--package", "async-cli", "--", "shim", "--profile", "devstack"]);
        let wanted = xtask::output(&mut cargo)?;
        let path = xtask::root().join("async-bash-shim/inc/async");
        if !self.check {
            return fs::write(&path, wanted).map_err(|e| format!("can't write {}: {e}", path.display()));
        }
        let found = fs::read_to_string(&path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
        if found == wanted { Ok(()) } else { Err(format!("{} is out of date: run `cargo xtask shim`", path.display())) }
    }
}
