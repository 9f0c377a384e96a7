//! The progress line for futures that somebody is waiting for.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use async_core::clock::Millis;
use async_core::{FutureHandle, Store, text};

use crate::{format, messages};

/// How much of a log's end to search for its last line, in bytes.
const END_OF_LOG: u64 = 4096;

/// Everything that is known from the beginning of a wait.
pub(crate) struct Progress {
    usual: Option<Millis>,
    more: usize,
}

impl Progress {
    /// For a wait for these futures, after which there are `more`.
    pub(crate) fn of(store: &Store, futures: &[FutureHandle], more: usize) -> Self {
        let usual = match futures {
            [only] => store.usual_run_time(only.name()),
            _ => None,
        };
        Self { usual, more }
    }

    /// The progress on one printable line: the awaited futures, how long they have taken and usually take, and their
    /// last output.
    pub(crate) fn now(&self, futures: &mut [FutureHandle]) -> String {
        let mut line = if let [only] = futures { self.of_one(only) } else { of_any(futures) };
        if self.more > 0 {
            let _ = write!(line, " (and {} more after that)", self.more);
        }
        if let Some(last) = last_line(futures) {
            line += ": ";
            line += &last;
        }
        line
    }

    fn of_one(&self, future: &mut FutureHandle) -> String {
        // The previous state is still good enough.
        let _ = future.refresh();
        let what = match future.paused() {
            Ok(Some(paused)) => messages::paused(paused),
            _ if future.record().is_held_back() => "queued",
            _ => "running",
        };
        let usually = self.usual.map_or_else(String::new, |ms| format!(", usually {}", format::duration(ms)));
        format!("{} {what} for {}{usually}", future.name(), format::duration(future.record().elapsed()))
    }
}

fn of_any(futures: &[FutureHandle]) -> String {
    let names: Vec<&str> = futures.iter().map(|future| future.name().as_str()).collect();
    let longest = futures.iter().map(|future| future.record().elapsed()).max().unwrap_or(0);
    format!("any of {} for {}", names.join(", "), format::duration(longest))
}

/// The last line of the log that was written to last.
fn last_line(futures: &[FutureHandle]) -> Option<String> {
    // A new empty log may be as recent as another one with contents.
    let holds_something = |log: &File| log.metadata().is_ok_and(|metadata| metadata.len() > 0);
    let logs = futures.iter().filter_map(|future| future.log().ok().flatten()).filter(holds_something);
    let written =
        |log: &File| log.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let newest = logs.max_by_key(written)?;
    let line = end_of(&newest).ok()?;
    let line = text::printable(std::ffi::OsStr::from_bytes(&line));
    Some(line).filter(|line| !line.is_empty())
}

fn end_of(log: &File) -> io::Result<Vec<u8>> {
    let length = log.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(length.min(END_OF_LOG)).unwrap_or_default()];
    log.read_exact_at(&mut bytes, length.saturating_sub(END_OF_LOG))?;
    // A carriage return starts a line over, as progress bars do.
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    Ok(lines.map(<[u8]>::trim_ascii).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        let long = "x".repeat(9000);
        for (log, wanted) in [
            ("", ""),
            ("one\ntwo\n", "two"),
            ("one\ntwo", "two"),
            ("one\n  two \n\n \n", "two"),
            ("10%\r20%\r30%", "30%"),
            ("10%\r20%\r", "20%"),
            (long.as_str(), &long[..4096]),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(log.as_bytes()).unwrap();
            assert_eq!(end_of(&file).unwrap(), wanted.as_bytes(), "{log}");
        }
    }
}
