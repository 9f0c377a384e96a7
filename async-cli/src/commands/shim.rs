//! `async shim`: the functions that a script sources.

use async_bash_shim::{Options, Profile};
use clap::{Args, ValueEnum};

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;

const EXAMPLES: &str = "\
Examples:

  source <(async shim)             # in a script
  async shim --profile devstack --parallel-default true >inc/async";

/// Prints the bash functions to be sourced: source <(async shim)
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Shim {
    /// How tasks behave
    #[arg(long, value_enum, default_value_t)]
    profile: ProfileArg,
    /// Whether tasks run in the background unless DEVSTACK_PARALLEL says otherwise [default: the profile's]
    #[arg(long, value_name = "BOOL")]
    parallel_default: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ProfileArg {
    /// As devstack's own inc/async: traced, failing commands inside a task ignored, not parallel
    Devstack,
    /// For any script: `set -e` holds inside tasks, parallel
    #[default]
    Standalone,
}

impl Shim {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let profile = match self.profile {
            ProfileArg::Devstack => Profile::Devstack,
            ProfileArg::Standalone => Profile::Standalone,
        };
        let mut options = Options::of(profile);
        if let Some(parallel) = self.parallel_default {
            options.parallel = parallel;
        }
        place.stdout()?.print(&async_bash_shim::render(&options))?;
        Ok(ExitCode::SUCCESS)
    }
}
