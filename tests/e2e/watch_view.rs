//! `async status --watch`: what it shows on a terminal, what its keys do, and how it leaves the terminal.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use async_tests::assert_like_snapshot;
use async_tests::fixtures::runs;
use async_tests::shell::Sandbox;
use async_tests::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const UP: &[u8] = b"\x1b[A";
const DOWN: &[u8] = b"\x1b[B";
const PAGE_UP: &[u8] = b"\x1b[5~";
const PAGE_DOWN: &[u8] = b"\x1b[6~";
const HOME: &[u8] = b"\x1b[H";
const END: &[u8] = b"\x1b[F";
const ESCAPE: &[u8] = b"\x1b";
const CONTROL_C: &[u8] = b"\x03";

/// Shows the store of the sandbox, and afterwards says how that ended and whether the terminal is as it was.
const WATCH: &str = "
    export TZ=UTC
    cd \"$DEST\"
    before=$(stty -a)
    bash -c 'echo $$ >pid; exec async --dir async status --watch \"$@\"' - $arguments
    status=$?
    after=$(stty -a)
    [[ $after == \"$before\" ]] && echo \"restored, status $status\"";

fn watch(sandbox: &Sandbox, rows: u16, columns: u16, arguments: &str) -> Terminal {
    let mut terminal = Terminal::of_size(sandbox, rows, columns, &format!("arguments='{arguments}'{WATCH}"));
    terminal.wait_for(|screen| screen.contains("q quit"));
    assert!(terminal.shows_other_screen() && !terminal.shows_cursor());
    terminal
}

/// Waits for the end, and checks that the terminal is as it was before.
#[track_caller]
fn left(terminal: &mut Terminal, status: i32) {
    terminal.finish();
    let text = terminal.text();
    assert!(text.contains(&format!("restored, status {status}")), "{text}");
    assert!(!text.contains("q quit"), "nothing of the view is left: {text}");
    assert!(!terminal.shows_other_screen() && terminal.shows_cursor());
}

/// The name in the selected row.
fn selected(terminal: &Terminal) -> String {
    terminal.reversed().split("  ").next().unwrap_or_default().to_owned()
}

#[track_caller]
fn selects(terminal: &mut Terminal, keys: &[u8], name: &str) {
    terminal.type_in(keys);
    let title = format!("log of {name} ─");
    terminal.wait_for(|screen| screen.contains(&title));
    assert_eq!(selected(terminal), name);
}

fn append(path: &Path, lines: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(lines.as_bytes()).unwrap();
}

#[test]
fn it_shows_the_futures_and_the_log_of_one() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    for (rows, columns) in [(24, 80), (40, 160)] {
        let mut terminal = watch(&sandbox, rows, columns, "--all");
        selects(&mut terminal, b"jj", "build");
        terminal.wait_for(|screen| screen.contains("linking"));
        assert_like_snapshot("status", &format!("watch_{columns}"), &terminal.text());
        terminal.type_in(b"?");
        terminal.wait_for(|screen| screen.contains('└'));
        assert_like_snapshot("status", &format!("watch_{columns}_help"), &terminal.text());
        terminal.type_in(b"?");
        terminal.wait_for(|screen| !screen.contains("All futures go on"));
        terminal.type_in(b"q");
        left(&mut terminal, 0);
    }
}

#[test]
fn it_shows_what_happens() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let mut terminal = watch(&sandbox, 24, 80, "");
    terminal.wait_for(|screen| screen.contains("there are no futures"));
    sandbox
        .run("mkfifo go end; async run t -- bash -c 'echo one; read -r <go; echo two; read -r <end; exit 3'")
        .exits(0);
    terminal.wait_for(|screen| screen.contains("t     running") && screen.contains("\none\n"));
    sandbox.run("echo >go").exits(0);
    terminal.wait_for(|screen| screen.contains("\none\ntwo\n"));
    sandbox.run("echo >end").exits(0);
    terminal.wait_for(|screen| screen.contains("t     finished  3 ") && screen.contains("1 finished; 1 failed"));
    sandbox.run("async wait t").exits(3);
    terminal.wait_for(|screen| screen.contains("there are no futures"));
    terminal.type_in(ESCAPE);
    left(&mut terminal, 0);
}

#[test]
fn it_sees_that_a_future_is_lost() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    sandbox.run("async run t -- sleep 1000").exits(0);
    let mut terminal = watch(&sandbox, 24, 80, "");
    terminal.wait_for(|screen| screen.contains("t     running"));
    sandbox.run("kill -KILL \"$(async pid t)\"").exits(0);
    terminal.wait_for(|screen| screen.contains("t     lost"));
    sandbox.run("async cancel t").exits(0);
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn it_sees_that_a_shell_ended_in_the_middle_of_a_task() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let mut shell = sandbox
        .bash("source <(async shim); DEVSTACK_PARALLEL=False; async_run t sleep 1000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut terminal = watch(&sandbox, 24, 80, "");
    terminal.wait_for(|screen| screen.contains("t     running") && screen.contains("it runs in the shell itself"));
    shell.kill().unwrap();
    shell.wait().unwrap();
    terminal.wait_for(|screen| screen.contains("t     lost"));
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn keys_select_among_a_thousand() {
    let sandbox = Sandbox::default();
    runs::many(&sandbox, 1000);
    let mut terminal = watch(&sandbox, 24, 80, "");
    assert_eq!(selected(&terminal), "t0000");
    selects(&mut terminal, END, "t0999");
    terminal.wait_for(|screen| screen.contains("1000 of 1000"));
    selects(&mut terminal, UP, "t0998");
    selects(&mut terminal, b"k", "t0997");
    selects(&mut terminal, DOWN, "t0998");
    selects(&mut terminal, b"j", "t0999");
    selects(&mut terminal, DOWN, "t0999");
    selects(&mut terminal, PAGE_UP, "t0989");
    selects(&mut terminal, HOME, "t0000");
    selects(&mut terminal, UP, "t0000");
    selects(&mut terminal, PAGE_DOWN, "t0010");
    selects(&mut terminal, b"G", "t0999");
    selects(&mut terminal, b"g", "t0000");
    terminal.type_in(CONTROL_C);
    left(&mut terminal, 130);
}

#[test]
fn a_record_is_read_again_only_when_it_has_changed() {
    let sandbox = Sandbox::default();
    runs::many(&sandbox, 10);
    // A write through another directory's link does not change this one.
    let elsewhere = sandbox.path("elsewhere.ini");
    fs::hard_link(sandbox.store().join("t0005.ini"), &elsewhere).unwrap();
    let mut terminal = watch(&sandbox, 24, 80, "");
    append(&elsewhere, "rc = 5\n");
    selects(&mut terminal, END, "t0009");
    append(&sandbox.store().join("t0009.ini"), "rc = 9\n");
    terminal.wait_for(|screen| screen.contains("t0009  finished  9 "));
    assert!(terminal.text().contains("t0005  finished  0 "), "{}", terminal.text());
    append(&sandbox.store().join("t0005.ini"), "pid = 77\n");
    terminal.wait_for(|screen| screen.contains("t0005  finished  5       77 "));
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn c_cancels_after_a_question() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    sandbox.run("async run t -- sleep 1000; async run over -- true; async wait --keep --quiet over").exits(0);
    let mut terminal = watch(&sandbox, 24, 80, "");
    terminal.wait_for(|screen| screen.contains("log of t ─"));
    terminal.type_in(b"c");
    terminal.wait_for(|screen| screen.contains("cancel `t`? y/n"));
    terminal.type_in(b"n");
    terminal.wait_for(|screen| screen.contains("`t` was left alone"));
    assert!(terminal.text().contains("t     running"));
    terminal.type_in(b"cy");
    terminal.wait_for(|screen| screen.contains("]: cancelled: 1 process terminated"));
    terminal.wait_for(|screen| screen.contains("t     finished  143 TERM cancelled"));
    terminal.type_in(b"c");
    terminal.wait_for(|screen| screen.contains("`t` is over"));
    terminal.type_in(b"j");
    terminal.wait_for(|screen| screen.contains("q quit"));
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn signals_end_it_and_the_terminal_is_as_it_was() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut terminal = watch(&sandbox, 24, 80, "");
        let pid: i32 = fs::read_to_string(sandbox.path("dest/pid")).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
        left(&mut terminal, 128 + signal as i32);
    }
}

#[test]
fn a_window_may_have_any_size_and_another_one_later() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let mut terminal = watch(&sandbox, 24, 80, "");
    for (rows, columns) in [(50, 200), (10, 60), (3, 30), (2, 2), (1, 1)] {
        terminal.resize(rows, columns);
        let summary = if columns > 20 { "failed" } else { "" };
        terminal.wait_for(|screen| screen.contains(summary) && screen.lines().count() <= usize::from(rows));
    }
    terminal.resize(24, 80);
    terminal.wait_for(|screen| screen.contains("q quit") && screen.contains("STATE") && screen.contains("log of docs"));
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn a_window_that_was_small_for_a_moment_is_filled_again() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let mut terminal = watch(&sandbox, 24, 80, "");
    let pid: i32 = fs::read_to_string(sandbox.path("dest/pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    terminal.resize(1, 1);
    terminal.resize(24, 80);
    kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
    terminal.wait_for(|screen| screen.contains("q quit") && screen.contains("STATE") && screen.contains("log of docs"));
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn a_log_is_shown_as_a_terminal_leaves_it_and_can_not_act_on_this_one() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let log = b"10%\r100%\n\x1b[31mred\x1b[0m\x1b]0;title\x07\n\xff\n\tlast";
    fs::write(sandbox.store().join("build.log"), log).unwrap();
    let mut terminal = watch(&sandbox, 24, 80, "build");
    terminal.wait_for(|screen| screen.contains("\n100%\nred\n\\xff\n    last\n"));
    let sent = String::from_utf8_lossy(&terminal.sent).into_owned();
    assert!(!sent.contains("\u{1b}]0;"), "{sent:?}");
    terminal.type_in(b"q");
    left(&mut terminal, 0);
}

#[test]
fn without_colours_the_selected_row_still_stands_out() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let mut terminal =
        Terminal::new(&sandbox, 80, "cd \"$DEST\"; NO_COLOR=1 async --dir async status --watch; echo gone");
    terminal.wait_for(|screen| screen.contains("q quit"));
    assert_eq!(selected(&terminal), "docs");
    assert!(!terminal.sent.windows(5).any(|bytes| bytes == b"\x1b[38;"));
    terminal.type_in(b"q");
    terminal.wait_for(|screen| screen.contains("gone"));
}

#[test]
fn what_can_not_be_read_is_named_beside_the_others() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    fs::write(sandbox.store().join("bad.ini"), "nonsense\n").unwrap();
    let mut terminal = Terminal::new(&sandbox, 120, "cd \"$DEST\"; async --dir async status --watch; echo gone");
    terminal.wait_for(|screen| {
        screen.contains("async/bad.ini is not a record that can be read") && screen.contains("docs")
    });
    fs::remove_file(sandbox.store().join("bad.ini")).unwrap();
    terminal.wait_for(|screen| screen.contains("q quit"));
    terminal.type_in(b"q");
    terminal.wait_for(|screen| screen.contains("gone"));
}

#[test]
fn the_store_may_be_cleared_or_removed_meanwhile() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    sandbox.run("async run t -- true; async wait t").exits(0);
    let mut terminal = watch(&sandbox, 24, 80, "--all");
    terminal.wait_for(|screen| screen.contains("t     collected"));
    sandbox.run("async init").exits(0);
    terminal.wait_for(|screen| screen.contains("there are no futures"));
    sandbox.run("async run u -- true; async wait u").exits(0);
    terminal.wait_for(|screen| screen.contains("u     collected"));
    fs::rename(sandbox.store(), sandbox.path("dest/elsewhere")).unwrap();
    left(&mut terminal, 125);
    assert!(terminal.text().contains("async: there is no store at async"), "{}", terminal.text());
}

#[test]
fn it_needs_a_terminal() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let finished = sandbox.run("async status --watch");
    finished.complains("--watch needs a terminal to draw on, and standard output is none").exits(2);
    assert_eq!(finished.stdout, "");
    sandbox.run("async status --watch --json").complains("cannot be used with").exits(2);
}
