//! Collecting a future, and waiting for it.

use std::fs::File;
use std::io;
use std::time::Duration;

use super::files::{FileIdentity, StoreFile, append, means_no_links, parse_record, read_bytes};
use super::runs::stem;
use super::{Store, attended, is_alive};
use crate::caller::Caller;
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::lock::Right;
use crate::name::FutureName;
use crate::process::{self, ProcessIdentity};
use crate::record::{Line, Outcome, Record, Wait};

/// How long a collector waits for the program that recorded the end to say so, in ms. It has nothing else left to do;
/// the bound is for one that is stopped, or whose output is.
const REPORT_TIMEOUT: u32 = 2000;

/// How long anybody waits for whoever is just collecting a future. That takes no longer than to read the log, unless its
/// reader has stopped to.
pub const HAND_OVER: Duration = Duration::from_secs(5);

/// What [`Store::claim`] found.
#[derive(Debug)]
pub enum Claim<'a> {
    /// No live future has that name.
    Unknown,
    /// Its task runs.
    Running(Record),
    /// It is over, and somebody else is still collecting it. A shell is told so at once.
    HandedOver(Record),
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
    identity: FileIdentity,
    log: Result<Option<File>>,
}

impl Store {
    /// Takes hold of a future in order to collect it.
    ///
    /// Returns at once if its task runs. If it is over, waits for whoever else is just collecting it, up to [`HAND_OVER`],
    /// and for the last words of the program that recorded its end.
    pub fn claim(&self, name: &FutureName) -> Result<Claim<'_>> {
        self.claim_for(name, None)
    }

    /// The same for the shell with that process id. It does not wait for itself: what it was to run itself is over when it
    /// asks. Nor does it wait here for another collector, because its traps could not run: it has [`Store::block`] for that.
    pub fn claim_for(&self, name: &FutureName, shell: Option<u32>) -> Result<Claim<'_>> {
        let named = self.record_file(name);
        let path = named.path();
        let is_own = |record: &Record| shell.is_some() && record.life.as_ref().map(ProcessIdentity::pid) == shell;
        loop {
            let Some((file, identity)) = named.open_identified()? else {
                return Ok(Claim::Unknown);
            };
            let mut bytes = read_bytes(&file, path)?;
            let mut record = parse_record(&bytes, path)?;
            if record.goes_on_elsewhere() {
                attended(&file, path, record)?;
                bytes = read_bytes(&file, path)?;
                record = parse_record(&bytes, path)?;
            }
            if record.rc.is_none() && !is_own(&record) && is_alive(&file, path, &record)? {
                return Ok(Claim::Running(record));
            }
            let failed = Error::io("lock", path);
            let taken = match shell {
                None => Right::Collect.take_within(HAND_OVER, &file),
                Some(_) => Right::Collect.try_take(&file),
            };
            if !taken.map_err(failed)? {
                return Ok(Claim::HandedOver(record));
            }
            // A later future makes its log after its record, so if the record is still there, then this is its log.
            let log = if record.has_log { self.log_file(name).open() } else { Ok(None) };
            // Whoever had the lock before may have collected it, and the name may have been used again.
            if named.is(identity).map_err(Error::io("look at", path))? {
                let again = read_bytes(&file, path)?;
                let record = if again == bytes { record } else { parse_record(&again, path)? };
                if is_alive(&file, path, &record)?
                    && let Some(pid) = record.pid.as_ref().and_then(|pid| pid.parse().ok())
                {
                    let _ = process::wait_at_most(pid, REPORT_TIMEOUT);
                }
                return Ok(Claim::Ready(Ready { store: self, name: name.clone(), record, file, identity, log }));
            }
        }
    }

    /// Takes the future that has that file as its record out of the live ones: the record goes to the collected ones, and its log is
    /// there too, under the same name, which no other has. One that is no longer live is left where it is.
    ///
    /// The log goes first: as long as the record is there the future is live, and [`Ready::log`] finds the log at both
    /// places. The other way round, a log whose record is gone would be replaced by the next one of that name.
    pub(super) fn archive_record(
        &self,
        name: &FutureName,
        file: FileIdentity,
        record: &Record,
        log: LogFate,
    ) -> Result<()> {
        let (from, from_log) = (self.record_file(name), self.log_file(name));
        let mut number = 0;
        loop {
            // At one go, as an init and a start of that name may do so too.
            let moved = self.changing(|live| -> io::Result<bool> {
                if !from.is(file)? {
                    return Ok(true);
                }
                // Nor is it made one of an earlier run meanwhile.
                let to = self.collected_dir().hold()?.file(stem(name, record.start_time, number) + ".ini");
                let to_log = to.with_extension("log");
                if record.has_log && !keep_log(&from_log, &to_log, log)? {
                    return Ok(false);
                }
                let moved = from.rename_new(&to)?;
                *live -= isize::from(moved);
                if !moved && record.has_log {
                    to_log.rename_new(&from_log).or_else(|error| unless_missing(error, &to_log))?;
                }
                Ok(moved)
            });
            match moved {
                Ok(true) => return Ok(()),
                Ok(false) => number += 1,
                // An init has made another run of the collected ones.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_collected_dir()?,
                Err(error) => return Err(Error::io("move to the collected futures", from.path())(error)),
            }
        }
    }

    /// Where the log of an uncollected future is when it has been kept and its record has not.
    pub(super) fn kept_log(&self, name: &FutureName, start: Millis) -> StoreFile {
        self.collected_dir().file(stem(name, start, 0) + ".log")
    }
}

/// What becomes of the log's own place when a future is no longer live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFate {
    /// The log stays there too; where it can't be at two places, only there.
    Stays,
    /// The next log will take it.
    MakesRoom,
}

/// Gives the log its second name; false if that is another's. A log that is gone, or is kept already, is no error.
fn keep_log(from: &StoreFile, to: &StoreFile, log: LogFate) -> io::Result<bool> {
    match from.link(to) {
        Ok(()) => Ok(true),
        // Its own, if somebody was stopped after the link.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => from.is_same(to),
        Err(error) if means_no_links(&error) && log == LogFate::Stays => Ok(true),
        Err(error) if means_no_links(&error) => from.rename_new(to).or_else(|error| unless_missing(error, from)),
        Err(error) => unless_missing(error, from),
    }
}

/// That the file is gone is no error; that the directory is where it should go to is one.
fn unless_missing(error: io::Error, from: &StoreFile) -> io::Result<bool> {
    if error.kind() == io::ErrorKind::NotFound && from.stat()?.is_none() { Ok(true) } else { Err(error) }
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

    /// The log, to be read from its start; none if it is gone, or was never made. It is given once.
    pub fn log(&mut self) -> Result<Option<File>> {
        match std::mem::replace(&mut self.log, Ok(None))? {
            None if self.record.has_log => self.store.kept_log(&self.name, self.record.start_time).open(),
            log => Ok(log),
        }
    }

    /// The same without a hold on the log.
    #[must_use]
    pub fn without_log(self) -> Self {
        Self { log: Ok(None), ..self }
    }

    /// Takes the future out of the live ones, once it has been handed over to `caller`. Its log stays where it is.
    pub fn archive(self, caller: &Caller, wait: Wait, outcome: &Outcome) -> Result<()> {
        let lines: Vec<Line> = [
            caller.taker(&self.record).map(Line::TakenBy),
            // When one ended that was lost is not known.
            (self.record.end_time.is_none() && !outcome.lost).then_some(Line::EndTime(outcome.end_time)),
            outcome.run_time.filter(|_| self.record.run_time.is_none()).map(Line::RunTime),
            Some(Line::WaitStart(wait.start)),
            Some(Line::WaitEnd(wait.end)),
        ]
        .into_iter()
        .flatten()
        .collect();
        append(&self.file, &self.record, &lines)
            .map_err(Error::io("write the times of the wait to", self.store.record_file(&self.name).path()))?;
        self.store.archive_record(&self.name, self.identity, &self.record, LogFate::Stays)
    }

    /// Makes room for another future of that name: the log and the record of this one go to the collected ones.
    pub(super) fn archive_uncollected(self) -> Result<()> {
        self.store.archive_record(&self.name, self.identity, &self.record, LogFate::MakesRoom)
    }
}
