//! `async settle`: determines, once and for all, where a script's store is.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use async_core::process::ProcessIdentity;
use async_core::{ScriptKey, Scripts};
use clap::Args;

use crate::cli::Context;
use crate::context::{ScriptStore, absolute};
use crate::failure::Failure;
use crate::messages::Output;

/// Prints who the script is and where its store is; nothing is made yet
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Settle {
    /// The shell's options, `$-`
    #[arg(long, allow_hyphen_values = true)]
    flags: String,
    /// What the shell calls the script, `$0`
    #[arg(long, allow_hyphen_values = true)]
    zero: OsString,
    /// The variable `ASYNC_SCRIPT`, by which the user calls the script
    #[arg(long, allow_hyphen_values = true)]
    named: Option<OsString>,
}

impl Settle {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let pid = context.script_pid().ok_or_else(|| Failure::Usage("which shell?".to_owned()))?;
        let shell = ProcessIdentity::of(pid).ok();
        let store = ScriptStore { dir: self.dir(context, pid)?, shell };
        Output::stdout()?.write_all(store.to_text().as_bytes()).map_err(Failure::Output)?;
        Ok(ExitCode::SUCCESS)
    }

    fn dir(&self, context: &Context, pid: u32) -> Result<PathBuf, Failure> {
        if let Some(named) = context.named()? {
            return absolute(named);
        }
        let prompt = absolute(context.prompt()?)?;
        if self.flags.contains('i') {
            return Ok(prompt);
        }
        Ok(Scripts::beside(prompt).place(&self.key(context, pid)?, pid))
    }

    fn key(&self, context: &Context, pid: u32) -> Result<ScriptKey, Failure> {
        if let Some(name) = &self.named {
            return ScriptKey::chosen(name).map_err(|why| {
                let name = async_core::text::printable(name);
                Failure::Usage(format!("ASYNC_SCRIPT is `{name}`, which can't be the name of a script: {why}"))
            });
        }
        // A script from a command line or a pipe is identified by its working directory.
        let file = if self.flags.contains(['c', 's']) { None } else { script_file(context, pid, &self.zero) };
        Ok(ScriptKey::of_path(&file.unwrap_or_else(|| context.from(Path::new(".")))))
    }
}

/// The file of the script that a shell reads.
fn script_file(context: &Context, pid: u32, zero: &OsStr) -> Option<PathBuf> {
    // bash holds the script open at descriptor 255, even if its path has changed, unless the limit on descriptors is
    // lower.
    let open = fs::read_link(format!("/proc/{pid}/fd/255")).ok();
    let is_it = |path: &PathBuf| {
        path.is_file() && path.file_name().is_some_and(|_| !path.as_os_str().as_bytes().ends_with(b" (deleted)"))
    };
    open.filter(is_it).or_else(|| fs::canonicalize(context.from(Path::new(zero))).ok().filter(|path| path.is_file()))
}
