//! Passing on a log: as it is, or line by line with a name in front.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

use anstyle::AnsiColor;
use async_core::FutureName;
use unicode_width::UnicodeWidthStr;

use super::source::Source;
use super::tail::start_of_last;
use crate::escapes::Filter;
use crate::failure::Failure;
use crate::messages::Output;

/// How much to read at a time, in bytes.
const CHUNK: usize = 1 << 16;

/// The longest line to pass on whole, in bytes; a longer one goes out in parts.
const MAX_LINE: usize = 1 << 20;

const COLOURS: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue, AnsiColor::Red];

/// The labels in front of each future's lines.
pub(super) struct Labels(Vec<Option<String>>);

impl Labels {
    /// The labels for these names, if wanted, all of the same width.
    pub(super) fn of(names: &[FutureName], wanted: bool, in_colour: bool) -> Self {
        let widest = names.iter().map(|name| name.as_str().width()).max().unwrap_or(0);
        let label = |(number, name): (usize, &FutureName)| {
            let padding = " ".repeat(widest - name.as_str().width());
            let colour = if in_colour { COLOURS[number % COLOURS.len()].on_default() } else { anstyle::Style::new() };
            wanted.then(|| format!("{colour}{name}{padding} |{colour:#} "))
        };
        Self(names.iter().enumerate().map(label).collect())
    }

    pub(super) fn of_number(&self, number: usize) -> Option<String> {
        self.0[number].clone()
    }
}

/// A log to pass on.
pub(super) struct Printer {
    pub(super) source: Source,
    label: Option<String>,
    /// What the log goes through, if a terminal's sequences may be in it.
    filter: Option<Filter>,
    /// How many of the last lines to print of what is there at first.
    lines: Option<usize>,
    log: Option<File>,
    /// The beginning of an unfinished line, if lines have labels.
    pending: Vec<u8>,
    was_there: bool,
}

impl Printer {
    pub(super) fn new(source: Source, label: Option<String>, lines: Option<usize>, has_colors: bool) -> Self {
        let filter = source.record().pty.then(|| Filter::new(has_colors));
        Self { source, label, filter, lines, log: None, pending: Vec::new(), was_there: false }
    }

    /// Passes on what is new since the last time.
    pub(super) fn pass_on_new(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.open(output)?;
        self.pass_on(output)
    }

    /// Opens the log if it exists by now and is not open yet, or if another log has replaced it.
    fn open(&mut self, output: &mut Output) -> Result<(), Failure> {
        let Some(log) = self.source.open()? else {
            return Ok(());
        };
        let identity = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        match &self.log {
            Some(ours) if self.result(identity(ours))? == self.result(identity(&log))? => return Ok(()),
            Some(_) => self.pass_on(output)?,
            None => {}
        }
        if let Some(lines) = self.lines.take() {
            self.result(start_of_last(&log, lines).and_then(|start| (&log).seek(SeekFrom::Start(start))))?;
        }
        self.was_there = true;
        self.log = Some(log);
        Ok(())
    }

    /// Passes on the new part of the open log.
    fn pass_on(&mut self, output: &mut Output) -> Result<(), Failure> {
        let Some(log) = self.log.take() else {
            return Ok(());
        };
        let done = self.copy(&log, output);
        self.log = Some(log);
        done
    }

    fn copy(&mut self, mut log: &File, output: &mut Output) -> Result<(), Failure> {
        // The log was truncated to start over.
        if self.result(log.stream_position())? > self.result(log.metadata())?.len() {
            self.result(log.rewind())?;
        }
        let Some(label) = &self.label else {
            let passed_on = match &mut self.filter {
                Some(filter) => output.pass_on_through(filter, log),
                None => output.pass_on(log),
            };
            return passed_on.map_err(|error| self.failed(error));
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match log.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => self.result(read)?,
            };
            if read == 0 {
                return Ok(());
            }
            match &mut self.filter {
                Some(filter) => self.pending.extend(filter.pass(&chunk[..read])),
                None => self.pending.extend_from_slice(&chunk[..read]),
            }
            let whole = match self.pending.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => last + 1,
                None if self.pending.len() > MAX_LINE => self.pending.len(),
                None => continue,
            };
            let rest = self.pending.split_off(whole);
            output.write_all(&labelled(label, &self.pending)).map_err(Failure::Output)?;
            self.pending = rest;
        }
    }

    /// Passes on the rest of a log that has ended.
    pub(super) fn finish(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.pass_on_new(output)?;
        let last = self.filter.as_mut().map(Filter::finish).unwrap_or_default();
        if self.label.is_none() || self.pending.is_empty() {
            output.write_all(&last).map_err(Failure::Output)?;
        } else {
            self.pending.extend(last);
        }
        if let (Some(label), false) = (&self.label, self.pending.is_empty()) {
            output.write_all(&labelled(label, &std::mem::take(&mut self.pending))).map_err(Failure::Output)?;
        }
        Ok(())
    }

    /// Why there is no log, if there never was one.
    pub(super) fn missing(&self) -> Option<String> {
        let name = &self.source.name;
        let record = self.source.record();
        if self.was_there {
            None
        } else if record.is_synchronous() {
            Some(format!("`{name}` has no log: it ran in its script, whose output has what it printed"))
        } else if record.has_log {
            Some(format!("the log of `{name}` is gone"))
        } else {
            Some(format!("`{name}` has no log: it never began"))
        }
    }

    fn result<T>(&self, result: io::Result<T>) -> Result<T, Failure> {
        result.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: io::Error) -> Failure {
        // A failed copy does not tell which end failed; this error can only come from the output.
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Failure::Output(source);
        }
        Failure::PassOn { name: self.source.name.to_string(), source }
    }
}

/// Puts the label in front of each line and a newline at its end.
fn labelled(label: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + label.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        out.push(b'\n');
    }
    out
}
