//! Making, opening and clearing a store.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::begin::maker;
use super::collect::Shelved;
use super::count::COUNT;
use super::files::{
    append, is_named, names_if_there, names_in, open_for_reading, open_identified, read_record, remove_if_there,
};
use super::queue::is_of_the_limit;
use super::{KEPT_RUNS, Permissions, STARTING, Store};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process;
use crate::record::{Line, Record, State};
use crate::text::printable;

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
        match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let failed = Error::io("make the directory", dir);
                // What is above it is for others too, and has the mode that mkdir(1) would give it.
                dir.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
                match DirBuilder::new().mode(permissions.of_directories()).create(dir) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(Error::io("make the directory", dir)(error));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        let store = Self::open(dir, permissions)?;
        let is_there = |path: &Path| path.try_exists().map_err(Error::io("look at", path));
        if !is_there(&store.collected_dir())? && !is_there(&store.runs_dir())? {
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
        match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::init(dir, permissions)?.0),
            _ => {
                let store = Self::open(dir, permissions)?;
                let collected = store.collected_dir();
                if !collected.try_exists().map_err(Error::io("look at", &collected))? {
                    store.refuse_a_strangers_directory()?;
                    store.make_collected_dir()?;
                }
                Ok(store)
            }
        }
    }

    /// Opens a store, after a look at whose it is.
    pub fn open(dir: &Path, permissions: Permissions) -> Result<Self> {
        let look = |result: io::Result<Metadata>| match result {
            Ok(metadata) => Ok(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoStore(dir.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Error::NotADirectory(dir.to_owned())),
            Err(error) => Err(Error::io("look at", dir)(error)),
        };
        let user = geteuid().as_raw();
        let mut metadata = look(fs::symlink_metadata(dir))?;
        if metadata.is_symlink() && metadata.uid() == user {
            metadata = look(fs::metadata(dir))?;
        }
        if metadata.uid() != user {
            return Err(Error::ForeignStore { dir: dir.to_owned(), owner: metadata.uid(), user });
        }
        if !metadata.is_dir() {
            return Err(Error::NotADirectory(dir.to_owned()));
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(Error::OpenStore(dir.to_owned()));
        }
        Ok(Self { dir: dir.to_owned(), permissions })
    }

    /// A directory is taken over if all that is in it is the original's, or what an init that was cut short left: records, and
    /// logs that belong to one. In devstack's own directory there may be logs alone: that is what the original leaves.
    fn refuse_a_strangers_directory(&self) -> Result<()> {
        for name in names_in(&self.dir)? {
            let path = self.dir.join(&name);
            let is_record = |path: &Path| {
                open_for_reading(path).is_ok_and(|file| file.is_some_and(|file| read_record(&file, path).is_ok()))
            };
            let is_ours = match path.extension().and_then(OsStr::to_str) {
                Some("ini") => is_record(&path),
                Some("log" | "fifo") => {
                    self.permissions == Permissions::Umask || is_record(&path.with_extension("ini"))
                }
                _ => name == STARTING || name == COUNT || is_of_the_limit(&name),
            };
            if !is_ours {
                return Err(Error::NotAStore { dir: self.dir.clone(), example: printable(&name) });
            }
        }
        Ok(())
    }

    /// Puts what is of earlier runs where that many of them are kept. What still runs is not, nor what another script wants, nor
    /// what begins meanwhile.
    fn clear(&self, runs: usize, caller: &Caller) -> Result<Leftovers> {
        let mut leftovers = Leftovers::default();
        let had = self.names()?;
        for name in had.clone() {
            match self.look(&name) {
                Ok(Some((_, State::Running | State::Queued))) => leftovers.running.push(name),
                Ok(Some((record, _))) => match caller.not_this_script(&record) {
                    Some(script) => leftovers.of_others.push((name, script.pid())),
                    None => self.clear_future(&name, &record, runs, caller)?,
                },
                Ok(None) => {}
                // Whoever made it knows what it is.
                Err(Error::BadRecord { .. } | Error::Planted { .. }) => {
                    leftovers.no_records.push(self.record_path(&name));
                }
                // It may run, so nothing is removed.
                Err(error) => return Err(error),
            }
        }
        // Told by their second names, where they have one, before the runs that are too many go.
        let mut kept = None;
        let mut ours = HashSet::new();
        for stem in self.files("log")?.into_iter().chain(self.files("fifo")?) {
            let Some(name) = FutureName::from_arg(&stem).ok().filter(|name| !self.record_path(name).exists()) else {
                continue;
            };
            let has_link = fs::symlink_metadata(self.log_path(&name)).is_ok_and(|log| log.is_file() && log.nlink() > 1);
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
                let with = |extension: &str| {
                    let mut file = stem.clone();
                    file.push(format!(".{extension}"));
                    self.dir.join(file)
                };
                self.remove_if(&with(extension), || !with("ini").exists())?;
            }
        }
        Ok(leftovers)
    }

    /// Puts a future that is over among those that are kept, or removes it where none are.
    fn clear_future(&self, name: &FutureName, looked: &Record, runs: usize, caller: &Caller) -> Result<()> {
        let path = self.record_path(name);
        let Some((file, identity)) = open_identified(&path)? else {
            return Ok(());
        };
        let record = read_record(&file, &path)?;
        if (record.start_time, record.start_boot) != (looked.start_time, looked.start_boot) {
            return Ok(());
        }
        if runs == 0 {
            return self.remove_if(&path, || is_named(identity, &path).unwrap_or(false));
        }
        if let Some(script) = record.script.as_ref().filter(|script| caller.is_script(script)) {
            // The script itself has cleared it away, so for its wait it was never started.
            append(&file, &record, &[Line::TakenBy(script.clone())]).map_err(Error::io("write to", &path))?;
        }
        // Without the lock of those who collect: one of them may sleep until somebody reads what it writes.
        self.shelve(name, identity, &record, Shelved::MakesRoom)
    }

    /// Removes a file if `is_so`, while no future begins and none is collected.
    fn remove_if(&self, path: &Path, is_so: impl Fn() -> bool) -> Result<()> {
        let is_record = path.extension() == Some(OsStr::new("ini"));
        let removed = self.changing(|live| {
            if is_so() && remove_if_there(path)? && is_record {
                *live -= 1;
            }
            Ok(())
        });
        removed.map_err(Error::io("remove", path))
    }

    /// Removes what shells and programs that were killed halfway left.
    fn clear_beginnings(&self) -> Result<()> {
        let dir = self.starting_dir();
        for name in names_if_there(&dir)? {
            if !maker(&name).is_some_and(process::exists) {
                let path = dir.join(name);
                remove_if_there(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    pub(super) fn make_collected_dir(&self) -> Result<()> {
        self.make_dir(&self.collected_dir())
    }

    pub(super) fn make_starting_dir(&self) -> Result<()> {
        self.make_dir(&self.starting_dir())
    }

    fn make_dir(&self, path: &Path) -> Result<()> {
        match DirBuilder::new().mode(self.permissions.of_directories()).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::io("make the directory", path)(error))
            }
            _ => Ok(()),
        }
    }
}
