//! Making, opening and clearing a store.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::sys::stat::SFlag;

use super::begin::maker;
use super::collect::{LogFate, note_loss};
use super::count::COUNT;
use super::directory::Directory;
use super::files::{StoreFile, append, read_record};
use super::queue::is_of_the_limit;
use super::scripts::{SCRIPTS, SHELL};
use super::{COLLECTED, KEPT_RUNS, Permissions, RUNS, STARTING, Store, is_alive};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::lock;
use crate::name::FutureName;
use crate::process;
use crate::record::{Line, Record, State};
use crate::text::printable;
use crate::walk::is_kind;

/// What [`Store::init`] found and kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Futures of an earlier run whose tasks are still running; left alone.
    pub running: Vec<FutureName>,
    /// Futures that are over, but that another script (with this process id) started and has not collected; also left
    /// alone.
    pub of_others: Vec<(FutureName, u32)>,
    /// Files that are named like records but are none; also left alone.
    pub no_records: Vec<PathBuf>,
    /// The queue is paused and stays so until somebody resumes it; queued futures stay in it.
    pub is_paused: bool,
}

impl Store {
    /// Makes the directory a store without futures, but keeps what is still running and what a running script has
    /// started and not collected. Futures that are over become an earlier run; the store keeps at most [`KEPT_RUNS`] of
    /// these.
    ///
    /// Removes only files that belong to a store, and only from a directory that is empty, a store, or the original's.
    pub fn init(dir: &Path, permissions: Permissions) -> Result<(Self, Leftovers)> {
        Self::init_keeping(dir, permissions, KEPT_RUNS, &Caller::Program)
    }

    /// The same with another number of runs to keep (0 is allowed). What `caller`'s own script has started and not
    /// collected is cleared as well.
    pub fn init_keeping(
        dir: &Path,
        permissions: Permissions,
        runs: usize,
        caller: &Caller,
    ) -> Result<(Self, Leftovers)> {
        let store = Self { dir: Directory::open_or_make(dir, permissions.of_directories())?, permissions };
        if !store.dir.file(COLLECTED).is_there()? && !store.dir.file(RUNS).is_there()? {
            store.refuse_a_strangers_directory()?;
        }
        let leftovers = store.clear(runs, caller)?;
        store.make_starting_dir()?;
        store.make_collected_dir()?;
        // From now on the number is known.
        store.live_count()?;
        Ok((store, leftovers))
    }

    /// Opens a store, or makes one where there is nothing.
    pub fn open_or_make(dir: &Path, permissions: Permissions) -> Result<Self> {
        let store = match Self::open(dir, permissions) {
            Err(Error::NoStore(_)) => return Ok(Self::init(dir, permissions)?.0),
            store => store?,
        };
        if !store.dir.file(COLLECTED).is_there()? {
            // Another init may be moving it to the earlier runs right now.
            if !store.dir.file(RUNS).is_there()? {
                store.refuse_a_strangers_directory()?;
            }
            store.make_collected_dir()?;
        }
        Ok(store)
    }

    /// Opens a store, after checking its owner and who could replace a directory on the way: see
    /// [`Walk`](crate::walk::Walk).
    pub fn open(dir: &Path, permissions: Permissions) -> Result<Self> {
        Ok(Self { dir: Directory::open(dir)?, permissions })
    }

    /// Accepts a directory only if everything in it is the original's or left over from an interrupted init: records,
    /// and logs that belong to one. Devstack's own directory may contain only logs: the original leaves those.
    fn refuse_a_strangers_directory(&self) -> Result<()> {
        for name in self.dir.names()? {
            let named = self.dir.file(&name);
            let is_record = |named: &StoreFile| {
                named.open().is_ok_and(|file| file.is_some_and(|file| read_record(&file, named.path()).is_ok()))
            };
            let is_ours = match named.path().extension().and_then(OsStr::to_str) {
                Some("ini") => is_record(&named),
                Some("log" | "fifo") => {
                    self.permissions == Permissions::Umask || is_record(&named.with_extension("ini"))
                }
                _ => [STARTING, COUNT, SCRIPTS, SHELL].contains(&&*name.to_string_lossy()) || is_of_the_limit(&name),
            };
            if !is_ours {
                return Err(Error::NotAStore { dir: self.dir().to_owned(), example: printable(&name) });
            }
        }
        Ok(())
    }

    /// Moves earlier futures to the earlier runs, of which it keeps `runs`. Leaves alone what is still running, what
    /// another script wants, and what begins meanwhile.
    fn clear(&self, runs: usize, caller: &Caller) -> Result<Leftovers> {
        let mut leftovers = Leftovers { is_paused: self.paused_since()?.is_some(), ..Leftovers::default() };
        let had = self.names()?;
        for name in &had {
            match self.look(name) {
                Ok(Some((_, State::Running | State::Queued))) => leftovers.running.push(name.clone()),
                Ok(Some((record, _))) => match caller.not_this_script(&record) {
                    Some(script) => leftovers.of_others.push((name.clone(), script.pid())),
                    None => self.clear_future(name, &record, runs, caller)?,
                },
                Ok(None) => {}
                // Its maker knows what it is.
                Err(Error::BadRecord { .. } | Error::Planted { .. }) => {
                    leftovers.no_records.push(self.record_file(name).path().to_owned());
                }
                // It may be running, so remove nothing.
                Err(error) => return Err(error),
            }
        }
        // Before surplus runs are removed: their second names show which logs belong to them.
        let mut kept = None;
        let mut ours = HashSet::new();
        for stem in self.files("log")?.into_iter().chain(self.files("fifo")?) {
            let Ok(name) = FutureName::from_arg(&stem) else {
                continue;
            };
            if self.record_file(&name).is_there()? {
                continue;
            }
            let log = self.log_file(&name).stat().ok().flatten();
            let has_link = log.is_some_and(|log| is_kind(&log, SFlag::S_IFREG) && log.st_nlink > 1);
            let is_ours = has_link || had.contains(&name) || {
                let kept = if let Some(kept) = &kept { kept } else { kept.insert(self.kept_names()?) };
                kept.contains(&name)
            };
            if is_ours {
                ours.insert(stem);
            }
        }
        self.end_run(runs, caller)?;
        self.clear_beginnings()?;
        for extension in ["log", "fifo"] {
            for stem in self.files(extension)? {
                if !ours.contains(&stem) && self.permissions != Permissions::Umask {
                    continue;
                }
                let mut file = stem.clone();
                file.push(format!(".{extension}"));
                let file = self.dir.file(file);
                self.remove_if(&file, || Ok(!file.with_extension("ini").is_there()?))?;
            }
        }
        Ok(leftovers)
    }

    /// Moves a future that is over to the earlier runs, or removes it if none are kept.
    fn clear_future(&self, name: &FutureName, looked: &Record, runs: usize, caller: &Caller) -> Result<()> {
        let named = self.record_file(name);
        let Some((file, identity)) = named.open_identified()? else {
            return Ok(());
        };
        let record = read_record(&file, named.path())?;
        // It may be another future by now. If two started in the same ms, only this check can tell.
        if record.rc.is_none() && is_alive(&file, named.path(), &record)? {
            return Ok(());
        }
        // The record is complete now, unlike at the first look.
        let record = read_record(&file, named.path())?;
        if (record.start_time, record.start_boot) != (looked.start_time, looked.start_boot) {
            return Ok(());
        }
        if runs == 0 {
            return self.remove_if(&named, || named.is(identity).map_err(Error::io("look at", named.path())));
        }
        if let Some(script) = record.script.as_ref().filter(|script| caller.is_script(script)) {
            // The script itself has cleared it, so to its wait the future was never started.
            append(&file, &record, &[Line::TakenBy(script.clone())]).map_err(Error::io("write to", named.path()))?;
        }
        note_loss(&file, &record, named.path())?;
        // Without the collectors' lock: a collector may sleep until its output is read.
        self.archive_record(name, identity, &record, LogFate::MakesRoom)
    }

    /// Removes a file if `is_so`, while no future begins and none is collected.
    fn remove_if(&self, file: &StoreFile, is_so: impl Fn() -> Result<bool>) -> Result<()> {
        let is_record = file.path().extension() == Some(OsStr::new("ini"));
        self.changing(|live| {
            if is_so()? && file.remove_if_there().map_err(Error::io("remove", file.path()))? && is_record {
                *live -= 1;
            }
            Ok(())
        })
    }

    /// Removes what killed shells and programs left half done.
    fn clear_beginnings(&self) -> Result<()> {
        let directory = self.starting_dir();
        for name in directory.names_if_there()? {
            if maker(&name).is_some_and(process::exists) {
                continue;
            }
            let file = directory.file(name);
            // A process of another host holds what it is making.
            if let Ok(Some(opened)) = file.open()
                && lock::is_held(&opened).map_err(Error::io("look at the lock of", file.path()))?
            {
                continue;
            }
            file.remove_if_there().map_err(Error::io("remove", file.path()))?;
        }
        Ok(())
    }

    pub(super) fn make_collected_dir(&self) -> Result<()> {
        self.collected_dir().make(self.permissions.of_directories())
    }

    pub(super) fn make_starting_dir(&self) -> Result<()> {
        self.starting_dir().make(self.permissions.of_directories())
    }
}
