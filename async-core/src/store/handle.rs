//! Following a live future: waiting for its end and reading its log, even if another future takes its name.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::collect::COLLECTING_TIMEOUT;
use super::files::{StoreFile, read_record};
use super::{Entry, Paused, Store, attended, is_alive, wait_for_end};
use crate::error::{Error, Result};
use crate::lock::Right;
use crate::name::FutureName;
use crate::record::Record;

/// One live future, held open, so that a later one of the same name is never mistaken for it.
#[derive(Debug)]
pub struct FutureHandle {
    store: Store,
    name: FutureName,
    named: StoreFile,
    file: File,
    record: Record,
}

impl Store {
    /// Opens the live future of that name; none if there is none.
    pub fn live(&self, name: &FutureName) -> Result<Option<FutureHandle>> {
        let named = self.record_file(name);
        let Some(file) = named.open()? else {
            return Ok(None);
        };
        let record = read_record(&file, named.path())?;
        Ok(Some(FutureHandle { store: self.clone(), name: name.clone(), named, file, record }))
    }

    /// Sleeps until the future's task is over and no other process is collecting it; waits up to [`COLLECTING_TIMEOUT`] for the
    /// collector. Returns at once if there is no such future.
    pub fn block(&self, name: &FutureName) -> Result<()> {
        let Some(live) = self.live(name)? else {
            return Ok(());
        };
        live.wait()?;
        let freed = Right::Collect.is_free_within(COLLECTING_TIMEOUT, &live.file);
        freed.map(drop).map_err(Error::io("wait for", live.named.path()))
    }
}

impl FutureHandle {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &FutureName {
        &self.name
    }

    /// Another handle on the same future, so that another thread can wait.
    pub fn try_clone(&self) -> Result<Self> {
        // A new open file: two descriptors that share a file offset can't both read it.
        let this = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = File::open(this).map_err(Error::io("open", self.named.path()))?;
        let (store, name, named, record) =
            (self.store.clone(), self.name.clone(), self.named.clone(), self.record.clone());
        Ok(Self { store, name, named, file, record })
    }

    /// Its record at the last look.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Reads the record again.
    pub fn refresh(&mut self) -> Result<()> {
        self.record = read_record(&self.file, self.named.path())?;
        Ok(())
    }

    /// Whether its task is over, without waiting.
    pub fn is_over(&mut self) -> Result<bool> {
        self.refresh()?;
        self.record = attended(&self.file, self.named.path(), self.record.clone())?;
        Ok(self.record.rc.is_some() || !is_alive(&self.file, self.named.path(), &self.record)?)
    }

    /// Why it can't start, if it is queued and paused.
    pub fn paused(&self) -> Result<Option<Paused>> {
        if self.record.is_held_back() && self.record.submission.is_none() {
            self.store.is_paused(&self.name, &self.record)
        } else {
            Ok(None)
        }
    }

    /// Sleeps until its task is over.
    pub fn wait(&self) -> Result<()> {
        wait_for_end(&self.file, self.named.path())
    }

    /// Its present state, even if it has been collected.
    pub fn entry(&self) -> Result<Entry> {
        self.store.entry_of(&self.name, &read_record(&self.file, self.named.path())?)
    }

    /// Its log, for reading from its start, if its present name still leads there; none if there is no log yet, or any
    /// more.
    pub fn log(&self) -> Result<Option<File>> {
        if !self.record.has_log {
            return Ok(None);
        }
        let log = self.store.log_file(&self.name).open()?;
        // A later future makes its log after its record. So if this record still exists, the log belongs to it.
        let is_there = || self.named.is_open_as(&self.file).map_err(Error::io("look at", self.named.path()));
        if log.is_some() && is_there()? {
            return Ok(log);
        }
        match self.store.earlier(&self.name)?.iter().find(|earlier| earlier.is_of(&self.record)) {
            Some(earlier) => earlier.open_log(),
            None => self.store.kept_log(&self.name, self.record.start_time).open(),
        }
    }
}
