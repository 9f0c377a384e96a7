//! The figures of a run that every view shows.

use super::run::{Run, Task};
use super::schedule::Schedule;
use crate::clock::Millis;

/// What a run took, and what it would have taken one task after another, in ms.
///
/// Each actor of a run (the script, or the task of a future) either works or waits. One after another, all of that work
/// would have been done without any waiting, and with the cores for itself, so the run would have taken `elapsed +
/// background - waited - shared`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The length of the run: see [`Run`] for when it begins and ends.
    pub elapsed: Millis,
    /// The work of all tasks together: their run times, without the time they waited for futures of their own.
    ///
    /// All attempts of a task count, however it ended. A cancelled or running task counts as far as it ran. A lost task
    /// does not count, nor does a wait for it, as nobody knows how long it ran. It does not matter whether anybody has
    /// collected the task.
    pub background: Millis,
    /// How long the script waited: from the beginning of each wait, or from the future's start if that was later, to
    /// the end of the future. Waits for several futures at once count once. A task that ran in the script itself (not
    /// parallel) counts as background work and as an immediate wait, so it makes no difference. Waits of tasks are not
    /// waits of the script.
    pub waited: Millis,
    /// How much longer the work took than it would have taken alone, because there were not cores enough for all.
    pub shared: Millis,
}

impl Figures {
    /// How long the run would have taken one task after another, in ms.
    #[must_use]
    pub fn serial(&self) -> Millis {
        self.elapsed + self.background - self.waited - self.shared
    }

    /// Serial over elapsed time; none if no time has passed.
    #[must_use]
    pub fn speedup(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
        (self.elapsed > 0).then(|| self.serial() as f64 / self.elapsed as f64)
    }
}

/// A stretch of time, in ms from the start of the run.
type Span = (Millis, Millis);

impl Run {
    /// The figures of this run.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let script = self.tasks.len();
        let mut stood: Vec<Vec<Span>> = vec![Vec::new(); script + 1];
        for (index, task) in self.tasks.iter().enumerate() {
            let waiter = if task.synchronous { self.starter(index) } else { self.waiter(index) };
            stood[waiter.unwrap_or(script)].extend(task.stood_for());
        }
        let length = self.length();
        let own = |task: &Task, stood| {
            let (from, to) = (task.run_start, task.until(length));
            task.known_run_time().map_or(0, |ran| ran - together(stood, (from, to)))
        };
        let waited = together(stood.pop().unwrap_or_default(), (0, length));
        let background = self.tasks.iter().zip(stood).map(|(task, stood)| own(task, stood)).sum();
        // Without cores to share, the run need not be taken apart.
        let schedule = self.cores().and_then(|_| Schedule::of(self).ok());
        let shared = schedule.map_or(0, |schedule| schedule.shared());
        Figures { elapsed: length, background, waited, shared }
    }
}

impl Task {
    /// When somebody waited for it, if anybody did.
    fn stood_for(&self) -> Option<Span> {
        let end = self.known_run_time().and(self.end)?;
        let (from, to) = if self.synchronous {
            (self.run_start, end)
        } else {
            let wait = self.wait?;
            (wait.start.max(self.start), end.min(wait.end))
        };
        (to > from).then_some((from, to))
    }

    /// How long somebody waited for it, in ms: from the beginning of the wait, or from its start if that was later, to
    /// its end. For a task that ran in the shell itself, its whole run time.
    #[must_use]
    pub fn blocked(&self) -> Millis {
        self.stood_for().map_or(0, |(from, to)| to - from)
    }
}

/// How much of a span these spans cover, in ms.
fn together(mut spans: Vec<Span>, (begin, end): Span) -> Millis {
    spans.sort_unstable();
    let (mut sum, mut seen) = (0, begin);
    for (from, to) in spans {
        let to = to.min(end);
        sum += (to - from.max(seen)).max(0);
        seen = seen.max(to);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_counts_once_and_what_sticks_out_does_not() {
        assert_eq!(together(vec![(5, 9), (0, 3), (2, 4), (6, 7)], (1, 8)), 3 + 3);
        assert_eq!(together(vec![(20, 30), (0, 3)], (5, 10)), 0);
        assert_eq!(together(Vec::new(), (0, 10)), 0);
    }

    #[test]
    fn a_run_of_no_length_has_no_speedup() {
        assert_eq!(Figures::default().speedup(), None);
        let figures = Figures { elapsed: 4000, background: 5000, waited: 2500, shared: 500 };
        assert_eq!((figures.serial(), figures.speedup()), (6000, Some(1.5)));
    }
}
