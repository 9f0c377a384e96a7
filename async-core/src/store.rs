//! The store: a directory of futures.
//!
//! | file | contents |
//! | --- | --- |
//! | `NAME.ini` | the record of a live future |
//! | `NAME.log` | what the newest task of that name printed |
//! | `.collected/NAME.START.ini` | the record of a collected future; START is its start in ms since the epoch |
//! | `.collected/NAME.START.log` | its log |
//! | `.runs/START/` | the contents of `.collected` before an init; START is the start of the run's first future |
//! | `.queue`, `.slots` | the queued futures and the running tasks, if a limit applies |
//! | `.order` | changes to the queue: that it is paused, or has a new order |
//! | `.count` | the number of live futures |
//! | `.starting/new*` | a record in the making |
//! | `.jobs/` | the folders of jobs on engines, and the engines' answers about them |
//! | `.script` | the script that the store belongs to, if it is a script's own |
//! | `scripts/` | the stores of scripts, inside the prompt's store: see [`Scripts`] |

mod attendant;
mod begin;
mod cancel;
mod changes;
mod collect;
mod count;
mod deadlock;
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
mod runs;
mod scripts;
mod traces;

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
pub use collect::{COLLECTING_TIMEOUT, Claim, Ready};
pub use end::End;
pub use files::StoreFile;
pub(crate) use files::{FileIdentity, identity};
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

/// The subdirectory of the collected futures. It or [`RUNS`] marks a directory as a store.
pub const COLLECTED: &str = ".collected";

/// The subdirectory for the files of futures that are being started.
pub const STARTING: &str = ".starting";
/// The subdirectory for the jobs of tasks on engines.
pub const JOBS: &str = ".jobs";
/// The environment variable that tells programs in which future's task they run: the store's directory, `/`, and the
/// name.
pub const INSIDE: &str = "ASYNC_FUTURE";

/// A directory of futures, checked and held open. Even if another directory takes its path, this one stays in use.
#[derive(Clone, Debug)]
pub struct Store {
    dir: Directory,
    permissions: Permissions,
}

/// Who may read the files of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permissions {
    /// Only the user: a log may contain a script's trace, and a trace may contain passwords.
    #[default]
    Private,
    /// Everyone that the umask allows, as with the original script.
    Umask,
}

impl Permissions {
    /// The mode to request for a new file.
    fn of_files(self) -> u32 {
        if self == Self::Private { 0o600 } else { 0o666 }
    }

    /// The mode to request for a new directory: no directory is used that everyone may write to.
    fn of_directories(self) -> u32 {
        if self == Self::Private { 0o700 } else { 0o775 }
    }
}

impl Store {
    /// The path of the store's directory, for display.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of the log of that name, for display.
    #[must_use]
    pub fn log_path(&self, name: &FutureName) -> PathBuf {
        self.log_file(name).path().to_owned()
    }

    /// The path of the record of the live future of that name, for display.
    #[must_use]
    pub fn record_path(&self, name: &FutureName) -> PathBuf {
        self.record_file(name).path().to_owned()
    }

    /// The descriptor of the open directory, for callers that close all others.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.dir.held()
    }

    fn log_file(&self, name: &FutureName) -> StoreFile {
        self.dir.file(format!("{name}.log"))
    }

    /// The value of [`INSIDE`] for the programs of that future.
    #[must_use]
    pub fn place_of(&self, name: &FutureName) -> OsString {
        self.dir().join(name.as_str()).into_os_string()
    }

    /// The future in whose task a program runs, given the value `place` of its [`INSIDE`]; none if that future belongs
    /// to another store.
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

    /// Opens the log of a live future for appending.
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

    /// The error for a name without a live future.
    #[must_use]
    pub fn unknown(&self, name: &FutureName) -> Error {
        Error::Unknown { name: name.to_string(), dir: self.dir().to_owned() }
    }

    /// Reads the record of a live future; none if there is none.
    pub fn read(&self, name: &FutureName) -> Result<Option<Record>> {
        let record = self.record_file(name);
        record.open_to_append()?.map(|file| read_record(&file, record.path())).transpose()
    }

    /// Reads the record of a live future and its state; none if there is none.
    pub fn look(&self, name: &FutureName) -> Result<Option<(Record, State)>> {
        let named = self.record_file(name);
        // Open it for reading only, or each look would notify everyone who watches the store.
        let Some(file) = named.open()? else {
            return Ok(None);
        };
        let path = named.path();
        let record = attended(&file, path, read_record(&file, path)?)?;
        let state = Self::state_of(&file, path, &record)?;
        if state != State::Lost {
            return Ok(Some((record, state)));
        }
        // It may have ended in between.
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

    /// Removes a future that was begun but could not start. Leaves a later one of the same name alone: once nothing
    /// holds the life of the first, another process may have started another.
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

    /// The names of all live futures, sorted.
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
