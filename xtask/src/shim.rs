//! `cargo xtask shim`: renders the checked-in inc/async from the template.

use std::fs;

use async_bash_shim::{Options, Profile, render};
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
        let path = crate::root().join("async-bash-shim/inc/async");
        let wanted = render(&Options::of(Profile::Devstack));
        if self.check {
            let found = fs::read_to_string(&path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
            return if found == wanted {
                Ok(())
            } else {
                Err(format!("{} is out of date: run `cargo xtask shim`", path.display()))
            };
        }
        fs::write(&path, wanted).map_err(|e| format!("can't write {}: {e}", path.display()))
    }
}
