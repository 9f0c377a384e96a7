//! The steps of everyone in a run, in order, so that the run can be replayed with changes.

use std::collections::{HashMap, HashSet};

use super::replay::{self, Stuck};
use super::run::{Run, TaskOutcome};
use super::sharing::{Demand, in_millis, to_nanos};
use crate::clock::Millis;
use crate::record::State;

/// How often to recompute the slots of a limit without the futures that ran although no slot was free.
const CALIBRATIONS: usize = 8;

/// A run as the steps of its **actors**: the tasks, by their index in [`Run::tasks`], followed by the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub(super) actors: Vec<Vec<Step>>,
    pub(super) tasks: Vec<Activity>,
    /// The cores that the actors share; none if nobody shares anything.
    pub(super) cores: Option<u32>,
}

/// A step of an actor, with its times in the recorded run, in ms from the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) from: Millis,
    pub(super) to: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Worked.
    Work(Work),
    /// Started that task.
    Start(usize),
    /// Waited until that task was over, if it was not.
    Wait(usize),
    /// The same for a task that ran in the actor itself.
    Return(usize),
    /// Ended a lingering task.
    Stop(usize),
    /// Lingered until another actor ended it.
    Linger(Demand),
}

/// Work of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// How long it takes if there are cores enough, in ns.
    pub(super) nanos: i128,
    pub(super) demand: Demand,
}

/// What a task needs before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Activity {
    /// The tasks that must be over.
    pub(super) after: Vec<usize>,
    pub(super) place: Limit,
    /// How long it takes to start running once it has all of that, in ms.
    pub(super) lag: Millis,
    /// How long it took to start running although nothing held it back, in ms: it was not queued then.
    pub(super) start_up: Millis,
    /// Whether it ran in its starter itself.
    pub(super) synchronous: bool,
    /// Whether it ever ran.
    pub(super) ran: bool,
}

/// How a limit applies to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// It takes no slot.
    None,
    /// It takes a slot whether or not one is free: the records say that it ran when, by the rules, there was none.
    Anyway,
    /// It takes a slot when its turn comes and fewer than that many are taken.
    Within(u32),
}

impl Schedule {
    /// Takes a run apart. Fails if its records contradict each other.
    pub fn of(run: &Run) -> Result<Self, Stuck> {
        let mut plain = Self::taken_apart(run);
        let mut schedule = plain.clone();
        let mut ends = vec![Vec::new(); schedule.actors.len()];
        for (index, task) in run.tasks.iter().enumerate() {
            if !task.synchronous
                && matches!(task.status.outcome(), TaskOutcome::Cancelled | TaskOutcome::Lost | TaskOutcome::Running)
            {
                schedule.let_linger(run, index, &mut ends);
            }
        }
        for (steps, ends) in schedule.actors.iter_mut().zip(ends) {
            *steps = with_stops(std::mem::take(steps), ends);
        }
        schedule.share_cores(run);
        // Which actor ended which task is a guess, which may be wrong if everything happens in one millisecond.
        schedule.calibrated(run).or_else(|_| {
            plain.share_cores(run);
            plain.calibrated(run)
        })
    }

    fn taken_apart(run: &Run) -> Self {
        let script = run.tasks.len();
        let mut events: Vec<Vec<Event>> = vec![Vec::new(); script + 1];
        let length = run.length();
        let end_of = |actor: usize| if actor == script { Millis::MAX } else { run.tasks[actor].until(length) };
        let mut script_end = run.script_end.unwrap_or(0);
        for (index, task) in run.tasks.iter().enumerate() {
            let starter = run.starter(index).unwrap_or(script);
            let mut happens = |actor: usize, event: Event, until: Millis| {
                events[actor].push(event);
                if actor == script {
                    script_end = script_end.max(until);
                }
            };
            let until = task.until(length);
            happens(starter, Event { at: task.start, from: task.start, action: Action::Start(index) }, task.start);
            if task.synchronous && until <= end_of(starter) {
                happens(starter, Event { at: until, from: task.run_start, action: Action::Return(index) }, until);
            }
            if let Some(wait) = task.wait {
                let waiter = run.waiter(index).unwrap_or(script);
                let at = wait.start.max(until);
                happens(waiter, Event { at, from: wait.start, action: Action::Wait(index) }, wait.end);
            }
        }
        if run.tasks.iter().any(|task| !task.status.state.is_over()) {
            script_end = length;
        }
        let untils: Vec<Millis> = run.tasks.iter().map(|task| task.until(length)).collect();
        let mut actors = Vec::with_capacity(script + 1);
        for (actor, mut events) in events.into_iter().enumerate() {
            // A task that starts at the same moment starts before the wait for it; any other wait was over before that
            // start.
            events.sort_by_key(|event| {
                let rank = match event.action.awaited() {
                    None => 1,
                    Some(task) if run.tasks[task].start < event.at => 0,
                    Some(_) => 2,
                };
                (event.at, rank, event.from)
            });
            let (begin, end) =
                if actor == script { (0, script_end) } else { (run.tasks[actor].run_start, untils[actor]) };
            actors.push(steps(&events, begin, end, &untils));
        }
        let tasks = (0..script).map(|index| activity(run, index, &untils)).collect();
        Self { actors, tasks, cores: None }
    }

    /// Makes a task end when an actor ends it: the one that waited for it, before that wait, or else the script. Adds
    /// that to the `ends` of that actor.
    fn let_linger(&mut self, run: &Run, task: usize, ends: &mut [Vec<Stop>]) {
        let stopper = run.waiter(task).unwrap_or(self.script());
        let until = run.tasks[task].until(run.length());
        let wanted = run.tasks[task].wait.map_or(until, |wait| wait.start.min(until));
        let begin = run.tasks.get(stopper).map_or(0, |task| task.run_start);
        let moment = free_moment(&self.actors[stopper], begin, wanted);
        let steps = &mut self.actors[task];
        let is_there = |step: &Step| step.from < moment && moment <= step.to && step.action.is_work();
        let Some(place) = steps.iter().position(is_there) else {
            return;
        };
        split(steps, place, moment);
        steps[place].action = Action::Linger(Demand::default());
        ends[stopper].push(Stop { task, moment });
    }

    /// The index of the script among the actors.
    pub(super) fn script(&self) -> usize {
        self.tasks.len()
    }

    /// How long the work of an actor takes if there are cores enough, in ms.
    pub(super) fn own(&self, actor: usize) -> Millis {
        in_millis(self.nanos(actor))
    }

    pub(super) fn nanos(&self, actor: usize) -> i128 {
        self.actors[actor].iter().map(|step| step.action.nanos()).sum()
    }

    /// The run can't get shorter than this, in ms, unless its tasks or its script get faster, however early futures
    /// start and however late they are waited for: the longest among the script's work, each future's work together
    /// with that of its dependencies, and all processor time divided by the cores.
    #[must_use]
    pub fn bound(&self) -> Millis {
        let mut chains = Vec::<Millis>::with_capacity(self.tasks.len());
        for (index, task) in self.tasks.iter().enumerate() {
            let before = task.after.iter().map(|&before| chains[before]).max().unwrap_or(0);
            chains.push(before + self.own(index));
        }
        let computing = self.cores.map_or(0, |cores| self.computing() / Millis::from(cores));
        chains.into_iter().max().unwrap_or(0).max(self.own(self.script())).max(computing)
    }

    /// Finds out how long each future took to run once it had a slot.
    fn calibrated(mut self, run: &Run) -> Result<Self, Stuck> {
        let recorded: Vec<Millis> = run.tasks.iter().map(|task| task.run_start).collect();
        for attempt in 0.. {
            let admitted = replay::admissions(&self, &recorded)?;
            let mut early = false;
            for (index, task) in self.tasks.iter_mut().enumerate() {
                if let Limit::Within(_) = task.place {
                    match admitted[index] {
                        Some(admitted) if attempt < CALIBRATIONS => task.lag = recorded[index] - admitted,
                        _ => {
                            early = true;
                            task.place = Limit::Anyway;
                            task.lag = recorded[index] - ready(run, index, &task.after);
                        }
                    }
                }
            }
            if !early {
                break;
            }
        }
        Ok(self)
    }
}

impl Action {
    pub(super) fn is_work(self) -> bool {
        matches!(self, Self::Work(_))
    }

    /// How long it takes if it is work and there are cores enough, in ns.
    pub(super) fn nanos(self) -> i128 {
        if let Self::Work(work) = self { work.nanos } else { 0 }
    }

    /// What it demands of the cores; none if it can't use any.
    pub(super) fn demand(self) -> Option<Demand> {
        match self {
            Self::Work(work) => Some(work.demand),
            Self::Linger(demand) => Some(demand),
            Self::Start(_) | Self::Wait(_) | Self::Return(_) | Self::Stop(_) => None,
        }
    }

    /// The task that this step waited for.
    pub(super) fn awaited(self) -> Option<usize> {
        match self {
            Self::Wait(task) | Self::Return(task) => Some(task),
            Self::Work(_) | Self::Start(_) | Self::Stop(_) | Self::Linger(_) => None,
        }
    }
}

/// Something that an actor completed at a moment; a wait began before that.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: Millis,
    from: Millis,
    action: Action,
}

/// Everything between these events is the actor's own work.
fn steps(events: &[Event], begin: Millis, end: Millis, untils: &[Millis]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut now = begin;
    for event in events {
        now = work(&mut steps, now, event.from.min(event.at));
        let to = event.action.awaited().map_or(now, |task| now.max(untils[task]));
        steps.push(Step { action: event.action, from: now, to });
        now = to;
    }
    work(&mut steps, now, end);
    steps
}

/// Adds a stretch of work, if there is any time for it, and returns the moment after it.
fn work(steps: &mut Vec<Step>, from: Millis, to: Millis) -> Millis {
    if to > from {
        let work = Work { nanos: to_nanos(to - from), demand: Demand::default() };
        steps.push(Step { action: Action::Work(work), from, to });
    }
    to.max(from)
}

/// The last moment up to `moment` at which an actor that began at `begin` was not waiting.
fn free_moment(steps: &[Step], begin: Millis, moment: Millis) -> Millis {
    let place = steps.partition_point(|step| step.to <= moment);
    match steps.get(place) {
        Some(step) if step.action.is_work() => moment.max(step.from),
        Some(step) => step.from,
        None => steps.last().map_or(begin, |step| step.to),
    }
}

/// The moment at which an actor ends a task.
#[derive(Clone, Copy, Debug)]
struct Stop {
    task: usize,
    moment: Millis,
}

/// Inserts the stops into an actor's steps, each in front of the wait for its task.
fn with_stops(steps: Vec<Step>, mut ends: Vec<Stop>) -> Vec<Step> {
    if ends.is_empty() {
        return steps;
    }
    ends.sort_by_key(|end| end.moment);
    let moments: HashMap<usize, Millis> = ends.iter().map(|end| (end.task, end.moment)).collect();
    let mut done = HashSet::new();
    let mut all = Vec::with_capacity(steps.len() + 2 * ends.len());
    let mut stop_at = |all: &mut Vec<Step>, task: usize, moment: Millis| {
        if done.insert(task) {
            all.push(Step { action: Action::Stop(task), from: moment, to: moment });
        }
    };
    let mut next = ends.into_iter().peekable();
    for step in steps {
        let mut rest = vec![step];
        while let Some(Stop { task, moment }) = next.next_if(|end| end.moment < step.to) {
            if split(&mut rest, 0, moment) {
                all.push(rest.remove(0));
            }
            stop_at(&mut all, task, moment);
        }
        if let Action::Wait(task) = step.action
            && let Some(&moment) = moments.get(&task)
        {
            stop_at(&mut all, task, moment);
        }
        all.append(&mut rest);
    }
    next.for_each(|Stop { task, moment }| stop_at(&mut all, task, moment));
    all
}

/// Splits the work at that place in two without loss, if the moment lies inside it.
pub(super) fn split(steps: &mut Vec<Step>, place: usize, moment: Millis) -> bool {
    let Some(&Step { action: Action::Work(Work { nanos, demand }), from, to }) = steps.get(place) else {
        return false;
    };
    if moment <= from || moment >= to {
        return false;
    }
    let before = share(nanos, moment - from, to - from);
    let work = |nanos| Action::Work(Work { nanos, demand });
    steps[place] = Step { action: work(nanos - before), from: moment, to };
    steps.insert(place, Step { action: work(before), from, to: moment });
    true
}

/// `part / whole` of a length, rounded down.
pub(super) fn share(length: i128, part: impl Into<i128>, whole: impl Into<i128>) -> i128 {
    // No run is so long that this could be too much.
    length.saturating_mul(part.into()) / whole.into()
}

fn activity(run: &Run, index: usize, untils: &[Millis]) -> Activity {
    let task = &run.tasks[index];
    // Even if the records say otherwise, nobody waits for a task that they are a part of.
    let around = |of: usize, wanted: usize| {
        std::iter::successors(Some(of), |&inner| run.tasks[inner].parent).any(|outer| outer == wanted)
    };
    let possible = |&before: &usize| {
        let is_over = run.tasks[before].status.state != State::Queued && untils[before] <= task.run_start;
        before < index && is_over && !around(index, before) && !around(before, index)
    };
    let after: Vec<usize> = task.after.iter().copied().filter(possible).collect();
    let place = match task.jobs {
        Some(jobs) if task.ran() && !task.synchronous => Limit::Within(jobs),
        _ => Limit::None,
    };
    // How long a task will be queued is unknown while it is.
    let is_queued = task.status.state == State::Queued && !task.synchronous;
    let lag = if is_queued { 0 } else { task.run_start - ready(run, index, &after) };
    let start_up = if task.held { 0 } else { lag };
    Activity { after, place, lag, start_up, synchronous: task.synchronous, ran: task.ran() }
}

/// When the last dependency of a task was over, or its own start if that was later.
fn ready(run: &Run, index: usize, after: &[usize]) -> Millis {
    let length = run.length();
    after.iter().map(|&before| run.tasks[before].until(length)).fold(run.tasks[index].start, Millis::max)
}
