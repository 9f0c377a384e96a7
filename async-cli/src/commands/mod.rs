//! One file for each command.

pub(crate) mod begin;
pub(crate) mod block;
pub(crate) mod builtin;
pub(crate) mod cancel;
pub(crate) mod cleanup;
pub(crate) mod collect;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod end;
pub(crate) mod fork;
pub(crate) mod guard;
pub(crate) mod init;
pub(crate) mod launched;
pub(crate) mod live;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod pid;
pub(crate) mod probe;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod shim;
pub(crate) mod status;
pub(crate) mod timing;
pub(crate) mod wait;
pub(crate) mod watch;

use std::ffi::OsStr;

use async_core::{Error, FutureName, text};

/// Checks a name that was given on the command line.
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
