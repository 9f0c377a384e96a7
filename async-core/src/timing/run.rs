//! The model: all futures of a run on one axis of time, in ms from the run's start.

mod reading;
mod task;

use crate::clock::Millis;
use crate::record::State;

pub use reading::Recorded;
pub use task::{Collected, Status, Task, TaskOutcome};

/// No offset is larger, in ms (some 500 years): a record may hold any number, and sums of these must not overflow.
pub(super) const MAX_OFFSET: Millis = 1 << 44;

/// One run: everything its futures' records tell.
///
/// # Beginning and end
///
/// A run begins with the script where the store is that script's own, and else with the first start. It ends now as long as any
/// of its tasks is running or queued, or that script is there; after that, when the script came to its end, where it said so, or
/// with the last event, whichever was later. So what is over does not change with the reader's clock.
///
/// # Clocks
///
/// Starts and waits are recorded by the clock on the wall, lengths of tasks by one that never steps. Offsets are the wall
/// clock's, so that the order of events is as it was recorded. Where both clocks are known for a task and its length by the
/// one differs from that by the other by more than 100 ms, the wall clock was set while it ran: then the length that never
/// steps counts, [`Run::clock_step`] says by how much they differ, and what lies after the step is off by as much. Else the
/// length on the axis does, so that a task ran from where it was let go to its end in all views of it. Whatever
/// the clocks say, a task does not start before the run, does not run before it starts, does not end before it runs, and the
/// wait that collected it does not end before it does: what would, is moved to the earliest moment that is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When it began, in ms since the epoch.
    pub start: Millis,
    /// When it ended, in ms since the epoch.
    pub end: Millis,
    /// When the script ended or stands now, in ms from the start, where that is known.
    pub script_end: Option<Millis>,
    /// The futures, in the order of their starts. A name that was used several times has several.
    pub tasks: Vec<Task>,
    /// By how much the wall clock was set during a task, in ms, at most; 0 if it was not.
    pub clock_step: Millis,
}

impl Run {
    /// How long it took, in ms.
    #[must_use]
    pub fn length(&self) -> Millis {
        self.end.saturating_sub(self.start).max(0)
    }

    /// What to call it: its name, and where that was used several times a number too, as `NAME#2` for the second.
    #[must_use]
    pub fn label(&self, task: usize) -> String {
        let Task { name, number, .. } = &self.tasks[task];
        number.map_or_else(|| name.to_string(), |number| format!("{name}#{number}"))
    }

    /// The futures of that name or label.
    #[must_use]
    pub fn find(&self, wanted: &str) -> Vec<usize> {
        let all = 0..self.tasks.len();
        let named: Vec<usize> = all.clone().filter(|&task| self.tasks[task].name.as_str() == wanted).collect();
        if !named.is_empty() {
            return named;
        }
        all.filter(|&task| self.label(task) == wanted).collect()
    }

    /// Who started it: the future itself inside whose task that was, or one further out if that was over by then; none for
    /// the script.
    #[must_use]
    pub fn starter(&self, task: usize) -> Option<usize> {
        self.active_around(task, self.tasks[task].start)
    }

    /// Who waited for it, likewise; none for the script, and for a future that has not been collected.
    #[must_use]
    pub fn waiter(&self, task: usize) -> Option<usize> {
        let wait = self.tasks[task].wait?;
        self.active_around(task, wait.end)
    }

    /// The innermost future around that one whose task was running then.
    fn active_around(&self, task: usize, moment: Millis) -> Option<usize> {
        let length = self.length();
        std::iter::successors(self.tasks[task].parent, |&parent| self.tasks[parent].parent)
            .filter(|&around| self.tasks[around].status.state != State::Queued)
            .find(|&around| (self.tasks[around].run_start..=self.tasks[around].until(length)).contains(&moment))
    }
}
