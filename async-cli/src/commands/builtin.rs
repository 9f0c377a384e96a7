//! `async builtin`: which library a shell may load.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;
use crate::{BUILTIN_SHELLS, VERSION};

const FILE: &str = "libasync_builtin.so";

/// Finds the library with the bash builtin of this program
///
/// Prints the version that the builtin has to report, and on the next line the library's path.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Builtin {
    /// The version of the shell that is to load it, as 5.2
    #[arg(long)]
    bash: String,
    /// The library; `auto` for the one that is installed with this program
    library: OsString,
}

impl Builtin {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        if !BUILTIN_SHELLS.contains(&self.bash.as_str()) {
            return Err(Failure::NoBuiltin(format!("it has not been tried in bash {}", self.bash)));
        }
        let program = std::env::current_exe().unwrap_or_default();
        let beside = program.parent().unwrap_or(Path::new("/"));
        let candidates = match self.library.to_str() {
            Some("auto") => vec![beside.join(FILE), beside.join("../lib/async").join(FILE)],
            // As bash looks elsewhere for a name without a slash.
            _ => vec![std::path::absolute(&self.library).unwrap_or_else(|_| PathBuf::from(&self.library))],
        };
        let Some(library) = candidates.iter().find(|path| path.is_file()) else {
            let candidates: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::NoBuiltin(format!("there is no {}", candidates.join(" and no "))));
        };
        place.stdout()?.print(&format!("async {VERSION}\n{}\n", library.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
