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
    let total = &comparison.total;
    let length = total.now.unwrap_or(0).max(total.before.unwrap_or(0));
    let mut text = format!("\n {:>10} {:>10} {:>10}\n", "NOW", "BEFORE", "LONGER BY");
    let mut line = |what: &str, compared: &Compared| {
        let figure = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), |ms| fixed(ms, length));
        let share = format!("{:>6}", share(compared).unwrap_or_default());
        let (now, before, difference) = (figure(compared.now), figure(compared.before), figure(compared.difference()));
        let _ = writeln!(text, " {now:>10} {before:>10} {difference:>10} {share}  {what}");
    };
    line("the run", total);
    for (label, compared) in sorted(comparison) {
        line(&format!("`{}`", printable(label.as_ref())), compared);
    }
    text
}

/// The futures whose difference is worth a line, the largest differences first.
pub(crate) fn sorted(comparison: &Comparison) -> Vec<(&str, &Compared)> {
    let is_worth_it = |compared: &Compared| compared.difference().is_none_or(|difference| difference.abs() >= LEAST);
    let futures = comparison.futures.iter().map(|(label, compared)| (label.as_str(), compared));
    let mut sorted: Vec<(&str, &Compared)> = futures.filter(|(_, compared)| is_worth_it(compared)).collect();
    sorted.sort_by_key(|(_, compared)| Reverse(compared.difference().or(compared.now).map(i64::abs)));
    sorted
}

/// By how much longer it takes now, in percent of what it took: `+78%`; none if there is no such share.
pub(crate) fn share(compared: &Compared) -> Option<String> {
    let (difference, before) = (compared.difference()?, compared.before.filter(|&before| before > 0)?);
    Some(format!("{:+}%", percent(difference, before)))
}
