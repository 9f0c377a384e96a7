//! `async timing --history`: how long something took in the runs that are kept.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use async_tests::assert_like_snapshot;
use async_tests::fixtures::records::{Crafted, store};
use async_tests::shell::{Finished, Sandbox};
use async_tests::terminal::Terminal;

/// In ms.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A store with a run of these a day, the last of which is not over with an init.
fn kept(days: impl IntoIterator<Item = Vec<Crafted>>) -> Sandbox {
    let sandbox = Sandbox::default();
    for futures in days {
        assert_eq!(sandbox.run("async init --keep-runs 100").status, 0);
        let _ = store(&sandbox.store(), &futures);
    }
    sandbox
}

/// A week of nightly tests, each with something that always succeeds.
fn week() -> Sandbox {
    let new = |day: i64, run: i64| Crafted::new("tests", day * DAY, run);
    let cut = |cause, rc, of: Crafted| Crafted { cause, rc, ..of };
    let tests = [
        new(0, 41_200),
        Crafted { queued: 2500, ..new(1, 39_900) },
        cut(None, Some(2), new(2, 4000)),
        cut(None, None, new(3, 1000)),
        cut(Some("cancelled"), Some(143), new(4, 9_000_000)),
        Crafted { queued: 100, ..cut(Some("skipped"), Some(125), new(5, 0)) },
        cut(Some("timeout"), Some(124), new(6, 40_000)),
        new(7, 40_500),
        new(8, 71_000),
        new(9, 70_000),
    ];
    kept(tests.into_iter().map(|tests| vec![Crafted::new("fetch", tests.start, 5000), tests]))
}

/// What a terminal of that many columns shows.
fn on_terminal(sandbox: &Sandbox, columns: u16, command: &str) -> String {
    let mut terminal = Terminal::new(sandbox, columns, &format!("export TZ=UTC; {command}"));
    assert!(terminal.finish().success(), "{}", terminal.text());
    terminal.text()
}

#[test]
fn a_chart_shows_each_run_and_marks_the_one_that_broke_the_trend() {
    let sandbox = week();
    for columns in [40, 60, 80] {
        let chart = on_terminal(&sandbox, columns, "async timing --history tests");
        assert_like_snapshot("timing", &format!("history_{columns}"), &chart);
    }
    assert_like_snapshot("timing", "history_of_runs", &on_terminal(&sandbox, 80, "async timing --history"));
}

#[test]
fn a_chart_has_a_line_for_each_run_however_narrow_it_is() {
    let sandbox = kept((0..3).map(|day| vec![Crafted::new("t", day * DAY, 1000 + day)]));
    for columns in [1, 2, 7, 13, 20, 30, 41] {
        let chart = on_terminal(&sandbox, columns, "async timing --history t");
        assert_eq!(chart.trim_end().lines().count(), 1 + 3 + 1, "nothing runs over at {columns}: {chart}");
    }
}

#[test]
fn in_a_pipe_each_run_is_a_line_of_five_fields() {
    let finished = week().run("async timing --history tests");
    assert_like_snapshot("timing", "history_plain", &finished.stdout);
    for line in finished.stdout.lines() {
        assert_eq!(line.split('\t').count(), 5, "{line}");
    }
    finished.lacks("\u{1b}").exits(0);
    assert_eq!(finished.stderr, "");
}

#[test]
fn fewer_than_two_runs_are_said_to_be_that_in_one_line() {
    let sandbox = kept([vec![]]);
    let said = |options: &str, text: &str| {
        let finished = sandbox.run(&format!("async timing --history {options}"));
        assert_eq!((finished.stdout.as_str(), finished.stderr.lines().count()), ("", 1), "{finished}");
        finished.complains(text);
        finished
    };
    said("", "async: no run is kept in ").complains("one begins with `async init`").exits(0);
    said("t", "no runs are kept of a future `t`").exits(125);
    let _ = store(&sandbox.store(), &[Crafted::new("t", 0, 10), Crafted::new("docs", 5, 10)]);
    said("", "async: only one run is kept in ").exits(0);
    said("t", "async: only one run of `t` is kept in ").exits(0);
    said(r"$'a\e[31m'", r"`a\u{1b}[31m` can't be the name of a future: it has a control character").exits(2);
    // It is what is there, for programs.
    sandbox.run("async timing --history t --json | jq -c '[.history[].run_time_ms], .median_ms'").says("[10]\n10\n");
}

#[test]
fn a_name_that_is_used_several_times_in_a_run_has_several() {
    let sandbox = kept([vec![Crafted::new("t", 0, 1000), Crafted::new("t", 2000, 4000)]]);
    let fields = |options: &str| sandbox.run(&format!("async timing --history {options} | cut -f 2,5"));
    assert_eq!(fields("t").stdout, "1.0\t-\n4.0\tlonger\n");
    fields("t#2").complains("only one run of `t#2`");
}

#[test]
fn a_history_is_no_part_of_another_view() {
    for other in ["--table", "--sort run", "--compare", "--what-if jobs=1", "--svg page.svg", "--trace -"] {
        let sandbox = week();
        sandbox.run(&format!("async timing --history {other}")).complains("cannot be used with").exits(2);
        assert!(!sandbox.path("cwd/page.svg").exists());
    }
}

/// How each run of the script `cwd/script` ended.
fn of_script(sandbox: &Sandbox, options: &str) -> Finished {
    sandbox.run(&format!("unset ASYNC_DIR DEST; async timing --script script --history {options} | cut -f 4"))
}

#[test]
fn a_run_of_a_script_is_a_success_only_if_all_of_it_is() {
    let sandbox = Sandbox::default();
    let script = sandbox.path("cwd/script");
    fs::write(&script, "#!/usr/bin/env bash\nsource <(async shim)\n. ./what\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for (what, ended) in [
        ("async_run t true; async_wait t", "ok"),
        ("async_run t false; async_wait t", "1 failed"),
        ("async_run --jobs 1 t true; async_run u false; async_run --after u v true; async_wait", "1 failed, 1 skipped"),
        // Nobody has waited for it.
        ("ASYNC_ON_EXIT=leave; async_run t bash -c 'exit 3'; wait", "1 failed"),
        ("async_run t true; async_wait t; kill -KILL $$", "end unknown"),
        ("async_run t true; async_run u sleep 1000; async_wait t", "1 cancelled"),
        ("async_run t true; async_wait t", "ok"),
    ] {
        fs::write(sandbox.path("cwd/what"), what).unwrap();
        let _ = sandbox.run("unset ASYNC_DIR DEST; ASYNC_KEEP_RUNS=100 ./script");
        let seen = sandbox.run(
            "unset ASYNC_DIR DEST; async timing --script script --history --json | jq -r '.history[-1] | .ended, .succeeded'",
        );
        assert_eq!(seen.stdout, format!("{ended}\n{}\n", ended == "ok"), "{what}: {seen}");
    }
    let whole = of_script(&sandbox, "");
    let ended: Vec<_> = whole.stdout.lines().collect();
    assert_eq!(ended, ["ok", "1 failed", "1 failed, 1 skipped", "1 failed", "end unknown", "1 cancelled", "ok"]);
    let future = of_script(&sandbox, "t");
    assert_eq!(
        future.stdout, "ok\nfailed with 1\nok\nfailed with 3\nok\nok\nok\n",
        "its own end is known whatever became of the script\n{future}"
    );
}

#[test]
fn what_can_not_be_read_is_named_and_its_run_is_no_success() {
    let sandbox = Sandbox::default();
    let script = "unset ASYNC_DIR DEST; export ASYNC_SCRIPT=script
        for i in 1 2; do bash -c 'source <(async shim); async_run t true; async_wait t'; done >&2
        for dir in ~/.local/state/async/scripts/script/*; do echo '[job' >$dir/torn.ini; break; done";
    sandbox.run(script).exits(0);
    let seen = sandbox.run("unset ASYNC_DIR DEST; async timing --script script --history; echo $?");
    seen.complains("torn.ini").says("\tend unknown\t-\n").says("\tok\t-\n125\n");
}
