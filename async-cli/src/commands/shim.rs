//! `async shim`: prints the functions that a script sources.

use std::process::ExitCode;

use async_bash_shim::Options;
use async_core::text::shell_line;
use clap::Args;

use crate::cli::{Context, Profile};
use crate::context::absolute;
use crate::failure::Failure;
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  source <(async shim)             # in a script
  async shim --dir /srv/builds/store >functions.bash   # one store for all
  async shim --profile devstack >inc/async";

/// Print the bash functions for scripts: source <(async shim)
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Shim {
    /// How tasks behave
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Whether tasks run in the background unless a variable says otherwise [default: true]
    #[arg(long, value_name = "BOOL")]
    parallel_default: Option<bool>,
}

impl Shim {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let mut options = Options::of(self.profile.into());
        options.parallel = self.parallel_default.unwrap_or(options.parallel);
        if let Some(dir) = context.dir_of_the_command_line() {
            if self.profile == Profile::Devstack {
                return Err(Failure::Usage(
                    "devstack's functions have their store in $DEST/async: leave --dir away".to_owned(),
                ));
            }
            options.dir = Some(shell_line(&[absolute(dir.to_owned())?]));
        }
        Output::stdout()?.print(&async_bash_shim::render(&options))?;
        Ok(ExitCode::SUCCESS)
    }
}
