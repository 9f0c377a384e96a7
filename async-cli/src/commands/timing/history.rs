//! The runs that are kept, one below the other, for people and for programs.

use std::ffi::OsStr;
use std::fmt::Write;
use std::process::ExitCode;

use async_core::clock::Millis;
use async_core::timing::{Broke, Ending, History, KeptRun, Past, TaskOutcome};
use async_core::{FutureName, Store};

use super::figures::tenths;
use super::table;
use crate::export::Exports;
use crate::failure::{Failure, warn};
use crate::format;
use crate::json::Envelope;
use crate::messages::Output;

/// How many columns a bar takes at least; where there are fewer, there is none.
const LEAST_BAR: usize = 8;

/// The blank columns between two of the chart's.
const GAP: &str = "  ";

/// What stands before the run that broke the trend, and before all others.
const MARKS: [&str; 2] = [" ! ", "   "];

/// What a bar is made of: of a run that counts, and of any other.
const BARS: [&str; 2] = ["█", "░"];

/// What a bar ends with that is longer than there is room.
const CUT: &str = "…";

/// Prints the history of the future of that name, or of the whole script.
pub(super) fn print(
    store: &Store,
    name: Option<&OsStr>,
    json: bool,
    exports: &Exports,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let taken = exports.takes_stdout()?;
    let name = name.map(crate::commands::name).transpose()?;
    let kept = KeptRun::all_of(store)?;
    let errors: Vec<_> = kept.iter().flat_map(|kept| &kept.errors).collect();
    for error in &errors {
        warn(&error.to_string());
    }
    let history = match &name {
        Some(name) => History::of_future(&kept, name.as_str()),
        None => History::of_runs(&kept),
    };
    if let (Some(name), []) = (&name, &*history.entries) {
        return Err(Failure::NothingKept { name: name.to_string(), dir: store.dir().to_owned() });
    }
    if json {
        let document = super::json::history(name.as_ref(), &history);
        crate::json::print(&Envelope::new(store.dir(), document), output)?;
    } else if taken {
        // The page has it for itself.
    } else if history.entries.len() < 2 {
        warn(&too_few(name.as_ref(), &history, store));
    } else {
        output.print(&output.columns().map_or_else(|| lines(&history), |width| chart(&history, width.into())))?;
    }
    exports.write_history(name.as_ref().map(FutureName::as_str), &history, output, !taken && !json)?;
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(125) })
}

fn too_few(name: Option<&FutureName>, history: &History, store: &Store) -> String {
    let number = if history.entries.is_empty() { "no run" } else { "only one run" };
    let of = name.map_or_else(String::new, |name| format!(" of `{name}`"));
    let dir = store.dir().display();
    // Those of a script begin by themselves.
    let hint = if name.is_none() && store.script_times().is_none() { ", and one begins with `async init`" } else { "" };
    format!("{number}{of} is kept in {dir}: a history takes two{hint}")
}

/// A line for each, for programs.
fn lines(history: &History) -> String {
    let line = |(index, past): (usize, &Past)| {
        let broke = if is_mark(history, index) { "longer" } else { "-" };
        let fields = [format::utc(past.start), run_time(past), tenths(past.queued), ending(&past.ending), broke.into()];
        fields.join("\t") + "\n"
    };
    history.entries.iter().enumerate().map(line).collect()
}

/// A chart for people, at most that many columns wide.
fn chart(history: &History, width: usize) -> String {
    let title = ["STARTED", "RUN", "QUEUED", "ENDED"].map(str::to_owned);
    let row = |past: &Past| [format::minute(past.start), run_time(past), tenths(past.queued), ending(&past.ending)];
    let counted = history.entries.iter().filter(|past| past.counted().is_some()).count();
    let median = history.median.map(|ms| [format!("median of {counted}"), tenths(ms), String::new(), String::new()]);
    let rows: Vec<_> = [title].into_iter().chain(history.entries.iter().map(row)).chain(median).collect();
    let has_queued = history.entries.iter().any(|past| past.queued > 0);
    let room = width.saturating_sub(MARKS[1].len());
    // How it ended is worth more than how long it was queued.
    let texts = Some(aligned(&rows, has_queued)).filter(|texts| texts[0].len() <= room);
    let texts = texts.unwrap_or_else(|| aligned(&rows, false));
    let bars = Bars::of(history, room.saturating_sub(texts[0].len() + GAP.len()));
    let mut text = String::new();
    let mut line = |mark: bool, texts: &str, bar: &str| {
        let line = format!("{}{texts}{GAP}{bar}", MARKS[usize::from(!mark)]);
        text += &(cut(line.trim_end(), width) + "\n");
    };
    line(false, &texts[0], "");
    for (index, (past, texts)) in history.entries.iter().zip(&texts[1..]).enumerate() {
        line(is_mark(history, index), texts, &bars.bar(past.run_time, past.counted().is_some()));
    }
    if let (Some(_), Some(texts)) = (history.median, texts.last()) {
        line(false, texts, &bars.bar(history.median, true));
    }
    if let Some(Broke { entry, before }) = history.broke {
        let by = history.entries[entry].run_time.map_or(0, |length| length - before);
        let [by, before] = [by, before].map(tenths);
        let _ = writeln!(text, "\n ! {by} s longer than the median before it, {before} s");
    }
    text
}

/// The cells of each row below those of the others, the figures to the right.
fn aligned(rows: &[[String; 4]], has_queued: bool) -> Vec<String> {
    let widths: [usize; 4] = std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |[started, run, queued, ended]: &[String; 4]| {
        let [a, b, c, d] = widths;
        let queued = if has_queued { format!("{queued:>c$}{GAP}") } else { String::new() };
        format!("{started:a$}{GAP}{run:>b$}{GAP}{queued}{ended:d$}")
    };
    rows.iter().map(line).collect()
}

/// Bars in the room that there is for them.
struct Bars {
    room: usize,
    /// What fills it, in ms.
    longest: Millis,
}

impl Bars {
    fn of(history: &History, room: usize) -> Self {
        Self { room, longest: longest(history) }
    }

    fn bar(&self, length: Option<Millis>, counts: bool) -> String {
        let Some(length) = length.filter(|_| self.room >= LEAST_BAR) else { return String::new() };
        let sign = BARS[usize::from(!counts)];
        if length > self.longest {
            return sign.repeat(self.room - 1) + CUT;
        }
        let room = Millis::try_from(self.room).unwrap_or(Millis::MAX);
        let columns = (length * room + self.longest / 2) / self.longest;
        sign.repeat(usize::try_from(columns).unwrap_or(0))
    }
}

/// What fills the room for a bar, in ms: the longest of those that count, as one that hung for hours would leave no bar for the
/// others. Never 0.
pub(crate) fn longest(history: &History) -> Millis {
    let counted = history.entries.iter().filter_map(Past::counted).max();
    let longest = counted.or_else(|| history.entries.iter().filter_map(|past| past.run_time).max());
    longest.unwrap_or(0).max(1)
}

/// The line, or as much of it as there is room for: each of its characters takes one column.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn is_mark(history: &History, index: usize) -> bool {
    history.broke.is_some_and(|broke| broke.entry == index)
}

fn run_time(past: &Past) -> String {
    past.run_time.map_or_else(|| "-".to_owned(), tenths)
}

/// How it ended, or stands: `ok`, `failed with 2`; of a run, `1 failed, 2 skipped`.
pub(crate) fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Future(status) => table::word(status),
        Ending::Run { is_running: true, .. } => "running".to_owned(),
        Ending::Run { outcomes, is_known, .. } => {
            let bad = outcomes.iter().filter_map(|(&outcome, count)| Some(format!("{count} {}", bad(outcome)?)));
            let parts: Vec<String> = bad.chain((!is_known).then(|| "end unknown".to_owned())).collect();
            if parts.is_empty() { "ok".to_owned() } else { parts.join(", ") }
        }
    }
}

/// What is said of some futures of a run that is over; nothing of those that succeeded.
fn bad(outcome: TaskOutcome) -> Option<&'static str> {
    match outcome {
        TaskOutcome::Succeeded => None,
        TaskOutcome::Failed => Some("failed"),
        TaskOutcome::Cancelled => Some("cancelled"),
        TaskOutcome::TimedOut => Some("out of time"),
        TaskOutcome::Skipped => Some("skipped"),
        TaskOutcome::Unstartable => Some("not started"),
        TaskOutcome::Lost => Some("lost"),
        TaskOutcome::Queued | TaskOutcome::Running => Some("not over"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_never_takes_more_than_its_room() {
        let bars = Bars { room: 10, longest: 1000 };
        let lengths = |ms| bars.bar(Some(ms), true).chars().count();
        assert_eq!([0, 49, 50, 500, 1000].map(lengths), [0, 0, 1, 5, 10]);
        assert_eq!(bars.bar(Some(5000), false), "░░░░░░░░░…");
        assert_eq!(bars.bar(None, true), "");
        assert_eq!(Bars { room: LEAST_BAR - 1, longest: 1000 }.bar(Some(1000), true), "");
    }

    #[test]
    fn what_a_run_came_to_is_ok_only_if_nothing_else_is_to_be_said() {
        let run = |outcomes: &[(TaskOutcome, u32)], is_running, is_known| {
            ending(&Ending::Run { outcomes: outcomes.iter().copied().collect(), is_running, is_known })
        };
        let (ok, lost) = ((TaskOutcome::Succeeded, 3), (TaskOutcome::Lost, 1));
        assert_eq!(run(&[ok], false, true), "ok");
        assert_eq!(run(&[ok], true, true), "running");
        assert_eq!(run(&[ok], false, false), "end unknown");
        assert_eq!(run(&[ok, lost, (TaskOutcome::Failed, 2)], false, true), "2 failed, 1 lost");
        assert_eq!(run(&[lost], false, false), "1 lost, end unknown");
    }
}
