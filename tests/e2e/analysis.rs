//! The analysis of a run by `async timing`, compared with arithmetic on the records.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use async_tests::fault::without_lines;
use async_tests::fixtures::store::Held;
use async_tests::shell::Sandbox;
use async_tests::terminal::Terminal;
use serde_json::Value;

/// When the runs that a test writes begin, in ms since the epoch.
const BEGIN: i64 = 1_795_503_105_000;

/// How far a record's clocks may differ before the one that never steps counts, in ms.
const CLOCKS_AGREE: i64 = 100;

/// The moments of a collected record, in ms from the start of the run.
#[derive(Clone, Copy, Debug)]
struct Times {
    start: i64,
    end: i64,
    wait_start: i64,
    wait_end: i64,
}

impl Times {
    fn of(sandbox: &Sandbox, name: &str, begin: i64) -> Self {
        let mut records = fs::read_dir(sandbox.store().join(".collected")).unwrap().map(|entry| entry.unwrap().path());
        let is_its = |path: &PathBuf| {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            path.extension() == Some("ini".as_ref()) && stem.rsplit_once('.').unwrap().0 == name
        };
        let text = fs::read_to_string(records.find(is_its).unwrap()).unwrap();
        let value = |key: &str| -> i64 {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))).unwrap();
            line.parse().unwrap()
        };
        let (start, end, run_time) = (value("start_time") - begin, value("end_time") - begin, value("run_time"));
        let end = if (end - start - run_time).abs() > CLOCKS_AGREE { start + run_time } else { end };
        let wait_end = (value("wait_end") - begin).max(end);
        Self { start, end, wait_start: (value("wait_start") - begin).clamp(start, wait_end), wait_end }
    }

    /// When its waiter could go on.
    fn released(self) -> i64 {
        self.wait_start.max(self.end)
    }

    fn length(self) -> i64 {
        self.end - self.start
    }
}

fn json(sandbox: &Sandbox, options: &[&str]) -> Value {
    let mut command = sandbox.command("async");
    command.args(["timing", "--json"]).args(options);
    let finished = sandbox.finish(&mut command);
    assert_eq!(finished.status, 0, "{options:?}: {}", finished.stderr);
    serde_json::from_str(&finished.stdout).unwrap()
}

const NESTED: &str = "
source <(async shim)
function inner {
    async_run deep sleep 0.4
    sleep 0.05
    async_wait deep
    sleep 0.05
}
async_init
async_run first sleep 0.5
sleep 0.1
async_run outer inner
sleep 0.05
async_wait first
async_run second sleep 1
async_wait outer
sleep 0.1
async_wait second
";

/// The stretches of work of that script, and the lengths of its tasks, all from the records.
struct Nested {
    script: [i64; 6],
    outer: [i64; 3],
    first: i64,
    deep: i64,
    second: i64,
}

impl Nested {
    /// The same without a limit, replayed by hand.
    fn total(&self) -> i64 {
        let script = self.script;
        let second_start = (script[0] + script[1]).max(self.first) + script[2];
        self.end(second_start, script[0], second_start)
    }

    /// From the start of `second`, with the script going on at `now`.
    fn end(&self, second_start: i64, outer_start: i64, now: i64) -> i64 {
        let Self { script, outer, .. } = self;
        let deep_start = outer_start + outer[0];
        let outer_end = (deep_start + outer[1]).max(deep_start + self.deep) + outer[2];
        let now = (now + script[3]).max(outer_end) + script[4];
        now.max(second_start + self.second) + script[5]
    }
}

#[test]
fn a_script_is_done_again_as_its_records_say() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(NESTED);
    assert_eq!((finished.status, without_lines(&finished.stderr).as_str()), (0, ""));
    let begin = json(&sandbox, &[])["run"]["start_time_ms"].as_i64().unwrap();
    let [first, outer, deep, second] =
        ["first", "outer", "deep", "second"].map(|name| Times::of(&sandbox, name, begin));
    assert_eq!(first.start, 0);
    let nested = || Nested {
        script: [
            outer.start,
            first.wait_start - outer.start,
            second.start - first.released(),
            outer.wait_start - second.start,
            second.wait_start - outer.released(),
            second.wait_end - second.released(),
        ],
        outer: [deep.start - outer.start, deep.wait_start - deep.start, outer.end - deep.released()],
        first: first.length(),
        deep: deep.length(),
        second: second.length(),
    };
    let length = second.wait_end;
    assert_eq!(nested().total(), length, "the arithmetic below begins with the recorded run");

    // The cost of the waits.
    let document = json(&sandbox, &[]);
    assert_eq!(document["run"]["length_ms"], length);
    for (name, times) in [("first", first), ("outer", outer), ("deep", deep), ("second", second)] {
        let futures = document["timings"].as_array().unwrap();
        let future = futures.iter().find(|future| future["name"] == name).unwrap();
        let blocked = (times.end.min(times.wait_end) - times.wait_start.max(times.start)).max(0);
        let slack = (times.wait_start - times.end).max(0);
        let seen =
            ["start_offset_ms", "end_offset_ms", "blocked_ms", "slack_ms"].map(|key| future[key].as_i64().unwrap());
        assert_eq!(seen, [times.start, times.end, blocked, slack], "{name}");
        let parent = if name == "deep" { Value::from("outer") } else { Value::Null };
        assert_eq!(future["parent"], parent, "{name}");
    }

    // The script waited for the last one, and before it started that, for the first.
    let path: Vec<(Option<&str>, i64, i64)> = document["critical_path"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stretch| {
            let moment = |key: &str| stretch[key].as_i64().unwrap();
            (stretch["label"].as_str(), moment("start_offset_ms"), moment("end_offset_ms"))
        })
        .filter(|(_, start, end)| end > start)
        .collect();
    let expected = [
        (Some("first"), 0, first.end),
        (None, first.end, second.start),
        (Some("second"), second.start, second.end),
        (None, second.end, second.wait_end),
    ];
    assert_eq!(path, expected.into_iter().filter(|(_, start, end)| end > start).collect::<Vec<_>>());

    // The results of other changes.
    let half = Nested { first: first.length() / 2, ..nested() };
    let long = Nested { deep: deep.length() + 2000, ..nested() };
    let [before, beside, behind] = nested().outer;
    let own = before + beside + behind;
    let scaled = |done: i64| done * 300 / 100;
    let slow = Nested {
        outer: [scaled(before), scaled(before + beside) - scaled(before), scaled(own) - scaled(before + beside)],
        ..nested()
    };
    let script = nested().script;
    let met_first = (script[0] + script[1]).max(nested().first) + script[2];
    // second starts before everything else.
    let at_once = nested().end(0, script[0], met_first);
    // The wait for first moves to the very end.
    let unmet = script[0] + script[1] + script[2];
    let at_last = nested().end(unmet, script[0], unmet).max(first.end);
    // One at a time: outer runs after first, deep in the slot that outer donates while it waits, second after outer.
    let one_place = {
        let [before, beside, behind] = nested().outer;
        let outer_end = first.end + before + beside + deep.length() + behind;
        let now = (met_first + script[3]).max(outer_end) + script[4];
        now.max(met_first.max(outer_end) + second.length()) + script[5]
    };
    for (what_if, expected) in [
        ("run:first=50%", half.total()),
        ("run:deep=+2s", long.total()),
        ("run:outer=300%", slow.total()),
        ("start:second=first", at_once),
        ("wait:first=last", at_last),
        ("jobs=1", one_place),
        ("jobs=4", length),
        ("jobs=none", length),
        ("run:second=100%", length),
        ("parallel", length),
    ] {
        let predicted = &json(&sandbox, &["--what-if", what_if])["what_if"];
        assert_eq!(predicted["length_ms"], expected, "{what_if}");
        assert_eq!(predicted["difference_ms"], expected - length, "{what_if}");
    }

    // Each piece of advice says the same as --what-if.
    let bound = document["run"]["bound_ms"].as_i64().unwrap();
    let advice = document["advice"].as_array().unwrap();
    assert!(!advice.is_empty());
    for advice in advice {
        let predicted = &json(&sandbox, &["--what-if", advice["what_if"].as_str().unwrap()])["what_if"];
        let worth = advice["worth_ms"].as_i64().unwrap();
        assert_eq!(predicted["difference_ms"], -worth, "{advice}");
        assert!(length - worth >= bound, "{advice}");
    }
}

/// A future that a test writes: its name; when it started, ran and ended; when the wait for it began and ended, all in
/// ms from [`BEGIN`]; and more lines of its record.
type Written = (&'static str, [i64; 3], [i64; 2], &'static str);

/// A run in which the script waits for one thing after another.
const BUILD: [Written; 7] = [
    ("fetch", [0, 0, 20_000], [5000, 20_010], "rc = 0\n"),
    ("docs", [1000, 1000, 12_500], [45_000, 45_020], "rc = 2\n"),
    ("watcher", [2000, 2000, 45_020], [45_020, 45_030], "rc = 143\ncause = cancelled\n"),
    ("gone", [3000, 3000, 45_030], [45_030, 45_040], ""),
    ("build", [22_000, 22_000, 40_000], [25_000, 40_100], "rc = 0\n"),
    (
        "a-part-of-the-build-whose-name-is-so-long-that-it-can-not-be-shown-in-full-here",
        [23_000, 24_000, 36_000],
        [30_000, 36_010],
        "rc = 0\nparent = build\nplan = {\"jobs\":2}\n",
    ),
    ("lint", [41_000, 41_000, 44_000], [45_020, 45_020], "rc = 0\npid = self\n"),
];

fn write(sandbox: &Sandbox, (name, [start, run_start, end], [wait_start, wait_end], more): &Written) {
    let run_time = end - run_start;
    let mut text = format!("[job]\ncommand = do {name}\n{more}run_time = {run_time}\n");
    let moments = [("start_time", start), ("end_time", end), ("wait_start", wait_start), ("wait_end", wait_end)];
    for (key, moment) in moments.into_iter().chain((start != run_start).then_some(("run_start", run_start))) {
        let _ = writeln!(text, "{key} = {}", BEGIN + moment);
    }
    fs::write(sandbox.store().join(format!(".collected/{name}.{}.ini", BEGIN + start)), text).unwrap();
}

fn a_build() -> Sandbox {
    let sandbox = Sandbox::default();
    assert_eq!(sandbox.run("async init").status, 0);
    for future in &BUILD {
        write(&sandbox, future);
    }
    sandbox
}

/// The output after the summary.
fn report(sandbox: &Sandbox, options: &str) -> String {
    let finished = sandbox.run(&format!("async timing {options}"));
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""), "{options}");
    let (summary, report) = finished.stdout.split_once("Speedup:").unwrap();
    assert!(summary.starts_with("\n=================\n Async summary\n=================\n Time spent"), "{summary}");
    report.split_once('\n').unwrap().1.to_owned()
}

macro_rules! assert_report {
    ($name:literal, $seen:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots/timing");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $seen));
    }};
}

#[test]
fn the_table_shows_what_each_wait_cost_in_80_columns() {
    let sandbox = a_build();
    let table = report(&sandbox, "--table");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert_report!("table", table);
    assert_report!("table_by_slack", report(&sandbox, "--table --sort slack"));
    assert_report!("table_by_name", report(&sandbox, "--table --sort name"));
}

#[test]
fn the_path_and_the_advice_say_what_the_time_went_to() {
    assert_report!("path_and_advice", report(&a_build(), "--path --advice"));
}

#[test]
fn a_prediction_says_what_was_moved_in_fact() {
    let sandbox = a_build();
    assert_report!("what_if_moved", report(&sandbox, "--what-if start:build=-1s --what-if start:build=-1.5s"));
    assert_report!("what_if_jobs", report(&sandbox, "--what-if jobs=3"));
    assert_report!("what_if_nothing", report(&sandbox, "--what-if run:docs=50%"));
}

#[test]
fn what_can_not_be_changed_is_refused_with_a_reason() {
    let sandbox = a_build();
    for (what_if, why) in [
        ("run:none=50%", "async: run:none=50%: this run has no future `none`\n"),
        ("start:lint=-1s", "it ran in the shell itself; try parallel:lint first\n"),
        ("jobs=0", "a number from 1 to 10000"),
        ("start:docs=30s", "-30s for 30 s earlier"),
        ("nonsense", "start:NAME=-30s"),
        // A future that is only cancelled at the end never gives up its slot.
        ("jobs=1", "async: with jobs=1 the run would not end: the script would wait for `build` for ever\n"),
    ] {
        let finished = sandbox.run(&format!("async timing --what-if {what_if}"));
        assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{what_if}");
        assert!(finished.stderr.contains(why), "{what_if}: {}", finished.stderr);
        // In that case nothing is done at all.
        for page in ["page.html", "-"] {
            let finished = sandbox.run(&format!("async timing --what-if {what_if} --html {page}"));
            assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{what_if}");
            assert!(finished.stderr.contains(why), "{what_if}: {}", finished.stderr);
            assert!(!sandbox.path("cwd/page.html").exists(), "{what_if}");
        }
    }
    let nothing = sandbox.run("export ASYNC_DIR=$HOME/another; async init && async timing --what-if run:none=50%");
    nothing.complains("this run has no future `none`").exits(2);
}

#[test]
fn what_can_not_be_told_while_futures_run_is_said_to_be_that() {
    let held = Held::default();
    let (long, quick) = (held.begin("long"), held.begin("quick"));
    quick.finish(0);
    held.start(&["wait", "quick"]).rest().exits(0);
    let finished = held.start(&["timing", "--what-if", "jobs=1"]).rest();
    assert_eq!((finished.status, finished.stdout.as_str()), (2, ""), "{finished}");
    finished.complains("async: what comes of jobs=1 can't be told before the end of `long`: ask again after that\n");
    long.finish(0);
    held.start(&["timing", "--what-if", "jobs=1"]).rest().exits(0);
}

#[test]
fn on_a_terminal_all_of_it_is_shown_and_elsewhere_the_summary() {
    let sandbox = a_build();
    assert_eq!(report(&sandbox, ""), "");
    let shown = |script: &str| {
        let mut terminal = Terminal::new(&sandbox, 100, script);
        assert!(terminal.finish().success());
        String::from_utf8_lossy(&terminal.sent).into_owned()
    };
    let all = shown("async timing");
    for part in ["Async summary", "BLOCKED", "Critical path", "would have saved", "\u{1b}["] {
        assert!(all.contains(part), "no {part} in {all}");
    }
    let plain = shown("NO_COLOR=1 async timing");
    assert!(plain.contains("BLOCKED") && !plain.contains('\u{1b}'), "{plain:?}");
    // At its end a script prints the summary.
    let summary = shown("source <(async shim); async_print_timing");
    assert!(summary.contains("Async summary") && !summary.contains("BLOCKED"), "{summary}");
    // A run without futures has nothing to report.
    let nothing = shown("export ASYNC_DIR=$HOME/another; async init && async timing");
    assert!(!nothing.contains("BLOCKED"), "{nothing}");
}

#[test]
fn a_run_is_compared_with_the_one_before_and_with_the_median() {
    let sandbox = Sandbox::default();
    let refused = {
        assert_eq!(sandbox.run("async init").status, 0);
        sandbox.run("async timing --compare")
    };
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("no earlier run is kept"), "{}", refused.stderr);
    for length in [3000, 9000, 5000, 7000] {
        assert_eq!(sandbox.run("async init").status, 0);
        write(&sandbox, &("a", [length, length, 2 * length], [0, 0], "rc = 0\n"));
    }
    assert_report!("compare_last", report(&sandbox, "--compare"));
    let median = json(&sandbox, &["--compare=median"]);
    let expected: Value = serde_json::from_str(
        r#"{"length": {"now_ms": 7000, "before_ms": 5000}, "futures": [{"label": "a", "now_ms": 7000, "before_ms": 5000}]}"#,
    )
    .unwrap();
    assert_eq!(median["compare"], expected);
}

#[test]
fn a_live_record_that_can_not_be_read_is_named_and_the_others_are_shown() {
    let sandbox = a_build();
    fs::write(sandbox.store().join("torn.ini"), "[job").unwrap();
    let finished = sandbox.run("async timing --table");
    assert_eq!(finished.status, 125);
    assert!(finished.stderr.contains("torn.ini") && finished.stdout.contains("fetch"), "{finished:?}");
}
