//! How the actors of a run share the cores.
//!
//! While an actor works, it has a **demand**: the cores that it would use if it had them all to itself. With demands
//! d1, d2, … and C cores, everybody works at full speed if the demands are not more than C together. Otherwise the
//! cores are shared max-min fairly, as the kernel's scheduler does it: nobody who asks for less than a fair share gets
//! less than that, and all others get the same for each of their threads (D. Bertsekas and R. Gallager, *Data
//! Networks*, 1992, section 6.5.2). Whoever gets a part of its demand works at that part of its speed.
//!
//! Demands come from what tasks used over time ([`Samples`], or else [`Usage`](crate::record::Usage), taken to be the
//! same all the time). What a task used is its demand, unless the cores were taken at that time and it used about as
//! much of them as anybody: then it could have used more, namely whole cores. The work that it did then would have
//! taken less time alone, by the speed that this gives; so a replay with the same cores gives the recorded run.
//!
//! What other programs of the machine used is not known, nor what tasks take from each other apart from cores: caches,
//! disks, the network. Nothing is known about a run without samples, because none of its tasks ran for long enough:
//! then nobody shares anything.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::run::{CpuReading, Run, Task};
use super::schedule::{Action, Schedule, Step, Work};
use crate::clock::Millis;
use crate::record::{MOST_INTERVALS, Samples};

/// How many demands are told apart for each core.
const FINE: f64 = 16.0;

/// How far two parts of a task's work may differ, in cores, to count as one.
const ALIKE: f64 = 0.2;

/// The most parts of all tasks together; no task has more than its share of them, but each has one.
const MOST_PARTS: usize = 20_000;

/// From which part of the cores on they count as taken.
const TAKEN: f64 = 0.85;

/// Who used this part of what the one who used most did, for each thread, could have used more.
const ABOUT_AS_MUCH: f64 = 0.45;

/// What is above whole cores by less than this, in cores, is not another thread.
const ODD: f64 = 0.15;

/// By how much a script's use between two readings may be too much, in ms: the kernel tells it in ticks of 10 ms, rounded
/// down, in four parts.
const TICKS: Millis = 40;

/// The length of the cells in which use is added up, in ms, and the most of them.
const CELL: Millis = 100;
const MOST_CELLS: Millis = 2000;

/// The cores that an actor would use if it had them all to itself, in sixteenths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Demand(u16);

impl Demand {
    fn of(cores: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range")]
        Self((cores * FINE).round().clamp(0.0, f64::from(u16::MAX)) as u16)
    }

    pub(super) fn cores(self) -> f64 {
        f64::from(self.0) / FINE
    }

    /// How many threads it takes at least.
    fn threads(self) -> f64 {
        self.cores().ceil().max(1.0)
    }
}

/// The cores, and who works on them. Progress is in ms of work at full speed.
#[derive(Debug)]
pub(super) struct Pool {
    cores: Option<f64>,
    kinds: BTreeMap<Demand, Kind>,
    /// Whether the speeds are not of those who work now.
    is_stale: bool,
}

/// Those who have the same demand, and so the same speed.
#[derive(Debug, Default)]
struct Kind {
    count: usize,
    speed: f64,
    /// How far anybody of this kind has come who was there from the beginning.
    progress: f64,
    /// At which progress whose work is done.
    due: BinaryHeap<Reverse<(Progress, usize)>>,
}

/// A progress, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Progress(f64);

impl Eq for Progress {}

impl PartialOrd for Progress {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Progress {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Pool {
    /// That many cores; none if nobody shares anything.
    pub(super) fn new(cores: Option<u32>) -> Self {
        Self { cores: cores.map(f64::from), kinds: BTreeMap::new(), is_stale: false }
    }

    /// Somebody begins to work. Returns the progress of its kind.
    pub(super) fn enter(&mut self, demand: Demand) -> f64 {
        self.is_stale = true;
        let kind = self.kinds.entry(demand).or_default();
        kind.count += 1;
        kind.progress
    }

    /// Somebody stops working. Returns the progress of its kind.
    pub(super) fn leave(&mut self, demand: Demand) -> f64 {
        self.is_stale = true;
        self.kinds.get_mut(&demand).map_or(0.0, |kind| {
            kind.count -= 1;
            kind.progress
        })
    }

    /// An actor begins to work, for that many ms at full speed.
    pub(super) fn work(&mut self, actor: usize, demand: Demand, length: f64) {
        let due = self.enter(demand) + length;
        if let Some(kind) = self.kinds.get_mut(&demand) {
            kind.due.push(Reverse((Progress(due), actor)));
        }
    }

    /// In how many ms the next actor is done, to the nearest ms.
    pub(super) fn next(&mut self) -> Option<Millis> {
        self.set_speeds();
        let left = |kind: &Kind| Some((kind.due.peek()?.0.0.0 - kind.progress) / kind.speed);
        self.kinds.values().filter_map(left).min_by(f64::total_cmp).map(to_millis)
    }

    /// The actors whose work is done by now, to the nearest ms, and how much of it is left, in ms at full speed;
    /// negative if it was done before. At the speeds of the time that has passed: what happens now does not count yet.
    pub(super) fn done(&mut self) -> Vec<(usize, f64)> {
        let mut done = Vec::new();
        for kind in self.kinds.values_mut() {
            while let Some(&Reverse((due, actor))) = kind.due.peek() {
                let left = due.0 - kind.progress;
                if to_millis(left / kind.speed) > 0 {
                    break;
                }
                kind.due.pop();
                kind.count -= 1;
                done.push((actor, left));
            }
        }
        self.is_stale |= !done.is_empty();
        done
    }

    /// Time passes.
    pub(super) fn advance(&mut self, ms: Millis) {
        if ms <= 0 {
            return;
        }
        self.set_speeds();
        #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
        let ms = ms as f64;
        for kind in self.kinds.values_mut().filter(|kind| kind.count > 0) {
            kind.progress += kind.speed * ms;
        }
    }

    fn set_speeds(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let share = self.cores.and_then(|cores| self.fair_share(cores));
        for (demand, kind) in &mut self.kinds {
            let all = demand.cores();
            kind.speed =
                share.map_or(1.0, |share| if all > 0.0 { (share * demand.threads() / all).min(1.0) } else { 1.0 });
        }
    }

    /// What each thread gets at most, in cores; none if there is enough for all.
    fn fair_share(&self, cores: f64) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "numbers of tasks")]
        let mut rest: Vec<(f64, f64)> = self
            .kinds
            .iter()
            .filter(|(_, kind)| kind.count > 0)
            .map(|(demand, kind)| (demand.cores() / demand.threads(), kind.count as f64 * demand.threads()))
            .collect();
        if rest.iter().map(|(each, threads)| each * threads).sum::<f64>() <= cores {
            return None;
        }
        rest.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut left = cores;
        let mut threads: f64 = rest.iter().map(|(_, threads)| threads).sum();
        for (each, of_them) in rest {
            if each * threads > left {
                break;
            }
            left -= each * of_them;
            threads -= of_them;
        }
        Some(left / threads)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "rounded, and far below 2^53")]
fn to_millis(ms: f64) -> Millis {
    ms.round() as Millis
}

/// In ns.
pub(super) fn to_nanos(ms: Millis) -> i128 {
    i128::from(ms) * 1_000_000
}

/// In ms, rounded down.
pub(super) fn in_millis(nanos: i128) -> Millis {
    Millis::try_from(nanos / 1_000_000).unwrap_or(Millis::MAX)
}

/// In ms.
#[allow(
    clippy::cast_precision_loss,
    reason = "a run is shorter than 2^53 ns, which is a hundred days, or a ms matters little"
)]
pub(super) fn in_ms(nanos: i128) -> f64 {
    nanos as f64 / 1e6
}

/// A part of an actor's work, and how many cores it used.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    from: Millis,
    to: Millis,
    used: f64,
}

impl Part {
    #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
    fn length(self) -> f64 {
        (self.to - self.from) as f64
    }
}

impl Run {
    /// How many cores its tasks could use, if any of them ran for long enough to tell.
    #[must_use]
    pub fn cores(&self) -> Option<u32> {
        self.tasks.iter().filter_map(|task| Some(task.samples.as_ref()?.cores)).max()
    }
}

impl Schedule {
    /// Gives all work its demand, and the length that it would have had alone.
    pub(super) fn share_cores(&mut self, run: &Run) {
        let Some(cores) = run.cores() else {
            return;
        };
        self.cores = Some(cores);
        let mut parts = parts(run, &self.actors);
        // What the kernel counted in ticks may be more than there can be.
        parts.iter_mut().flatten().for_each(|part| part.used = part.used.min(f64::from(cores)));
        let use_of_cores = Use::of(&parts, run.length());
        let mut begin = Vec::new();
        for (actor, (steps, parts)) in self.actors.iter_mut().zip(&parts).enumerate() {
            let widest = parts.iter().map(|part| part.used).fold(1.0, f64::max);
            let mut next = parts.iter().copied().peekable();
            let mut cut = Vec::with_capacity(steps.len());
            for step in std::mem::take(steps) {
                if step.action.demand().is_none() {
                    cut.push(step);
                    continue;
                }
                while let Some(part) = next.next_if(|part| part.from < step.to) {
                    let demand = use_of_cores.demand(part, widest, f64::from(cores));
                    begin.push((part.from, part.to, demand, actor, cut.len()));
                    let action = match step.action {
                        Action::Linger(_) => Action::Linger(demand),
                        _ => Action::Work(Work { nanos: 0, demand }),
                    };
                    cut.push(Step { action, from: part.from, to: part.to });
                }
            }
            *steps = cut;
        }
        self.set_lengths(begin, cores);
    }

    /// Lets time pass as recorded, and sets what each did at the speed that it had.
    fn set_lengths(&mut self, mut begin: Vec<(Millis, Millis, Demand, usize, usize)>, cores: u32) {
        begin.sort_unstable();
        let mut pool = Pool::new(Some(cores));
        let mut now = 0;
        let mut begin = begin.into_iter().peekable();
        // By their ends, with the progress that they began at.
        let mut working: BTreeMap<(Millis, usize, usize), (Demand, f64)> = BTreeMap::new();
        loop {
            let next = begin.peek().map(|next| next.0).into_iter().chain(working.keys().next().map(|key| key.0)).min();
            let Some(moment) = next else {
                return;
            };
            pool.advance(moment - now);
            now = moment;
            while let Some(entry) = working.first_entry().filter(|entry| entry.key().0 <= now) {
                let ((_, actor, step), (demand, from)) = entry.remove_entry();
                let done = pool.leave(demand) - from;
                if let Action::Work(work) = &mut self.actors[actor][step].action {
                    #[allow(clippy::cast_possible_truncation, reason = "rounded")]
                    let nanos = (done * 1e6).round() as i128;
                    work.nanos = nanos;
                }
            }
            while let Some((_, to, demand, actor, step)) = begin.next_if(|next| next.0 <= now) {
                working.insert((to, actor, step), (demand, pool.enter(demand)));
            }
        }
    }

    /// How much longer work took than it would have taken alone, in ms.
    pub(super) fn shared(&self) -> Millis {
        let longer = |step: &Step| match step.action {
            Action::Work(work) => to_nanos(step.to - step.from) - work.nanos,
            _ => 0,
        };
        in_millis(self.actors.iter().flatten().map(longer).sum())
    }

    /// The processor time of all work together, in ms.
    pub(super) fn computing(&self) -> Millis {
        let computing = |step: &Step| match step.action {
            Action::Work(work) => in_ms(work.nanos) * work.demand.cores(),
            _ => 0.0,
        };
        to_millis(self.actors.iter().flatten().map(computing).sum())
    }
}

/// The parts of each actor's work, in order.
fn parts(run: &Run, actors: &[Vec<Step>]) -> Vec<Vec<Part>> {
    let most = (MOST_PARTS / actors.len()).clamp(1, MOST_INTERVALS);
    let nested = nested_use(run);
    let mut all: Vec<Vec<Part>> = run
        .tasks
        .iter()
        .zip(actors)
        .zip(nested)
        .map(|((task, steps), nested)| match use_of(task, nested, run.length()) {
            Some((interval, used)) => cut(steps, task.run_start, interval, &used, most),
            None => cut(steps, task.run_start, Millis::MAX, &[0], 1),
        })
        .collect();
    // What ran in the script itself is only known together with what the script did.
    let script = actors.len() - 1;
    let mut inside: Vec<usize> = (0..script).filter(|&task| run.tasks[task].synchronous).collect();
    inside.push(script);
    all.push(Vec::new());
    let steps = inside.iter().map(|&actor| &*actors[actor]);
    for (actor, parts) in inside.iter().zip(parts_of_script(&run.script_cpu, steps)) {
        all[*actor] = parts;
    }
    all
}

/// The parts of what a shell did, for each actor that it was. What it used between two readings counts evenly, and so
/// does what it used between several if it did not work for long enough to tell them apart.
fn parts_of_script<'a>(readings: &[CpuReading], actors: impl Iterator<Item = &'a [Step]>) -> Vec<Vec<Part>> {
    let mut working = vec![0; readings.len() + 1];
    let pieces = |steps: &[Step]| {
        let mut pieces = Vec::new();
        for step in steps.iter().filter(|step| step.action.demand().is_some()) {
            let mut from = step.from;
            while from < step.to {
                let next = readings.partition_point(|reading| reading.at <= from);
                let to = readings.get(next).map_or(step.to, |reading| reading.at.min(step.to));
                working[next] += to - from;
                pieces.push((next, Part { from, to, used: 0.0 }));
                from = to;
            }
        }
        pieces
    };
    let pieces: Vec<Vec<(usize, Part)>> = actors.map(pieces).collect();
    // Before the first reading and after the last, nothing is known.
    let mut rates = vec![0.0; readings.len() + 1];
    let (mut begin, mut length) = (1, 0);
    for end in 1..readings.len() {
        length += working[end];
        if length < CELL && end + 1 < readings.len() {
            continue;
        }
        let used = readings[end].used - readings[begin - 1].used;
        // More than one core only if that can't be the ticks.
        let used = used.min(length.max(used - TICKS));
        #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
        let rate = if length > 0 { used as f64 / length as f64 } else { 0.0 };
        rates[begin..=end].fill(rate);
        (begin, length) = (end + 1, 0);
    }
    let with_rates = |pieces: Vec<(usize, Part)>| {
        pieces.into_iter().map(|(between, part)| Part { used: rates[between], ..part }).collect()
    };
    pieces.into_iter().map(with_rates).collect()
}

/// What a task used in intervals of that length, without what others used inside it: both in ms.
fn use_of(task: &Task, nested: Vec<(Millis, Millis)>, length: Millis) -> Option<(Millis, Vec<Millis>)> {
    let is_interrupted = task.status.state.is_over() && task.status.cause.is_some();
    let (interval, mut used) = match (&task.samples, &task.usage) {
        (Some(Samples { interval, cpu, .. }), _) if !is_interrupted && !cpu.is_empty() => (*interval, cpu.clone()),
        (Some(samples), _) => (Millis::MAX, vec![samples.cpu.iter().sum()]),
        (None, Some(usage)) => (Millis::MAX, vec![usage.cpu()]),
        (None, None) => return None,
    };
    // A tick too many would be a lot for a very short one.
    let last = interval.saturating_mul(Millis::try_from(used.len() - 1).unwrap_or(0));
    if used.len() > 1 && task.run_time - last < interval / 2 {
        let rest = used.pop().unwrap_or(0);
        used.last_mut().into_iter().for_each(|used| *used += rest);
    }
    for (end, of_another) in nested {
        // It appeared in the interval in which that one was waited for, or in the next.
        let mut left = of_another;
        let at = end.min(task.until(length)).saturating_sub(task.run_start) / interval;
        let at = usize::try_from(at).unwrap_or(0).min(used.len() - 1);
        for used in &mut used[at..] {
            let taken = left.min(*used);
            (*used, left) = (*used - taken, left - taken);
        }
    }
    Some((interval, used))
}

/// For each task, when the tasks inside it were over, and what they used, in ms.
fn nested_use(run: &Run) -> Vec<Vec<(Millis, Millis)>> {
    let mut nested = vec![Vec::new(); run.tasks.len()];
    for task in run.tasks.iter().filter(|task| !task.synchronous) {
        if let (Some(parent), Some(end), Some(usage)) = (task.parent, task.end, task.usage) {
            nested[parent].push((end, usage.cpu()));
        }
    }
    nested
}

/// Cuts an actor's work at the ends of intervals from `begin` on, and joins what is alike.
fn cut(steps: &[Step], begin: Millis, interval: Millis, used: &[Millis], most: usize) -> Vec<Part> {
    let last = used.len() - 1;
    let interval_of = |moment: Millis| usize::try_from((moment - begin) / interval).unwrap_or(0).min(last);
    let mut parts: Vec<(usize, Part)> = Vec::new();
    let mut working = vec![0; used.len()];
    let mut boundaries = Vec::new();
    for step in steps.iter().filter(|step| step.action.demand().is_some()) {
        let mut from = step.from.max(begin);
        boundaries.push(step.from);
        if matches!(step.action, Action::Linger(_)) {
            parts.push((interval_of(from), Part { from: step.from, to: step.to, used: 0.0 }));
            working[interval_of(from)] += step.to - step.from;
            continue;
        }
        while from < step.to {
            let number = interval_of(from);
            let end = if number == last {
                step.to
            } else {
                begin.saturating_add(interval.saturating_mul(Millis::try_from(number).unwrap_or(0) + 1)).min(step.to)
            };
            parts.push((number, Part { from, to: end, used: 0.0 }));
            working[number] += end - from;
            from = end;
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
    let rate = |number: usize| if working[number] > 0 { used[number] as f64 / working[number] as f64 } else { 0.0 };
    let mut joined: Vec<Part> = Vec::new();
    let mut alike = ALIKE;
    let all: Vec<Part> = parts.into_iter().map(|(number, part)| Part { used: rate(number), ..part }).collect();
    loop {
        joined.clear();
        for part in &all {
            match joined.last_mut() {
                Some(before)
                    if before.to == part.from
                        && boundaries.binary_search(&part.from).is_err()
                        && (before.used - part.used).abs() <= alike =>
                {
                    let length = before.length() + part.length();
                    before.used = (before.used * before.length() + part.used * part.length()) / length;
                    before.to = part.to;
                }
                _ => joined.push(*part),
            }
        }
        if joined.len() <= most.max(boundaries.len()) {
            return joined;
        }
        alike *= 2.0;
    }
}

/// How many cores all actors together used over time.
struct Use {
    cell: Millis,
    /// In each cell, how many cores were used, and the most by one thread.
    cells: Vec<(f64, f64)>,
}

impl Use {
    fn of(parts: &[Vec<Part>], length: Millis) -> Self {
        let cell = CELL.max(length / MOST_CELLS + 1);
        let count = usize::try_from(length / cell + 1).unwrap_or(1);
        let mut found = Self { cell, cells: vec![(0.0, 0.0); count] };
        for part in parts.iter().flatten().filter(|part| part.used > 0.0) {
            found.each(*part, |sum, share| {
                sum.0 += part.used * share;
                sum.1 = sum.1.max(part.used / threads(part.used) * share.min(1.0));
            });
        }
        found
    }

    /// Calls that for each cell that a part touches, with the share of the cell that is the part's.
    fn each(&mut self, part: Part, mut call: impl FnMut(&mut (f64, f64), f64)) {
        let width = self.cell;
        let mut from = part.from;
        while from < part.to {
            let number = from / width;
            let to = part.to.min((number + 1) * width);
            if let Some(sum) = usize::try_from(number).ok().and_then(|number| self.cells.get_mut(number)) {
                #[allow(clippy::cast_precision_loss, reason = "a cell is short")]
                call(sum, (to - from) as f64 / width as f64);
            }
            from = to;
        }
    }

    /// The demand of a part of a task that never used more than `widest`.
    fn demand(&self, part: Part, widest: f64, cores: f64) -> Demand {
        let index = |moment: Millis| usize::try_from(moment / self.cell).unwrap_or(0).min(self.cells.len() - 1);
        let cells = &self.cells[index(part.from)..=index((part.to - 1).max(part.from))];
        #[allow(clippy::cast_precision_loss, reason = "at most some thousand cells")]
        let mean = |of: fn(&(f64, f64)) -> f64| cells.iter().map(of).sum::<f64>() / cells.len() as f64;
        let (used, most) = (mean(|cell| cell.0), mean(|cell| cell.1));
        let could_use_more = used >= TAKEN * cores && part.used >= ABOUT_AS_MUCH * most * threads(part.used);
        Demand::of(if could_use_more { part.used.max(widest).max(threads(part.used)) } else { part.used })
    }
}

/// How many threads it takes to use that many cores.
fn threads(used: f64) -> f64 {
    (used - ODD).ceil().max(1.0)
}
