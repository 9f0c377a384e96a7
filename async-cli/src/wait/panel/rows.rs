//! What a panel tells of the awaited futures.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use async_core::clock::{self, Millis};
use async_core::{Entry, FutureName, Paused, State, Store, text};

use crate::doing::Doing;
use crate::{format, messages};

/// How much of a log's end to search for its last line, in bytes.
const END_OF_LOG: u64 = 4096;

/// How much time each picture may take to look for earlier runs. The others are looked for at the next one.
const LOOKING_BACK: Duration = Duration::from_millis(20);

/// A time that is not worth a bar, in ms.
const SHORT: Millis = 1000;

/// A future.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) doing: Doing,
    /// How long it has run, or been queued, in ms; none if nobody knows.
    pub(super) elapsed: Option<Millis>,
    /// How long it usually runs, in ms, if it runs and has run before.
    pub(super) usual: Option<Millis>,
    /// Its last output, why it is queued, or how it ended.
    pub(super) remark: String,
}

/// What a panel tells.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) rows: Vec<Row>,
    /// What it leaves out, for a person.
    pub(super) rest: Option<String>,
}

/// How long futures usually run, as far as somebody has asked.
#[derive(Debug, Default)]
pub(super) struct History(HashMap<FutureName, Option<Millis>>);

impl History {
    fn usual(&mut self, store: &Store, name: &FutureName, until: Instant) -> Option<Millis> {
        if let Some(usual) = self.0.get(name) {
            return *usual;
        }
        if Instant::now() > until {
            return None;
        }
        let usual = store.usual_run_time(name).filter(|&usual| usual >= SHORT);
        self.0.insert(name.clone(), usual);
        usual
    }
}

/// The live ones of these futures, in that order, in at most so many lines.
pub(super) fn picture(store: &Store, names: &[FutureName], most: usize, history: &mut History) -> Picture {
    let live = names.iter().filter_map(|name| store.live_entry(name).ok().flatten());
    let mut shown: Vec<(usize, Doing, Entry)> =
        live.enumerate().map(|(place, entry)| (place, Doing::of(&entry), entry)).collect();
    let mut rest = None;
    if shown.len() > most {
        shown.sort_by_key(|(_, doing, _)| *doing);
        let left_out: Vec<Doing> = shown.drain(most.saturating_sub(1)..).map(|(_, doing, _)| doing).collect();
        rest = Some(told(&left_out));
        shown.sort_by_key(|(place, ..)| *place);
    }
    let until = Instant::now() + LOOKING_BACK;
    let rows = shown.iter().map(|(_, doing, entry)| Row::new(store, *doing, entry, history, until)).collect();
    Picture { rows, rest }
}

/// How many there are, and what they are doing.
fn told(doing: &[Doing]) -> String {
    let words = [
        (Doing::Failed, "failed"),
        (Doing::Running, "running"),
        (Doing::Queued, "queued"),
        (Doing::Finished, "finished"),
    ];
    let count = |wanted| doing.iter().filter(|&&doing| doing == wanted).count();
    let counts = words.into_iter().map(|(wanted, word)| (count(wanted), word)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    format!("… and {} more: {}", doing.len(), counts.join(", "))
}

impl Row {
    fn new(store: &Store, doing: Doing, entry: &Entry, history: &mut History, until: Instant) -> Self {
        let (elapsed, usual, remark) = match doing {
            Doing::Queued => (Some(entry.record.elapsed()), None, why_queued(store, entry)),
            Doing::Running => {
                let usual = history.usual(store, &entry.name, until);
                (entry.run_time(), usual, last_line(entry).unwrap_or_default())
            }
            Doing::Finished => (entry.run_time(), None, "finished".to_owned()),
            Doing::Failed => {
                let outcome = entry.record.outcome(None, clock::wall());
                let failed = if outcome.rc.is_some() { "failed " } else { "" };
                (entry.run_time(), None, format!("{failed}{}", messages::failed(&outcome)))
            }
        };
        Self { name: entry.name.to_string(), doing, elapsed, usual, remark }
    }
}

/// Why it has not started yet.
fn why_queued(store: &Store, entry: &Entry) -> String {
    if let Some(paused) = entry.paused {
        let why = match paused {
            Paused::Queue => "queued, and the queue is paused: `async resume` lets it go on",
            Paused::Itself => "paused: `async resume` with its name lets it go on",
        };
        return why.to_owned();
    }
    let Some(plan) = &entry.record.plan else {
        return "queued".to_owned();
    };
    let is_pending = |name: &&FutureName| matches!(store.look(name), Ok(Some((_, State::Queued | State::Running))));
    let after: Vec<&str> =
        plan.after.iter().chain(&plan.after_any).filter(is_pending).map(FutureName::as_str).collect();
    if !after.is_empty() {
        return format!("queued after {}", after.join(", "));
    }
    match (&plan.on, &entry.record.reason, plan.jobs) {
        (Some(on), Some(reason), _) => format!("queued on {on}: {}", text::printable(reason.as_ref())),
        (Some(on), None, _) => format!("queued on {on}"),
        (None, _, Some(jobs)) => format!("queued: no more than {jobs} at once"),
        (None, _, None) => "queued".to_owned(),
    }
}

/// The last line of its log that says something.
fn last_line(entry: &Entry) -> Option<String> {
    end_of(&entry.open_log().ok()??).ok()
}

fn end_of(log: &File) -> io::Result<String> {
    let length = log.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(length.min(END_OF_LOG)).unwrap_or_default()];
    log.read_exact_at(&mut bytes, length.saturating_sub(END_OF_LOG))?;
    let lines = bytes.split(|&byte| byte == b'\n').rev().map(format::line_of_log);
    Ok(lines.map(|line| line.trim().to_owned()).find(|line| !line.is_empty()).unwrap_or_default())
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
            ("one\n\x1b[1mtwo\x1b[0m\n\x1b[0m\n", "two"),
            ("10%\r20%\r30%", "30%"),
            ("10%\r20%\r", "20%"),
            (long.as_str(), &long[..2000]),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(log.as_bytes()).unwrap();
            assert_eq!(end_of(&file).unwrap(), wanted, "{log}");
        }
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let doing = [Doing::Queued, Doing::Finished, Doing::Queued, Doing::Failed, Doing::Running];
        assert_eq!(told(&doing), "… and 5 more: 1 failed, 1 running, 2 queued, 1 finished");
    }
}
