//! Replaying a run: who reaches which step, and when.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::schedule::{Action, Limit, Schedule, Work};
use super::sharing::{self, Demand, Pool};
use crate::clock::Millis;

/// A replayed run. Moments are ms from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// How long it took, in ms.
    pub total: Millis,
    /// The times of each task, in the order of [`super::Run::tasks`].
    pub tasks: Vec<Times>,
    /// When each actor began and ended each of its steps.
    pub(super) steps: Vec<Vec<(Millis, Millis)>>,
}

/// When a task was started, ran and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it was started.
    pub start: Millis,
    /// When it was allowed to run.
    pub run_start: Millis,
    /// When it was over.
    pub end: Millis,
}

/// A wait for a future that would never end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it would not end: somebody would wait for a future that can't run before")]
pub struct Stuck {
    /// The waiter: the index of a task, or none for the script.
    pub waiter: Option<usize>,
    /// The awaited task, by index.
    pub awaited: Option<usize>,
}

impl Schedule {
    /// Replays the run. Without changes, the result is the recorded run.
    pub fn replay(&self) -> Result<Replay, Stuck> {
        let mut world = World::new(self, None);
        world.run()?;
        let time = |moment: Option<Millis>| moment.unwrap_or_default();
        Ok(Replay {
            total: world.actors.iter().map(|actor| time(actor.over)).max().unwrap_or(0),
            tasks: world.actors[..self.script()]
                .iter()
                .map(|actor| Times { start: time(actor.started), run_start: time(actor.begun), end: time(actor.over) })
                .collect(),
            steps: world.actors.into_iter().map(|actor| actor.steps).collect(),
        })
    }
}

/// When each task could get a slot under a limit, given when each ran; none if it ran before there was one.
pub(super) fn admissions(schedule: &Schedule, run_starts: &[Millis]) -> Result<Vec<Option<Millis>>, Stuck> {
    let mut world = World::new(schedule, Some(run_starts));
    world.run()?;
    Ok(world.actors.into_iter().map(|actor| actor.admitted).collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    GoesOn,
    Begins,
}

/// An actor's progress.
#[derive(Clone, Debug, Default)]
struct Actor {
    /// The next step.
    next: usize,
    started: Option<Millis>,
    started_by: Option<usize>,
    /// When it joined the queue, while it is queued.
    queued: Option<Millis>,
    admitted: Option<Millis>,
    begun: Option<Millis>,
    over: Option<Millis>,
    /// How many of its dependencies are not over.
    pending: usize,
    /// The actors that wait for it.
    waiters: Vec<usize>,
    /// The tasks that depend on it.
    dependents: Vec<usize>,
    slot: Slot,
    /// Its donations: pairs of a waiter and a queued task that may use this actor's slot, and whether one does.
    wanted: Vec<(usize, usize)>,
    lends: bool,
    /// Whether it lingers until it is ended, and whether it has been ended.
    lingers: bool,
    stopped: bool,
    /// How much of its work it has still to do though the ms is over in which it did it, in ms, or has done before.
    carried: f64,
    steps: Vec<(Millis, Millis)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    None,
    Own,
    Of(usize),
}

struct World<'a> {
    schedule: &'a Schedule,
    /// When each task ran, if the replay should not find that out.
    given: Option<&'a [Millis]>,
    /// The next events. Among events at the same moment, actors that go on come first: another may need what they
    /// release.
    agenda: BinaryHeap<Reverse<(Millis, Happening, usize)>>,
    actors: Vec<Actor>,
    /// The tasks that a limit holds back, by when they came.
    queue: BTreeSet<(Millis, usize)>,
    taken: u32,
    pool: Pool,
    donors: BTreeSet<usize>,
}

impl<'a> World<'a> {
    fn new(schedule: &'a Schedule, given: Option<&'a [Millis]>) -> Self {
        let mut actors = vec![Actor::default(); schedule.actors.len()];
        for (index, task) in schedule.tasks.iter().enumerate() {
            actors[index].pending = task.after.len();
            for &before in &task.after {
                actors[before].dependents.push(index);
            }
        }
        let agenda = BinaryHeap::from([Reverse((0, Happening::GoesOn, schedule.script()))]);
        Self {
            schedule,
            given,
            agenda,
            actors,
            queue: BTreeSet::new(),
            taken: 0,
            pool: Pool::new(schedule.cores),
            donors: BTreeSet::new(),
        }
    }

    fn run(&mut self) -> Result<(), Stuck> {
        let mut now = 0;
        loop {
            let planned = self.agenda.peek().map(|Reverse((moment, ..))| *moment);
            if planned.is_none_or(|moment| moment > now) {
                let Some(moment) = planned.into_iter().chain(self.pool.next().map(|left| now + left)).min() else {
                    break;
                };
                self.pool.advance(moment - now);
                now = moment;
                for (actor, left) in self.pool.done() {
                    self.actors[actor].carried = left;
                    if let Some(step) = self.actors[actor].steps.last_mut() {
                        step.1 = now;
                    }
                    self.actors[actor].next += 1;
                    self.agenda.push(Reverse((now, Happening::GoesOn, actor)));
                }
                continue;
            }
            let Some(Reverse((_, happening, actor))) = self.agenda.pop() else {
                break;
            };
            if happening == Happening::Begins {
                self.begin(actor, now);
            }
            self.go_on(actor, now);
        }
        let Some(waiter) = self.actors.iter().rposition(|actor| actor.over.is_none()) else {
            return Ok(());
        };
        let awaited = self.schedule.actors[waiter].get(self.actors[waiter].next).and_then(|step| step.action.awaited());
        Err(Stuck { waiter: (waiter != self.schedule.script()).then_some(waiter), awaited })
    }

    fn go_on(&mut self, index: usize, now: Millis) {
        while let Some(step) = self.schedule.actors[index].get(self.actors[index].next) {
            match step.action {
                Action::Start(task) => {
                    self.step_done(index, now, now);
                    self.actors[task].started_by = Some(index);
                    self.start(task, now);
                }
                Action::Work(Work { nanos, demand }) => {
                    let left = sharing::in_ms(nanos) + self.actors[index].carried;
                    if left > 0.0 {
                        self.actors[index].steps.push((now, now));
                        self.pool.work(index, demand, left);
                        return;
                    }
                    self.actors[index].carried = left;
                    self.step_done(index, now, now);
                }
                Action::Wait(task) | Action::Return(task) if self.actors[task].over.is_none() => {
                    self.actors[task].waiters.push(index);
                    self.actors[index].steps.push((now, now));
                    self.donate(index, task, now);
                    return;
                }
                Action::Linger(demand) if !self.actors[index].stopped => {
                    self.actors[index].lingers = true;
                    self.pool.enter(demand);
                    self.actors[index].steps.push((now, now));
                    return;
                }
                Action::Stop(task) => {
                    self.step_done(index, now, now);
                    self.actors[task].stopped = true;
                    if let Some(demand) = self.lingering(task) {
                        self.pool.leave(demand);
                        self.wake(task, now);
                    }
                }
                Action::Wait(_) | Action::Return(_) | Action::Linger(_) => self.step_done(index, now, now),
            }
        }
        self.end(index, now);
    }

    /// The demand of a task that lingers.
    fn lingering(&self, task: usize) -> Option<Demand> {
        let step = self.schedule.actors[task].get(self.actors[task].next)?;
        step.action.demand().filter(|_| self.actors[task].lingers)
    }

    /// Ends the step in which an actor was waiting.
    fn wake(&mut self, index: usize, now: Millis) {
        let actor = &mut self.actors[index];
        actor.next += 1;
        if let Some(step) = actor.steps.last_mut() {
            step.1 = now;
        }
        self.agenda.push(Reverse((now, Happening::GoesOn, index)));
    }

    fn step_done(&mut self, index: usize, from: Millis, to: Millis) {
        self.actors[index].steps.push((from, to));
        self.actors[index].next += 1;
    }

    fn start(&mut self, task: usize, now: Millis) {
        self.actors[task].started = Some(now);
        if self.actors[task].pending == 0 {
            self.ready(task, now);
        }
    }

    /// The task has no pending dependencies any more.
    fn ready(&mut self, task: usize, now: Millis) {
        let Limit::Within(_) = self.schedule.tasks[task].place else {
            self.agenda.push(Reverse((now + self.schedule.tasks[task].lag, Happening::Begins, task)));
            return;
        };
        self.actors[task].queued = Some(now);
        self.queue.insert((now, task));
        if let Some(given) = self.given {
            self.agenda.push(Reverse((given[task].max(now), Happening::Begins, task)));
        }
        self.admit(now);
    }

    /// Gives slots to the tasks whose turn it is.
    fn admit(&mut self, now: Millis) {
        loop {
            let lent = self.donors.iter().find_map(|&donor| {
                let actor = &self.actors[donor];
                let waiting = actor.wanted.iter().filter_map(|&(_, task)| Some((self.actors[task].queued?, task)));
                if actor.lends { None } else { Some((waiting.min()?.1, Slot::Of(donor))) }
            });
            let head = self.queue.first().and_then(|&(_, task)| match self.schedule.tasks[task].place {
                Limit::Within(jobs) if self.taken >= jobs => None,
                _ => Some((task, Slot::Own)),
            });
            let Some((task, slot)) = lent.or(head) else {
                return;
            };
            self.take(task, slot);
            self.actors[task].admitted = Some(now);
            if self.given.is_none() {
                self.agenda.push(Reverse((now + self.schedule.tasks[task].lag, Happening::Begins, task)));
            }
        }
    }

    fn take(&mut self, task: usize, slot: Slot) {
        if let Some(since) = self.actors[task].queued.take() {
            self.queue.remove(&(since, task));
        }
        self.actors[task].slot = slot;
        match slot {
            Slot::None => {}
            Slot::Own => self.taken += 1,
            Slot::Of(donor) => self.actors[donor].lends = true,
        }
    }

    fn begin(&mut self, task: usize, now: Millis) {
        let unplaced = self.actors[task].slot == Slot::None;
        if unplaced && self.schedule.tasks[task].place != Limit::None {
            self.take(task, Slot::Own);
        }
        self.actors[task].begun = Some(now);
    }

    /// A waiting actor with a slot donates it to the queued tasks that must end first.
    fn donate(&mut self, waiter: usize, awaited: usize, now: Millis) {
        let Some(donor) = self.with_place(waiter) else {
            return;
        };
        let mut wanted = Vec::new();
        let mut seen = BTreeSet::new();
        let mut ask = vec![awaited];
        while let Some(task) = ask.pop() {
            let actor = &self.actors[task];
            let held_back = actor.started.is_some() && actor.begun.is_none() && actor.slot == Slot::None;
            if held_back && seen.insert(task) {
                ask.extend(&self.schedule.tasks[task].after);
                if let Limit::Within(_) = self.schedule.tasks[task].place {
                    wanted.push((waiter, task));
                }
            }
        }
        if !wanted.is_empty() {
            self.actors[donor].wanted.extend(wanted);
            self.donors.insert(donor);
            self.admit(now);
        }
    }

    /// The actor whose slot that actor uses: a task that runs in its starter itself uses the starter's.
    fn with_place(&self, mut actor: usize) -> Option<usize> {
        while self.actors[actor].slot == Slot::None {
            let task = self.schedule.tasks.get(actor)?;
            actor = self.actors[actor].started_by.filter(|_| task.synchronous)?;
        }
        Some(actor)
    }

    fn end(&mut self, index: usize, now: Millis) {
        self.actors[index].over = Some(now);
        match std::mem::take(&mut self.actors[index].slot) {
            Slot::None => {}
            Slot::Own => self.taken -= 1,
            Slot::Of(donor) => self.actors[donor].lends = false,
        }
        for waiter in std::mem::take(&mut self.actors[index].waiters) {
            if let Some(donor) = self.with_place(waiter) {
                self.actors[donor].wanted.retain(|&(of, _)| of != waiter);
                if self.actors[donor].wanted.is_empty() {
                    self.donors.remove(&donor);
                }
            }
            self.wake(waiter, now);
        }
        for task in std::mem::take(&mut self.actors[index].dependents) {
            self.actors[task].pending -= 1;
            if self.actors[task].pending == 0 && self.actors[task].started.is_some() {
                self.ready(task, now);
            }
        }
        self.admit(now);
    }
}
