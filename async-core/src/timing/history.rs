//! How long a script, or one of its futures, took in each of the runs that are kept.

use std::collections::BTreeMap;

use super::compare::{median, middle};
use super::run::{Run, Status, TaskOutcome};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::store::{ScriptTimes, Store};

/// A run that differs from the median of those before it by no more than this, in ms, does not break the trend: so much a busy
/// machine, or a cold cache, makes of any short task.
const LEAST: Millis = 1000;

/// One of the runs that are kept.
#[derive(Debug)]
pub struct KeptRun {
    /// What its records tell.
    pub run: Run,
    /// When its script ran, where the store is that script's own.
    pub script: Option<ScriptTimes>,
    /// The errors of those of its futures that can't be read, which are left out.
    pub errors: Vec<Error>,
}

impl KeptRun {
    /// The runs of a store, or of the script whose store it is: this one and those before it, in no order.
    pub fn all_of(store: &Store) -> Result<Vec<Self>> {
        // One that an init moves meanwhile is seen twice, and not missed.
        let (run, errors) = Run::of_store(store)?;
        let mut kept = vec![Self { run, script: store.script_times(), errors }];
        for past in store.past_runs()? {
            let (run, errors) = Run::of_past(&past)?;
            kept.push(Self { run, script: past.script, errors });
        }
        Ok(kept)
    }
}

/// How long something took in the runs that are kept.
///
/// # The run that broke the trend
///
/// It is the first one that took longer than the median of those before it by more than half, and by more than a second. The
/// median does not heed a single odd run, and half of it or a second is more than one and the same task usually differs by.
/// It is the first, because the runs after it just took as long; what has changed, changed there.
///
/// Only what succeeded is part of a median, or can break the trend: a task that failed or was cut short says nothing of how
/// long its work takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// All of it, oldest first.
    pub entries: Vec<Past>,
    /// The median of what succeeded, in ms; none if nothing did.
    pub median: Option<Millis>,
    /// The one that broke the trend, if one did.
    pub broke: Option<Broke>,
}

/// Where a trend broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broke {
    /// Which of [`History::entries`] did.
    pub entry: usize,
    /// The median of what succeeded before it, in ms.
    pub before: Millis,
}

/// How long it took in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// When it began, in ms since the epoch.
    pub start: Millis,
    /// How long it took, or has taken by now, in ms, without the time that it was queued. None if it never ran, or nobody knows.
    pub run_time: Option<Millis>,
    /// How long it was queued, in ms; of a whole run, all of its futures together.
    pub queued: Millis,
    /// The most memory that it had resident, in KiB: see [`super::Task::max_resident`]; of a whole run, the most that any of
    /// its futures had. None if that is not known.
    pub memory: Option<u64>,
    /// How it ended, or stands.
    pub ending: Ending,
}

/// How something ended, or stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A future.
    Future(Status),
    /// A whole run.
    Run {
        /// How many of its futures came to what.
        outcomes: BTreeMap<TaskOutcome, u32>,
        /// Whether one of them, or the script, runs or is to run.
        is_running: bool,
        /// Whether all that it came to is known. It is not if the script has not said that it came to its end, as one that was
        /// killed, or if something can't be read.
        is_known: bool,
    },
}

impl Ending {
    /// Whether it is over, and known to have succeeded; a run only if all of its futures have.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Future(status) => status.outcome() == TaskOutcome::Succeeded,
            Self::Run { outcomes, is_running, is_known } => {
                *is_known && !is_running && outcomes.keys().all(|&outcome| outcome == TaskOutcome::Succeeded)
            }
        }
    }
}

impl Past {
    fn of_task(run: &Run, task: usize) -> Self {
        let task = &run.tasks[task];
        Self {
            start: run.start.saturating_add(task.start),
            run_time: task.known_run_time().filter(|_| task.ran()),
            queued: task.queued(),
            memory: task.max_resident(),
            ending: Ending::Future(task.status),
        }
    }

    fn of_run(KeptRun { run, script, errors }: &KeptRun) -> Self {
        let mut outcomes = BTreeMap::new();
        for task in &run.tasks {
            *outcomes.entry(task.status.outcome()).or_insert(0) += 1;
        }
        let script_runs = script.is_some_and(|script| script.is_running);
        let is_running = script_runs || run.tasks.iter().any(|task| !task.status.state.is_over());
        let script_is_known = script.is_none_or(|script| script.is_running || script.end.is_some());
        Self {
            start: run.start,
            run_time: script_is_known.then(|| run.length()),
            queued: run.tasks.iter().map(super::Task::queued).sum(),
            memory: run.tasks.iter().filter_map(super::Task::max_resident).max(),
            ending: Ending::Run { outcomes, is_running, is_known: script_is_known && errors.is_empty() },
        }
    }

    /// What is part of a median: its run time, in ms, if it succeeded.
    #[must_use]
    pub fn counted(&self) -> Option<Millis> {
        self.run_time.filter(|_| self.ending.is_success())
    }
}

impl History {
    /// That of the futures of that name or label: see [`Run::find`].
    #[must_use]
    pub fn of_future(kept: &[KeptRun], name: &str) -> Self {
        let of = |run| Run::find(run, name).into_iter().map(move |task| Past::of_task(run, task));
        Self::of(kept.iter().flat_map(|kept| of(&kept.run)).collect())
    }

    /// That of whole runs, those without futures left out.
    #[must_use]
    pub fn of_runs(kept: &[KeptRun]) -> Self {
        let has_any = |kept: &&KeptRun| !kept.run.tasks.is_empty() || !kept.errors.is_empty();
        Self::of(kept.iter().filter(has_any).map(Past::of_run).collect())
    }

    fn of(mut entries: Vec<Past>) -> Self {
        entries.sort_by_key(|past| past.start);
        let median = median(entries.iter().filter_map(Past::counted).collect());
        let broke = broke(&entries);
        Self { entries, median, broke }
    }
}

fn broke(entries: &[Past]) -> Option<Broke> {
    let mut sorted = Vec::new();
    for (entry, past) in entries.iter().enumerate() {
        let Some(length) = past.counted() else { continue };
        match middle(&sorted) {
            Some(before) if is_longer(length, before) => return Some(Broke { entry, before }),
            _ => sorted.insert(sorted.partition_point(|&other| other < length), length),
        }
    }
    None
}

/// Whether that is too much longer than the median before it, both in ms.
fn is_longer(length: Millis, before: Millis) -> bool {
    let by = length - before;
    by > LEAST && by * 2 > before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cause, State};

    const OK: Option<i32> = Some(0);

    fn past(start: Millis, run_time: Millis, rc: Option<i32>, cause: Option<Cause>) -> Past {
        let status = Status { state: State::Collected, rc, signal: None, cause };
        Past { start, run_time: Some(run_time), queued: 0, memory: None, ending: Ending::Future(status) }
    }

    fn of(lengths: &[Millis]) -> History {
        History::of((0..).zip(lengths).map(|(start, &length)| past(start, length, OK, None)).collect())
    }

    fn broke_at(lengths: &[Millis]) -> Option<(usize, Millis)> {
        of(lengths).broke.map(|broke| (broke.entry, broke.before))
    }

    #[test]
    fn the_first_that_takes_half_as_long_again_breaks_the_trend() {
        assert_eq!(broke_at(&[]), None);
        assert_eq!(broke_at(&[9000]), None);
        assert_eq!(broke_at(&[10_000, 15_000]), None, "half, and no more");
        assert_eq!(broke_at(&[10_000, 15_001]), Some((1, 10_000)));
        assert_eq!(broke_at(&[10_000, 11_000, 9000, 20_000, 21_000, 99_000]), Some((3, 10_000)), "the first of them");
        assert_eq!(broke_at(&[60_000, 10_000, 10_000, 20_000]), Some((3, 10_000)), "one odd run is no trend");
        assert_eq!(broke_at(&[10_000, 1000, 900]), None, "what gets faster breaks none");
    }

    #[test]
    fn a_second_is_not_worth_a_mark() {
        assert_eq!(broke_at(&[100, 1100]), None, "a second, and no more");
        assert_eq!(broke_at(&[100, 1101]), Some((1, 100)));
        assert_eq!(broke_at(&[0, 0, 0]), None);
    }

    #[test]
    fn only_what_succeeded_counts() {
        let cut = |start, rc, cause| past(start, 90_000, rc, cause);
        let history = History::of(vec![
            past(6, 30_000, OK, None),
            past(0, 10_000, OK, None),
            cut(1, Some(1), None),
            cut(2, None, None),
            cut(3, Some(143), Some(Cause::Cancelled)),
            cut(4, Some(124), Some(Cause::Timeout)),
            // Whatever a record says of its status beside.
            cut(5, OK, Some(Cause::Skipped)),
        ]);
        assert_eq!(history.entries.iter().map(|past| past.start).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((history.median, history.broke), (Some(10_000), Some(Broke { entry: 6, before: 10_000 })));
        assert_eq!(History::of(vec![cut(1, None, None)]).median, None);
    }

    #[test]
    fn a_run_is_a_success_only_if_all_that_is_known_of_it_is() {
        let ending = |outcomes: &[TaskOutcome], is_running, is_known| {
            let outcomes = outcomes.iter().map(|&outcome| (outcome, 1)).collect();
            Ending::Run { outcomes, is_running, is_known }.is_success()
        };
        assert!(ending(&[TaskOutcome::Succeeded], false, true));
        assert!(!ending(&[TaskOutcome::Succeeded], true, true));
        assert!(!ending(&[TaskOutcome::Succeeded], false, false));
        for other in [TaskOutcome::Failed, TaskOutcome::Cancelled, TaskOutcome::Skipped, TaskOutcome::Lost] {
            assert!(!ending(&[TaskOutcome::Succeeded, other], false, true), "{other:?}");
        }
    }
}
