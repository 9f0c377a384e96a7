//! The end of a log, for a picture or a report.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use anstream::adapter::strip_str;
use async_core::{StoreFile, text};

/// What was read of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Its last lines, without anything that a terminal acts on.
    pub(crate) text: String,
    /// The size of the whole log in bytes, if the text is only a part of it.
    pub(crate) of: Option<u64>,
}

impl Tail {
    /// Reads at most that many bytes and lines.
    pub(crate) fn read(log: &StoreFile, bytes: usize, lines: usize) -> io::Result<Self> {
        let opened = log.open().map_err(|error| io::Error::other(error.to_string()))?;
        Self::of(opened.ok_or(io::ErrorKind::NotFound)?, bytes, lines)
    }

    /// The same for an open file.
    pub(crate) fn of(mut file: File, bytes: usize, lines: usize) -> io::Result<Self> {
        // Measured once: a running task may go on writing.
        let size = file.metadata()?.len();
        let start = size.saturating_sub(bytes as u64);
        file.seek(SeekFrom::Start(start))?;
        let mut found = Vec::new();
        file.take(size - start).read_to_end(&mut found)?;
        let mut rest = found.as_slice();
        // The text most likely begins in the middle of a line, which may be the only one.
        if start > 0
            && let Some(end) = rest.iter().position(|&byte| byte == b'\n').filter(|&end| end + 1 < rest.len())
        {
            rest = &rest[end + 1..];
        }
        let all: Vec<&[u8]> = rest.split_inclusive(|&byte| byte == b'\n').collect();
        let last = &all[all.len().saturating_sub(lines)..];
        let text = last.iter().map(|line| as_seen(line)).collect::<Vec<_>>().join("\n");
        let end = last_bytes(&text, bytes);
        let is_whole = start == 0 && last.len() == all.len() && end.len() == text.len();
        Ok(Self { text: end.to_owned(), of: (!is_whole).then_some(size) })
    }
}

/// A line as a terminal would show it: colours and bells are dropped, and a carriage return starts it over.
fn as_seen(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = strip_str(line.trim_end_matches(['\r', '\n'])).to_string();
    let line = line.rsplit('\r').next().unwrap_or_default();
    line.split('\t').map(|part| text::printable(part.as_ref())).collect::<Vec<_>>().join("\t")
}

/// The last whole characters within that many bytes.
fn last_bytes(text: &str, bytes: usize) -> &str {
    let least = text.len().saturating_sub(bytes);
    &text[(least..=text.len()).find(|&start| text.is_char_boundary(start)).unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(log: &[u8], bytes: usize, lines: usize) -> (String, Option<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, log).unwrap();
        let tail = Tail::of(File::open(path).unwrap(), bytes, lines).unwrap();
        (tail.text, tail.of)
    }

    #[test]
    fn it_ends_where_the_log_ends_and_begins_with_a_line() {
        assert_eq!(tail(b"", 10, 3), (String::new(), None));
        assert_eq!(tail(b"one\ntwo\nthree", 100, 100), ("one\ntwo\nthree".into(), None));
        assert_eq!(tail(b"one\ntwo\nthree\n", 100, 2), ("two\nthree".into(), Some(14)));
        assert_eq!(tail(b"one\ntwo\nthree\n", 8, 100), ("three".into(), Some(14)));
        assert_eq!(tail(b"a line that is too long", 4, 9), ("long".into(), Some(23)));
        assert_eq!(tail(b"a line that is too long\n", 5, 9), ("long".into(), Some(24)));
    }

    #[test]
    fn nothing_in_it_acts_on_a_terminal() {
        let log = b"\x1b[31mred\x1b[0m\t1\r\n 10%\r 20%\nbell\x07 \xff\n\x1b]0;title\x07x\n\xe2\x80\xaeb\xc2\x9b1m\n";
        assert_eq!(tail(log, 999, 9), ("red\t1\n 20%\nbell \u{fffd}\nx\n\\u{202e}b\\u{9b}1m".into(), None));
    }

    #[test]
    fn what_is_spelt_out_counts_as_it_is_spelt() {
        assert_eq!(tail("\u{202e}für".as_bytes(), 8, 9), ("02e}für".into(), Some(7)));
    }
}
