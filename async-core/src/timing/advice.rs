//! What could make a run shorter, and by how much.

use super::change::{Change, Moved, Shift};
use super::path::Stretch;
use super::replay::{Replay, Times};
use super::schedule::{Limit, Schedule};
use crate::clock::Millis;

/// Advice that saves less than this, in ms, or less than a hundredth of the run, is not worth giving.
const WORTHLESS: Millis = 100;

/// The most pieces of advice to give.
const MOST: usize = 5;

/// Something to do differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The change.
    pub change: Change,
    /// How far that moves something, if it moves anything.
    pub moved: Option<Moved>,
    /// By how many ms the run would become shorter.
    pub worth: Millis,
}

impl Schedule {
    /// Changes that could make the run shorter, each on its own, the best first: at most five, each worth at least a
    /// hundredth of the run and 0.1 s.
    ///
    /// Tries only what is on the critical path, since nothing else can help. `recorded` is the replay of this schedule
    /// without changes. Each change is the smallest one that is worth as much as the largest of its kind.
    #[must_use]
    pub fn advice(&self, recorded: &Replay) -> Vec<Advice> {
        let least = WORTHLESS.max((recorded.total + 99) / 100);
        let path = self.critical_path(recorded);
        let mut all: Vec<Advice> = self
            .candidates(&path, recorded, least)
            .into_iter()
            .filter_map(|change| self.smallest(change, recorded.total, least))
            .collect();
        all.sort_by_key(|advice| std::cmp::Reverse(advice.worth));
        let mut advice: Vec<Advice> = Vec::new();
        for next in all {
            if advice.len() < MOST && !advice.iter().any(|other| is_same(other, &next)) {
                advice.push(next);
            }
        }
        advice
    }

    /// Changes that may help, each taken as far as possible.
    fn candidates(&self, path: &[Stretch], recorded: &Replay, least: Millis) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut tasks: Vec<usize> = path.iter().filter_map(|stretch| stretch.task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let synchronous = tasks.iter().filter(|&&task| self.tasks[task].synchronous).count();
        if synchronous > 1 {
            changes.push(Change::Parallel);
        }
        for task in tasks {
            // Moving its start or its wait can't save more time than the task takes.
            let Times { start, end, .. } = recorded.tasks[task];
            if end - start < least {
                continue;
            }
            if self.tasks[task].synchronous {
                changes.push(Change::Background(task));
            } else {
                changes.push(Change::Start(task, Shift::First));
                changes.push(Change::Wait(task, Shift::Last));
            }
        }
        let queued = path.iter().filter(|stretch| stretch.queued).filter_map(|stretch| stretch.task);
        let limits = queued.filter_map(|task| match self.tasks[task].place {
            Limit::Within(jobs) => Some(jobs),
            Limit::None | Limit::Anyway => None,
        });
        changes.extend(limits.max().map(|jobs| Change::Jobs(Some(jobs.saturating_add(1)))));
        changes
    }

    /// The smallest change that is worth as much as that one, if it is worth enough.
    fn smallest(&self, change: Change, total: Millis, least: Millis) -> Option<Advice> {
        let most = self.try_out(change, total).filter(|advice| advice.worth >= least)?;
        let Some(moved) = &most.moved else {
            return Some(most);
        };
        let shifted = |by: Millis| match change {
            Change::Start(task, _) => Change::Start(task, Shift::By(-by)),
            Change::Wait(task, _) => Change::Wait(task, Shift::By(by)),
            other => other,
        };
        let (mut too_little, mut enough) = (0, moved.by.abs());
        while enough - too_little > 1 {
            let middle = too_little + (enough - too_little) / 2;
            match self.try_out(shifted(middle), total) {
                Some(advice) if advice.worth >= most.worth => enough = middle,
                _ => too_little = middle,
            }
        }
        let is_enough = |advice: &Advice| advice.worth >= most.worth;
        let smallest = self.try_out(shifted(enough), total).filter(is_enough)?;
        // As far as it really moved, which may be more than requested.
        let moved = smallest.moved.as_ref().map_or(0, |moved| moved.by.abs());
        self.try_out(shifted(moved), total).filter(is_enough).or(Some(smallest))
    }

    fn try_out(&self, change: Change, total: Millis) -> Option<Advice> {
        let mut changed = self.clone();
        let moved = changed.change(change).ok()?;
        let worth = total - changed.replay().ok()?.total;
        Some(Advice { change, moved, worth })
    }
}

/// Whether both have the same effect: starting one task before the wait for another, or waiting for the other after
/// starting the first.
fn is_same(a: &Advice, b: &Advice) -> bool {
    let passes = |advice: &Advice| advice.moved.clone().unwrap_or_default();
    match (a.change, b.change) {
        (Change::Start(start, _), Change::Wait(wait, _)) | (Change::Wait(wait, _), Change::Start(start, _)) => {
            let (of_start, of_wait) = match a.change {
                Change::Start(..) => (passes(a), passes(b)),
                _ => (passes(b), passes(a)),
            };
            a.worth == b.worth && of_start.past_waits.contains(&wait) && of_wait.past_starts.contains(&start)
        }
        _ => false,
    }
}
