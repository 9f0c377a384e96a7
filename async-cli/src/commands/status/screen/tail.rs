//! The end of a log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use async_core::Entry;

use crate::format;

/// How much of a log to look at, in bytes. That is more than a screenful, unless lines are very long.
const WINDOW: u64 = 1 << 16;

/// The last output of a future's task.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The last lines, without terminal control sequences.
    pub(super) lines: Vec<String>,
    /// A message to show instead.
    pub(super) remark: Option<String>,
}

impl Tail {
    pub(super) fn of(entry: &Entry) -> Self {
        let remark = |text: &str| Self { remark: Some(text.to_owned()), ..Self::default() };
        let log = match entry.open_log() {
            Ok(Some(log)) => log,
            Ok(None) if entry.record.is_synchronous() => return remark("it has no log: it runs in the shell itself"),
            Ok(None) => return remark("its log is gone"),
            Err(error) => return remark(&error.to_string()),
        };
        match last_lines(log) {
            Ok(lines) if lines.is_empty() => remark("it has printed nothing"),
            Ok(lines) => Self { lines, remark: None },
            Err(error) => remark(&format!("can't read its log: {error}")),
        }
    }
}

fn last_lines(mut log: File) -> io::Result<Vec<String>> {
    let start = log.metadata()?.len().saturating_sub(WINDOW);
    log.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    log.take(WINDOW).read_to_end(&mut bytes)?;
    let mut lines: Vec<String> = bytes.split_inclusive(|&byte| byte == b'\n').map(format::line_of_log).collect();
    if start > 0 && lines.len() > 1 {
        // The first line is most likely incomplete.
        lines.remove(0);
    }
    Ok(lines)
}
