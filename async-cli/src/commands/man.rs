//! `async man`: writes the man pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use crate::context::Context;
use crate::failure::Failure;
use crate::man;
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  async man ~/.local/share/man  # goes with ~/.local/bin on PATH
  man async_run";

/// Write the man pages to a folder, for a program that was installed without them
///
/// These are async(1), a page for each command and for each function for scripts, and async(7). To read one, type
/// `man async-run`; without man pages, `async run --help` has the same.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// The folder; the pages go to man1 and man7 in it
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

impl Man {
    pub(crate) fn run(self, _: &Context) -> Result<ExitCode, Failure> {
        let pages = man::pages().map_err(Failure::Output)?;
        self.is_folder(&pages)?;
        let count = pages.len();
        for man::Page { path, text } in pages {
            let path = self.folder.join(path);
            let write =
                || fs::create_dir_all(path.parent().unwrap_or(&self.folder)).and_then(|()| fs::write(&path, text));
            write().map_err(|source| Failure::Export { what: "man page", path: path.clone(), source })?;
        }
        let folder = async_core::text::printable(self.folder.as_os_str());
        let said = format!("{count} man pages are in {folder}/man1 and {folder}/man7\n");
        Output::stdout()?.print(&said)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Checks that the argument is a folder and not the name of a page, as somebody who wants to read one might type.
    fn is_folder(&self, pages: &[man::Page]) -> Result<(), Failure> {
        let is_page =
            |page: &str| pages.iter().any(|man::Page { path, .. }| Path::new(path).file_stem() == Some(page.as_ref()));
        let Some(word) = self.folder.to_str().filter(|_| !self.folder.exists()) else {
            return Ok(());
        };
        let Some(page) = [word.to_owned(), format!("async-{word}")].into_iter().find(|page| is_page(page)) else {
            return Ok(());
        };
        Err(Failure::Usage(format!(
            "`async man` writes all man pages to a folder; to read this one type `man {page}`, and for a folder of that name \
             `async man ./{word}`"
        )))
    }
}
