//! Collecting a future, and waiting for it.

use std::fs::File;
use std::io;
use std::path::Path;
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

/// How long a collector waits for the program that recorded the end to say so, in ms. That is the program's last act;
/// the limit is for a program that is stopped, or whose output is.
const REPORT_TIMEOUT: u32 = 2000;

/// How long to wait for another process that is collecting a future. Collecting takes no longer than reading the log,
/// unless the log's reader has stopped.
pub const COLLECTING_TIMEOUT: Duration = Duration::from_secs(5);

/// Tells those who wait for a lost future on another host, where nothing else shows that it is over.
pub(super) fn note_loss(file: &File, record: &Record, path: &Path) -> Result<()> {
    if record.rc.is_some() || record.gone.is_some() {
        return Ok(());
    }
    append(file, record, &[Line::Gone(clock::wall())]).map_err(Error::io("write to", path))
}

/// What [`Store::claim`] found.
#[derive(Debug)]
pub enum Claim<'a> {
    /// No live future has that name.
    Unknown,
    /// Its task is running.
    Running(Record),
    /// It is over, and another process is still collecting it. A shell gets this at once, others after [`COLLECTING_TIMEOUT`].
    BeingCollected(Record),
    /// It is over, and this process may collect it.
    Ready(Ready<'a>),
}

/// A future that is over, locked against all other collectors.
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
    /// Locks a future in order to collect it.
    ///
    /// Returns at once if its task is running. If it is over, waits up to [`COLLECTING_TIMEOUT`] for another collector, and for
    /// the last message of the program that recorded its end.
    pub fn claim(&self, name: &FutureName) -> Result<Claim<'_>> {
        self.claim_for(name, None)
    }

    /// The same for the shell with that process id. A task that the shell ran itself counts as over when that shell
    /// asks. The call does not wait for another collector, because the shell's traps could not run meanwhile; the shell
    /// uses [`Store::block`] for that.
    pub fn claim_for(&self, name: &FutureName, shell: Option<u32>) -> Result<Claim<'_>> {
        let named = self.record_file(name);
        let path = named.path();
        let is_own = |record: &Record| {
            let life = record.life.as_ref().filter(|life| Some(life.pid()) == shell);
            // A shell of another host or container may have the same id.
            life.is_some_and(|life| ProcessIdentity::of(life.pid()).map_or(true, |shell| shell == *life))
        };
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
                None => Right::Collect.take_within(COLLECTING_TIMEOUT, &file),
                Some(_) => Right::Collect.try_take(&file),
            };
            if !taken.map_err(failed)? {
                return Ok(Claim::BeingCollected(record));
            }
            // A later future makes its log after its record. So if this record still exists, the log belongs to it.
            let log = if record.has_log { self.log_file(name).open() } else { Ok(None) };
            // The previous holder of the lock may have collected it, and another future may have the name now.
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

    /// Moves the future with that record from the live ones to the collected ones. Its record and its log go there
    /// under the same unique name. A future that is no longer live stays where it is.
    ///
    /// The log goes first: while the record is there the future is live, and [`Ready::log`] looks for the log in both
    /// places. The other way round, the next future of that name could replace a log whose record is gone.
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
            // In one step, because an init or a start of that name may move it too.
            let moved = self.changing(|live| -> io::Result<bool> {
                if !from.is(file)? {
                    return Ok(true);
                }
                // Nor may it become a part of an earlier run meanwhile.
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
                // An init has turned the collected ones into an earlier run.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_collected_dir()?,
                Err(error) => return Err(Error::io("move to the collected futures", from.path())(error)),
            }
        }
    }

    /// Where the log of an uncollected future is if it was moved and its record was not.
    pub(super) fn kept_log(&self, name: &FutureName, start: Millis) -> StoreFile {
        self.collected_dir().file(stem(name, start, 0) + ".log")
    }
}

/// What happens to the log's first name when a future is no longer live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFate {
    /// The log keeps it. If the file system allows only one name, the log stays there only.
    Stays,
    /// The log gives it up for the next log.
    MakesRoom,
}

/// Gives the log its second name; false if that belongs to another log. It is no error if the log is gone, or already
/// moved.
fn keep_log(from: &StoreFile, to: &StoreFile, log: LogFate) -> io::Result<bool> {
    match from.link(to) {
        Ok(()) => Ok(true),
        // It is this log if a process was stopped after the link.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => from.is_same(to),
        Err(error) if means_no_links(&error) && log == LogFate::Stays => Ok(true),
        Err(error) if means_no_links(&error) => from.rename_new(to).or_else(|error| unless_missing(error, from)),
        Err(error) => unless_missing(error, from),
    }
}

/// A missing file is no error; a missing target directory is.
fn unless_missing(error: io::Error, from: &StoreFile) -> io::Result<bool> {
    if error.kind() == io::ErrorKind::NotFound && from.stat()?.is_none() { Ok(true) } else { Err(error) }
}

impl Ready<'_> {
    /// Its record.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether its process went away without leaving a result.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.record.rc.is_none()
    }

    /// How it ended. `shell_status` is the status that the shell's own wait saw, if there was one.
    #[must_use]
    pub fn outcome(&self, shell_status: Option<i32>) -> Outcome {
        self.record.outcome(shell_status, clock::wall())
    }

    /// The log, for reading from its start; none if it is gone or was never made. Returns it only once.
    pub fn log(&mut self) -> Result<Option<File>> {
        match std::mem::replace(&mut self.log, Ok(None))? {
            None if self.record.has_log => self.store.kept_log(&self.name, self.record.start_time).open(),
            log => Ok(log),
        }
    }

    /// The same, without holding the log open.
    #[must_use]
    pub fn without_log(self) -> Self {
        Self { log: Ok(None), ..self }
    }

    /// Moves the future out of the live ones, once `caller` has its result. Its log also keeps its place.
    pub fn archive(self, caller: &Caller, wait: Wait, outcome: &Outcome) -> Result<()> {
        let lines: Vec<Line> = [
            caller.taker(&self.record).map(Line::TakenBy),
            // Nobody knows when a lost future ended.
            (self.record.end_time.is_none() && !outcome.lost).then_some(Line::EndTime(outcome.end_time)),
            outcome.run_time.filter(|_| self.record.run_time.is_none()).map(Line::RunTime),
            Some(Line::WaitStart(wait.start)),
            Some(Line::WaitEnd(wait.end)),
            caller.cpu_time().map(Line::WaitCpu),
        ]
        .into_iter()
        .flatten()
        .collect();
        append(&self.file, &self.record, &lines)
            .map_err(Error::io("write the times of the wait to", self.store.record_file(&self.name).path()))?;
        self.store.archive_record(&self.name, self.identity, &self.record, LogFate::Stays)
    }

    /// Makes room for another future of that name: moves this one's log and record to the collected ones.
    pub(super) fn archive_uncollected(self) -> Result<()> {
        note_loss(&self.file, &self.record, self.store.record_file(&self.name).path())?;
        self.store.archive_record(&self.name, self.identity, &self.record, LogFate::MakesRoom)
    }
}
