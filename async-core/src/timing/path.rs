//! The critical path: what determines the length of a run.

use super::replay::Replay;
use super::schedule::{Action, Schedule};
use crate::clock::Millis;

/// A stretch of the critical path, in ms from the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Whose time it is: a task, by index, or none for the script.
    pub task: Option<usize>,
    /// Whether the task was only queued.
    pub queued: bool,
    /// When it begins.
    pub start: Millis,
    /// When it ends.
    pub end: Millis,
}

impl Stretch {
    /// How long it is, in ms.
    #[must_use]
    pub fn length(&self) -> Millis {
        self.end - self.start
    }
}

impl Schedule {
    /// The critical path of a replay of this schedule, from its start to its end, without gaps.
    #[must_use]
    pub fn critical_path(&self, replay: &Replay) -> Vec<Stretch> {
        let script = self.script();
        let (starts, stops) = self.starts_and_stops();
        let mut path = Vec::new();
        // Backwards from the end, beginning with the script if it was there to the end.
        let script_end = replay.steps[script].last().map_or(0, |&(_, to)| to);
        let last = replay.tasks.iter().position(|task| task.end == replay.total);
        let mut actor = if script_end == replay.total { script } else { last.unwrap_or(script) };
        let mut next = self.actors[actor].len();
        loop {
            let task = (actor != script).then_some(actor);
            if next > 0 {
                next -= 1;
                let (from, to) = replay.steps[actor][next];
                let action = self.actors[actor][next].action;
                match action.awaited() {
                    Some(awaited) if to > from => (actor, next) = (awaited, self.actors[awaited].len()),
                    None if to > from && matches!(action, Action::Linger(_)) => match stops[actor] {
                        Some(found) => (actor, next) = found,
                        None => break,
                    },
                    _ => add(&mut path, Stretch { task, queued: false, start: from, end: to }),
                }
                continue;
            }
            let Some(index) = task else {
                break;
            };
            let times = replay.tasks[index];
            let last_before = self.tasks[index].after.iter().copied().max_by_key(|&before| replay.tasks[before].end);
            let ready = last_before.map_or(times.start, |before| replay.tasks[before].end.max(times.start));
            let queued = times.run_start - ready > self.tasks[index].start_up;
            add(&mut path, Stretch { task, queued, start: ready, end: times.run_start });
            (actor, next) = match last_before {
                Some(before) if ready > times.start => (before, self.actors[before].len()),
                _ => match starts[index] {
                    Some(found) => found,
                    None => break,
                },
            };
        }
        path.reverse();
        path
    }

    /// Where each task starts, and where a lingering task is ended.
    fn starts_and_stops(&self) -> (Vec<Option<Found>>, Vec<Option<Found>>) {
        let mut starts = vec![None; self.actors.len()];
        let mut stops = starts.clone();
        for (actor, steps) in self.actors.iter().enumerate() {
            for (number, step) in steps.iter().enumerate() {
                match step.action {
                    Action::Start(task) => starts[task] = Some((actor, number)),
                    Action::Stop(task) => stops[task] = Some((actor, number)),
                    _ => {}
                }
            }
        }
        (starts, stops)
    }
}

/// An actor and the index of one of its steps.
type Found = (usize, usize);

/// Adds a stretch in front of the later ones.
fn add(path: &mut Vec<Stretch>, stretch: Stretch) {
    match path.last_mut() {
        _ if stretch.length() <= 0 => {}
        Some(next) if (next.task, next.queued) == (stretch.task, stretch.queued) => next.start = stretch.start,
        _ => path.push(stretch),
    }
}
