//! Building a run from records.

use std::collections::{HashMap, HashSet};

use super::{Collected, CpuReading, MAX_OFFSET, Run, Status, Task};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::parallel;
use crate::record::{Record, State};
use crate::store::{self, ScriptTimes, Store, StoreFile};

/// How far a task's lengths by the two clocks may differ before the wall clock counts as set meanwhile, in ms. The
/// clocks are read one after the other, and a busy machine may do something else in between.
const CLOCKS_AGREE: Millis = 100;

/// One record of a run, as [`Run::from_records`] takes it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The future's name.
    pub name: FutureName,
    /// Its record.
    pub record: Record,
    /// Its state.
    pub state: State,
    /// Its log, if that still exists.
    pub log: Option<StoreFile>,
}

impl Run {
    /// Reads the run of a store: the collected futures and the live ones. Also returns the errors of live futures that
    /// can't be read, which the run leaves out.
    pub fn of_store(store: &Store) -> Result<(Self, Vec<Error>)> {
        let mut recorded = Vec::new();
        let mut errors = Vec::new();
        // Live futures first: one that is collected meanwhile then appears twice instead of never.
        let names = store.names()?;
        for (looked, name) in parallel::map(&names, |name| store.look(name)).into_iter().zip(names) {
            match looked {
                Ok(Some((record, state))) => recorded.push(Recorded { name, record, state, log: None }),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        let collected = store.collected_with_logs()?;
        // Two of one name may have started in the same millisecond, but not as the same process.
        let seen_twice: HashSet<_> =
            collected.iter().map(|(name, record, _)| (name, record.start_time, &record.pid)).collect();
        recorded.retain(|live| !seen_twice.contains(&(&live.name, live.record.start_time, &live.record.pid)));
        let kept = collected.into_iter();
        recorded.extend(kept.map(|(name, record, log)| Recorded { name, record, state: State::Collected, log }));
        find_logs(store, &mut recorded);
        Ok((Self::of_script(recorded, store.script_times(), clock::wall()), errors))
    }

    /// Reads a run before that of a store, without its logs. Comes with errors likewise.
    pub fn of_past(past: &store::Run) -> Result<(Self, Vec<Error>)> {
        if let Some(store) = past.store()? {
            let (mut run, errors) = Self::of_store(&store)?;
            // They hold directories open, and there may be more runs than descriptors.
            run.tasks.iter_mut().for_each(|task| task.log = None);
            return Ok((run, errors));
        }
        let collected = |(name, record)| Recorded { name, record, state: State::Collected, log: None };
        let recorded = past.futures()?.into_iter().map(collected).collect();
        Ok((Self::of_script(recorded, past.script, clock::wall()), Vec::new()))
    }

    /// Makes a run of records that are of no script's own store, as of `now` in ms since the epoch.
    #[must_use]
    pub fn from_records(recorded: Vec<Recorded>, now: Millis) -> Self {
        Self::of_script(recorded, None, now)
    }

    /// Builds a run from the records in a script's own store, as of `now` in ms since the epoch.
    #[must_use]
    pub fn of_script(mut recorded: Vec<Recorded>, script: Option<ScriptTimes>, now: Millis) -> Self {
        let script = script.unwrap_or_default();
        // A future that started in the same millisecond as its parent comes after it.
        recorded.sort_by(|a, b| {
            let key = |r: &Recorded| (r.record.start_time, r.record.parent.is_some());
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let first = recorded.first().map(|first| first.record.start_time);
        let origin = first.into_iter().chain(script.start).min().unwrap_or(now);
        let now = offset(now, origin);
        // No task ends later than twice the largest offset.
        let mut run = Self { start: origin.min(Millis::MAX - 2 * MAX_OFFSET), ..Self::default() };
        let mut readings = cpu_readings(&recorded, origin);
        let mut latest = HashMap::new();
        for (index, recorded) in recorded.into_iter().enumerate() {
            let name = recorded.name.clone();
            let (task, step) = place(recorded, origin, now, &latest);
            run.clock_step = run.clock_step.max(step);
            run.tasks.push(task);
            latest.insert(name, index);
        }
        number(&mut run.tasks);
        run.script_end = if script.is_running { Some(now) } else { script.end.map(|end| offset(end, origin)) };
        let ends = run.tasks.iter().map(|task| task.until(now).max(task.wait.map_or(0, |wait| wait.end)));
        let length = ends.chain(run.script_end).max().unwrap_or(0);
        run.end = run.start + length;
        let ends =
            [script.start.map(|start| offset(start, origin)).zip(script.start_cpu), run.script_end.zip(script.end_cpu)];
        readings.extend(ends.into_iter().flatten().map(|(at, used)| CpuReading { at, used }));
        run.script_cpu = own_cpu(readings, &run.tasks);
        for task in &mut run.tasks {
            task.run_time = if task.status.state == State::Queued { 0 } else { task.until(length) - task.run_start };
        }
        run
    }
}

/// What the first script that started a future, and those of its children that it had waited for, had used at the moments
/// that are recorded.
fn cpu_readings(recorded: &[Recorded], origin: Millis) -> Vec<CpuReading> {
    let script = recorded.iter().find_map(|recorded| recorded.record.script.as_ref());
    let reading = |at: Option<Millis>, used: Option<Millis>| Some(CpuReading { at: offset(at?, origin), used: used? });
    let of_record = |Recorded { record, .. }: &Recorded| {
        let start = reading(Some(record.start_time), record.start_cpu).filter(|_| record.script.as_ref() == script);
        let wait = reading(record.wait_end, record.wait_cpu).filter(|_| record.taken_by.as_ref() == script);
        [start, wait]
    };
    recorded.iter().flat_map(of_record).flatten().collect()
}

/// What the script itself had used of that, without the tasks that had ended: it has waited for them by then, or soon
/// after.
fn own_cpu(mut readings: Vec<CpuReading>, tasks: &[Task]) -> Vec<CpuReading> {
    readings.sort_unstable();
    let of_task = |task: &Task| Some((task.end?, task.usage?.cpu()));
    let mut ended: Vec<_> = tasks.iter().filter(|task| task.parent.is_none()).filter_map(of_task).collect();
    ended.sort_unstable();
    let mut ended = ended.into_iter().peekable();
    let first = readings.first().map_or(0, |first| first.used);
    let (mut of_tasks, mut most) = (0, 0);
    for reading in &mut readings {
        while let Some((_, cpu)) = ended.next_if(|&(end, _)| end <= reading.at) {
            of_tasks = cpu.saturating_add(of_tasks);
        }
        most = reading.used.saturating_sub(first).saturating_sub(of_tasks).max(most);
        reading.used = most;
    }
    readings
}

/// The offset of a moment from the start, both in ms since the epoch.
fn offset(moment: Millis, start: Millis) -> Millis {
    moment.saturating_sub(start).clamp(0, MAX_OFFSET)
}

/// Numbers the tasks that share a name.
fn number(tasks: &mut [Task]) {
    let mut counts = HashMap::new();
    for task in tasks.iter_mut() {
        let count = counts.entry(task.name.clone()).or_insert(0);
        *count += 1;
        task.number = Some(*count);
    }
    for task in tasks.iter_mut().filter(|task| counts[&task.name] == 1) {
        task.number = None;
    }
}

/// Puts a task on the axis. `latest` maps names to the latest tasks before it. Also returns how far its clocks differ,
/// if they do.
fn place(recorded: Recorded, origin: Millis, now: Millis, latest: &HashMap<FutureName, usize>) -> (Task, Millis) {
    let Recorded { name, record, state, log } = recorded;
    let start = offset(record.start_time, origin);
    let over = state.is_over();
    let recorded_end = record.end_time.or(record.wait_end).filter(|_| over).map(|end| offset(end, origin));
    let run_start = match record.run_start {
        Some(moment) => offset(moment, origin).max(start),
        None if state == State::Queued => now.max(start),
        None if record.is_held_back() => recorded_end.unwrap_or(start).max(start),
        None => start,
    };
    let recorded_run_time = record.run_time.filter(|_| over).map(|length| length.clamp(0, MAX_OFFSET));
    let step = match (record.end_time, recorded_run_time) {
        // A task that was never allowed to run has no length of its own.
        (Some(end), Some(length)) if record.run_start.is_some() || !record.is_held_back() => {
            let by_wall = end.saturating_sub(record.run_start.unwrap_or(record.start_time));
            by_wall.saturating_sub(length).saturating_abs().min(MAX_OFFSET)
        }
        _ => 0,
    };
    let step = if step > CLOCKS_AGREE { step } else { 0 };
    let end = match (recorded_end, recorded_run_time) {
        (_, Some(length)) if step > 0 || recorded_end.is_none() => Some(run_start + length),
        (end, _) => end.map(|end| end.max(run_start)),
    };
    let wait = match (record.wait_start, record.wait_end, end) {
        (Some(from), Some(to), Some(end)) if over => {
            let to = offset(to, origin).max(end);
            Some(Collected { start: offset(from, origin).clamp(start, to), end: to })
        }
        _ => None,
    };
    let is_known = !over || record.rc.is_some() || record.end_time.is_some() || record.run_time.is_some();
    let plan = record.plan.as_ref();
    let after = plan.map_or_else(Vec::new, |plan| {
        plan.after.iter().chain(&plan.after_any).filter_map(|name| latest.get(name).copied()).collect()
    });
    let task = Task {
        parent: record.parent.as_deref().and_then(|name| latest.get(&name.parse().ok()?).copied()),
        number: None,
        synchronous: record.is_synchronous(),
        held: !record.at_once,
        status: Status { state, rc: record.rc, signal: record.signal, cause: record.cause },
        jobs: plan.and_then(|plan| plan.jobs),
        on: plan.and_then(|plan| plan.on.as_ref()).map(|on| match &record.job {
            Some(job) => format!("{on}:{job}"),
            None => on.to_string(),
        }),
        node: record.node,
        command: record.command,
        usage: record.usage,
        samples: record.samples,
        name,
        start,
        run_start,
        end,
        run_time: 0,
        is_known,
        wait,
        after,
        log,
    };
    (task, step)
}

/// Finds the logs of uncollected futures, and the newest log of a name if the file system has no links.
fn find_logs(store: &Store, recorded: &mut [Recorded]) {
    let newest: HashMap<FutureName, Millis> = {
        let mut starts: Vec<_> = recorded.iter().map(|r| (r.name.clone(), r.record.start_time)).collect();
        starts.sort_by_key(|&(_, start)| start);
        starts.into_iter().collect()
    };
    let lacks_log = |recorded: &&mut Recorded| recorded.record.has_log && recorded.log.is_none();
    for Recorded { name, record, state, log } in recorded.iter_mut().filter(lacks_log) {
        let is_newest = newest.get(name) == Some(&record.start_time);
        *log = store.find_log(name, record, *state, is_newest);
    }
}
