//! Listing futures: which records exist, and what each says now.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::File;

use super::directory::Directory;
use super::files::{StoreFile, read_record};
use super::runs::{parse_record_name, stem};
use super::{Paused, Store};
use crate::clock::Millis;
use crate::error::Result;
use crate::name::FutureName;
use crate::record::{Record, State};
use crate::tree::{self, TreeUsage};
use crate::{parallel, process};

/// How many futures to look at to count the running ones, so that a wait among very many stays cheap.
const MOST_LOOKED_AT: usize = 100;

/// A file in a store whose name is that of a record: of a live future, or of one collected in this run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordFile {
    name: FutureName,
    /// None for a live future.
    collected: Option<StoreFile>,
}

/// A future in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub name: FutureName,
    /// Its record. Boxed because it is large, and listings may sort very many entries.
    pub record: Box<Record>,
    /// Its state.
    pub state: State,
    /// Why it can't start even when its turn comes, if it is queued and paused.
    pub paused: Option<Paused>,
    /// What its task used at the last [look](Store::look_at_usage), if there was one and it could be told.
    pub usage_now: Option<TreeUsage>,
    /// Where its log is, unless somebody has removed it; none if it has none, or if a later future of that name has
    /// replaced it.
    pub log: Option<StoreFile>,
}

impl RecordFile {
    /// The name of the future.
    #[must_use]
    pub fn name(&self) -> &FutureName {
        &self.name
    }

    /// The record of a live future, if that file in the store's own directory is one.
    pub(super) fn live(file: &OsStr) -> Option<Self> {
        let stem = file.to_str()?.strip_suffix(".ini")?;
        Some(Self { name: stem.parse().ok()?, collected: None })
    }

    /// The record of a collected future, if that file in that directory is one.
    pub(super) fn collected(directory: &Directory, file: &OsStr) -> Option<Self> {
        let (name, _) = parse_record_name(file)?;
        Some(Self { name, collected: Some(directory.file(file)) })
    }
}

impl Store {
    /// The records of all live futures, and of the collected ones if asked for, in no order.
    pub fn record_files(&self, collected: bool) -> Result<Vec<RecordFile>> {
        let mut files: Vec<_> = self.dir.names()?.iter().filter_map(|file| RecordFile::live(file)).collect();
        if collected {
            let directory = self.collected_dir().held_if_fit();
            let of_collected = directory.names_if_there()?;
            files.extend(of_collected.iter().filter_map(|file| RecordFile::collected(&directory, file)));
        }
        Ok(files)
    }

    /// What each of those records says now, in the same order.
    #[must_use]
    pub fn entries(&self, files: &[RecordFile]) -> Vec<Result<Option<Entry>>> {
        parallel::map(files, |file| self.entry(file))
    }

    /// What a record says now; none if it is gone.
    pub fn entry(&self, file: &RecordFile) -> Result<Option<Entry>> {
        let name = file.name.clone();
        let Some(named) = &file.collected else {
            return self.live_entry(&name);
        };
        // An init may have moved it to an earlier run.
        let Some(opened) = named.open()? else {
            return Ok(None);
        };
        if !named.is_in_place()? {
            return Ok(None);
        }
        let record = read_record(&opened, named.path())?;
        let log = if record.has_log { self.log_of_collected(&name, named)? } else { None };
        Ok(Some(Entry { name, record: record.into(), state: State::Collected, paused: None, usage_now: None, log }))
    }

    /// What the record of the live future of that name says now; none if there is none.
    pub fn live_entry(&self, name: &FutureName) -> Result<Option<Entry>> {
        let Some((record, state)) = self.look(name)? else {
            return Ok(None);
        };
        let log = record.has_log.then(|| self.log_file(name));
        let paused =
            if state == State::Queued && record.submission.is_none() { self.is_paused(name, &record)? } else { None };
        Ok(Some(Entry { name: name.clone(), record: record.into(), state, paused, usage_now: None, log }))
    }

    /// Looks at what the task of a future uses now, if it runs here.
    pub fn look_at_usage(&self, entry: &mut Entry) {
        entry.usage_now = self.usage_now(entry);
    }

    fn usage_now(&self, entry: &Entry) -> Option<TreeUsage> {
        let is_elsewhere = entry.record.plan.as_ref().is_some_and(|plan| plan.on.is_some());
        let supervisor = entry.record.supervisor().filter(|_| entry.state == State::Running && !is_elsewhere)?;
        let record = self.record_file(&entry.name).open().ok()??.metadata().ok()?;
        // In another pid namespace, or on another host, another process has that id.
        if process::writes_to(supervisor, &record) { tree::below(supervisor).ok() } else { None }
    }

    /// How many other futures are running, besides the one of that name, and whether there may be more: it looks at no
    /// more than a hundred.
    pub fn running_beside(&self, name: &FutureName) -> Result<(usize, bool)> {
        // Usually there is none, and nothing to list.
        if self.live_count()? <= 1 {
            return Ok((0, false));
        }
        let names = self.names()?;
        let mut others = names.iter().filter(|other| *other != name);
        let runs = |other: &&FutureName| matches!(self.look(other), Ok(Some((_, State::Running))));
        let count = others.by_ref().take(MOST_LOOKED_AT).filter(runs).count();
        Ok((count, others.next().is_some()))
    }

    /// The present state of the future of that name with this record, which may have been collected since.
    pub fn entry_of(&self, name: &FutureName, record: &Record) -> Result<Entry> {
        let is_this = |entry: &Entry| entry.is_of(record);
        if let Some(entry) = self.live_entry(name)?.filter(is_this) {
            return Ok(entry);
        }
        // Its usual place; looking there saves listing everything.
        let collected = Some(self.collected_dir().file(stem(name, record.start_time, 0) + ".ini"));
        if let Some(entry) = self.entry(&RecordFile { name: name.clone(), collected })?.filter(is_this) {
            return Ok(entry);
        }
        let kept = self.earlier(name)?.into_iter().find(is_this);
        let forgotten = || Entry {
            name: name.clone(),
            record: record.clone().into(),
            state: State::Collected,
            paused: None,
            usage_now: None,
            log: None,
        };
        Ok(kept.unwrap_or_else(forgotten))
    }

    /// The log of a future that has none beside a collected record. `is_newest` says that no later future has the same
    /// name. None if the log is gone.
    pub(crate) fn find_log(
        &self,
        name: &FutureName,
        record: &Record,
        state: State,
        is_newest: bool,
    ) -> Option<StoreFile> {
        let is_live = state != State::Collected;
        let has_place = is_live || (is_newest && !self.record_file(name).is_there().unwrap_or(true));
        let own = has_place.then(|| self.log_file(name));
        // A collector may have moved the log already.
        let kept = is_live.then(|| self.kept_log(name, record.start_time));
        own.into_iter().chain(kept).find(|log| log.is_there().unwrap_or(false))
    }

    fn log_of_collected(&self, name: &FutureName, record: &StoreFile) -> Result<Option<StoreFile>> {
        let kept = record.with_extension("log");
        if kept.is_there()? {
            return Ok(Some(kept));
        }
        let log = self.log_file(name);
        let is_its = log.is_there()? && !self.record_file(name).is_there()?;
        Ok(is_its.then_some(log))
    }
}

impl Entry {
    /// Whether it is the future with this record, not another one of the same name.
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

    /// Whether it is over and did not succeed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.record.rc.map_or_else(|| self.is_lost(), |rc| rc != 0)
    }

    /// How long its task ran, or has run so far, in ms, never negative; none if it has not begun, or nobody knows.
    #[must_use]
    pub fn run_time(&self) -> Option<Millis> {
        let Record { start_time, end_time, run_time, run_start, .. } = *self.record;
        let ran = match self.state {
            State::Queued => return None,
            State::Running => Some(self.record.elapsed()),
            State::Finished | State::Lost | State::Collected => {
                run_time.or_else(|| Some(end_time?.saturating_sub(run_start.unwrap_or(start_time))))
            }
        };
        ran.map(|ms| ms.max(0))
    }

    /// The log, for reading from its start; none if it has none, or the log is gone.
    pub fn open_log(&self) -> Result<Option<File>> {
        self.log.as_ref().map_or(Ok(None), StoreFile::open)
    }

    /// By start, then by name: the order of listings.
    #[must_use]
    pub fn by_start(&self, other: &Self) -> Ordering {
        (self.record.start_time, &self.name).cmp(&(other.record.start_time, &other.name))
    }
}
