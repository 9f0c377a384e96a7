//! Changes to a run.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::run::MAX_OFFSET;
use super::schedule::{Action, Limit, Schedule, Step, Work, share, split};
use super::sharing::{Demand, in_millis, to_nanos};
use crate::clock::Millis;

/// A change to a run. Tasks are indices of [`super::Run::tasks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At most that many tasks run at once; none for no limit.
    Jobs(Option<u32>),
    /// The tasks share that many cores.
    Cores(u32),
    /// Tasks that ran in the shell itself run in the background.
    Parallel,
    /// The same for one task.
    Background(usize),
    /// A task starts at another moment.
    Start(usize, Shift),
    /// The wait for a task begins at another moment.
    Wait(usize, Shift),
    /// A task works longer or less long.
    Run(usize, Length),
}

/// Another moment for an actor's step. Moments refer to the recorded run. An actor that was waiting at that moment can
/// do nothing else, so the step then goes before that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// That many ms later, or earlier if negative.
    By(Millis),
    /// As early as possible: a start when its starter begins, a wait when its task starts.
    First,
    /// As late as possible: a start when the task is waited for, a wait when its waiter ends.
    Last,
}

/// Another length of a task's own work: waits for tasks of its own come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// That percentage of the old length.
    Percent(u32),
    /// That many ms more, or less if negative, but not below zero.
    By(Millis),
    /// That many ms.
    Exactly(Millis),
}

/// How far a step really moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// By how many ms of the recorded run it is later, or earlier if negative.
    pub by: Millis,
    /// The tasks whose starts it moved past.
    pub past_starts: Vec<usize>,
    /// The tasks that somebody was waiting for and that it moved past.
    pub past_waits: Vec<usize>,
}

/// Why a change is impossible. The field is the task's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchangeable {
    /// It ran in the shell itself.
    #[error("it ran in the shell itself")]
    Synchronous(usize),
    /// Nobody waited for it.
    #[error("nobody has waited for it")]
    NotWaitedFor(usize),
}

impl Schedule {
    /// Applies a change. Returns how far a step moved, if the change moves one.
    pub fn change(&mut self, change: Change) -> Result<Option<Moved>, Unchangeable> {
        match change {
            Change::Jobs(jobs) => self.limit(jobs),
            Change::Cores(cores) => self.cores = Some(cores),
            Change::Parallel => {
                self.tasks.iter_mut().for_each(|task| task.synchronous = false);
                self.actors.iter_mut().for_each(|steps| steps.retain(|step| !matches!(step.action, Action::Return(_))));
            }
            Change::Background(task) => self.run_in_background(task),
            Change::Start(task, shift) => return self.move_start(task, shift),
            Change::Wait(task, shift) => return self.move_wait(task, shift),
            Change::Run(task, length) => self.stretch(task, length),
        }
        Ok(None)
    }

    /// Where a task starts: the actor and the index of its step.
    pub(super) fn start_of(&self, task: usize) -> Option<(usize, usize)> {
        self.find(Action::Start(task))
    }

    pub(super) fn find(&self, action: Action) -> Option<(usize, usize)> {
        let step = |steps: &Vec<Step>| steps.iter().position(|step| step.action == action);
        self.actors.iter().enumerate().find_map(|(actor, steps)| Some((actor, step(steps)?)))
    }

    fn limit(&mut self, jobs: Option<u32>) {
        for task in self.tasks.iter_mut().filter(|task| task.ran && !task.synchronous) {
            // A task that did not wait for its turn does not tell how long its start would have taken.
            if task.place == Limit::Anyway {
                task.lag = 0;
            }
            task.place = jobs.map_or(Limit::None, Limit::Within);
        }
    }

    fn run_in_background(&mut self, task: usize) {
        self.tasks[task].synchronous = false;
        if let Some((actor, step)) = self.find(Action::Return(task)) {
            self.actors[actor].remove(step);
        }
    }

    fn move_start(&mut self, task: usize, shift: Shift) -> Result<Option<Moved>, Unchangeable> {
        if self.tasks[task].synchronous {
            return Err(Unchangeable::Synchronous(task));
        }
        let Some((actor, from)) = self.start_of(task) else {
            return Ok(None);
        };
        let wait = self.actors[actor].iter().position(|step| step.action == Action::Wait(task));
        let latest = wait.unwrap_or(self.actors[actor].len()) - 1;
        Ok(Some(self.move_step(actor, from, shift, 0..=latest)))
    }

    fn move_wait(&mut self, task: usize, shift: Shift) -> Result<Option<Moved>, Unchangeable> {
        let (actor, from) = self.find(Action::Wait(task)).ok_or(Unchangeable::NotWaitedFor(task))?;
        let started = self.actors[actor].iter().position(|step| step.action == Action::Start(task));
        let latest = self.actors[actor].len() - 1;
        Ok(Some(self.move_step(actor, from, shift, started.map_or(0, |started| started + 1)..=latest)))
    }

    /// Moves a step in front of another one, or to the end. `places` are the allowed indices among the remaining steps.
    fn move_step(&mut self, actor: usize, old: usize, shift: Shift, places: RangeInclusive<usize>) -> Moved {
        let steps = &mut self.actors[actor];
        let step = steps.remove(old);
        let mut old = old;
        let new = match shift {
            Shift::First => *places.start(),
            Shift::Last => *places.end(),
            Shift::By(0) => old,
            Shift::By(by) => {
                let wanted = if by < 0 { step.from } else { step.to }.saturating_add(by);
                let place = steps.partition_point(|step| step.to <= wanted);
                if places.contains(&place) && place < *places.end() && split(steps, place, wanted) {
                    old += usize::from(place < old);
                    place + 1
                } else {
                    place.clamp(*places.start(), *places.end())
                }
            }
        };
        let (passed, moment, by) = match new.cmp(&old) {
            Ordering::Less => (new..old, steps[new].from, steps[new].from - step.from),
            Ordering::Greater => (old..new, steps[new - 1].to, steps[new - 1].to - step.to),
            Ordering::Equal => {
                steps.insert(old, step);
                return Moved::default();
            }
        };
        let started = |step: &Step| if let Action::Start(task) = step.action { Some(task) } else { None };
        let stood_for = |step: &Step| step.action.awaited().filter(|_| step.to > step.from);
        let moved = Moved {
            by,
            past_starts: steps[passed.clone()].iter().filter_map(started).collect(),
            past_waits: steps[passed].iter().filter_map(stood_for).collect(),
        };
        steps.insert(new, Step { from: moment, to: moment, ..step });
        moved
    }

    fn stretch(&mut self, task: usize, length: Length) {
        let old = self.nanos(task);
        let new = match length {
            Length::Percent(percent) => share(old, percent, 100),
            Length::By(by) => old + to_nanos(by),
            Length::Exactly(length) => to_nanos(length),
        }
        .clamp(0, to_nanos(MAX_OFFSET));
        // Whole ms, as recorded lengths are.
        let whole = |nanos| to_nanos(in_millis(nanos));
        let new = whole(new);
        let steps = &mut self.actors[task];
        if old == 0 {
            let end = steps.last().map_or(0, |step| step.to);
            let work = Work { nanos: new, demand: Demand::default() };
            steps.push(Step { action: Action::Work(work), from: end, to: end });
            return;
        }
        let mut done = 0;
        for step in steps {
            if let Action::Work(Work { nanos, .. }) = &mut step.action {
                let before = whole(share(done, new, old));
                done += *nanos;
                *nanos = whole(share(done, new, old)) - before;
            }
        }
    }
}
