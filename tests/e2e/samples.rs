//! What a task uses over time, and what it uses now.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::shell::{Finished, Sandbox};
use async_tests::small_disk::is_root;
use async_tests::terminal::Terminal;
use async_tests::tools::is_there;
use async_tests::wait_until;
use serde_json::Value;

/// Functions for a task of bash: `compute N` uses N clock ticks of processor time, however busy the machine is.
const COMPUTE: &str = "function compute {
        local stat until i
        read -ra stat </proc/$BASHPID/stat
        until=$((stat[13] + stat[14] + $1))
        while ((stat[13] + stat[14] < until)); do
            for ((i = 0; i < 1000; i++)); do :; done
            read -ra stat </proc/$BASHPID/stat
        done
    }
    export -f compute";

/// What `async status --json` says of the futures, after that script.
fn futures(sandbox: &Sandbox, script: &str) -> Vec<Value> {
    let finished = sandbox.run(&format!("{COMPUTE}\n{{ {script}\n}} >&2\nasync status --all --json"));
    let document: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished}"));
    document["futures"].as_array().unwrap().clone()
}

/// What it says of the one future `t`, which has ended.
fn ended(sandbox: &Sandbox, script: &str) -> Value {
    let futures = futures(sandbox, script);
    let ended = futures.into_iter().find(|future| future["name"] == "t").unwrap();
    assert!(ended["usage_now"].is_null() && ended["usage"].is_object(), "{ended:#}");
    ended
}

/// The processor time in each interval, in ms.
fn intervals(future: &Value) -> Vec<i64> {
    let samples = &future["samples"];
    let of: Vec<i64> = samples["cpu_ms"].as_array().unwrap().iter().map(|ms| ms.as_i64().unwrap()).collect();
    assert!(of.len() <= 64 && of.iter().all(|ms| *ms >= 0), "{future:#}");
    let (interval, run_time) = (samples["interval_ms"].as_i64().unwrap(), future["run_time_ms"].as_i64().unwrap());
    assert!(interval >= 100 && samples["cores"].as_i64().unwrap() >= 1, "{future:#}");
    // The record's end is written a moment after the last interval's.
    let most = usize::try_from(run_time / interval + 1).unwrap();
    assert!(of.len() <= most && of.len() + 3 >= most, "all of its time has intervals: {future:#}");
    of
}

/// The processor time that the kernel counted, in ms.
fn total(future: &Value) -> i64 {
    future["usage"]["user_time_ms"].as_i64().unwrap() + future["usage"]["system_time_ms"].as_i64().unwrap()
}

#[test]
fn a_task_has_samples_whose_sum_is_its_usage() {
    let sandbox = Sandbox::default();
    for options in ["", "--pty", "--timeout 1h"] {
        let future = ended(
            &sandbox,
            &format!("async init; async run {options} t -- bash -c 'compute 100; sleep 1.5'; async wait t"),
        );
        let of = intervals(&future);
        let sum: i64 = of.iter().sum();
        assert!(sum >= 1000 && (sum - total(&future)).abs() <= 50, "{options}: {future:#}");
        let asleep: i64 = of.iter().rev().take(of.len() / 3).sum();
        assert!(of[..of.len() / 2].iter().sum::<i64>() > 0, "{options}: {future:#}");
        assert!(asleep * 4 < sum, "{options}: at the end it was asleep: {future:#}");
        assert!(of.iter().max().unwrap() * 2 < sum, "{options}: it did not compute all at once: {future:#}");
    }
}

#[test]
fn a_short_task_has_no_samples() {
    let sandbox = Sandbox::default();
    wait_until("the machine runs a task in less than 100 ms", || {
        let future = ended(&sandbox, "async init; async run t -- true; async wait t");
        let is_short = future["run_time_ms"].as_i64().unwrap() < 100;
        assert!(!is_short || future["samples"].is_null(), "{future:#}");
        is_short
    });
}

#[test]
fn memory_is_that_of_the_whole_tree() {
    // A writer whose reader does not read keeps its buffer.
    let sandbox = Sandbox::default();
    let future = ended(
        &sandbox,
        "async run t -- bash -c 'for i in {1..4}; do dd if=/dev/zero bs=30M count=1 status=none | sleep 2 & done; wait'
        async wait t; async timing --openmetrics metrics",
    );
    let [tree, process] = [&future["samples"]["max_tree_resident_kib"], &future["usage"]["max_resident_kib"]]
        .map(|kib| kib.as_i64().unwrap());
    assert!(process > 30_000 && tree > 3 * process, "{future:#}");
    let metrics = fs::read_to_string(sandbox.path("cwd/metrics")).unwrap();
    let of_tree = metrics.lines().find_map(|line| line.strip_prefix("async_future_max_tree_resident_bytes{")).unwrap();
    assert!(of_tree.contains("name=\"t\"") && of_tree.ends_with(&format!(" {}.0", tree * 1024)), "{metrics}");
}

#[test]
fn what_is_cancelled_timed_out_or_tried_again_has_samples_too() {
    let stubborn = "bash -c 'trap \"\" TERM; while :; do compute 1; done'";
    let sandbox = Sandbox::default();
    for options in ["", "--pty"] {
        for (script, status) in [
            (format!("async run {options} --timeout 300ms --grace 1500ms t -- {stubborn}"), 124),
            (format!("async run {options} t -- {stubborn}; sleep 0.3; async cancel --grace 1500ms t"), 137),
            (format!("async run {options} --retry 2 --retry-delay 300ms t -- bash -c 'compute 20; exit 3'"), 3),
        ] {
            let future = ended(&sandbox, &format!("async init; {script}; async wait t"));
            assert_eq!(future["rc"], status, "{script}: {future:#}");
            let of = intervals(&future);
            let sum: i64 = of.iter().sum();
            assert!(sum > 0 && (sum - total(&future)).abs() <= 50, "{script}: {future:#}");
            assert!(of.iter().max().unwrap() * 10 < sum * 7, "{script}: all in one interval: {future:#}");
        }
    }
}

#[test]
fn a_future_in_a_task_counts_for_that_once_it_is_over() {
    let futures = futures(
        &Sandbox::default(),
        "source <(async shim)
        function inner { compute 100; }
        function outer { async_run inner inner; async_wait inner; }
        async_init
        async_run outer outer
        async_wait outer",
    );
    let [inner, outer] =
        ["inner", "outer"].map(|name| futures.iter().find(|future| future["name"] == name).unwrap().clone());
    let (of_inner, of_outer) = (intervals(&inner), intervals(&outer));
    let most = |of: &[i64]| *of.iter().max().unwrap();
    assert!(total(&outer) >= total(&inner) && total(&inner) >= 1000, "{inner:#}{outer:#}");
    assert!(most(&of_inner) * 2 < total(&inner), "it computed for a while: {inner:#}");
    assert!(most(&of_outer) >= total(&inner), "it came all at once: {outer:#}");
}

#[test]
fn a_process_that_nobody_waits_for_leaves_what_it_used_in_the_samples() {
    if !is_there("perl") {
        return;
    }
    let future = ended(
        &Sandbox::default(),
        "cat >task <<'END'
        $SIG{CHLD} = 'IGNORE';
        $child = fork;
        if (!$child) { 1 while (times)[0] < 0.6; exit }
        select undef, undef, undef, 0.1 while kill 0, $child;
        sleep 1;
END
        async run t -- perl task; async wait t",
    );
    let sum: i64 = intervals(&future).iter().sum();
    assert!(total(&future) < 200 && sum > total(&future) + 200, "only the samples have it: {future:#}");
}

#[test]
fn status_shows_what_a_running_future_uses() {
    let sandbox = Sandbox::default();
    let now = || {
        let futures = futures(&sandbox, ":");
        futures.into_iter().find(|future| future["name"] == "t").unwrap()["usage_now"].clone()
    };
    let started = futures(
        &sandbox,
        "async init
        async run t -- bash -c 'sleep 1000 & while :; do compute 1; done'
        async run --after t queued -- true
        async run over -- bash -c 'compute 30; sleep 0.2'
        async wait --keep over",
    );
    let of = |name: &str| started.iter().find(|future| future["name"] == name).unwrap();
    assert!(of("over")["usage_now"].is_null() && of("queued")["usage_now"].is_null(), "{started:#?}");
    let first = now();
    let cpu = |usage: &Value| usage["cpu_time_ms"].as_i64().unwrap_or_default();
    wait_until("it has computed for more than a second", || cpu(&now()) > cpu(&first) + 1000);
    assert!(now()["resident_kib"].as_i64().unwrap() > 500 && now()["processes"] == 2, "{:#}", now());

    let shown = |columns: u16| {
        let mut terminal = Terminal::new(&sandbox, columns, "async status");
        terminal.finish();
        terminal.text()
    };
    let (wide, narrow) = (shown(200), shown(60));
    let line = |name: &str| wide.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("NAME").contains("  ELAPSED  CPU  MEMORY"), "{wide}");
    let is_like = |name: &str, pattern: &str| regex::Regex::new(pattern).unwrap().is_match(line(name));
    assert!(is_like("t ", r" [1-9]\d*s +\d+\.\d MiB +bash -c"), "{wide}");
    assert!(is_like("queued ", r" - +- +true"), "{wide}");
    assert!(is_like("over ", r" 0s +\d+\.\d MiB +bash -c"), "{wide}");
    assert!(!narrow.contains("MEMORY") && narrow.contains("ELAPSED"), "they go first: {narrow}");
    let plain = sandbox.run("async status t");
    assert_eq!(plain.stdout.trim_end().split('\t').count(), 7, "{plain}");

    let mut terminal = Terminal::of_size(&sandbox, 24, 120, "async status --watch");
    terminal.wait_for(|screen| screen.contains("  CPU  MEMORY") && screen.contains(" MiB "));
    terminal.type_in(b"q");
    terminal.finish();
    sandbox.run("async cancel t").exits(0);
    let ended = shown(200);
    assert!(!ended.contains("MEMORY"), "nothing runs: {ended}");
}

/// Checks that a task of some length went on as ever, without samples.
#[track_caller]
fn has_run_without(finished: &Finished) {
    let ended: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished}"));
    let ended = &ended["futures"][0];
    assert_eq!((&ended["rc"], &ended["samples"], &ended["usage_now"]), (&Value::from(3), &Value::Null, &Value::Null));
    assert!(ended["run_time_ms"].as_i64().unwrap() >= 500 && ended["usage"].is_object(), "{finished}");
}

const SLEEPS: &str = "async init; async run t -- bash -c 'sleep 0.5; exit 3'";

#[test]
fn without_a_proc_of_ones_own_there_are_no_samples() {
    if !is_root("a pid namespace") {
        return;
    }
    let sandbox = Sandbox::default();
    for hide in ["", "mount -t tmpfs none /proc;"] {
        // A program can start without a /proc.
        let script = format!("{hide} {SLEEPS}; async status --json; async wait --quiet t; async status --all --json");
        let finished = sandbox.run(&format!("unshare --mount --pid --fork --kill-child bash -c \"{script}\""));
        let mut documents = serde_json::Deserializer::from_str(&finished.stdout).into_iter::<Value>();
        let now = documents.next().unwrap().unwrap();
        assert_eq!(now["futures"][0]["state"], "running", "{finished}");
        assert!(now["futures"][0]["usage_now"].is_null(), "{finished}");
        let rest = finished.stdout[documents.byte_offset()..].to_owned();
        has_run_without(&Finished { stdout: rest, ..finished });
    }
}

#[test]
fn a_supervisor_without_descriptors_or_memory_takes_no_samples() {
    let sandbox = Sandbox::default();
    for limit in ["--nofile=3", "--as=1"] {
        // Until the limit was there before the first sample was due.
        let finished = sandbox.run(&format!(
            "until began=${{EPOCHREALTIME/[.,]/}}
                {SLEEPS}
                prlimit --pid $(async pid t) {limit}
                limited=${{EPOCHREALTIME/[.,]/}}
                async wait t
                ((limited - began < 100000))
            do :; done >&2
            async status --all --json"
        ));
        has_run_without(&finished);
    }
}

#[test]
fn a_log_that_became_shorter_is_told_of() {
    let sandbox = Sandbox::default();
    let started = sandbox.run(
        "async run --quiet cut -- bash -c 'while :; do echo a long line; sleep 0.2; echo >/dev/stderr; sleep 0.2; done'
        async run --quiet kept -- bash -c 'while :; do echo a long line; sleep 0.2; echo >>/dev/stderr; sleep 0.2; done'",
    );
    assert_eq!(started.status, 0, "{started}");
    // While it runs.
    wait_until("a warning", || sandbox.run("async status").stderr.contains("bytes, which are gone"));
    let told = sandbox.run("async status 2>&1 >/dev/null");
    assert_eq!(told.stdout.lines().count(), 1, "of one of the two: {told}");
    assert!(told.stdout.starts_with("async: the log of `cut` was cut when it had 1"), "{told}");
    // And remembered, once both have ended.
    let cancelled = sandbox.run("async cancel --quiet --all; async wait --no-log --all");
    assert_eq!(cancelled.status, 128 + 15, "{cancelled}");
    let futures = futures(&sandbox, ":");
    assert_eq!(futures.len(), 2);
    for future in futures {
        let length = future["log_cut_bytes"].as_u64();
        if future["name"] == "kept" {
            assert_eq!(length, None, "{future:#}");
        } else {
            assert!(length >= Some("a long line\n".len() as u64), "{future:#}");
        }
    }
}
