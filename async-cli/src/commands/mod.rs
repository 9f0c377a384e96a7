//! One file for each command.

pub(crate) mod list;

use std::ffi::{OsStr, OsString};

use async_core::{Caller, Error, FutureName, Record, Store, text};

use crate::failure::warn;

list::commands! {
    /// A command for people.
    Command {
        run => Run,
        init => Init,
        wait => Wait,
        log => Log,
        status => Status,
        pid => Pid,
        cancel => Cancel,
        queue => Queue,
        pause => Pause,
        resume => Resume,
        cleanup => Cleanup,
        timing => Timing,
        shim => Shim,
        completions => Completions,
        schema => Schema,
        man => Man,
        ssh_setup => SshSetup,
    }
}

/// Checks a name from the command line.
pub(crate) fn name(arg: &OsStr) -> Result<FutureName, Error> {
    FutureName::from_arg(arg).map_err(|why| {
        let mut name = text::printable(arg);
        if let Some((cut, _)) = name.char_indices().nth(60) {
            name.truncate(cut);
            name.push('…');
        }
        Error::InvalidName { name, why }
    })
}

/// Checks names from the command line.
pub(crate) fn names(args: &[OsString]) -> Result<Vec<FutureName>, Error> {
    args.iter().map(|arg| name(arg)).collect()
}

/// The message about a future that another script (with that process id) started and has not collected.
pub(crate) fn uncollected_by(name: &FutureName, script: u32) -> String {
    format!("`{name}` belongs to the script with process id {script}, which has not collected it")
}

/// Whether a caller that takes all futures may take the one of that name; if not, says whose it is.
pub(crate) fn may_take(caller: &Caller, store: &Store, name: &FutureName) -> bool {
    // If the record can't be read, the command that takes the future reports it.
    let record = store.read(name).ok().flatten();
    let Some(script) = record.as_ref().and_then(|record| caller.other_script(record)) else {
        return true;
    };
    warn(&format!("{}, so it was left alone", uncollected_by(name, script.pid())));
    false
}

/// Warns that a future of that name was never collected.
pub(crate) fn warn_of_superseded(name: &FutureName, superseded: Option<&Record>) {
    let Some(record) = superseded else { return };
    match record.rc {
        None => warn(&format!("`{name}` was started before and lost; what is left of it was kept")),
        Some(0) => warn(&format!("`{name}` was started before and never waited for; its result and log were kept")),
        Some(rc) => warn(&format!(
            "`{name}` was started before, FAILED with rc {rc} and was never waited for; see `async log --list-runs {name}`"
        )),
    }
}
