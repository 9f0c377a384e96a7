//! The arithmetic of runs: what is done again comes out as it was recorded, and no prediction breaks a law.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_core::clock::Millis;
use async_core::record::Samples;
use async_core::timing::{
    Change, Collected, CpuReading, Length, Recorded, Replay, Run, Schedule, Shift, Status, Stretch, Task,
};
use async_core::{Cause, Plan, Record, ScriptTimes, State};
use proptest::prelude::*;

/// What a random task is made of; places in time are parts of 1000 of what there is room for.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "things that are so or not")]
struct Seed {
    parent: Option<prop::sample::Index>,
    start: Millis,
    queued: Millis,
    length: Millis,
    /// When the wait for it begins and how much longer than necessary it is; none if nobody waits.
    wait: Option<(Millis, Millis)>,
    after: Option<prop::sample::Index>,
    jobs: Option<u32>,
    synchronous: bool,
    nested_wait: bool,
    cancelled: bool,
    at_once: bool,
}

fn seed() -> impl Strategy<Value = Seed> {
    (
        (prop::option::of(any::<prop::sample::Index>()), 0..1000i64, 0..1000i64),
        (prop_oneof![1 => Just(0), 6 => 1..5000i64], prop::option::weighted(0.8, (0..1000i64, 0..50i64))),
        (prop::option::weighted(0.2, any::<prop::sample::Index>()), prop::option::weighted(0.4, 1..4u32)),
        (prop::bool::weighted(0.1), any::<bool>(), prop::bool::weighted(0.1), any::<bool>()),
    )
        .prop_map(
            |(
                (parent, start, queued),
                (length, wait),
                (after, jobs),
                (synchronous, nested_wait, cancelled, at_once),
            )| Seed {
                parent,
                start,
                queued,
                length,
                wait,
                after,
                jobs,
                synchronous,
                nested_wait,
                cancelled,
                at_once,
            },
        )
}

/// A run that could have been recorded, clocks of 1 ms and all.
fn run_of(seeds: &[Seed], work_before: Millis, script_end: Option<Millis>) -> Run {
    const SCRIPT: Millis = 10_000;
    let mut tasks: Vec<Task> = Vec::new();
    for (index, seed) in seeds.iter().enumerate() {
        let parent = seed.parent.filter(|_| index > 0).map(|parent| parent.index(index));
        let (begin, end) =
            parent.map_or((work_before, SCRIPT), |parent| (tasks[parent].run_start, tasks[parent].end.unwrap()));
        let start = if index == 0 { work_before } else { begin + (end - begin) * seed.start / 1000 };
        let after: Vec<usize> = seed
            .after
            .filter(|_| index > 0 && !seed.synchronous)
            .map(|after| after.index(index))
            .filter(|&after| tasks[after].start <= start)
            // Waited for by its parent, it would never begin if it came after what ends with the parent.
            .filter(|&after| seed.wait.is_none() || parent.is_none_or(|parent| tasks[after].end < tasks[parent].end))
            .into_iter()
            .collect();
        let ready = after.iter().map(|&after| tasks[after].end.unwrap()).fold(start, Millis::max);
        let jobs = seed.jobs.filter(|_| !seed.synchronous);
        let held = if jobs.is_some() { ready + seed.queued } else { ready };
        let room = (end - start).max(0);
        let fits = parent.is_some() && (seed.nested_wait || seed.synchronous);
        let run_start = if fits { held.min(start + room / 2).max(ready) } else { held };
        let length = if fits { seed.length.min((end - run_start).max(0)) } else { seed.length };
        let task_end = run_start + length;
        let wait = seed.wait.map(|(from, longer)| {
            let latest = if fits && task_end <= end { end } else { SCRIPT.max(task_end) };
            let from = start + (latest - start).max(0) * from / 1000;
            Collected { start: from, end: (from.max(task_end) + longer).min(latest).max(task_end).max(from) }
        });
        tasks.push(Task {
            name: format!("t{index}").parse().unwrap(),
            number: None,
            command: String::new(),
            parent,
            start,
            run_start,
            held: !seed.at_once,
            is_known: true,
            end: Some(task_end),
            run_time: length,
            wait,
            status: Status {
                state: State::Collected,
                rc: Some(0),
                signal: None,
                cause: seed.cancelled.then_some(Cause::Cancelled),
            },
            synchronous: seed.synchronous,
            after,
            jobs,
            usage: None,
            samples: None,
            on: None,
            node: None,
            log: None,
        });
    }
    let ends = tasks.iter().map(|task| task.end.unwrap().max(task.wait.map_or(0, |wait| wait.end)));
    let end = ends.chain(script_end).max().unwrap_or(0);
    Run { start: 1_000_000, end: 1_000_000 + end, script_end, script_cpu: Vec::new(), tasks, clock_step: 0 }
}

/// The same run where tasks used that much of so many cores in each tenth of a second, in ms.
fn sampled(mut run: Run, cores: u32, used: &[Millis], script_cpu: &[(Millis, Millis)]) -> Run {
    let mut used_so_far = 0;
    let mut readings: Vec<CpuReading> = script_cpu.iter().map(|&(at, used)| CpuReading { at, used }).collect();
    readings.sort_unstable();
    for reading in &mut readings {
        used_so_far += reading.used;
        reading.used = used_so_far;
    }
    run.script_cpu = readings;
    for (task, used) in run.tasks.iter_mut().zip(used.chunks(64)) {
        let mut samples = Samples { interval: 100, cpu: used.to_vec(), max_tree_resident: 1, cores };
        while samples.interval * 64 < task.run_time {
            samples.interval *= 2;
        }
        let count = usize::try_from(task.run_time / samples.interval + 1).unwrap();
        samples.cpu.truncate(count);
        task.samples = (!task.synchronous && task.run_time > 100).then_some(samples);
    }
    run
}

fn runs() -> impl Strategy<Value = Run> {
    let work_before = prop_oneof![2 => Just(0), 1 => 1..3000i64];
    let script_end = prop::option::of(0..30_000i64);
    (prop::collection::vec(seed(), 1..12), work_before, script_end)
        .prop_map(|(seeds, work_before, script_end)| run_of(&seeds, work_before, script_end))
}

/// What can only be told from the order of what happened in one millisecond may come out as a contradiction.
fn schedule_of(run: &Run) -> Option<Schedule> {
    let schedule = Schedule::of(run);
    let in_no_time = |task: &Task| task.end == Some(task.run_start);
    assert!(schedule.is_ok() || run.tasks.iter().any(in_no_time), "{schedule:?}");
    schedule.ok()
}

fn replay_of(schedule: &Schedule, change: Change) -> Replay {
    let mut changed = schedule.clone();
    changed.change(change).unwrap();
    changed.replay().unwrap()
}

fn holds_together(path: &[Stretch], total: Millis) {
    let ends: Vec<Millis> = path.iter().map(|stretch| stretch.end).collect();
    let starts: Vec<Millis> = path.iter().skip(1).map(|stretch| stretch.start).collect();
    assert_eq!(ends.split_last().map_or((0, &[][..]), |(&last, rest)| (last, rest)), (total, &starts[..]));
    assert_eq!(path.first().map_or(0, |first| first.start), 0);
    assert_eq!(path.iter().map(Stretch::length).sum::<Millis>(), total);
    assert!(path.iter().all(|stretch| stretch.length() > 0));
}

/// How far a replay with shared cores may be off, in ms: all is done to the nearest ms, which may add up along tasks that
/// wait for each other, and the half of a ms of work that is too much or too little takes longer where many share a core.
fn rounding(run: &Run, cores: u32) -> Millis {
    let count = Millis::try_from(run.tasks.len()).unwrap();
    let samples = run.tasks.iter().filter_map(|task| task.samples.as_ref());
    let threads = |samples: &Samples| samples.cpu.iter().max().map_or(0, |used| used / samples.interval + 1);
    let slowest = samples.map(threads).sum::<Millis>() / Millis::from(cores);
    count.max(count * slowest / 2)
}

/// What has to hold of any schedule that was recorded.
fn obeys_the_laws(run: &Run, schedule: &Schedule) {
    let recorded = schedule.replay().unwrap();
    let rounding = run.cores().map_or(0, |cores| rounding(run, cores));
    let is_same = |a: Millis, b: Millis| a.abs_diff(b) <= rounding.unsigned_abs();
    assert!(is_same(recorded.total, run.length()), "{} {}", recorded.total, run.length());
    for (task, times) in run.tasks.iter().zip(&recorded.tasks) {
        let end = task.until(run.length());
        // How long one will be queued is not known while it is.
        if task.status.state == State::Queued {
            continue;
        }
        let same = [(times.start, task.start), (times.run_start, task.run_start), (times.end, end)];
        assert!(same.iter().all(|&(a, b)| is_same(a, b)), "{}: {same:?}", task.name);
        assert!(task.blocked() >= 0 && task.slack().is_none_or(|slack| slack >= 0) && task.queued() >= 0);
    }
    let bound = schedule.bound();
    assert!((0..=recorded.total + rounding).contains(&bound));
    holds_together(&schedule.critical_path(&recorded), recorded.total);
    let advice = schedule.advice(&recorded);
    assert!(advice.len() <= 5 && advice.is_sorted_by_key(|advice| -advice.worth));
    for advice in advice {
        assert!(
            advice.worth <= recorded.total - bound + rounding,
            "{advice:?} promises more than {} - {bound}",
            recorded.total
        );
        assert!(advice.worth >= 100 && advice.worth * 100 >= recorded.total, "{advice:?}");
        assert_eq!(replay_of(schedule, advice.change).total, recorded.total - advice.worth, "{advice:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_done_again_is_the_recorded_one_and_no_advice_promises_too_much(run in runs()) {
        let Some(schedule) = schedule_of(&run) else { return Ok(()) };
        obeys_the_laws(&run, &schedule);
    }

    #[test]
    fn who_shares_the_cores_does_again_what_was_recorded(
        run in runs(),
        cores in 1..5u32,
        used in prop::collection::vec(prop_oneof![Just(0), Just(50), Just(100), 0..300i64], 64 * 12),
        script_cpu in prop::collection::vec((0..20_000i64, 0..2000i64), 0..8),
    ) {
        let run = sampled(run, cores, &used, &script_cpu);
        let Some(schedule) = schedule_of(&run) else { return Ok(()) };
        obeys_the_laws(&run, &schedule);
        let figures = run.figures();
        prop_assert!((0..=figures.background + figures.elapsed).contains(&figures.shared), "{figures:?}");
        let recorded = schedule.replay().unwrap().total;
        prop_assert_eq!(replay_of(&schedule, Change::Cores(cores)).total, recorded);
        // With a limit, what is done earlier may take the place of what matters more (R. L. Graham, "Bounds on
        // multiprocessing timing anomalies", 1969).
        let mut free = schedule.clone();
        free.change(Change::Jobs(None)).unwrap();
        let most = free.replay().unwrap().total + rounding(&run, cores);
        prop_assert!(replay_of(&free, Change::Cores(1000)).total <= most);
    }

    #[test]
    fn a_limit_is_kept_and_never_makes_a_run_faster_than_none(run in runs(), jobs in 1..6u32) {
        let Some(schedule) = schedule_of(&run) else { return Ok(()) };
        let free = replay_of(&schedule, Change::Jobs(None)).total;
        prop_assert!(free <= run.length() && free >= schedule.bound());
        let mut limited = schedule.clone();
        limited.change(Change::Jobs(Some(jobs))).unwrap();
        // What is waited for, or has to come first, may be what somebody else starts, who has no place yet.
        let needs_others = (0..run.tasks.len()).any(|task| {
            let starter = run.starter(task);
            let waited_for = run.tasks[task].wait.is_some() && run.waiter(task) != starter;
            // Or it is held up by what would only be cancelled later.
            waited_for || run.tasks[task].status.cause.is_some() || run.tasks[task].after.iter().any(|&before| run.starter(before) != starter)
        });
        let replay = match limited.replay() {
            Err(_) if needs_others => return Ok(()),
            replay => replay.unwrap(),
        };
        prop_assert!(replay.total >= free);
        prop_assert!(replay.total >= schedule.bound());
        let work = own_work(&run);
        prop_assert!(replay.total * Millis::from(jobs) >= work, "{} places of {} for {work}", jobs, replay.total);
        holds_together(&limited.critical_path(&replay), replay.total);
        let enough = u32::try_from(run.tasks.len()).unwrap();
        prop_assert_eq!(replay_of(&schedule, Change::Jobs(Some(enough))).total, free);
    }

    #[test]
    fn a_change_breaks_no_law(run in runs(), task in any::<prop::sample::Index>(), by in -5000..5000i64, percent in 0..300u32) {
        let task = task.index(run.tasks.len());
        let Some(schedule) = schedule_of(&run) else { return Ok(()) };
        for change in [
            Change::Start(task, Shift::By(by)),
            Change::Start(task, Shift::First),
            Change::Wait(task, Shift::By(by)),
            Change::Wait(task, Shift::Last),
            Change::Wait(task, Shift::First),
            Change::Run(task, Length::Percent(percent)),
            Change::Run(task, Length::By(by)),
            Change::Background(task),
            Change::Parallel,
        ] {
            let mut changed = schedule.clone();
            let Ok(moved) = changed.change(change) else { continue };
            let Ok(replay) = changed.replay() else { continue };
            prop_assert!(replay.total >= changed.bound(), "{change:?}");
            prop_assert!(replay.tasks.iter().all(|t| 0 <= t.start && t.start <= t.run_start && t.run_start <= t.end));
            holds_together(&changed.critical_path(&replay), replay.total);
            if let Change::Start(_, Shift::By(by)) | Change::Wait(_, Shift::By(by)) = change {
                let moved = moved.unwrap().by;
                // Never past what is asked, but where something was waited for then.
                prop_assert!(moved == 0 || moved.signum() == by.signum(), "{change:?} moved {moved}");
                prop_assert!(by <= 0 || moved <= by, "{change:?} moved {moved}");
            }
        }
        // What is shortened can't make a run without a limit longer.
        let mut free = schedule.clone();
        free.change(Change::Jobs(None)).unwrap();
        let before = free.replay().unwrap().total;
        prop_assert!(replay_of(&free, Change::Run(task, Length::Percent(percent.min(100)))).total <= before);
        if run.tasks[task].wait.is_some() {
            prop_assert!(replay_of(&free, Change::Wait(task, Shift::Last)).total <= before);
        }
    }

    #[test]
    fn whatever_records_say_nothing_is_negative(records in prop::collection::vec(any_record(), 0..8), script in any_script(), now in any_time()) {
        let run = Run::of_script(records, script, now);
        prop_assert!(run.length() >= 0);
        let figures = run.figures();
        prop_assert!(figures.elapsed == run.length() && figures.background >= 0);
        prop_assert!((0..=figures.elapsed).contains(&figures.waited), "{figures:?}");
        for (index, task) in run.tasks.iter().enumerate() {
            prop_assert!(0 <= task.start && task.start <= task.run_start && task.run_start <= task.until(run.length()));
            prop_assert!(task.wait.is_none_or(|wait| task.start <= wait.start && wait.start <= wait.end));
            prop_assert!(task.run_time >= 0 && task.parent.is_none_or(|parent| parent < index));
        }
        if let Ok(schedule) = Schedule::of(&run) {
            obeys_the_laws(&run, &schedule);
        }
    }
}

/// What the tasks of a run that ran in the background did themselves, in ms: their lengths less those of their waits.
fn own_work(run: &Run) -> Millis {
    let length = |index: usize| run.tasks[index].until(run.length()) - run.tasks[index].run_start;
    (0..run.tasks.len())
        // What was cancelled would have gone on, whatever it did.
        .filter(|&index| !run.tasks[index].synchronous && run.tasks[index].status.cause.is_none())
        .map(|index| {
            // Waits of one task may overlap, and its calls may hold waits: count each ms once.
            let (begin, end) = (run.tasks[index].run_start, run.tasks[index].run_start + length(index));
            let mut stood: Vec<(Millis, Millis)> = Vec::new();
            for (other, task) in run.tasks.iter().enumerate() {
                let until = task.end.unwrap();
                if let Some(wait) = task.wait.filter(|_| run.waiter(other) == Some(index)) {
                    stood.push((wait.start, until));
                }
                if task.synchronous && run.starter(other) == Some(index) && until <= end {
                    stood.push((task.run_start, until));
                }
            }
            stood.sort_unstable();
            let mut own = end - begin;
            let mut seen = begin;
            for (from, until) in stood {
                let until = until.min(end);
                own -= (until - from.max(seen)).max(0);
                seen = seen.max(until);
            }
            own
        })
        .sum()
}

fn any_time() -> impl Strategy<Value = Millis> {
    prop_oneof![4 => 0..3000i64, 1 => any::<i64>(), 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn any_script() -> impl Strategy<Value = Option<ScriptTimes>> {
    let time = || prop::option::of(any_time());
    let times = (time(), time(), any::<bool>(), time(), time());
    prop::option::of(times.prop_map(|(start, end, is_running, start_cpu, end_cpu)| ScriptTimes {
        start,
        end,
        is_running,
        start_cpu,
        end_cpu,
    }))
}

fn any_record() -> impl Strategy<Value = Recorded> {
    let time = || prop::option::of(any_time());
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    (
        (name(), any_time(), time(), time(), time(), time(), time(), time()),
        (prop::option::of(name()), prop::option::of(0..256i32), any::<bool>(), prop::option::of(name())),
        prop::sample::select(vec![State::Queued, State::Running, State::Finished, State::Lost, State::Collected]),
        prop::option::of(1..3u32),
        prop::sample::select(vec![None, Some(Cause::Cancelled), Some(Cause::Skipped)]),
    )
        .prop_map(
            |((name, start, run, end, length, from, to, cpu), (parent, rc, own, after), state, jobs, cause)| {
                let mut record = Record::default();
                (record.start_time, record.run_start, record.end_time) = (start, run, end);
                (record.run_time, record.wait_start, record.wait_end) = (length, from, to);
                (record.start_cpu, record.wait_cpu) = (cpu, cpu);
                (record.rc, record.cause, record.parent) = (rc, cause, parent.map(str::to_owned));
                record.pid = own.then(|| "self".to_owned());
                let after = after.map(|after| after.parse().unwrap()).into_iter().collect();
                record.plan = Some(Plan { jobs, after, ..Plan::default() });
                Recorded { name: name.parse().unwrap(), record, state, log: None }
            },
        )
}
