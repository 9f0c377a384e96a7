//! Comparing a run with earlier ones.

use std::collections::BTreeMap;

use super::run::Run;
use crate::clock::Millis;

/// A run compared with earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The lengths of the runs.
    pub total: Compared,
    /// The run times of their futures by [`Run::label`], without those whose run time is unknown.
    pub futures: BTreeMap<String, Compared>,
}

/// A length now and earlier, both in ms; none if it does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// In this run.
    pub now: Option<Millis>,
    /// In the earlier run, or the median of the earlier runs that have it; the shorter of two in the middle.
    pub before: Option<Millis>,
}

impl Compared {
    /// How many ms longer it takes now, or shorter if negative; none unless both are known.
    #[must_use]
    pub fn difference(&self) -> Option<Millis> {
        Some(self.now? - self.before?)
    }
}

impl Comparison {
    /// Compares a run with earlier ones.
    #[must_use]
    pub fn of(run: &Run, earlier: &[Run]) -> Self {
        let mut before = BTreeMap::<String, Vec<Millis>>::new();
        for (label, length) in earlier.iter().flat_map(lengths) {
            before.entry(label).or_default().push(length);
        }
        let mut futures: BTreeMap<String, Compared> = before
            .into_iter()
            .map(|(label, lengths)| (label, Compared { now: None, before: median(lengths) }))
            .collect();
        for (label, length) in lengths(run) {
            futures.entry(label).or_default().now = Some(length);
        }
        let total = Compared { now: Some(run.length()), before: median(earlier.iter().map(Run::length).collect()) };
        Self { total, futures }
    }
}

/// The run times of the futures that are over.
fn lengths(run: &Run) -> impl Iterator<Item = (String, Millis)> {
    let over = |&index: &usize| {
        let task = &run.tasks[index];
        task.end.is_some() && task.ran() && task.known_run_time().is_some()
    };
    (0..run.tasks.len()).filter(over).map(|index| (run.label(index), run.tasks[index].run_time))
}

/// The median; the shorter of two in the middle. None for an empty list.
pub(crate) fn median(mut lengths: Vec<Millis>) -> Option<Millis> {
    lengths.sort_unstable();
    middle(&lengths)
}

/// The same of lengths that are sorted.
pub(super) fn middle(lengths: &[Millis]) -> Option<Millis> {
    lengths.get(lengths.len().saturating_sub(1) / 2).copied()
}
