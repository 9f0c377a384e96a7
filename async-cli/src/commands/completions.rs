//! `async completions`: prints the script that makes a shell complete command lines.

use std::process::ExitCode;

use clap::Args;

use crate::completing::Shell;
use crate::context::Context;
use crate::failure::Failure;
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  source <(async completions bash) # in ~/.bashrc
  source <(async completions zsh)  # in ~/.zshrc, behind compinit
  async completions fish | source  # in ~/.config/fish/config.fish";

/// Print completions for a shell, which know the names of futures
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, _: &Context) -> Result<ExitCode, Failure> {
        Output::stdout()?.print(self.shell.script())?;
        Ok(ExitCode::SUCCESS)
    }
}
