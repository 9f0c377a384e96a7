//! `async log`: what tasks have printed, and what they are printing.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;

use async_tests::fixtures::store::{Held, Running};
use async_tests::shell::Sandbox;
use async_tests::terminal::Terminal;

const SHIM: &str = "source <(async shim)\nasync_init || exit\n";

/// A running `async log` with these arguments.
fn follow(held: &Held, args: &[&str]) -> Running {
    held.start(&[&["log"], args].concat())
}

/// Its output until it ends with success.
fn rest(follower: Running) -> String {
    let finished = follower.rest();
    finished.exits(0);
    assert_eq!(finished.stderr, "");
    finished.stdout
}

#[test]
fn a_log_is_passed_on_as_it_is_live_or_collected() {
    let sandbox = Sandbox::default();
    sandbox
        .run(&format!(
            "{SHIM}function task {{ head -c 100000 /dev/urandom | tee bytes; }}
            async_run t task
            wait
            async log t | cmp - bytes && echo live
            async_wait t >/dev/null
            async log t | cmp - bytes && echo collected
            async_init
            async log t >out && cmp out bytes && echo of an earlier run"
        ))
        .says("live\ncollected\nof an earlier run\n")
        .exits(0);
}

#[test]
fn an_unknown_name_is_an_error_and_nothing_is_printed() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!("{SHIM}async_run t echo hello; wait; async log t nobody"));
    finished.complains("async: no runs are kept of a future `nobody` in ").lacks("\nhello\n").exits(125);
    assert_eq!(finished.stdout, "");
    sandbox.run("async log ../t").complains("can't be the name of a future").exits(2);
    sandbox.run("async log").exits(2);
}

#[test]
fn what_ran_in_the_script_itself_has_no_log() {
    Sandbox::default()
        .run(&format!("{SHIM}DEVSTACK_PARALLEL=False; async_run t echo hello; async log --follow t"))
        .complains("async: `t` has no log: it ran in its script, whose output has what it printed\n")
        .exits(125);
}

#[test]
fn the_last_lines_are_those_asked_for() {
    let held = Held::default();
    let mut task = held.begin("t");
    let mut all = String::new();
    for number in 1..=100_000 {
        let _ = writeln!(all, "line {number}");
    }
    task.print(&all);
    for (lines, wanted) in [("0", ""), ("1", "line 100000\n"), ("2", "line 99999\nline 100000\n"), ("100001", &all)] {
        let finished = held.sandbox.run(&format!("async log --lines {lines} t"));
        assert!(finished.stdout == wanted, "{lines}: {} bytes", finished.stdout.len());
    }
    held.sandbox.run("async log -n 1 --prefix t").says("t | line 100000\n");
    held.sandbox.run("async log -n x t").exits(2);
}

#[test]
fn earlier_runs_are_listed_and_printed_by_number() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{SHIM}
        async_run t echo the first; async_wait t
        async_init
        async_run t bash -c 'echo the second; exit 3'; async_wait t
        async_run t echo the third; wait
        exec >&2
        for run in 1 2 3 4; do async log --run $run t; echo \"status $?\"; done
        async log --list-runs t | cut -f 1-4,8"
    ));
    finished
        .complains("the third\nstatus 0\nthe second\nstatus 0\nthe first\nstatus 0\n")
        .complains("async: there is no run 4 of `t`, only 3: see `async log --list-runs`\nstatus 125\n")
        .complains(
            "1\tt\tfinished\t0\techo the third\n\
             2\tt\tcollected\t3\tbash -c echo the second; exit 3\n\
             3\tt\tcollected\t0\techo the first\n",
        );
    sandbox.run("async log --run 0 t").exits(2);
    let mut terminal = Terminal::new(&sandbox, 80, "async log --list-runs t");
    assert!(terminal.finish().success());
    let text = terminal.text();
    let columns: Vec<_> =
        text.lines().map(|line| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(columns, ["RUN NAME STATE STATUS", "1 t finished 0", "2 t collected 3", "3 t collected 0"]);
    sandbox.run("async log --list-runs nobody").complains("no runs are kept of a future `nobody`").exits(125);
}

#[test]
fn a_follower_prints_each_line_as_it_comes_and_ends_with_the_future() {
    let held = Held::default();
    let mut task = held.begin("t");
    task.print("one\n");
    let mut follower = follow(&held, &["--follow", "t"]);
    assert_eq!(follower.line(), "one\n");
    task.print("two\n");
    assert_eq!(follower.line(), "two\n");
    task.print("no newline");
    task.end();
    assert_eq!(rest(follower), "no newline");
    // The log of a finished future is printed, and that is all.
    assert_eq!(rest(follow(&held, &["-f", "t"])), "one\ntwo\nno newline");
}

#[test]
fn a_follower_of_the_last_lines_goes_on_from_there() {
    let held = Held::default();
    let mut task = held.begin("t");
    task.print("one\ntwo\n");
    let mut follower = follow(&held, &["-f", "-n", "1", "t"]);
    assert_eq!(follower.line(), "two\n");
    task.print("three\n");
    assert_eq!(follower.line(), "three\n");
    task.end();
    assert_eq!(rest(follower), "");
}

#[test]
fn a_follower_sees_a_log_that_is_made_later_made_again_or_cut_off() {
    let held = Held::default();
    let task = held.begin("t");
    let path = held.path("t.log");
    // The state between the record and the log: the log belongs to an earlier future.
    let ini = held.path("t.ini");
    let text = fs::read_to_string(&ini).unwrap();
    fs::write(&ini, text.replace("log = own\n", "")).unwrap();
    fs::write(&path, "of an earlier future\n").unwrap();

    let mut follower = follow(&held, &["-f", "t"]);
    // Once it waits for the end, it has looked.
    task.wait_for_waiter();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "made\n").unwrap();
    OpenOptions::new().append(true).open(&ini).unwrap().write_all(b"log = own\n").unwrap();
    assert_eq!(follower.line(), "made\n");

    fs::remove_file(&path).unwrap();
    fs::write(&path, "made again\n").unwrap();
    assert_eq!(follower.line(), "made again\n");

    let log = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    (&log).write_all(b"cut off\n").unwrap();
    assert_eq!(follower.line(), "cut off\n");
    task.end();
    assert_eq!(rest(follower), "");
}

#[test]
fn a_follower_is_not_led_astray_by_a_later_future_of_the_name() {
    let held = Held::default();
    let mut task = held.begin("t");
    task.print("the first\n");
    let mut follower = follow(&held, &["-f", "t"]);
    assert_eq!(follower.line(), "the first\n");
    task.print("its end\n");
    task.end();
    let mut later = held.begin("t");
    later.print("the second\n");
    assert_eq!(rest(follower), "its end\n");
}

#[test]
fn several_are_followed_a_whole_line_at_a_time_with_their_names() {
    let held = Held::default();
    let (mut a, mut long) = (held.begin("a"), held.begin("größe"));
    let mut follower = follow(&held, &["-f", "a", "größe"]);
    a.print("half ");
    long.print("whole\n");
    assert_eq!(follower.line(), "größe | whole\n");
    a.print("and half\n");
    assert_eq!(follower.line(), "a     | half and half\n");
    a.print("the end");
    a.end();
    assert_eq!(follower.line(), "a     | the end\n");
    long.print("goes on\n");
    assert_eq!(follower.line(), "größe | goes on\n");
    long.end();
    assert_eq!(rest(follower), "");
}

#[test]
fn a_follower_ends_when_nobody_reads_any_more() {
    let held = Held::default();
    let mut task = held.begin("t");
    task.print("one\n");
    let mut follower = follow(&held, &["-f", "t"]);
    assert_eq!(follower.line(), "one\n");
    assert_eq!(follower.leave(), Some(0));
    task.end();
}

#[test]
fn a_task_that_a_shell_runs_itself_is_followed_until_it_ends_and_no_longer() {
    let held = Held::default();
    held.begin_in_process("t");
    let follower = follow(&held, &["-f", "t"]);
    follower.wait_for_pidfd();
    held.store.finish(&"t".parse().unwrap(), 0).unwrap();
    follower.rest().complains("`t` has no log").exits(125);
}

#[test]
fn names_are_coloured_on_a_terminal_and_nowhere_else() {
    let held = Held::default();
    for name in ["a", "b"] {
        held.begin(name).print("hello\n");
    }
    let on_terminal = |environment: &str| {
        let mut terminal = Terminal::new(&held.sandbox, 80, &format!("{environment} async log --prefix a b"));
        assert!(terminal.finish().success());
        String::from_utf8_lossy(&terminal.sent).replace('\r', "")
    };
    assert_eq!(on_terminal(""), "\x1b[36ma |\x1b[0m hello\n\x1b[33mb |\x1b[0m hello\n");
    let plain = "a | hello\nb | hello\n";
    assert_eq!(on_terminal("NO_COLOR=1"), plain);
    assert_eq!(on_terminal("TERM=dumb"), plain);
    assert_eq!(held.sandbox.run("async log --prefix a b").stdout, plain);
}
