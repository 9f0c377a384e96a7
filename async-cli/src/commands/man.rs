//! `async man`: writes the man pages.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use crate::failure::Failure;
use crate::man;

const EXAMPLES: &str = "\
Examples:

  async man ~/.local/share/man  # goes with ~/.local/bin on PATH
  man async_run";

/// Writes the man pages to a folder, for a program that was installed without them
///
/// That is async(1), a page for each command and for each function for scripts, and async(7).
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// The folder, to whose man1 and man7 they go
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        for man::Page { path, text } in man::pages().map_err(Failure::Output)? {
            let path = self.folder.join(path);
            let write =
                || fs::create_dir_all(path.parent().unwrap_or(&self.folder)).and_then(|()| fs::write(&path, text));
            write().map_err(|source| Failure::Export { what: "man page", path: path.clone(), source })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
