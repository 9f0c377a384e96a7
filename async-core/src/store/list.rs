//! Listing futures: which records there are, and what each says now.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::files::{names_if_there, names_in, open_for_reading, read_record};
use super::runs::{parse_record_name, stem};
use super::{COLLECTED, Store};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::{Record, State};

/// A file of a store that is a record by its name, of a live future or of one that was collected in this run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordFile {
    name: FutureName,
    path: PathBuf,
}

/// A future, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub name: FutureName,
    /// What is known of it.
    pub record: Record,
    /// Where it stands.
    pub state: State,
    /// Where its log is; none if it has none, or a later future of the name has taken its place.
    pub log: Option<PathBuf>,
}

impl RecordFile {
    /// The name of the future.
    #[must_use]
    pub fn name(&self) -> &FutureName {
        &self.name
    }

    /// The record of a live future, if the file of that name in the store's own directory is one.
    pub(super) fn live(store: &Store, file: &OsStr) -> Option<Self> {
        let stem = file.to_str()?.strip_suffix(".ini")?;
        Some(Self { name: stem.parse().ok()?, path: store.dir.join(file) })
    }

    /// The record of a collected future, if the file of that name among them is one.
    pub(super) fn collected(store: &Store, file: &OsStr) -> Option<Self> {
        let (name, _) = parse_record_name(file)?;
        Some(Self { name, path: store.collected_dir().join(file) })
    }

    fn is_collected(&self) -> bool {
        self.path.parent().and_then(Path::file_name) == Some(OsStr::new(COLLECTED))
    }
}

impl Store {
    /// The records of all live futures, and those of the collected ones too if asked for, in no order.
    pub fn record_files(&self, collected: bool) -> Result<Vec<RecordFile>> {
        let mut files: Vec<_> = names_in(&self.dir)?.iter().filter_map(|file| RecordFile::live(self, file)).collect();
        if collected {
            let of_collected = names_if_there(&self.collected_dir())?;
            files.extend(of_collected.iter().filter_map(|file| RecordFile::collected(self, file)));
        }
        Ok(files)
    }

    /// What a record says now; none if it is gone.
    pub fn entry(&self, file: &RecordFile) -> Result<Option<Entry>> {
        let name = file.name.clone();
        if !file.is_collected() {
            return self.live_entry(&name);
        }
        let Some(opened) = open_for_reading(&file.path)? else {
            return Ok(None);
        };
        let record = read_record(&opened, &file.path)?;
        let log = if record.has_log { self.log_of_collected(file)? } else { None };
        Ok(Some(Entry { name, record, state: State::Collected, log }))
    }

    /// What the record of the live future of that name says now; none if there is none.
    pub fn live_entry(&self, name: &FutureName) -> Result<Option<Entry>> {
        let Some((record, state)) = self.look(name)? else {
            return Ok(None);
        };
        let log = self.log_path(name);
        let has_log = record.has_log && is_there(&log)?;
        Ok(Some(Entry { name: name.clone(), record, state, log: has_log.then_some(log) }))
    }

    /// How the future of that name stands now that had this record: it may have been collected since.
    pub fn entry_of(&self, name: &FutureName, record: &Record) -> Result<Entry> {
        let is_this = |entry: &Entry| entry.is_of(record);
        if let Some(entry) = self.live_entry(name)?.filter(is_this) {
            return Ok(entry);
        }
        // Where it usually is, which saves a look at all that is kept.
        let path = self.collected_dir().join(stem(name, record.start_time, 0) + ".ini");
        if let Some(entry) = self.entry(&RecordFile { name: name.clone(), path })?.filter(is_this) {
            return Ok(entry);
        }
        let kept = self.earlier(name)?.into_iter().find(is_this);
        let forgotten = || Entry { name: name.clone(), record: record.clone(), state: State::Collected, log: None };
        Ok(kept.unwrap_or_else(forgotten))
    }

    fn log_of_collected(&self, file: &RecordFile) -> Result<Option<PathBuf>> {
        let kept = file.path.with_extension("log");
        if is_there(&kept)? {
            return Ok(Some(kept));
        }
        let log = self.log_path(&file.name);
        let is_its = is_there(&log)? && !is_there(&self.record_path(&file.name))?;
        Ok(is_its.then_some(log))
    }
}

fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().map_err(Error::io("look at", path))
}

impl Entry {
    /// Whether it is of the future that has this record, not of another that has had its name.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        (self.record.start_time, self.record.start_boot) == (record.start_time, record.start_boot)
    }

    /// Whether its process went away without leaving a result.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self.state {
            State::Lost => true,
            State::Collected => self.record.rc.is_none(),
            State::Queued | State::Running | State::Finished => false,
        }
    }

    /// Whether it is over, and not by success.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.record.rc.map_or_else(|| self.is_lost(), |rc| rc != 0)
    }

    /// How long its task ran, or has run by now, in ms, never negative; none if it has not begun, or nobody knows.
    #[must_use]
    pub fn run_time(&self) -> Option<Millis> {
        let Record { start_time, end_time, run_time, run_start, .. } = self.record;
        let ran = match self.state {
            State::Queued => return None,
            State::Running => Some(self.record.elapsed()),
            State::Finished | State::Lost | State::Collected => {
                run_time.or_else(|| Some(end_time?.saturating_sub(run_start.unwrap_or(start_time))))
            }
        };
        ran.map(|ms| ms.max(0))
    }

    /// The log, to be read from its start; none if it has none, or that is gone.
    pub fn open_log(&self) -> Result<Option<File>> {
        self.log.as_deref().map_or(Ok(None), open_for_reading)
    }

    /// By start, then by name: the order of listings.
    #[must_use]
    pub fn by_start(&self, other: &Self) -> Ordering {
        (self.record.start_time, &self.name).cmp(&(other.record.start_time, &other.name))
    }
}
