//! Listing futures: which records there are, and what each says now.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::files::{names_if_there, names_in, open_for_reading, read_record};
use super::runs::parse_record_name;
use super::{COLLECTED, Earlier, Store};
use crate::clock::{self, Millis};
use crate::error::Result;
use crate::name::FutureName;
use crate::record::{Record, State};

/// A file of a store that is a record by its name, of a live future or of one that was collected in this run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        if !file.is_collected() {
            return self.live_entry(&file.name);
        }
        let Some(opened) = open_for_reading(&file.path)? else {
            return Ok(None);
        };
        let record = read_record(&opened, &file.path)?;
        let log = record.has_log.then(|| self.log_of_collected(file)).flatten();
        Ok(Some(Entry { name: file.name.clone(), record, state: State::Collected, log }))
    }

    /// What is known of the live future of that name; none if there is none.
    pub fn live_entry(&self, name: &FutureName) -> Result<Option<Entry>> {
        Ok(self.look(name)?.map(|(record, state)| {
            let log = Some(self.log_path(name)).filter(|log| record.has_log && log.exists());
            Entry { name: name.clone(), record, state, log }
        }))
    }

    fn log_of_collected(&self, file: &RecordFile) -> Option<PathBuf> {
        let kept = file.path.with_extension("log");
        if kept.exists() {
            return Some(kept);
        }
        Some(self.log_path(&file.name)).filter(|log| log.exists() && !self.record_path(&file.name).exists())
    }
}

impl Entry {
    /// The entry of one that is no longer live.
    #[must_use]
    pub fn of_earlier(name: &FutureName, earlier: Earlier) -> Self {
        let Earlier { record, log } = earlier;
        Self { name: name.clone(), record, state: State::Collected, log }
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
        let Record { start_time, start_boot, end_time, run_time, run_start, .. } = self.record;
        let ran = match self.state {
            State::Queued => return None,
            State::Running => {
                let since_start = start_boot.map_or_else(
                    || clock::wall().saturating_sub(start_time),
                    |start| clock::since_boot().saturating_sub(start),
                );
                let held_back = run_start.map_or(0, |run_start| run_start.saturating_sub(start_time));
                Some(since_start.saturating_sub(held_back.max(0)))
            }
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
