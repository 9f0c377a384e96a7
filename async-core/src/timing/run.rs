//! The model: all futures of a run on one axis of time, in ms from the run's start.

use std::collections::{HashMap, HashSet};

use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::{Cause, Record, State};
use crate::shares;
use crate::store::{ScriptTimes, Store, StoreFile};

/// No offset is larger, in ms (some 500 years): a record may hold any number, and sums of these must not overflow.
pub(super) const MAX_OFFSET: Millis = 1 << 44;

/// How far the two clocks may tell different lengths of one task before the one on the wall counts as set meanwhile, in ms.
/// They are read one after the other, and a busy machine may do something else in between.
const CLOCKS_AGREE: Millis = 100;

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

/// One future of a run. All moments are ms from the run's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: FutureName,
    /// The how manyth of that name it is, from 1 on; none if there is no other.
    pub number: Option<usize>,
    /// Its command. May hold anything; see [`crate::text::printable`].
    pub command: String,
    /// The future inside whose task it was started, as an index before its own.
    pub parent: Option<usize>,
    /// When it was started.
    pub start: Millis,
    /// When its task was let go: later than that if it was queued, or its limit had to be looked at. If it was never let go, when
    /// that was given up; if it is still queued, the end of the run.
    pub run_start: Millis,
    /// Whether it was held back until then.
    pub held: bool,
    /// When its task was over. None while it runs or is queued, and for one that was lost and never collected.
    pub end: Option<Millis>,
    /// How long its task ran, in ms: from when it was let go to its end, or to the end of the run while it runs. For one that was
    /// lost, up to when somebody saw that, and 0 if nobody has: see [`Task::known_run_time`].
    pub run_time: Millis,
    /// Whether that is known. It is not of one that was lost and has left no record of its end.
    pub is_known: bool,
    /// The wait that collected it.
    pub wait: Option<Collected>,
    /// How it ended, or stands.
    pub status: Status,
    /// Whether it ran in the shell itself (not parallel).
    pub synchronous: bool,
    /// The futures that had to be over before it could run, as indices.
    pub after: Vec<usize>,
    /// How many tasks could run at once, this one included, if there was a limit.
    pub jobs: Option<u32>,
    /// Its log, if that is still there.
    pub log: Option<StoreFile>,
}

/// A wait that collected a future, in ms from the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// When it began.
    pub start: Millis,
    /// When it was over. Never before the end of the task.
    pub end: Millis,
}

/// How a future ended, or stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// The task's exit status, 0 to 255; none while it runs, or if nobody knows it.
    pub rc: Option<i32>,
    /// The number of the signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why it ended, or never started, where that was not the task's own doing.
    pub cause: Option<Cause>,
}

/// The same in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskOutcome {
    /// Its task is held back.
    Queued,
    /// Its task runs.
    Running,
    /// It ended with status 0.
    Succeeded,
    /// It ended with another status of its own, or by a signal that nobody here has sent.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// It never started, because a future that had to succeed first did not.
    Skipped,
    /// It never started, because its program could not be.
    Unstartable,
    /// Its process went away and left no result.
    Lost,
}

/// One record of a run, as [`Run::from_records`] takes it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The future's name.
    pub name: FutureName,
    /// What is known of it.
    pub record: Record,
    /// Where it stands.
    pub state: State,
    /// Its log, if that is still there.
    pub log: Option<StoreFile>,
}

impl Status {
    /// How it ended, or stands, in one word.
    #[must_use]
    pub fn outcome(&self) -> TaskOutcome {
        match (self.state, self.cause, self.rc) {
            (State::Queued, ..) => TaskOutcome::Queued,
            (State::Running, ..) => TaskOutcome::Running,
            (State::Lost, ..) | (_, _, None) => TaskOutcome::Lost,
            (_, Some(Cause::Cancelled), _) => TaskOutcome::Cancelled,
            (_, Some(Cause::Timeout), _) => TaskOutcome::TimedOut,
            (_, Some(Cause::Skipped), _) => TaskOutcome::Skipped,
            (_, Some(Cause::Unstartable), _) => TaskOutcome::Unstartable,
            (_, None, Some(0)) => TaskOutcome::Succeeded,
            (_, None, Some(_)) => TaskOutcome::Failed,
        }
    }
}

impl Task {
    /// When its task was over; the end of a run of that length in ms if it is not, and the moment that it was let go if it
    /// was lost and nobody knows.
    #[must_use]
    pub fn until(&self, length: Millis) -> Millis {
        match (self.end, self.status.state) {
            (Some(end), _) => end,
            (None, State::Running | State::Queued) => length.max(self.run_start),
            (None, _) => self.run_start,
        }
    }

    /// Whether its task was ever let go, as far as that can be told.
    #[must_use]
    pub fn ran(&self) -> bool {
        match self.status.outcome() {
            TaskOutcome::Succeeded | TaskOutcome::Running | TaskOutcome::TimedOut => true,
            TaskOutcome::Queued | TaskOutcome::Skipped | TaskOutcome::Unstartable => false,
            // It may have been given up while it was queued.
            TaskOutcome::Failed | TaskOutcome::Cancelled | TaskOutcome::Lost => {
                self.run_start == self.start || self.end.is_some_and(|end| end > self.run_start)
            }
        }
    }

    /// How long its task ran, in ms; none if nobody knows, as it was lost.
    #[must_use]
    pub fn known_run_time(&self) -> Option<Millis> {
        self.is_known.then_some(self.run_time)
    }

    /// How long it was queued, in ms.
    #[must_use]
    pub fn queued(&self) -> Millis {
        if self.held { self.run_start - self.start } else { 0 }
    }

    /// How long it lay finished before somebody came for it, in ms. None while nobody has, and for one that ran in the shell
    /// itself.
    #[must_use]
    pub fn slack(&self) -> Option<Millis> {
        match (self.end, self.wait) {
            (Some(end), Some(wait)) if !self.synchronous => Some((wait.start - end).max(0)),
            _ => None,
        }
    }
}

impl Run {
    /// Reads the run of a store: the collected futures and the live ones. Comes with the errors of those live ones that can't
    /// be read, which are left out.
    pub fn of_store(store: &Store) -> Result<(Self, Vec<Error>)> {
        let mut recorded = Vec::new();
        let mut errors = Vec::new();
        // The live ones first: one that is collected meanwhile is then seen twice, and not missed.
        let names = store.names()?;
        for (looked, name) in shares::each(&names, |name| store.look(name)).into_iter().zip(names) {
            match looked {
                Ok(Some((record, state))) => recorded.push(Recorded { name, record, state, log: None }),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        let collected = store.collected_with_logs()?;
        // Those of one name may have started in the same millisecond, but not as the same process.
        let seen_twice: HashSet<_> =
            collected.iter().map(|(name, record, _)| (name, record.start_time, &record.pid)).collect();
        recorded.retain(|live| !seen_twice.contains(&(&live.name, live.record.start_time, &live.record.pid)));
        let kept = collected.into_iter();
        recorded.extend(kept.map(|(name, record, log)| Recorded { name, record, state: State::Collected, log }));
        find_logs(store, &mut recorded);
        Ok((Self::of_script(recorded, store.script_times(), clock::wall()), errors))
    }

    /// Makes a run of records that are of no script's own store, as of `now` in ms since the epoch.
    #[must_use]
    pub fn from_records(recorded: Vec<Recorded>, now: Millis) -> Self {
        Self::of_script(recorded, None, now)
    }

    /// Makes a run of the records in a script's own store, as of `now` in ms since the epoch.
    #[must_use]
    pub fn of_script(mut recorded: Vec<Recorded>, script: Option<ScriptTimes>, now: Millis) -> Self {
        let script = script.unwrap_or_default();
        // One that was started in the same millisecond as its parent comes after it.
        recorded.sort_by(|a, b| {
            let key = |r: &Recorded| (r.record.start_time, r.record.parent.is_some());
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let first = recorded.first().map(|first| first.record.start_time);
        let origin = first.into_iter().chain(script.start).min().unwrap_or(now);
        let now = offset(now, origin);
        // No task ends later than twice the largest offset.
        let mut run = Self { start: origin.min(Millis::MAX - 2 * MAX_OFFSET), ..Self::default() };
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
        for task in &mut run.tasks {
            task.run_time = if task.status.state == State::Queued { 0 } else { task.until(length) - task.run_start };
        }
        run
    }

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

/// The offset of a moment from the start, both in ms since the epoch.
fn offset(moment: Millis, start: Millis) -> Millis {
    moment.saturating_sub(start).clamp(0, MAX_OFFSET)
}

/// Numbers those that share a name.
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

/// Puts one on the axis. `latest` has those that started before it by their names. Comes with how far its clocks differ, if
/// they do.
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
        // One that was never let go has no length of its own.
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
        command: record.command,
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

/// Finds the logs of those that are not collected, and the newest one of a name where the file system has no links.
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
