//! `cargo xtask shim`: renders the checked-in inc/async from the template.

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
        let wanted = render(&Options::of(Profile::Devstack));
        crate::generated::write("async-bash-shim/inc/async", &wanted, self.check, "shim")
    }
}
