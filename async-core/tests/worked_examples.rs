//! Runs small enough to calculate by hand. Figures are ms.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_core::clock::Millis;
use async_core::record::Samples;
use async_core::timing::{
    Advice, Change, Comparison, CpuReading, Figures, Length, Recorded, Run, Schedule, Shift, Stuck, TaskOutcome,
    Unchangeable,
};
use async_core::{Cause, Plan, Record, ScriptTimes, State};

const ORIGIN: Millis = 1_795_503_100_000;

/// A future that ran from `start` to `end`.
fn ran(name: &str, start: Millis, end: Millis) -> Recorded {
    let mut record = Record::default();
    record.start_time = ORIGIN + start;
    record.end_time = Some(ORIGIN + end);
    record.run_time = Some(end - start);
    record.rc = Some(0);
    Recorded { name: name.parse().unwrap(), record, state: State::Collected, log: None }
}

trait With: Sized {
    fn edit(self, edit: impl FnOnce(&mut Record)) -> Self;

    fn waited(self, from: Millis, to: Millis) -> Self {
        self.edit(|record| (record.wait_start, record.wait_end) = (Some(ORIGIN + from), Some(ORIGIN + to)))
    }

    fn inside(self, parent: &str) -> Self {
        self.edit(|record| record.parent = Some(parent.to_owned()))
    }

    fn in_shell(self) -> Self {
        self.edit(|record| record.pid = Some("self".to_owned()))
    }

    fn queued(self, run_start: Millis, plan: Plan) -> Self {
        self.edit(|record| {
            record.run_time = Some(record.end_time.unwrap() - ORIGIN - run_start);
            record.run_start = Some(ORIGIN + run_start);
            record.plan = Some(plan);
        })
    }
}

impl With for Recorded {
    fn edit(mut self, edit: impl FnOnce(&mut Record)) -> Self {
        edit(&mut self.record);
        self
    }
}

fn jobs(jobs: u32) -> Plan {
    Plan { jobs: Some(jobs), ..Plan::default() }
}

fn run(recorded: Vec<Recorded>) -> Run {
    Run::from_records(recorded, ORIGIN + 1_000_000)
}

fn total(run: &Run, changes: &[Change]) -> Result<Millis, Stuck> {
    let mut schedule = Schedule::of(run)?;
    for &change in changes {
        schedule.change(change).unwrap();
    }
    Ok(schedule.replay()?.total)
}

/// The critical path as names and lengths.
fn path(run: &Run) -> Vec<(String, Millis)> {
    let schedule = Schedule::of(run).unwrap();
    let path = schedule.critical_path(&schedule.replay().unwrap());
    path.iter()
        .map(|stretch| {
            let name = stretch.task.map_or_else(|| "-".to_owned(), |task| run.label(task));
            (if stretch.queued { format!("{name} queued") } else { name }, stretch.length())
        })
        .collect()
}

fn named(path: &[(&str, Millis)]) -> Vec<(String, Millis)> {
    path.iter().map(|&(name, length)| (name.to_owned(), length)).collect()
}

fn advice(run: &Run) -> Vec<Advice> {
    let schedule = Schedule::of(run).unwrap();
    schedule.advice(&schedule.replay().unwrap())
}

/// The script works 1000 in all stretches: a at 0, waits at 1000 until 4000; b at 5000, waits at 6000 until 8000; ends 9000.
fn one_after_another() -> Run {
    run(vec![ran("a", 0, 4000).waited(1000, 4000), ran("b", 5000, 8000).waited(6000, 9000)])
}

#[test]
fn blocked_and_slack_are_what_the_waits_cost() {
    let run = run(vec![
        ran("late", 0, 4000).waited(1000, 4010),
        ran("early", 100, 500).waited(4010, 4020),
        ran("gone", 200, 3000),
        ran("self", 5000, 6000).in_shell().waited(9000, 9010),
    ]);
    let figures: Vec<_> = run.tasks.iter().map(|task| (task.blocked(), task.slack())).collect();
    assert_eq!(figures, [(3000, Some(0)), (0, Some(3510)), (0, None), (1000, None)]);
    assert_eq!(run.length(), 9010);
}

#[test]
fn the_critical_path_goes_through_what_the_script_stood_waiting_for() {
    assert_eq!(path(&one_after_another()), named(&[("a", 4000), ("-", 1000), ("b", 3000), ("-", 1000)]));
    // What was over before the script came for it is not on it.
    let run = run(vec![ran("a", 0, 900).waited(1000, 1000), ran("b", 100, 5000).waited(2000, 5000)]);
    assert_eq!(path(&run), named(&[("-", 100), ("b", 4900)]));
}

#[test]
fn the_critical_path_goes_through_nested_futures_and_dependencies() {
    let after = |name: &str| Plan { after: vec![name.parse().unwrap()], ..Plan::default() };
    let run = run(vec![
        ran("first", 0, 2000),
        ran("outer", 100, 9000).queued(2100, after("first")).waited(500, 9500),
        ran("inner", 3000, 7000).inside("outer").waited(4000, 7500),
    ]);
    assert_eq!(run.starter(2), Some(1));
    assert_eq!(
        path(&run),
        named(&[("first", 2000), ("outer queued", 100), ("outer", 900), ("inner", 4000), ("outer", 2000), ("-", 500)])
    );
    assert_eq!(total(&run, &[Change::Run(0, Length::Percent(50))]), Ok(8500));
    assert_eq!(total(&run, &[Change::Run(2, Length::By(-1000))]), Ok(8500));
    // Its own 500 from 3000 to 3500 stay, and the 1000 that it worked beside inner are on the path then.
    assert_eq!(total(&run, &[Change::Run(2, Length::Exactly(0))]), Ok(9500 - 4000 + 1000));
}

#[test]
fn advice_is_the_smallest_change_that_is_worth_the_most() {
    let run = one_after_another();
    let advice = advice(&run);
    let seen: Vec<_> = advice.iter().map(|advice| (advice.change, advice.worth)).collect();
    // Waiting for a after b was started: b is over at 5000, and the script works three times 1000 and has waited for a
    // since 2000 and for b not at all. Starting b before the wait for a: the script works 1000, waits for a to 4000, works
    // 1000 twice, and b is over long since. Waiting for b at the end: b is over at 8000, and the script then too.
    assert_eq!(
        seen,
        [
            (Change::Wait(0, Shift::By(1000)), 3000),
            (Change::Start(1, Shift::By(-4000)), 2000),
            (Change::Wait(1, Shift::By(1000)), 1000),
        ]
    );
    let moved: Vec<_> = advice.iter().map(|advice| advice.moved.clone().unwrap()).collect();
    assert_eq!((&moved[0].past_starts[..], &moved[0].past_waits[..]), (&[1][..], &[][..]));
    assert_eq!((&moved[1].past_starts[..], &moved[1].past_waits[..]), (&[][..], &[0][..]));
    for advice in advice {
        assert_eq!(total(&run, &[advice.change]), Ok(9000 - advice.worth));
    }
}

#[test]
fn a_start_that_would_fall_into_a_wait_goes_before_it() {
    let run = one_after_another();
    let mut schedule = Schedule::of(&run).unwrap();
    let moved = schedule.change(Change::Start(1, Shift::By(-2000))).unwrap().unwrap();
    assert_eq!((moved.by, moved.past_waits), (-4000, vec![0]));
    let replay = schedule.replay().unwrap();
    assert_eq!((replay.tasks[1].start, replay.tasks[1].end, replay.total), (1000, 4000, 7000));
    // Outside of a wait it goes exactly there.
    assert_eq!(total(&run, &[Change::Start(1, Shift::By(-500))]), Ok(8500));
    assert_eq!(total(&run, &[Change::Start(1, Shift::By(500))]), Ok(9500));
    // Not past the wait for it.
    assert_eq!(total(&run, &[Change::Start(1, Shift::Last)]), Ok(10_000));
    assert_eq!(total(&run, &[Change::Start(1, Shift::By(50_000))]), Ok(10_000));
    assert_eq!(total(&run, &[Change::Wait(1, Shift::First)]), Ok(10_000));
}

#[test]
fn a_limit_is_first_come_first_served() {
    let all = run(vec![
        ran("a", 0, 5000).waited(400, 5000),
        ran("b", 100, 2100).waited(5000, 5000),
        ran("c", 200, 1200).waited(5000, 5000),
        ran("d", 300, 4300).waited(5000, 5000),
    ]);
    assert_eq!(total(&all, &[Change::Jobs(None)]), Ok(5000));
    assert_eq!(total(&all, &[Change::Jobs(Some(4))]), Ok(5000));
    // a to 5000, b to 2100, c to 3100, d to 7100.
    assert_eq!(total(&all, &[Change::Jobs(Some(2))]), Ok(7100));
    assert_eq!(total(&all, &[Change::Jobs(Some(1))]), Ok(12_000));
    assert_eq!(total(&all, &[Change::Jobs(Some(1)), Change::Jobs(None)]), Ok(5000));
}

#[test]
fn a_recorded_limit_is_kept_unless_it_is_changed() {
    let run = run(vec![
        ran("a", 0, 2000).queued(0, jobs(1)).waited(300, 2000),
        ran("b", 100, 5010).queued(2010, jobs(1)).waited(2000, 5010),
        ran("c", 200, 6030).queued(5030, jobs(1)).waited(5010, 6030),
    ]);
    assert_eq!(
        path(&run),
        named(&[("-", 200), ("c queued", 4830), ("c", 1000)]),
        "c stood in the queue from its start on"
    );
    assert_eq!(total(&run, &[]), Ok(6030));
    // What they took to start, 10 and 20, is not the limit's.
    assert_eq!(total(&run, &[Change::Run(0, Length::Exactly(1000))]), Ok(5030));
    assert_eq!(total(&run, &[Change::Jobs(None)]), Ok(3110));
    // b runs from 110 beside a; c has to wait for a, to 2000.
    assert_eq!(total(&run, &[Change::Jobs(Some(2))]), Ok(3110));
    assert_eq!(advice(&run)[0].change, Change::Jobs(Some(2)));
    assert_eq!(advice(&run)[0].worth, 6030 - 3110);
}

#[test]
fn who_waits_for_a_queued_future_lends_it_his_place() {
    let nested = run(vec![
        ran("outer", 0, 6000).waited(200, 6000),
        ran("other", 100, 1100).waited(6000, 6000),
        ran("inner", 1000, 4000).inside("outer").waited(2000, 4000),
    ]);
    // outer works to 2000, inner runs in its place to 5000, outer works to 7000, and then other has its turn.
    assert_eq!(total(&nested, &[Change::Jobs(Some(1))]), Ok(8000));
    // other has the second place to 1100, and inner takes it then.
    assert_eq!(total(&nested, &[Change::Jobs(Some(2))]), Ok(6100));
}

#[test]
fn what_ran_in_the_shell_itself_can_run_in_the_background() {
    let run =
        run(vec![ran("a", 0, 3000).in_shell().waited(9000, 9000), ran("b", 4000, 8000).in_shell().waited(9000, 9000)]);
    assert_eq!(path(&run), named(&[("a", 3000), ("-", 1000), ("b", 4000), ("-", 1000)]));
    // The script works 1000 to b's start and 1000 to the waits; b is over at 5000.
    assert_eq!(total(&run, &[Change::Parallel]), Ok(5000));
    assert_eq!(total(&run, &[Change::Background(0)]), Ok(6000));
    assert_eq!(total(&run, &[Change::Parallel, Change::Start(1, Shift::First)]), Ok(4000));
    assert_eq!(advice(&run)[0].change, Change::Parallel);
    let refused = Schedule::of(&run).unwrap().change(Change::Start(0, Shift::First));
    assert_eq!(refused, Err(Unchangeable::Synchronous(0)));
}

#[test]
fn what_nobody_waited_for_can_make_a_run_longer_too() {
    let run = run(vec![ran("a", 0, 500).waited(100, 500), ran("daemon", 200, 3000)]);
    assert_eq!(path(&run), named(&[("-", 200), ("daemon", 2800)]));
    let refused = Schedule::of(&run).unwrap().change(Change::Wait(1, Shift::Last));
    assert_eq!(refused, Err(Unchangeable::NotWaitedFor(1)));
}

#[test]
fn what_was_cancelled_lasts_as_long_as_it_is_wanted() {
    let cancelled = |record: &mut Record| (record.rc, record.cause) = (Some(143), Some(Cause::Cancelled));
    let run = run(vec![
        ran("server", 0, 8000).edit(cancelled).waited(8100, 8110),
        ran("a", 1000, 4000).waited(1500, 4000),
        ran("b", 5000, 7000).waited(5000, 7000),
        ran("helper", 500, 8050).edit(cancelled),
    ]);
    assert_eq!(path(&run), named(&[("-", 1000), ("a", 3000), ("-", 1000), ("b", 2000), ("-", 1110)]));
    // a takes 2000 less, and all else comes that much sooner.
    assert_eq!(total(&run, &[Change::Run(2, Length::By(-2000))]), Ok(6110));
    assert_eq!(total(&run, &[Change::Start(3, Shift::First)]), Ok(6110));
    // Also where the wait comes in the millisecond of its end.
    let at_once = Run::from_records(
        vec![ran("server", 0, 8000).edit(cancelled).waited(8000, 8000), ran("a", 0, 6000).waited(0, 6000)],
        ORIGIN,
    );
    assert_eq!(total(&at_once, &[Change::Run(1, Length::Exactly(0))]), Ok(8000));
    assert_eq!(total(&at_once, &[Change::Run(0, Length::Exactly(0))]), Ok(2000));
    // With one place, the server would never give it away.
    assert_eq!(total(&run, &[Change::Jobs(Some(1))]), Err(Stuck { waiter: None, awaited: Some(2) }));
}

#[test]
fn a_run_goes_to_now_while_something_runs() {
    let mut running =
        ran("b", 1000, 0).edit(|record| (record.end_time, record.run_time, record.rc) = (None, None, None));
    running.state = State::Running;
    let run = Run::from_records(vec![ran("a", 0, 500).waited(100, 500), running], ORIGIN + 4000);
    assert_eq!((run.length(), run.tasks[1].run_time, run.tasks[1].end), (4000, 3000, None));
    assert_eq!(run.tasks[1].status.outcome(), TaskOutcome::Running);
    assert_eq!(path(&run), named(&[("a", 500), ("-", 3500)]));
}

/// Two futures of a script that began 500 before the first and, if it said so, ended at 9000.
fn of_script(end: Option<Millis>, is_running: bool, now: Millis) -> Run {
    let recorded = vec![ran("a", 0, 2000).waited(1000, 2000), ran("b", 100, 4000).waited(2000, 4100)];
    let script = ScriptTimes {
        start: Some(ORIGIN - 500),
        end: end.map(|end| ORIGIN + end),
        is_running,
        start_cpu: None,
        end_cpu: None,
    };
    Run::of_script(recorded, Some(script), ORIGIN + now)
}

#[test]
fn a_run_goes_from_the_beginning_of_its_script_to_its_end() {
    let ended = of_script(Some(9000), false, 20_000);
    assert_eq!((ended.start, ended.length(), ended.tasks[1].start), (ORIGIN - 500, 9500, 600));
    assert_eq!(path(&ended), named(&[("-", 600), ("b", 3900), ("-", 5000)]));
    assert_eq!(total(&ended, &[Change::Run(1, Length::Exactly(2000))]), Ok(9500 - 1900));
    // A later reader sees the same.
    assert_eq!(of_script(Some(9000), false, 21_000), ended);
    // It was killed: nobody knows when. Or it ended before what it left.
    assert_eq!(of_script(None, false, 20_000).length(), 4600);
    assert_eq!(of_script(Some(3000), false, 20_000).length(), 4600);
    assert_eq!(of_script(None, true, 20_000).length(), 20_500);
    assert_eq!(
        Run::of_script(
            Vec::new(),
            Some(ScriptTimes { start: Some(5), end: Some(9), is_running: false, start_cpu: None, end_cpu: None }),
            100
        )
        .length(),
        4
    );
}

#[test]
fn a_script_computes_when_it_did_and_not_on_average() {
    // It computes for a second, starts `a`, rests for one, starts `b`, and computes for another.
    let a = ran("a", 1000, 3000).waited(3000, 3000).edit(|record| {
        record.samples = Some(Samples { interval: 1000, cpu: vec![1000, 1000], max_tree_resident: 1, cores: 2 });
        record.usage = "2000 0 1 0 0".parse().ok();
        (record.start_cpu, record.wait_cpu) = (Some(1050), Some(4050));
    });
    let b = ran("b", 2000, 2000).edit(|record| record.start_cpu = Some(1050));
    let script = ScriptTimes {
        start: Some(ORIGIN),
        end: Some(ORIGIN + 3000),
        is_running: false,
        start_cpu: Some(50),
        end_cpu: Some(4050),
    };
    let run = Run::of_script(vec![a, b], Some(script), ORIGIN + 9000);
    let reading = |at, used| CpuReading { at, used };
    assert_eq!(
        run.script_cpu,
        [(0, 0), (1000, 1000), (2000, 1000), (3000, 2000), (3000, 2000)].map(|(at, used)| reading(at, used))
    );
    assert_eq!(total(&run, &[Change::Cores(1)]), Ok(4000));
}

#[test]
fn figures_count_each_moment_of_work_and_of_a_wait_once() {
    let figures = |recorded| run(recorded).figures();
    // Two waits after one another; printing the log of the first took 10.
    let simple = figures(vec![ran("a", 0, 4000).waited(1000, 4010), ran("b", 100, 5000).waited(4010, 5000)]);
    assert_eq!(simple, Figures { elapsed: 5000, background: 8900, waited: 3990, shared: 0 });
    assert_eq!((simple.serial(), simple.speedup()), (9910, Some(1.982)));
    // Two at once.
    let together = figures(vec![ran("a", 0, 4000).waited(1000, 4000), ran("b", 0, 5000).waited(1000, 5000)]);
    assert_eq!(together, Figures { elapsed: 5000, background: 9000, waited: 4000, shared: 0 });
    // One inside the other: outer works 1500 before and behind, while it stands 2500 for inner.
    let nested = figures(vec![
        ran("outer", 0, 4000).waited(3000, 4000),
        ran("inner", 500, 3500).inside("outer").waited(1000, 3500),
    ]);
    assert_eq!(nested, Figures { elapsed: 4000, background: 1500 + 3000, waited: 1000, shared: 0 });
    // Not parallel: one after another is what it was.
    let in_shell = figures(vec![
        ran("a", 0, 3000).in_shell().waited(9000, 9000),
        ran("b", 4000, 8000).in_shell().waited(9000, 9000),
    ]);
    assert_eq!(in_shell, Figures { elapsed: 9000, background: 7000, waited: 7000, shared: 0 });
    // Held back for 2000, and never collected: what it did counts, and nobody stood for it.
    let left = figures(vec![ran("a", 0, 2000).queued(0, jobs(1)), ran("b", 0, 3000).queued(2000, jobs(1))]);
    assert_eq!(left, Figures { elapsed: 3000, background: 3000, waited: 0, shared: 0 });
    assert_eq!(figures(Vec::new()), Figures::default());
}

#[test]
fn a_clock_that_was_set_makes_nothing_negative() {
    // It stepped back by 5000 while the task ran, and 10 ms of it were lost between two readings.
    let back = run(vec![ran("a", 6000, 2010).edit(|record| record.run_time = Some(1000)).waited(6500, 2020)]);
    let task = &back.tasks[0];
    assert_eq!((task.end, task.run_time, task.blocked(), task.slack()), (Some(1000), 1000, 500, Some(0)));
    assert_eq!(back.clock_step, 4990);
    let close = run(vec![ran("a", 0, 1000).edit(|record| record.run_time = Some(1001))]);
    assert_eq!((close.tasks[0].end, close.tasks[0].run_time, close.clock_step), (Some(1000), 1000, 0));
}

#[test]
fn records_with_little_in_them_are_read() {
    let mut original = ran("a", 0, 2000).edit(|record| (record.run_time, record.rc) = (None, None));
    original.state = State::Finished;
    let mut lost = ran("b", 10, 0).edit(|record| (record.end_time, record.run_time, record.rc) = (None, None, None));
    lost.state = State::Lost;
    let run = run(vec![original, lost]);
    let seen: Vec<_> = run.tasks.iter().map(|t| (t.end, t.run_time, t.status.outcome())).collect();
    assert_eq!(seen, [(Some(2000), 2000, TaskOutcome::Lost), (None, 0, TaskOutcome::Lost)]);
    assert_eq!(total(&run, &[]), Ok(2000));
    assert_eq!(Run::from_records(Vec::new(), 7).length(), 0);
}

#[test]
fn a_name_that_was_used_again_has_a_number() {
    let run = run(vec![
        ran("a", 0, 100).waited(0, 100),
        ran("b", 200, 300).inside("a"),
        ran("a", 400, 900).waited(400, 900),
        ran("b", 500, 600).inside("a"),
    ]);
    let labels: Vec<String> = (0..4).map(|task| run.label(task)).collect();
    assert_eq!(labels, ["a#1", "b#1", "a#2", "b#2"]);
    assert_eq!((run.find("a"), run.find("a#2"), run.find("c")), (vec![0, 2], vec![2], vec![]));
    // The first b was started when its a was over; the second one is its a's.
    assert_eq!((run.tasks[1].parent, run.starter(1), run.starter(3)), (Some(0), None, Some(2)));
}

#[test]
fn how_a_future_ended_is_one_word() {
    for (rc, cause, outcome) in [
        (0, None, TaskOutcome::Succeeded),
        (1, None, TaskOutcome::Failed),
        (143, Some(Cause::Cancelled), TaskOutcome::Cancelled),
        (124, Some(Cause::Timeout), TaskOutcome::TimedOut),
        (125, Some(Cause::Skipped), TaskOutcome::Skipped),
        (127, Some(Cause::Unstartable), TaskOutcome::Unstartable),
    ] {
        let run = run(vec![ran("a", 0, 100).edit(|record| (record.rc, record.cause) = (Some(rc), cause))]);
        assert_eq!(run.tasks[0].status.outcome(), outcome);
    }
}

#[test]
fn a_comparison_takes_the_median() {
    let length = |end: Millis| run(vec![ran("a", 0, end), ran("b", 0, 10)]);
    let comparison =
        Comparison::of(&run(vec![ran("a", 0, 1000), ran("c", 0, 5)]), &[length(300), length(900), length(500)]);
    let difference = |name: &str| comparison.futures[name].difference();
    assert_eq!((comparison.total.difference(), difference("a")), (Some(500), Some(500)));
    assert_eq!((comparison.futures["b"].before, difference("b"), difference("c")), (Some(10), None, None));
}
