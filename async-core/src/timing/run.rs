//! The model: all futures of a run on one axis of time, in ms from the run's start.

mod reading;
mod task;

use crate::clock::Millis;
use crate::record::State;

pub use reading::Recorded;
pub use task::{Collected, Status, Task, TaskOutcome};

/// The largest offset, in ms (some 500 years): a record may contain any number, and sums of offsets must not overflow.
pub(super) const MAX_OFFSET: Millis = 1 << 44;

/// One run: everything that its futures' records tell.
///
/// # Beginning and end
///
/// A run begins with the script if the store is that script's own, and otherwise with the first start. While any of its
/// tasks is running or queued, or the script still exists, it ends now; after that it ends when the script ended, if
/// the script recorded that, or with the last event if that was later. So a run that is over does not change with the
/// reader's clock.
///
/// # Clocks
///
/// Records give the starts and waits by the wall clock and the lengths of tasks by a clock that never steps. Offsets
/// are those of the wall clock, so events keep the order in which they were recorded. If both clocks are known for a
/// task and its two lengths differ by more than 100 ms, somebody set the wall clock while it ran: then the length that
/// never steps counts, [`Run::clock_step`] gives the difference, and everything after the step is off by as much.
/// Otherwise the length on the axis counts, so in all views the task ran from its start to its end. Whatever the clocks
/// say, a task does not start before the run, run before it starts, or end before it runs, and the wait that collected
/// it does not end before the task; anything earlier moves to the earliest possible moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When it began, in ms since the epoch.
    pub start: Millis,
    /// When it ended, in ms since the epoch.
    pub end: Millis,
    /// When the script ended, or now if it still runs, in ms from the start, if known.
    pub script_end: Option<Millis>,
    /// The processor time that the script itself had used, where that is known, in the order of time.
    pub script_cpu: Vec<CpuReading>,
    /// The futures, in the order of their starts. A name that was used several times occurs several times.
    pub tasks: Vec<Task>,
    /// The largest step of the wall clock during a task, in ms; 0 if there was none.
    pub clock_step: Millis,
}

/// How much processor time the script itself had used since the first reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CpuReading {
    /// When, in ms from the start of the run.
    pub at: Millis,
    /// How much, in ms.
    pub used: Millis,
}

impl Run {
    /// How long it took, in ms.
    #[must_use]
    pub fn length(&self) -> Millis {
        self.end.saturating_sub(self.start).max(0)
    }

    /// Its label: the name, with a number if the name was used several times: `NAME#2` for the second.
    #[must_use]
    pub fn label(&self, task: usize) -> String {
        let Task { name, number, .. } = &self.tasks[task];
        number.map_or_else(|| name.to_string(), |number| format!("{name}#{number}"))
    }

    /// The futures with that name or label.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Vec<usize> {
        let all = 0..self.tasks.len();
        let named: Vec<usize> = all.clone().filter(|&task| self.tasks[task].name.as_str() == wanted).collect();
        if !named.is_empty() {
            return named;
        }
        all.filter(|&task| self.label(task) == wanted).collect()
    }

    /// The future that started it: its parent, or one further out if the parent was over by then; none for the script.
    #[must_use]
    pub fn starter(&self, task: usize) -> Option<usize> {
        self.active_around(task, self.tasks[task].start)
    }

    /// The future that waited for it, likewise; none for the script, and if nobody has collected it.
    #[must_use]
    pub fn waiter(&self, task: usize) -> Option<usize> {
        let wait = self.tasks[task].wait?;
        self.active_around(task, wait.end)
    }

    /// The innermost parent whose task was running then.
    fn active_around(&self, task: usize, moment: Millis) -> Option<usize> {
        let length = self.length();
        std::iter::successors(self.tasks[task].parent, |&parent| self.tasks[parent].parent)
            .filter(|&around| self.tasks[around].status.state != State::Queued)
            .find(|&around| (self.tasks[around].run_start..=self.tasks[around].until(length)).contains(&moment))
    }
}
