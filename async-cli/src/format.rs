//! Times, and lines of logs, for people.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use async_core::clock::Millis;
use async_core::text;
use chrono::{DateTime, Datelike, Local, Utc};

use crate::escapes::Filter;

/// A duration in ms in its two largest units: `5s`, `1m 05s`, `2h 05m`, `3d 04h`.
pub(crate) fn duration(ms: Millis) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m {:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h {:02}m", minutes % 60)
    } else {
        format!("{days}d {:02}h", hours % 24)
    }
}

/// An amount of memory in KiB: `12.3 MiB`.
#[allow(clippy::cast_precision_loss, reason = "no machine has that much memory")]
pub(crate) fn memory(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

/// A moment, in ms since the epoch, in local time: the time of day if it is today, else the date.
pub(crate) fn moment(ms: Millis) -> String {
    let Some(moment) = at(ms).map(|moment| moment.with_timezone(&Local)) else { return UNKNOWN.to_owned() };
    let form = if moment.date_naive() == Local::now().date_naive() { "%H:%M:%S" } else { "%Y-%m-%d" };
    moment.format(form).to_string()
}

/// A moment, likewise, with its date whichever day it is of: `2026-03-01 12:00`.
pub(crate) fn minute(ms: Millis) -> String {
    let local = |moment: DateTime<Utc>| moment.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string();
    at(ms).map_or_else(|| UNKNOWN.to_owned(), local)
}

/// A moment for programs, wherever they are: `2026-03-01T12:00:05Z`.
pub(crate) fn utc(ms: Millis) -> String {
    formatted(ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// A moment in that format, in UTC.
pub(crate) fn formatted(ms: Millis, form: &str) -> String {
    at(ms).map_or_else(|| UNKNOWN.to_owned(), |moment| moment.format(form).to_string())
}

/// How much of a line to keep, in characters. No terminal is that wide.
const MAX_CHARACTERS: usize = 2000;

/// A line of a log as a terminal would show it, but without colours: a carriage return starts the line over.
pub(crate) fn line_of_log(line: &[u8]) -> String {
    let line = line.trim_ascii_end();
    let last = line.rsplit(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut filter = Filter::new(false);
    let plain = [filter.pass(last), filter.finish()].concat();
    let plain = plain.split(|&byte| byte == b'\t').collect::<Vec<_>>().join(&b"    "[..]);
    let text = text::printable(OsStr::from_bytes(&plain));
    text.chars().take(MAX_CHARACTERS).collect()
}

/// Stands for a moment that no clock can show.
const UNKNOWN: &str = "?";

/// A moment, if its year has four digits.
fn at(ms: Millis) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms).filter(|moment| (0..=9999).contains(&moment.year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 00s"),
            (65, "1m 05s"),
            (3599, "59m 59s"),
            (7500, "2h 05m"),
            (86399, "23h 59m"),
            (86400, "1d 00h"),
            (1_000_000, "11d 13h"),
        ] {
            assert_eq!(duration(seconds * 1000 + 999), text);
        }
    }

    #[test]
    fn memory_is_in_mebibytes() {
        for (kib, text) in [(0, "0.0 MiB"), (12_595, "12.3 MiB"), (3 << 20, "3072.0 MiB")] {
            assert_eq!(memory(kib), text);
        }
    }

    #[test]
    fn a_line_is_shown_as_a_terminal_leaves_it() {
        for (line, wanted) in [
            (&b"10%\r50%\r100%\r\n"[..], "100%"),
            (b"\x1b[31mred\x1b[0m\tx \r\n", "red    x"),
            ("a\u{202e}b ü\n".as_bytes(), r"a\u{202e}b ü"),
            (b"not \xff text", r"not \xff text"),
            (b"\n", ""),
        ] {
            assert_eq!(line_of_log(line), wanted);
        }
    }

    #[test]
    fn a_moment_of_today_is_a_time_and_any_other_a_date() {
        let now = Utc::now().timestamp_millis();
        let lengths = [now, now - 200_000_000, now + 200_000_000].map(|ms| moment(ms).len());
        assert_eq!(lengths, ["12:00:00".len(), "2026-03-01".len(), "2026-03-01".len()]);
        assert_eq!(utc(1_772_366_405_123), "2026-03-01T12:00:05Z");
        assert_eq!([moment(Millis::MAX), utc(Millis::MIN)], ["?", "?"]);
    }
}
