//! One run, one set of figures: whatever the records say, all views of a run show the same numbers, to the digits that
//! they have.
//!
//! The tests read the numbers from what the program prints and writes. JSON has all of them in ms, so the others are
//! compared with it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use async_core::clock;
use async_core::process::ProcessIdentity;
use async_tests::shell::Sandbox;
use proptest::prelude::*;
use regex::Regex;
use serde_json::Value;

/// How long ago the runs begin, in ms.
const AGO: i64 = 100_000;

/// How a future ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Collected,
    Failed,
    Cancelled,
    /// Cancelled while it was held back.
    NeverLetGo,
    Skipped,
    Lost,
    /// Its process is gone, and nobody has collected it.
    Gone,
    Finished,
    Running,
    Queued,
}

impl Kind {
    fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Queued)
    }

    fn is_collected(self) -> bool {
        self.is_over() && !matches!(self, Self::Finished | Self::Gone)
    }
}

/// A future, all in ms; moments from the start of the run on.
#[derive(Clone, Debug)]
struct Future {
    name: &'static str,
    kind: Kind,
    start: i64,
    queued: i64,
    length: i64,
    /// By how much the wall clock was set while it ran.
    step: i64,
    /// When the wait began, from the start of the future, and how much longer than necessary it took.
    wait: (i64, i64),
    attempts: Option<u32>,
    parent: Option<&'static str>,
    synchronous: bool,
}

/// The owner of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    None,
    Killed,
    /// That long after the start of the run.
    Ended(i64),
    Running,
}

fn future(kinds: &'static [Kind]) -> impl Strategy<Value = Future> {
    const NAMES: &[&str] = &["a", "b", "c", "d", "e"];
    let name = || prop::sample::select(NAMES);
    let times = (0..9000i64, prop_oneof![3 => Just(0), 1 => 1..5000i64], 0..90_000i64, (0..20_000i64, 0..300i64));
    let step = prop_oneof![4 => Just(0), 2 => -90..90i64, 1 => -20_000..20_000i64];
    let others = (prop::option::of(1..4u32), prop::option::weighted(0.3, name()), prop::bool::weighted(0.1));
    (name(), prop::sample::select(kinds), times, step, others).prop_map(|(name, kind, times, step, others)| {
        let ((start, queued, length, wait), (attempts, parent, synchronous)) = (times, others);
        let parent = parent.filter(|&parent| parent != name);
        let synchronous = synchronous && kind == Kind::Collected;
        let queued = if synchronous { 0 } else { queued };
        Future { name, kind, start, queued, length, step, wait, attempts, parent, synchronous }
    })
}

/// The lines of its record, in a run with that beginning.
fn record(future: &Future, begin: i64) -> String {
    let Future { start, queued, length, step, .. } = *future;
    let kind = future.kind;
    let never_ran = matches!(kind, Kind::NeverLetGo | Kind::Skipped);
    let mut text = format!("[job]\ncommand = do {}\nstart_time = {}\n", future.name, begin + start);
    let mut line = |key: &str, value: &dyn std::fmt::Display| writeln!(text, "{key} = {value}").unwrap();
    if queued > 0 || never_ran || kind == Kind::Queued || future.attempts.is_some() {
        let jobs = if queued > 0 || never_ran || kind == Kind::Queued { "\"jobs\":2," } else { "" };
        line("plan", &format!("{{{jobs}\"retry\":3}}"));
    }
    if let Some(parent) = future.parent {
        line("parent", &parent);
    }
    if queued > 0 && !never_ran && kind != Kind::Queued {
        line("run_start", &(begin + start + queued));
    }
    if !kind.is_over() {
        line("life", &ProcessIdentity::of(std::process::id()).unwrap());
        return text;
    }
    line("pid", if future.synchronous { &"self" } else { &"4242" });
    let ran = if never_ran { 0 } else { length };
    let end = start + queued + ran;
    if kind == Kind::Gone {
        return text;
    }
    if kind != Kind::Lost {
        line("end_time", &(begin + end + step));
        line("run_time", &ran);
    }
    if let Some(attempts) = future.attempts {
        line("attempts", &attempts);
    }
    let (rc, cause) = match kind {
        Kind::Failed => (Some(3), None),
        Kind::Cancelled | Kind::NeverLetGo => (Some(143), Some("cancelled")),
        Kind::Skipped => (Some(125), Some("skipped")),
        Kind::Lost => (None, None),
        _ => (Some(0), None),
    };
    if let Some(cause) = cause {
        line("cause", &cause);
    }
    if let Some(rc) = rc {
        line("rc", &rc);
    }
    if kind.is_collected() {
        let from = start + future.wait.0;
        line("wait_start", &(begin + from));
        line("wait_end", &(begin + from.max(end) + future.wait.1));
    }
    text
}

/// Makes the store of a run with that beginning.
fn store(sandbox: &Sandbox, name: &str, futures: &[Future], script: Script, begin: i64) -> PathBuf {
    let run = sandbox.path(name).join(format!("scripts/s.sh/4100.{begin}"));
    let collected = run.join(".collected");
    DirBuilder::new().mode(0o700).recursive(true).create(&collected).unwrap();
    let mut live = Vec::new();
    for future in futures {
        let path = if future.kind.is_collected() {
            collected.join(format!("{}.{}.ini", future.name, begin + future.start))
        } else if live.contains(&future.name) {
            continue;
        } else {
            live.push(future.name);
            run.join(format!("{}.ini", future.name))
        };
        fs::write(path, record(future, begin)).unwrap();
    }
    // No process of this boot is older.
    let gone = ProcessIdentity::of(1).unwrap().to_string().replacen("1 ", "4100 ", 1);
    let shell = match script {
        Script::None => return run,
        Script::Running => ProcessIdentity::of(std::process::id()).unwrap().to_string() + "\n",
        Script::Killed => gone + "\n",
        Script::Ended(after) => format!("{gone}\nended {}\n", begin + after),
    };
    fs::write(run.join(".script"), shell).unwrap();
    run
}

/// The files that `async timing` writes.
const FILES: [&str; 5] = ["html", "svg", "trace", "junit", "openmetrics"];

/// All views of a run, from one call of the program.
struct Views {
    stdout: String,
    files: BTreeMap<&'static str, String>,
}

fn views(sandbox: &Sandbox, store: &PathBuf, option: &str) -> Views {
    let mut command = sandbox.command("async");
    command.arg("--dir").arg(store).args(["timing", option]);
    for file in FILES {
        command.arg(format!("--{file}")).arg(sandbox.path(file));
    }
    let finished = sandbox.finish(&mut command);
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""), "{option}");
    let read = |file| (file, fs::read_to_string(sandbox.path(file)).unwrap());
    Views { stdout: finished.stdout, files: FILES.map(read).into() }
}

/// A displayed number, in ms, and the smallest step that can be displayed there.
#[derive(Clone, Copy, Debug)]
struct Shown(f64, f64);

impl Shown {
    /// Seconds with decimals.
    fn seconds(text: &str) -> Self {
        let digits = text.split_once('.').map_or(0, |(_, digits)| i32::try_from(digits.len()).unwrap());
        Self(
            text.parse::<f64>().unwrap_or_else(|_| panic!("`{text}` is no number")) * 1000.0,
            1000.0 / 10f64.powi(digits),
        )
    }

    /// A duration in words, as `1 min 30 s`.
    fn words(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let sum: f64 = words
            .chunks(2)
            .map(|pair| {
                let unit = match pair[1] {
                    "ms" => 1.0,
                    "s" => 1000.0,
                    "min" => 60_000.0,
                    "h" => 3_600_000.0,
                    other => panic!("no unit: {other} in `{text}`"),
                };
                pair[0].parse::<f64>().unwrap() * unit
            })
            .sum();
        let step = match sum {
            ..1000.0 => 1.0,
            ..60_000.0 => 100.0,
            ..3_600_000.0 => 1000.0,
            _ => 60_000.0,
        };
        Self(sum, step)
    }

    fn is(self, what: &str, ms: &Value) {
        let exact = ms.as_f64().unwrap_or_else(|| panic!("{what}: {ms}"));
        let Self(shown, step) = self;
        assert!((shown - exact).abs() <= step / 2.0 + 1e-6, "{what}: {shown} shown for {exact}");
    }
}

/// The text between the two.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} behind {before}")).0
}

/// Speedups with two decimals.
fn is_speedup(text: Option<&str>, json: &Value) {
    let Some(text) = text.filter(|text| *text != "n/a") else {
        assert_eq!(json["speedup"], Value::Null);
        return;
    };
    let exact = json["speedup"].as_f64().unwrap();
    assert!((text.parse::<f64>().unwrap() - exact).abs() <= 0.005 + 1e-9, "{text} for {exact}");
}

fn check_json(json: &Value) {
    let figures = &json["summary"];
    let ms = |key: &str| figures[key].as_i64().unwrap();
    assert_eq!(json["run"]["length_ms"], figures["elapsed_ms"]);
    assert_eq!(
        json["run"]["end_time_ms"].as_i64().unwrap() - json["run"]["start_time_ms"].as_i64().unwrap(),
        ms("elapsed_ms")
    );
    assert_eq!(ms("serial_ms"), ms("elapsed_ms") + ms("background_ms") - ms("waited_ms"));
    assert!((0..=ms("elapsed_ms")).contains(&ms("waited_ms")), "{figures}");
    for (seconds, exact) in [
        ("elapsed_s", ms("elapsed_ms")),
        ("background_minus_waits_s", ms("background_ms") - ms("waited_ms")),
        ("serial_s", ms("serial_ms")),
    ] {
        assert_eq!(ms(seconds), exact / 1000, "{seconds}");
    }
    let sum: i64 = timings(json).iter().map(|future| future["run_time_ms"].as_i64().unwrap()).sum();
    assert!((0..=sum).contains(&ms("background_ms")), "{figures} of {sum}");
}

fn timings(json: &Value) -> &Vec<Value> {
    json["timings"].as_array().unwrap()
}

/// The figures of a run as metrics, under their names in JSON.
fn exact(metrics: &str) -> Value {
    let ms = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("async_run_{name}_seconds ")));
        #[allow(clippy::cast_possible_truncation, reason = "some ms")]
        let ms = (line.unwrap().parse::<f64>().unwrap() * 1000.0).round() as i64;
        ms
    };
    let (elapsed, serial) = (ms("duration"), ms("serial_duration"));
    #[allow(clippy::cast_precision_loss, reason = "some ms")]
    let speedup = (elapsed > 0).then(|| serial as f64 / elapsed as f64);
    serde_json::json!({
        "elapsed_ms": elapsed, "background_ms": ms("tasks_duration"), "waited_ms": ms("waited"), "serial_ms": serial,
        "speedup": speedup,
    })
}

fn check_summary(text: &str, figures: &Value) {
    let line = |what: &str| between(text, &format!(" {what}: "), " sec\n");
    let minus = figures["background_ms"].as_i64().unwrap() - figures["waited_ms"].as_i64().unwrap();
    for (what, ms) in [
        ("Time spent in the background minus waits", &Value::from(minus)),
        ("Elapsed time", &figures["elapsed_ms"]),
        ("Time if we did everything serially", &figures["serial_ms"]),
    ] {
        assert_eq!(line(what).split_once('.').map(|(_, digits)| digits.len()), Some(1), "{what}");
        Shown::seconds(line(what)).is(what, ms);
    }
    is_speedup(Some(between(text, " Speedup:  ", "\n")), figures);
}

fn check_table(text: &str, json: &Value) {
    let figures = &json["summary"];
    let has_queued = timings(json).iter().any(|future| future["queued_ms"] != 0);
    assert_eq!(text.contains("QUEUED"), has_queued, "{text}");
    let columns: Vec<&str> = ["start_offset_ms", "queued_ms", "run_time_ms", "blocked_ms", "slack_ms"]
        .into_iter()
        .filter(|&key| has_queued || key != "queued_ms")
        .collect();
    for future in timings(json) {
        let label = future["label"].as_str().unwrap();
        let row = text.lines().find(|line| line.split_whitespace().next() == Some(label));
        let row: Vec<&str> = row.unwrap_or_else(|| panic!("no {label} in {text}")).split_whitespace().skip(1).collect();
        for (column, shown) in columns.iter().zip(row) {
            match &future[column] {
                Value::Null => assert_eq!(shown, "-", "{label}: {column}"),
                // For a lost one it is unknown.
                ms if shown == "-" => assert_eq!((ms, &future["rc"]), (&0.into(), &Value::Null), "{label}: {column}"),
                ms => Shown::seconds(shown).is(&format!("{label}: {column}"), ms),
            }
        }
    }
    let last = Regex::new(r"\n\d+ futures? +(?:([\d.]+) +)??([\d.]+) +([\d.]+) +[\d.]+  in ([\d.]+)\n").unwrap();
    let found = last.captures(text).unwrap_or_else(|| panic!("no last row in {text}"));
    for (group, key) in [(2, "background_ms"), (3, "waited_ms"), (4, "elapsed_ms")] {
        Shown::seconds(&found[group]).is(key, &figures[key]);
    }
}

/// The figures in the page and in the picture, by their labels.
fn check_facts<'a>(fact: impl Fn(&str) -> Option<&'a str>, figures: &Value) {
    for (what, key) in [
        ("elapsed", "elapsed_ms"),
        ("one after another", "serial_ms"),
        ("in the background", "background_ms"),
        ("spent waiting", "waited_ms"),
    ] {
        Shown::words(fact(what).unwrap()).is(what, &figures[key]);
    }
    is_speedup(fact("speedup").map(|speedup| speedup.trim_end_matches('×')), figures);
}

fn has_run(future: &Value) -> bool {
    let state = future["state"].as_str().unwrap();
    state != "queued" && future["run_time_ms"] != 0
}

fn check_page(page: &str, json: &Value) {
    let fact = |what: &str| {
        let (_, rest) = page.split_once(&format!("<dt>{what}</dt><dd>"))?;
        rest.split_once("</dd>").map(|(value, _)| value)
    };
    check_facts(fact, &json["summary"]);
    for future in timings(json) {
        let label = future["label"].as_str().unwrap();
        let row = Regex::new(&format!("<th scope=\"row\"[^>]*><a[^>]*>{label}</a><td>.*")).unwrap();
        let row = row.find(page).unwrap_or_else(|| panic!("no row of {label}")).as_str();
        let cells: Vec<&str> =
            row.split("<td class=\"number\">").skip(1).map(|cell| cell.split("<td>").next().unwrap()).collect();
        for (cell, key) in cells.iter().zip(["start_offset_ms", "queued_ms", "run_time_ms", "blocked_ms", "slack_ms"]) {
            let what = format!("{label}: {key}");
            if cell.is_empty() {
                assert!(future[key] == 0 || future[key].is_null(), "{what}: {}", future[key]);
            } else {
                Shown::words(cell).is(&what, &future[key]);
            }
        }
        // The same in the lane, for screen readers.
        check_sentence(between(page, &format!("aria-label=\"{label}: "), "\""), future);
    }
}

/// `succeeded, started at 1.0 s, queued for 2.0 s, ran for 3.0 s`.
fn check_sentence(sentence: &str, future: &Value) {
    let part = |before: &str| {
        let (_, rest) = sentence.split_once(before)?;
        Some(rest.split(',').next().unwrap())
    };
    Shown::words(part(", started at ").unwrap()).is(sentence, &future["start_offset_ms"]);
    for (before, key) in [(", queued for ", "queued_ms"), (", ran for ", "run_time_ms")] {
        match part(before) {
            Some(shown) => Shown::words(shown).is(sentence, &future[key]),
            None => assert!(future[key] == 0 || !has_run(future), "{sentence}: {future}"),
        }
    }
}

fn check_picture(svg: &str, json: &Value) {
    let facts = between(svg, "<desc id=\"summary\">", "</desc>");
    let fact = |what: &str| {
        let (_, rest) = facts.split_once(&format!(" {what}: "))?;
        let end = rest.find(". ").unwrap_or(rest.len());
        Some(rest[..end].trim_end_matches('.'))
    };
    check_facts(fact, &json["summary"]);
    for future in timings(json) {
        let label = future["label"].as_str().unwrap();
        check_sentence(between(svg, &format!("<title>{label}: "), "</title>"), future);
    }
}

fn check_trace(trace: &str, json: &Value) {
    let trace: Value = serde_json::from_str(trace).unwrap();
    check_facts(|what| trace["otherData"][what].as_str(), &json["summary"]);
    let slices: Vec<&Value> =
        trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").collect();
    let micros = |ms: &Value| Value::from(ms.as_i64().unwrap() * 1000);
    for future in timings(json) {
        let slice = |is: &dyn Fn(&Value) -> bool| slices.iter().find(|slice| is(slice));
        let label = &future["label"];
        let run = slice(&|slice| slice["name"] == *label && slice["cat"] != "wait");
        match run {
            Some(run) => {
                assert_eq!(
                    (&run["ts"], &run["dur"]),
                    (&micros(&future["run_start_offset_ms"]), &micros(&future["run_time_ms"]))
                );
                let queued = slice(&|slice| slice["cat"] == "queued" && slice["tid"] == run["tid"]);
                assert_eq!(
                    queued.map_or(Value::from(0), |slice| slice["dur"].clone()),
                    micros(&future["queued_ms"]),
                    "{label}"
                );
            }
            None => assert!(!has_run(future), "{label}"),
        }
    }
    let script = slices.iter().find(|slice| slice["cat"] == "script").unwrap();
    assert_eq!(script["dur"], micros(&json["summary"]["elapsed_ms"]));
}

fn check_report(report: &str, json: &Value) {
    let time = |text: &str| Shown::seconds(between(text, " time=\"", "\""));
    let (suite, cases) = report.split_once("<testsuite ").unwrap().1.split_once('>').unwrap();
    time(suite).is("the suite", &json["summary"]["elapsed_ms"]);
    for future in timings(json) {
        let label = future["label"].as_str().unwrap();
        let case = between(cases, &format!("<testcase name=\"{label}\""), ">");
        time(case).is(label, &future["run_time_ms"]);
    }
}

fn check_metrics(metrics: &str, json: &Value) {
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Shown(line.unwrap_or_else(|| panic!("no {name}")).parse::<f64>().unwrap() * 1000.0, 0.001)
    };
    for (name, key) in [
        ("async_run_duration_seconds", "elapsed_ms"),
        ("async_run_tasks_duration_seconds", "background_ms"),
        ("async_run_waited_seconds", "waited_ms"),
        ("async_run_serial_duration_seconds", "serial_ms"),
    ] {
        value(name).is(name, &json["summary"][key]);
    }
    let mut numbers = BTreeMap::new();
    for future in timings(json) {
        let name = future["name"].as_str().unwrap();
        let number = numbers.entry(name).or_insert(0);
        *number += 1;
        for (metric, key) in [("run_duration", "run_time_ms"), ("queued", "queued_ms"), ("waited", "blocked_ms")] {
            let series = format!("async_future_{metric}_seconds{{name=\"{name}\",number=\"{number}\"}}");
            if metric == "run_duration" && !metrics.contains(&series) {
                assert_eq!((&future[key], &future["rc"]), (&0.into(), &Value::Null), "{series}");
                continue;
            }
            value(&series).is(&series, &future[key]);
        }
    }
}

/// Without the clock time at which a run began.
fn timeless(text: &str) -> String {
    let moments = r#"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z|\+00:00)|"(start|end)_time_ms": \d+|timestamp_seconds [\d.e+]+|"store": "[^"]*"|policy"[^>]*"#;
    Regex::new(moments).unwrap().replace_all(text, "").into_owned()
}

fn check(futures: &[Future], script: Script) {
    let sandbox = Sandbox::default();
    let begin = clock::wall() - AGO - 100_000;
    let first = store(&sandbox, "first", futures, script, begin);
    let told = views(&sandbox, &first, "--json");
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    check_json(&json);
    check_page(&told.files["html"], &json);
    check_picture(&told.files["svg"], &json);
    check_trace(&told.files["trace"], &json);
    check_report(&told.files["junit"], &json);
    check_metrics(&told.files["openmetrics"], &json);
    let table = views(&sandbox, &first, "--table");
    check_summary(&table.stdout, &exact(&table.files["openmetrics"]));
    if script == Script::Running || futures.iter().any(|future| !future.kind.is_over()) {
        return;
    }
    // For a finished run, another call shows the same, even a second later.
    assert_eq!(table.files, told.files);
    check_table(&table.stdout, &json);
    let earlier = store(&sandbox, "earlier", futures, script, begin - 1000);
    let later = views(&sandbox, &earlier, "--json");
    assert_eq!(timeless(&later.stdout), timeless(&told.stdout));
    for (file, text) in &told.files {
        assert_eq!(timeless(&later.files[file]), timeless(text), "{file}");
    }
}

const OVER: &[Kind] = &[
    Kind::Collected,
    Kind::Collected,
    Kind::Failed,
    Kind::Cancelled,
    Kind::NeverLetGo,
    Kind::Skipped,
    Kind::Lost,
    Kind::Gone,
    Kind::Finished,
];

const ANY: &[Kind] = &[Kind::Collected, Kind::Running, Kind::Queued, Kind::Finished];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn all_views_of_a_run_that_is_over_show_the_same_numbers(
        futures in prop::collection::vec(future(OVER), 1..7),
        script in prop_oneof![Just(Script::None), Just(Script::Killed), (0..120_000i64).prop_map(Script::Ended)],
    ) {
        check(&futures, script);
    }

    #[test]
    fn all_views_of_a_run_that_goes_on_show_the_same_numbers(
        futures in prop::collection::vec(future(ANY), 1..5),
        script in prop_oneof![Just(Script::None), Just(Script::Running)],
    ) {
        check(&futures, script);
    }
}
