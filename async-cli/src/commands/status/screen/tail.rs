//! The end of a log.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;

use anstream::adapter::strip_str;
use async_core::{Entry, text};

/// How much of a log to look at, in bytes. That is more than a screenful, unless lines are very long.
const WINDOW: u64 = 1 << 16;

/// How much of a line to keep, in characters. No terminal is that wide.
const MAX_CHARACTERS: usize = 2000;

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
    let mut lines: Vec<String> = bytes.split_inclusive(|&byte| byte == b'\n').map(shown).collect();
    if start > 0 && lines.len() > 1 {
        // The first line is most likely incomplete.
        lines.remove(0);
    }
    Ok(lines)
}

/// A line as a terminal would show it, but without colours: a carriage return starts the line over.
fn shown(line: &[u8]) -> String {
    let line = line.trim_ascii_end();
    let last = line.rsplit(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut plain = Vec::new();
    for chunk in last.utf8_chunks() {
        plain.extend(strip_str(chunk.valid()).to_string().replace('\t', "    ").into_bytes());
        plain.extend_from_slice(chunk.invalid());
    }
    let text = text::printable(OsStr::from_bytes(&plain));
    text.chars().take(MAX_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_a_terminal_leaves_it() {
        for (line, wanted) in [
            (&b"10%\r50%\r100%\r\n"[..], "100%"),
            (b"\x1b[31mred\x1b[0m\tx \r\n", "red    x"),
            ("a\u{202e}b ü\n".as_bytes(), r"a\u{202e}b ü"),
            (b"not \xff text", r"not \xff text"),
            (b"\n", ""),
        ] {
            assert_eq!(shown(line), wanted);
        }
    }
}
