//! What got slower.

use std::cmp::Reverse;
use std::fmt::Write;

use async_core::text::printable;
use async_core::Store;
use async_core::timing::{Compared, Comparison, Run};
use clap::ValueEnum;

use super::figures::{fixed, percent};
use crate::failure::{Failure, warn};

/// Differences below this, in ms, are not worth a line.
const LEAST: i64 = 100;

/// What to compare a run with.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Against {
    /// The run before this one
    Last,
    /// The median of all that are kept
    Median,
}

/// Compares a run with earlier ones in that store.
pub(super) fn of(run: &Run, store: &Store, against: Against) -> Result<Comparison, Failure> {
    let past = store.past_runs()?;
    let count = match against {
        Against::Last => 1,
        Against::Median => past.len(),
    };
    if past.is_empty() {
        let dir = store.dir().display();
        return Err(Failure::Usage(format!(
            "no earlier run is kept in {dir}: one is when a run begins with `async init`"
        )));
    }
    let earlier = past.iter().take(count).map(|past| {
        let (run, errors) = Run::of_past(past)?;
        for error in errors {
            warn(&error.to_string());
        }
        Ok(run)
    });
    Ok(Comparison::of(run, &earlier.collect::<Result<Vec<_>, async_core::Error>>()?))
}

/// What got slower and faster, the largest differences first.
pub(super) fn text(comparison: &Comparison) -> String {
    let Comparison { total, futures } = comparison;
    let length = total.now.unwrap_or(0).max(total.before.unwrap_or(0));
    let mut text = format!("\n {:>10} {:>10} {:>10}\n", "NOW", "BEFORE", "LONGER BY");
    let mut line = |what: &str, compared: &Compared| {
        let figure = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), |ms| fixed(ms, length));
        let share = match (compared.difference(), compared.before) {
            (Some(difference), Some(before)) if before > 0 => format!("{:>+5}%", percent(difference, before)),
            _ => " ".repeat(6),
        };
        let (now, before, difference) = (figure(compared.now), figure(compared.before), figure(compared.difference()));
        let _ = writeln!(text, " {now:>10} {before:>10} {difference:>10} {share}  {what}");
    };
    line("the run", total);
    let mut sorted: Vec<(&String, &Compared)> = futures.iter().collect();
    sorted.sort_by_key(|(_, compared)| Reverse(compared.difference().or(compared.now).map(i64::abs)));
    let is_worth_it = |compared: &Compared| compared.difference().is_none_or(|difference| difference.abs() >= LEAST);
    for (label, compared) in sorted.into_iter().filter(|(_, compared)| is_worth_it(compared)) {
        line(&format!("`{}`", printable(label.as_ref())), compared);
    }
    text
}
