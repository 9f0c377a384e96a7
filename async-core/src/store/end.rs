//! Recording the end of a task.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Store;
use super::files::{append, read_record};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::{Cause, Line, Record, Samples, Usage};
use crate::tree::Ended;

/// The end of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The exit status, 0 to 255; 128 + N if signal N ended it, though other ends may have such a status too.
    pub rc: i32,
    /// The number of the signal that ended the task's process, if one did.
    pub signal: Option<i32>,
    /// Why it ended, if the task itself did not decide that.
    pub cause: Option<Cause>,
    /// What was done to end it.
    pub ended: Option<Ended>,
    /// How many times it ran, if its plan allowed retries.
    pub attempts: Option<u32>,
    /// Its resource usage, if known.
    pub usage: Option<Usage>,
    /// What it used over time, if it was sampled.
    pub samples: Option<Samples>,
    /// How much of its output could not be written to the log, in bytes, if that is known and not nothing.
    pub unlogged: Option<u64>,
    /// How long its log was, in bytes, before something made it shorter, if that is not recorded yet.
    pub log_cut: Option<u64>,
    /// How long it ran, in ms, if the engine's node measured it.
    pub run_time: Option<Millis>,
}

/// Writes to the record of a future whose task this process supervises.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    path: PathBuf,
    /// The future's life depends on it. It stays open, because at the end no descriptor may be free.
    file: File,
}

impl RecordWriter {
    /// For the live future of that name with that open record.
    pub(crate) fn new(store: &Store, name: &FutureName, record: File) -> Self {
        Self { path: store.record_file(name).path().to_owned(), file: record }
    }

    /// Reads the record's current contents.
    pub(crate) fn read(&self) -> Result<Record> {
        read_record(&self.file, &self.path)
    }

    /// Adds lines.
    pub(crate) fn add(&self, lines: &[Line]) -> Result<()> {
        append(&self.file, &self.read()?, lines).map_err(Error::io("write to the record", &self.path))
    }

    /// Adds the end of the task.
    pub(crate) fn finish(&self, end: &End) -> Result<()> {
        if self.file.metadata().map_err(Error::io("look at", &self.path))?.nlink() == 0 {
            return Err(Error::RecordRemoved(self.path.clone()));
        }
        add_end(&self.file, &self.path, self.read()?, end).map(drop)
    }

    /// The open file that holds the future's life.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Store {
    /// Adds the end of a task to the record of the live future of that name.
    pub fn finish(&self, name: &FutureName, rc: i32) -> Result<Record> {
        let named = self.record_file(name);
        let Some(file) = named.open_to_append()? else {
            return Err(self.unknown(name));
        };
        let record = read_record(&file, named.path())?;
        add_end(&file, named.path(), record, &End { rc, ..End::default() })
    }
}

fn add_end(file: &File, path: &Path, record: Record, end: &End) -> Result<Record> {
    let now = clock::wall();
    let ended = end.run_time.and_then(|length| Some(record.run_start?.saturating_add(length)));
    // A job may have ended while nobody was watching.
    let end_time = ended.map_or(now, |ended| ended.min(now).max(record.start_time));
    let run_time = match record.run_boot.or(record.start_boot) {
        _ if end.run_time.is_some() => end.run_time.unwrap_or(0),
        _ if matches!(end.cause, Some(Cause::Skipped | Cause::Unstartable)) || record.is_held_back() => 0,
        // Another host may have begun it, or have submitted its job.
        Some(start) if record.is_of_this_boot() && record.submission.is_none() => {
            clock::since_boot().saturating_sub(start)
        }
        _ => end_time.saturating_sub(record.run_start.unwrap_or(record.start_time)),
    };
    let run_time = run_time.max(0);
    let mut lines = vec![Line::EndTime(end_time), Line::RunTime(run_time)];
    lines.extend(end.attempts.map(Line::Attempts));
    if let Some(Ended { terminated, killed }) = end.ended {
        lines.extend([Line::Terminated(terminated), Line::Killed(killed)]);
    }
    lines.extend(end.signal.and_then(|signal| signal.try_into().ok()).map(Line::Signal));
    lines.extend(end.cause.map(Line::Cause));
    lines.extend(end.usage.map(Line::Usage));
    lines.extend(end.samples.clone().map(Line::Samples));
    lines.extend(end.unlogged.map(Line::Unlogged));
    lines.extend(end.log_cut.map(Line::LogCut));
    // Last, so that a reader who sees a status sees everything.
    lines.push(Line::Rc(u8::try_from(end.rc).unwrap_or(u8::MAX)));
    append(file, &record, &lines).map_err(Error::io("write the result to", path))?;
    let (end_time, run_time) = (Some(end_time), Some(run_time));
    Ok(Record { end_time, run_time, rc: Some(end.rc), signal: end.signal, cause: end.cause, ..record })
}
