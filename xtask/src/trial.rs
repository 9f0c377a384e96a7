//! The trials of the package `xtask/trials`. It has its own program, so that only those who need it build it.

use std::ffi::OsString;

use clap::Args;

/// All that follows is for that program.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Trial {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Trial {
    pub(crate) fn run(&self, name: &str) -> Result<(), String> {
        let mut cargo = xtask::cargo();
        // From here on, its arguments may name files.
        cargo.current_dir(
            std::env::current_dir().map_err(|error| format!("can't find the current directory: {error}"))?,
        );
        cargo.args(["run", "--manifest-path"]).arg(xtask::root().join("xtask/trials/Cargo.toml"));
        xtask::succeed(cargo.args(["--", name]).args(&self.args))
    }
}
