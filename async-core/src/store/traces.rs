//! The traces of one future, for a person who looks for what went wrong.

use std::ffi::OsString;
use std::io::{self, Read};

use super::files::identity;
use super::{INSIDE, Store};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process;
use crate::tree::{self, Root};

/// How much of a record to read, in bytes; most have a few hundred.
const MAX_RECORD: u64 = 1 << 16;

impl Store {
    /// The text of a live future's record, as it is in the file; none if there is none.
    pub fn record_text(&self, name: &FutureName) -> Result<Option<String>> {
        let file = self.record_file(name);
        let Some(open) = file.open()? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        open.take(MAX_RECORD).read_to_end(&mut bytes).map_err(Error::io("read", file.path()))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The running processes of a live future: those that have its log open for writing or its entry in their
    /// environment, and all their descendants. Without those that this user may not inspect.
    pub fn processes_of(&self, name: &FutureName) -> io::Result<Vec<u32>> {
        let log = self.log_file(name).open().ok().flatten();
        let log = log.and_then(|log| log.metadata().ok()).map(|metadata| identity(&metadata));
        let mut told = OsString::from(INSIDE);
        told.push("=");
        told.push(self.place_of(name));
        let is_of = |pid: &u32| {
            process::has_env_entry(*pid, &told)
                || log.is_some() && process::written_by(*pid).any(|file| Some(file) == log)
        };
        tree::living(|| {
            let own = std::process::id();
            let found = process::all()?.into_iter().filter(|pid| *pid != own).filter(is_of);
            Ok(found.map(|pid| Root { pid, tree: 0 }).collect())
        })
    }
}
