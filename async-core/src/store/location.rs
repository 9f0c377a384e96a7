//! Making, opening and clearing a store.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::sys::stat::SFlag;

use super::begin::maker;
use super::collect::LogFate;
use super::count::COUNT;
use super::directory::Directory;
use super::files::{StoreFile, append, read_record};
use super::queue::is_of_the_limit;
use super::scripts::{SCRIPTS, SHELL};
use super::{COLLECTED, KEPT_RUNS, Permissions, RUNS, STARTING, Store, is_alive};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process;
use crate::record::{Line, Record, State};
use crate::text::printable;
use crate::walk::is_kind;

/// What [`Store::init`] met.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Futures of an earlier run whose tasks still run; they were left alone.
    pub running: Vec<FutureName>,
    /// Futures that are over, and that another script, which has this process id, has started and not collected; they were
    /// left alone too.
    pub of_others: Vec<(FutureName, u32)>,
    /// Files with the names of records that are none; they were left alone too.
    pub no_records: Vec<PathBuf>,
    /// The queue is paused, and stays so: what is queued is kept, and whoever has paused it has not let it go on.
    pub is_paused: bool,
}

impl Store {
    /// Makes the directory a store without futures, keeping what still runs in it, and what a script that runs has started and
    /// not collected. What is over is kept among the runs before this one, of which there are [`KEPT_RUNS`] at most.
    ///
    /// Only what a store has is removed, and only from a directory that is empty, a store, or the original's.
    pub fn init(dir: &Path, permissions: Permissions) -> Result<(Self, Leftovers)> {
        Self::init_keeping(dir, permissions, KEPT_RUNS, &Caller::Program)
    }

    /// The same with another number of runs to keep, which may be 0, for `caller`, whose own script doesn't want what it has
    /// started and not collected any more.
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
        // So that it is known from now on.
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
            // Another one's init may just be making it one of the earlier runs.
            if !store.dir.file(RUNS).is_there()? {
                store.refuse_a_strangers_directory()?;
            }
            store.make_collected_dir()?;
        }
        Ok(store)
    }

    /// Opens a store, after a look at whose it is, and at who may exchange what on the way there: see [`Walk`](crate::walk::Walk).
    pub fn open(dir: &Path, permissions: Permissions) -> Result<Self> {
        Ok(Self { dir: Directory::open(dir)?, permissions })
    }

    /// A directory is taken over if all that is in it is the original's, or what an init that was cut short left: records, and
    /// logs that belong to one. In devstack's own directory there may be logs alone: that is what the original leaves.
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

    /// Puts what is of earlier runs where that many of them are kept. What still runs is not, nor what another script wants, nor
    /// what begins meanwhile.
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
                // Whoever made it knows what it is.
                Err(Error::BadRecord { .. } | Error::Planted { .. }) => {
                    leftovers.no_records.push(self.record_file(name).path().to_owned());
                }
                // It may run, so nothing is removed.
                Err(error) => return Err(error),
            }
        }
        // Told by their second names, where they have one, before the runs that are too many go.
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

    /// Puts a future that is over among those that are kept, or removes it where none are.
    fn clear_future(&self, name: &FutureName, looked: &Record, runs: usize, caller: &Caller) -> Result<()> {
        let named = self.record_file(name);
        let Some((file, identity)) = named.open_identified()? else {
            return Ok(());
        };
        let record = read_record(&file, named.path())?;
        // It may be another by now, and of two that were started in one ms only this tells.
        if record.rc.is_none() && is_alive(&file, named.path(), &record)? {
            return Ok(());
        }
        // What it had not written yet when it was read, it has written now.
        let record = read_record(&file, named.path())?;
        if (record.start_time, record.start_boot) != (looked.start_time, looked.start_boot) {
            return Ok(());
        }
        if runs == 0 {
            return self.remove_if(&named, || named.is(identity).map_err(Error::io("look at", named.path())));
        }
        if let Some(script) = record.script.as_ref().filter(|script| caller.is_script(script)) {
            // The script itself has cleared it away, so for its wait it was never started.
            append(&file, &record, &[Line::TakenBy(script.clone())]).map_err(Error::io("write to", named.path()))?;
        }
        // Without the lock of those who collect: one of them may sleep until somebody reads what it writes.
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

    /// Removes what shells and programs that were killed halfway left.
    fn clear_beginnings(&self) -> Result<()> {
        let directory = self.starting_dir();
        for name in directory.names_if_there()? {
            if !maker(&name).is_some_and(process::exists) {
                let file = directory.file(name);
                file.remove_if_there().map_err(Error::io("remove", file.path()))?;
            }
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
