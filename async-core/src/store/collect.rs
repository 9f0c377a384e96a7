//! Collecting a future, and waiting for it.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::files::{append, is_same_file, open_for_reading, open_regular, read_record, rename_new};
use super::{Store, is_alive, wait_for_end};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::lock;
use crate::name::FutureName;
use crate::process::{self, ProcessIdentity};
use crate::record::{Outcome, Record, Wait};

/// How long a collector waits for the program that recorded the end to say so, in ms. It has nothing else left to do;
/// the bound is for one that is stopped, or whose output is.
const LAST_WORDS: u32 = 2000;

/// What [`Store::claim`] found.
#[derive(Debug)]
pub enum Claim<'a> {
    /// No live future has that name.
    Unknown,
    /// Its task runs.
    Running(Record),
    /// It is over, and this process is the one that hands it over.
    Ready(Ready<'a>),
}

/// A future that is over, locked against everybody else who would collect it.
#[derive(Debug)]
pub struct Ready<'a> {
    store: &'a Store,
    name: FutureName,
    record: Record,
    file: File,
}

impl Store {
    /// Takes hold of a future in order to collect it.
    ///
    /// Returns at once if its task runs. If it is over, waits for whoever else is just collecting it, and for the last
    /// words of the program that recorded its end.
    pub fn claim(&self, name: &FutureName) -> Result<Claim<'_>> {
        self.claim_for(name, None)
    }

    /// The same for the shell with that process id, which does not wait for itself: what it was to run itself is over
    /// when it asks.
    pub fn claim_for(&self, name: &FutureName, shell: Option<u32>) -> Result<Claim<'_>> {
        let path = self.record_path(name);
        let is_own = |record: &Record| shell.is_some() && record.life.as_ref().map(ProcessIdentity::pid) == shell;
        loop {
            let Some(file) = open_regular(&path)? else {
                return Ok(Claim::Unknown);
            };
            let record = read_record(&file, &path)?;
            if record.rc.is_none() && !is_own(&record) && is_alive(&file, &path, &record)? {
                return Ok(Claim::Running(record));
            }
            lock::Right::Collect.take(&file).map_err(Error::io("lock", &path))?;
            // Whoever had the lock before may have collected it, and the name may have been used again.
            if is_same_file(&file, &path) {
                let record = read_record(&file, &path)?;
                if is_alive(&file, &path, &record)?
                    && let Some(pid) = record.pid.as_ref().and_then(|pid| pid.parse().ok())
                {
                    let _ = process::wait_at_most(pid, LAST_WORDS);
                }
                return Ok(Claim::Ready(Ready { store: self, name: name.clone(), record, file }));
            }
        }
    }

    /// Sleeps until the future's task is over, or at once if there is no such future.
    pub fn block(&self, name: &FutureName) -> Result<()> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Ok(());
        };
        wait_for_end(&file, &path)
    }

    /// Moves the record or the log of a future to the collected ones, under a name that is not taken.
    fn move_to_collected(&self, name: &FutureName, start: Millis, extension: &str) -> Result<()> {
        let from = self.dir.join(format!("{name}.{extension}"));
        for attempt in 0.. {
            let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
            let to = self.collected_dir().join(format!("{name}.{start}{suffix}.{extension}"));
            match rename_new(&from, &to) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.collected_dir().exists() => {
                    self.make_collected_dir()?;
                }
                Err(error) => return Err(Error::io("move to the collected futures", &from)(error)),
            }
        }
        unreachable!("the numbers have no end")
    }

    /// Where the log of an uncollected future is kept when its name is used again.
    fn kept_log_path(&self, name: &FutureName, start: Millis) -> PathBuf {
        self.collected_dir().join(format!("{name}.{start}.log"))
    }
}

impl Ready<'_> {
    /// What is known of it.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether its process went away without leaving a result.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.record.rc.is_none()
    }

    /// How it ended. `shell_status` is what the shell's own wait for it saw, if there was one.
    #[must_use]
    pub fn outcome(&self, shell_status: Option<i32>) -> Outcome {
        self.record.outcome(shell_status, clock::wall())
    }

    /// The log, to be read from its start; none if it is gone, or was never made.
    pub fn log(&self) -> Result<Option<File>> {
        if !self.record.has_log {
            return Ok(None);
        }
        match open_for_reading(&self.store.log_path(&self.name))? {
            None => open_for_reading(&self.store.kept_log_path(&self.name, self.record.start_time)),
            log => Ok(log),
        }
    }

    /// Takes the future out of the live ones, once it has been handed over. Its log stays where it is.
    pub fn archive(self, wait: Wait, outcome: &Outcome) -> Result<()> {
        let path = self.store.record_path(&self.name);
        let mut lines = format!("wait_start = {}\nwait_end = {}\n", wait.start, wait.end);
        if self.record.run_time.is_none() {
            lines.insert_str(0, &format!("run_time = {}\n", outcome.run_time));
        }
        if self.record.end_time.is_none() {
            lines.insert_str(0, &format!("end_time = {}\n", outcome.end_time));
        }
        append(&self.file, &self.record, &lines).map_err(Error::io("write the times of the wait to", &path))?;
        self.store.move_to_collected(&self.name, self.record.start_time, "ini")
    }

    /// Makes room for another future of that name: the log and the record of this one go to the collected ones.
    ///
    /// The log goes first: as long as the record is there the future is live, and [`Ready::log`] finds the log at both
    /// places. The other way round, a log whose record is gone would be replaced by the next one of that name.
    pub(super) fn archive_uncollected(self) -> Result<()> {
        let start = self.record.start_time;
        if self.record.has_log {
            match self.store.move_to_collected(&self.name, start, "log") {
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        self.store.move_to_collected(&self.name, start, "ini")
    }
}
