//! Making, opening and clearing a store.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use nix::unistd::geteuid;

use super::collect::Shelved;
use super::count::COUNT;
use super::files::{append, names_if_there, names_in, open_regular, remove_if_there};
use super::queue::is_of_the_limit;
use super::{KEPT_RUNS, Permissions, STARTING, Store};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process::ProcessIdentity;
use crate::record::{Record, State};
use crate::text::printable;

/// What [`Store::init`] met.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Futures of an earlier run whose tasks still run; they were left alone.
    pub running: Vec<FutureName>,
}

impl Store {
    /// Makes the directory a store without futures, keeping what still runs in it. What is over is kept among the runs
    /// before this one, of which there are [`KEPT_RUNS`] at most.
    ///
    /// Only what a store has is removed, and only from a directory that is empty, a store, or the original's.
    pub fn init(dir: &Path, permissions: Permissions) -> Result<(Self, Leftovers)> {
        Self::init_keeping(dir, permissions, KEPT_RUNS, None)
    }

    /// The same with another number of runs to keep, which may be 0, for that script, which doesn't want what it has
    /// started and not collected any more.
    pub fn init_keeping(
        dir: &Path,
        permissions: Permissions,
        runs: usize,
        script: Option<&ProcessIdentity>,
    ) -> Result<(Self, Leftovers)> {
        match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(permissions.of_directories())
                    .create(dir)
                    .map_err(Error::io("make the directory", dir))?;
            }
            _ => {}
        }
        let store = Self::open(dir, permissions)?;
        let is_there = |path: &Path| path.try_exists().map_err(Error::io("look at", path));
        if !is_there(&store.collected_dir())? && !is_there(&store.runs_dir())? {
            store.refuse_a_strangers_directory()?;
        }
        let leftovers = store.clear(runs, script)?;
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

    /// A directory is taken over if all that is in it could be the original's, or what an init that was cut short left.
    fn refuse_a_strangers_directory(&self) -> Result<()> {
        for name in names_in(&self.dir)? {
            let extension = Path::new(&name).extension().and_then(OsStr::to_str);
            let is_ours = name == STARTING || name == COUNT || is_of_the_limit(&name);
            if !(is_ours || matches!(extension, Some("ini" | "log" | "fifo"))) {
                return Err(Error::NotAStore { dir: self.dir.clone(), example: printable(&name) });
            }
        }
        Ok(())
    }

    /// Puts what is of earlier runs where that many of them are kept, but not what still runs.
    fn clear(&self, runs: usize, script: Option<&ProcessIdentity>) -> Result<Leftovers> {
        let mut leftovers = Leftovers::default();
        let mut over = Vec::new();
        for name in self.names()? {
            match self.look(&name) {
                Ok(Some((_, State::Running | State::Queued))) => leftovers.running.push(name),
                Ok(Some((record, _))) => over.push((name, record)),
                Ok(None) | Err(Error::BadRecord { .. } | Error::Planted { .. }) => {}
                // It may run, so nothing is removed.
                Err(error) => return Err(error),
            }
        }
        for (name, record) in over.into_iter().filter(|_| runs > 0) {
            if let Some(script) = script.filter(|script| record.script.as_ref() == Some(script)) {
                self.give_up(&name, &record, script)?;
            }
            // Without the lock of those who collect: one of them may sleep until somebody reads what it writes.
            match self.shelve(&name, &record, Shelved::MakesRoom) {
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        self.end_run(runs)?;
        self.clear_beginnings()?;
        for extension in ["ini", "log", "fifo"] {
            for stem in self.files(extension)? {
                if leftovers.running.iter().any(|name| stem == OsStr::new(name.as_str())) {
                    continue;
                }
                let mut file = stem;
                file.push(format!(".{extension}"));
                let path = self.dir.join(file);
                let removed = self.changing(|live| {
                    let removed = remove_if_there(&path)?;
                    *live -= isize::from(removed && extension == "ini");
                    Ok(())
                });
                removed.map_err(Error::io("remove", &path))?;
            }
        }
        Ok(leftovers)
    }

    /// Notes that the script itself has cleared its future away, so that its wait is of one that was never started.
    fn give_up(&self, name: &FutureName, record: &Record, script: &ProcessIdentity) -> Result<()> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Ok(());
        };
        append(&file, record, &format!("taken_by = {script}\n")).map_err(Error::io("write to", &path))
    }

    /// Removes what shells and programs that were killed halfway left. One that is at work would fail with an error.
    fn clear_beginnings(&self) -> Result<()> {
        let dir = self.starting_dir();
        for name in names_if_there(&dir)? {
            let path = dir.join(name);
            remove_if_there(&path).map_err(Error::io("remove", &path))?;
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
