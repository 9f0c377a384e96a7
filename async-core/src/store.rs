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
//! | `.count` | how many live futures there are |
//! | `.starting/new*` | a record that is being made |

mod begin;
mod cancel;
mod changes;
mod collect;
mod count;
mod dependencies;
mod end;
mod files;
mod life;
mod list;
mod live;
mod place;
mod queue;
mod runs;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::{Record, State};

pub use begin::{RecordId, Request, Start, Started};
pub use cancel::Cancelled;
pub use changes::{Change, Changes};
pub use collect::{Claim, HAND_OVER, Ready};
pub use end::End;
pub use list::{Entry, RecordFile};
pub use live::Live;
pub use place::Leftovers;
pub use queue::MAX_JOBS;
pub use runs::{KEPT_RUNS, RUNS, Run};

pub(crate) use end::RecordWriter;
pub(crate) use queue::Slot;

use files::{is_named, names_in, open_for_reading, open_regular, read_record};
use life::{is_alive, wait_for_end};

/// Opens a log, to be read from its start; none if it is gone. What is no regular file, such as a symlink, is an error.
pub fn open_log(path: &Path) -> Result<Option<File>> {
    open_for_reading(path)
}

/// The subdirectory of the collected futures. Its presence, or that of [`RUNS`], marks a directory as a store.
pub const COLLECTED: &str = ".collected";

/// The subdirectory for what a future has while it is being started.
pub const STARTING: &str = ".starting";
/// The environment variable that tells programs inside which future's task they run: the store's directory, `/`, and the
/// name.
pub const INSIDE: &str = "ASYNC_FUTURE";

/// A directory of futures, found fit to be used.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
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

    /// The mode that a new directory is asked for with.
    fn of_directories(self) -> u32 {
        if self == Self::Private { 0o700 } else { 0o777 }
    }
}

impl Store {
    /// The store's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the log of that name is.
    #[must_use]
    pub fn log_path(&self, name: &FutureName) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// What [`INSIDE`] is for the programs of that future.
    #[must_use]
    pub fn place_of(&self, name: &FutureName) -> OsString {
        self.dir.join(name.as_str()).into_os_string()
    }

    /// The future of this store, if it is one of this store, inside whose task a program runs that has been told `place`
    /// by [`INSIDE`].
    #[must_use]
    pub fn inside(&self, place: &OsStr) -> Option<FutureName> {
        let (dir, name) = (Path::new(place).parent()?, Path::new(place).file_name()?);
        let is_this =
            dir == self.dir || dir.canonicalize().is_ok_and(|dir| self.dir.canonicalize().is_ok_and(|it| it == dir));
        let name = FutureName::from_arg(name).ok().filter(|_| is_this)?;
        self.read(&name).ok().flatten().map(|_| name)
    }

    /// The log of a live future, to be appended to.
    pub(crate) fn open_log(&self, name: &FutureName) -> Result<File> {
        let path = self.log_path(name);
        open_regular(&path)?.ok_or_else(|| Error::io("open", &path)(ErrorKind::NotFound.into()))
    }

    fn record_path(&self, name: &FutureName) -> PathBuf {
        self.dir.join(format!("{name}.ini"))
    }

    fn collected_dir(&self) -> PathBuf {
        self.dir.join(COLLECTED)
    }

    /// The error for a name that no live future has.
    #[must_use]
    pub fn unknown(&self, name: &FutureName) -> Error {
        Error::Unknown { name: name.to_string(), dir: self.dir.clone() }
    }

    /// Reads the record of a live future; none if there is none.
    pub fn read(&self, name: &FutureName) -> Result<Option<Record>> {
        let path = self.record_path(name);
        open_regular(&path)?.map(|file| read_record(&file, &path)).transpose()
    }

    /// Where a live future stands; none if there is none.
    pub fn look(&self, name: &FutureName) -> Result<Option<(Record, State)>> {
        let path = self.record_path(name);
        // For reading only, or each look would be a change to whoever watches the store.
        let Some(file) = open_for_reading(&path)? else {
            return Ok(None);
        };
        let record = read_record(&file, &path)?;
        let state = Self::state_of(&file, &path, &record)?;
        if state != State::Lost {
            return Ok(Some((record, state)));
        }
        // It may have ended between the two looks.
        let record = read_record(&file, &path)?;
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
            let path = self.record_path(name);
            if !is_named(id.0, &path)? {
                return Ok(());
            }
            std::fs::remove_file(&path)?;
            *live -= 1;
            std::fs::remove_file(self.log_path(name))
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
        for name in names_in(&self.dir)? {
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
