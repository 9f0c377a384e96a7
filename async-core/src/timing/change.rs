//! What could have been done differently in a run.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::run::MAX_OFFSET;
use super::schedule::{Action, Limit, Schedule, Step, share, split};
use crate::clock::Millis;

/// Something done differently. Tasks are indices of [`super::Run::tasks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// No more than that many tasks run at once; none for as many as there are.
    Jobs(Option<u32>),
    /// What ran in the shell itself runs in the background.
    Parallel,
    /// The same for one task.
    Background(usize),
    /// A task is started at another moment.
    Start(usize, Shift),
    /// A task is waited for at another moment.
    Wait(usize, Shift),
    /// A task works for longer, or not as long.
    Run(usize, Length),
}

/// Another moment for what an actor does. Moments are those of the recorded run. Where it stood waiting at that moment,
/// it can do nothing else: then it does it before that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// That many ms later than it was, or earlier if negative.
    By(Millis),
    /// As soon as it could: a task is started when its starter begins, and waited for when it is started.
    First,
    /// As late as it could: a task is started when it is waited for, and waited for when its waiter ends.
    Last,
}

/// Another length of what a task does itself: waits for tasks of its own come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// That many hundredths of what it was.
    Percent(u32),
    /// That many ms more, or less if negative; not less than none.
    By(Millis),
    /// That many ms.
    Exactly(Millis),
}

/// How far something was moved in fact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// By how many ms of the recorded run it is later, or earlier if negative.
    pub by: Millis,
    /// The tasks past whose starts it was moved.
    pub past_starts: Vec<usize>,
    /// The tasks past which it was moved that somebody stood waiting for.
    pub past_waits: Vec<usize>,
}

/// Why something can't be done differently. The field is the task's index.
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
    /// Does something differently. Says how far something was moved, if the change is about that.
    pub fn change(&mut self, change: Change) -> Result<Option<Moved>, Unchangeable> {
        match change {
            Change::Jobs(jobs) => self.limit(jobs),
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

    /// Where a task is started: the actor, and which of its steps that is.
    pub(super) fn start_of(&self, task: usize) -> Option<(usize, usize)> {
        self.find(Action::Start(task))
    }

    pub(super) fn find(&self, action: Action) -> Option<(usize, usize)> {
        let step = |steps: &Vec<Step>| steps.iter().position(|step| step.action == action);
        self.actors.iter().enumerate().find_map(|(actor, steps)| Some((actor, step(steps)?)))
    }

    fn limit(&mut self, jobs: Option<u32>) {
        for task in self.tasks.iter_mut().filter(|task| task.ran && !task.synchronous) {
            // How long it would have taken to run is not known of one that did not wait for its turn.
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

    /// Takes a step out and puts it in front of another one, or behind all; `places` says which of these it may come to,
    /// as indices of those that are left.
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
        let old = self.own(task);
        let new = match length {
            Length::Percent(percent) => share(old, Millis::from(percent), 100),
            Length::By(by) => old.saturating_add(by),
            Length::Exactly(length) => length,
        }
        .clamp(0, MAX_OFFSET);
        let steps = &mut self.actors[task];
        if old == 0 {
            let end = steps.last().map_or(0, |step| step.to);
            steps.push(Step { action: Action::Work(new), from: end, to: end });
            return;
        }
        let mut done = 0;
        for step in steps {
            if let Action::Work(length) = &mut step.action {
                let before = share(done, new, old);
                done += *length;
                *length = share(done, new, old) - before;
            }
        }
    }
}
