//! The store: a directory of futures.
//!
//! | file | is |
//! | --- | --- |
//! | `NAME.ini` | the record of a live future |
//! | `NAME.log` | what the newest task of that name printed |
//! | `.collected/NAME.START.ini` | the record of a collected future; START is its start in ms since the epoch |
//! | `.collected/NAME.START.log` | its log |
//! | `.runs/START/` | what was in `.collected` before an init; START is that of its first future |
//! | `.queue`, `.slots` | who waits for its turn and who runs, where tasks are limited in number |
//! | `.order` | what was said of the queue: that it is paused, or goes on in another order |
//! | `.count` | how many live futures there are |
//! | `.starting/new*` | a record that is being made |
//! | `.jobs/` | the folders of jobs that run elsewhere, and what an engine has said of them |
//! | `.script` | whose it is, if it is that of a script's run |
//! | `scripts/` | the stores of scripts, in that of the prompt: see [`Scripts`] |

mod attendant;
mod begin;
mod cancel;
mod changes;
mod circle;
mod collect;
mod count;
mod dependencies;
mod directory;
mod end;
mod files;
mod handle;
mod life;
mod list;
mod location;
mod order;
mod queue;
mod remains;
mod runs;
mod scripts;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::{Record, State};

pub use attendant::call_attendants_with;
pub use begin::{IfAbsent, RecordId, Request, Start, Started};
pub use cancel::Cancelled;
pub use changes::{Change, Changes};
pub use collect::{Claim, HAND_OVER, Ready};
pub use end::End;
pub use files::StoreFile;
pub use handle::FutureHandle;
pub use list::{Entry, RecordFile};
pub use location::Leftovers;
pub use order::{Amendment, Paused, To};
pub use queue::MAX_JOBS;
pub use runs::{KEPT_RUNS, RUNS, Run};
pub use scripts::{Keep, SCRIPTS, ScriptKey, ScriptRun, ScriptTimes, Scripts};

pub(crate) use end::RecordWriter;
pub(crate) use queue::{Obstacle, QueueView, Slot};

use directory::Directory;
use files::read_record;
use life::{attended, is_alive, wait_for_end};

/// The subdirectory of the collected futures. Its presence, or that of [`RUNS`], marks a directory as a store.
pub const COLLECTED: &str = ".collected";

/// The subdirectory for what a future has while it is being started.
pub const STARTING: &str = ".starting";
/// The subdirectory for the jobs of futures whose tasks run elsewhere.
pub const JOBS: &str = ".jobs";
/// The environment variable that tells programs inside which future's task they run: the store's directory, `/`, and the
/// name.
pub const INSIDE: &str = "ASYNC_FUTURE";

/// A directory of futures, found fit to be used, and held open: this is the one that is used, whatever has its path by now.
#[derive(Clone, Debug)]
pub struct Store {
    dir: Directory,
    permissions: Permissions,
}

/// Who may read what is made in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permissions {
    /// Only the user: a log may hold a script's trace, and a trace may hold passwords.
    #[default]
    Private,
    /// Whoever the umask lets, as with the original script.
    Umask,
}

impl Permissions {
    /// The mode that a new file is asked for with.
    fn of_files(self) -> u32 {
        if self == Self::Private { 0o600 } else { 0o666 }
    }

    /// The mode that a new directory is asked for with: none that everybody may write to is ever used.
    fn of_directories(self) -> u32 {
        if self == Self::Private { 0o700 } else { 0o775 }
    }
}

impl Store {
    /// The path of the store's directory, to be shown.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of the log of that name, to be shown.
    #[must_use]
    pub fn log_path(&self, name: &FutureName) -> PathBuf {
        self.log_file(name).path().to_owned()
    }

    /// The path of the record of a live future of that name, to be shown.
    #[must_use]
    pub fn record_path(&self, name: &FutureName) -> PathBuf {
        self.record_file(name).path().to_owned()
    }

    /// The descriptor by which this process has the directory open, for who closes all others.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.dir.held()
    }

    fn log_file(&self, name: &FutureName) -> StoreFile {
        self.dir.file(format!("{name}.log"))
    }

    /// What [`INSIDE`] is for the programs of that future.
    #[must_use]
    pub fn place_of(&self, name: &FutureName) -> OsString {
        self.dir().join(name.as_str()).into_os_string()
    }

    /// The future of this store, if it is one of this store, inside whose task a program runs that has been told `place`
    /// by [`INSIDE`].
    #[must_use]
    pub fn inside(&self, place: &OsStr) -> Option<FutureName> {
        let (dir, name) = (Path::new(place).parent()?, Path::new(place).file_name()?);
        let is_this = dir == self.dir()
            || dir.metadata().is_ok_and(|found| {
                self.dir.stat().is_ok_and(|this| (this.st_dev, this.st_ino) == (found.dev(), found.ino()))
            });
        let name = FutureName::from_arg(name).ok().filter(|_| is_this)?;
        self.read(&name).ok().flatten().map(|_| name)
    }

    /// The log of a live future, to be appended to.
    pub(crate) fn open_log(&self, name: &FutureName) -> Result<File> {
        let log = self.log_file(name);
        log.open_to_append()?.ok_or_else(|| Error::io("open", log.path())(ErrorKind::NotFound.into()))
    }

    fn record_file(&self, name: &FutureName) -> StoreFile {
        self.dir.file(format!("{name}.ini"))
    }

    fn collected_dir(&self) -> Directory {
        self.dir.subdirectory(COLLECTED)
    }

    /// The error for a name that no live future has.
    #[must_use]
    pub fn unknown(&self, name: &FutureName) -> Error {
        Error::Unknown { name: name.to_string(), dir: self.dir().to_owned() }
    }

    /// Reads the record of a live future; none if there is none.
    pub fn read(&self, name: &FutureName) -> Result<Option<Record>> {
        let record = self.record_file(name);
        record.open_to_append()?.map(|file| read_record(&file, record.path())).transpose()
    }

    /// Where a live future stands; none if there is none.
    pub fn look(&self, name: &FutureName) -> Result<Option<(Record, State)>> {
        let named = self.record_file(name);
        // For reading only, or each look would be a change to whoever watches the store.
        let Some(file) = named.open()? else {
            return Ok(None);
        };
        let path = named.path();
        let record = attended(&file, path, read_record(&file, path)?)?;
        let state = Self::state_of(&file, path, &record)?;
        if state != State::Lost {
            return Ok(Some((record, state)));
        }
        // It may have ended between the two looks.
        let record = read_record(&file, path)?;
        let state = if record.rc.is_some() { State::Finished } else { State::Lost };
        Ok(Some((record, state)))
    }

    fn state_of(file: &File, path: &Path, record: &Record) -> Result<State> {
        Ok(if record.rc.is_some() {
            State::Finished
        } else if !is_alive(file, path, record)? {
            State::Lost
        } else if record.is_held_back() {
            State::Queued
        } else {
            State::Running
        })
    }

    /// Removes a future that was begun and could not be started after all. A later one of that name is left alone: once nobody
    /// holds the life of the first, somebody may have started another.
    pub fn abandon(&self, name: &FutureName, id: RecordId) {
        let _ = self.changing(|live| {
            let record = self.record_file(name);
            if !record.is(id.0)? {
                return Ok(());
            }
            record.remove()?;
            *live -= 1;
            self.log_file(name).remove()
        });
    }

    /// The names of all live futures, in the order of the names.
    pub fn names(&self) -> Result<Vec<FutureName>> {
        let mut names: Vec<FutureName> =
            self.files("ini")?.into_iter().filter_map(|stem| FutureName::from_arg(&stem).ok()).collect();
        names.sort();
        Ok(names)
    }

    /// The stems of the store's visible files with that extension.
    fn files(&self, extension: &str) -> Result<Vec<OsString>> {
        let mut stems = Vec::new();
        for name in self.dir.names()? {
            let path = Path::new(&name);
            if let (Some(stem), true) = (path.file_stem(), path.extension() == Some(OsStr::new(extension)))
                && !name.as_encoded_bytes().starts_with(b".")
            {
                stems.push(stem.to_owned());
            }
        }
        Ok(stems)
    }
}
