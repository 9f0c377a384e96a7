//! `async log`: what tasks have printed, and what they are just printing.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use async_core::{FutureName, Permissions, Request, Start, Store};
use async_tests::shell::Sandbox;
use async_tests::stage::is_slept_for;
use async_tests::terminal::Terminal;
use wait_timeout::ChildExt;

const SHIM: &str = "source <(async shim)\nasync_init || exit\n";

/// A store in which this process holds the life of futures, and writes their logs.
struct Stage {
    sandbox: Sandbox,
    store: Store,
}

/// A future that lives as long as this.
struct Task {
    record: File,
    log: File,
}

impl Stage {
    fn new() -> Self {
        let sandbox = Sandbox::default();
        let (store, _) = Store::init(&sandbox.store(), Permissions::Private).unwrap();
        Self { sandbox, store }
    }

    fn record(&self, name: &str) -> File {
        let name = name.parse::<FutureName>().unwrap();
        self.store.begin(&name, &Request::new(&["make".into()]), &Start::OnRecord).unwrap().record
    }

    fn begin(&self, name: &str) -> Task {
        let record = self.record(name);
        let log = OpenOptions::new().append(true).open(self.log(name)).unwrap();
        Task { record, log }
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.store.dir().join(format!("{name}.log"))
    }

    /// `async log` with these arguments, running.
    fn follow(&self, args: &[&str]) -> Follower {
        let mut command: Command = self.sandbox.command("async");
        command.arg("log").args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Follower { child, output }
    }
}

impl Task {
    fn print(&mut self, text: &str) {
        self.log.write_all(text.as_bytes()).unwrap();
    }

    /// As when its process is killed.
    fn end(self) {
        self.record.unlock().unwrap();
    }
}

struct Follower {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Follower {
    /// The next line, once it is there.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// What comes until it ends, which it does with that status.
    fn rest(mut self, status: i32) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(status), "{rest}");
        rest
    }
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
    finished.complains("async: nothing is kept of a future `nobody` in ").lacks("\nhello\n").exits(125);
    assert!(finished.stdout.ends_with("finished successfully\n"), "{finished}");
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
    let stage = Stage::new();
    let mut task = stage.begin("t");
    let mut all = String::new();
    for number in 1..=100_000 {
        let _ = writeln!(all, "line {number}");
    }
    task.print(&all);
    for (lines, wanted) in [("0", ""), ("1", "line 100000\n"), ("2", "line 99999\nline 100000\n"), ("100001", &all)] {
        let finished = stage.sandbox.run(&format!("async log --lines {lines} t"));
        assert!(finished.stdout == wanted, "{lines}: {} bytes", finished.stdout.len());
    }
    stage.sandbox.run("async log -n 1 --prefix t").says("t | line 100000\n");
    stage.sandbox.run("async log -n x t").exits(2);
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
        async log --list-runs t | cut -f 1,2,4,6"
    ));
    finished
        .complains("the third\nstatus 0\nthe second\nstatus 0\nthe first\nstatus 0\n")
        .complains("async: there is no run 4 of `t`, only 3: see `async log --list-runs`\nstatus 125\n")
        .complains("t\t1\tresult 0\techo the third\nt\t2\tresult 3\tbash -c echo the second; exit 3\nt\t3\tresult 0\techo the first\n");
    sandbox.run("async log --run 0 t").exits(2);
    sandbox.run("async log --list-runs nobody").complains("nothing is kept of a future `nobody`").exits(125);
}

#[test]
fn a_follower_prints_each_line_as_it_comes_and_ends_with_the_future() {
    let stage = Stage::new();
    let mut task = stage.begin("t");
    task.print("one\n");
    let mut follower = stage.follow(&["--follow", "t"]);
    assert_eq!(follower.line(), "one\n");
    task.print("two\n");
    assert_eq!(follower.line(), "two\n");
    task.print("no newline");
    task.end();
    assert_eq!(follower.rest(0), "no newline");
    // One that is over is printed, and that is all.
    assert_eq!(stage.follow(&["-f", "t"]).rest(0), "one\ntwo\nno newline");
}

#[test]
fn a_follower_of_the_last_lines_goes_on_from_there() {
    let stage = Stage::new();
    let mut task = stage.begin("t");
    task.print("one\ntwo\n");
    let mut follower = stage.follow(&["-f", "-n", "1", "t"]);
    assert_eq!(follower.line(), "two\n");
    task.print("three\n");
    assert_eq!(follower.line(), "three\n");
    task.end();
    assert_eq!(follower.rest(0), "");
}

#[test]
fn a_follower_sees_a_log_that_is_made_later_made_again_or_cut_off() {
    let stage = Stage::new();
    let record = stage.record("t");
    let path = stage.log("t");
    // As it stands between the record and the log; the log that is there is of an earlier future.
    let ini = stage.store.dir().join("t.ini");
    let text = fs::read_to_string(&ini).unwrap();
    fs::write(&ini, text.replace("log = own\n", "")).unwrap();
    fs::write(&path, "of an earlier future\n").unwrap();

    let mut follower = stage.follow(&["-f", "t"]);
    // It has looked when it waits for the end.
    wait_for_sleeper(&record);
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
    record.unlock().unwrap();
    assert_eq!(follower.rest(0), "");
}

/// Waits until somebody waits for the end of a future.
fn wait_for_sleeper(record: &File) {
    let inode = record.metadata().unwrap().ino();
    while !is_slept_for(inode) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_follower_is_not_led_astray_by_a_later_future_of_the_name() {
    let stage = Stage::new();
    let mut task = stage.begin("t");
    task.print("the first\n");
    let mut follower = stage.follow(&["-f", "t"]);
    assert_eq!(follower.line(), "the first\n");
    task.print("its end\n");
    task.end();
    let mut later = stage.begin("t");
    later.print("the second\n");
    assert_eq!(follower.rest(0), "its end\n");
}

#[test]
fn several_are_followed_a_whole_line_at_a_time_with_their_names() {
    let stage = Stage::new();
    let (mut a, mut long) = (stage.begin("a"), stage.begin("größe"));
    let mut follower = stage.follow(&["-f", "a", "größe"]);
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
    assert_eq!(follower.rest(0), "");
}

#[test]
fn a_follower_ends_when_nobody_reads_any_more() {
    let stage = Stage::new();
    let mut task = stage.begin("t");
    task.print("one\n");
    let mut follower = stage.follow(&["-f", "t"]);
    assert_eq!(follower.line(), "one\n");
    let Follower { mut child, output } = follower;
    drop(output);
    let ended = child.wait_timeout(Duration::from_secs(60)).unwrap().expect("it ends");
    assert_eq!(ended.code(), Some(0));
    task.end();
}

#[test]
fn a_task_that_a_shell_runs_itself_is_followed_until_it_ends_and_no_longer() {
    let stage = Stage::new();
    let name: FutureName = "t".parse().unwrap();
    let start = Start::InProcess(std::process::id());
    stage.store.begin(&name, &Request::new(&["make".into()]), &start).unwrap();
    let begin = || stage.store.dir().join("t.ini");
    let mut follower = stage.follow(&["-f", "t"]);
    wait_for_watch(&follower.child);
    stage.store.finish(&name, 0).unwrap();
    assert!(Path::new(&begin()).exists());
    assert_eq!(follower.line(), "");
    assert_eq!(follower.rest(125), "");
}

/// Waits until the process has a pidfd open, with which it waits for another one.
fn wait_for_watch(child: &Child) {
    let fds = format!("/proc/{}/fd", child.id());
    let has = || {
        let links = fs::read_dir(&fds).into_iter().flatten().flatten();
        links.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link.to_string_lossy().contains("pidfd"))
    };
    while !has() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn names_are_coloured_on_a_terminal_and_nowhere_else() {
    let stage = Stage::new();
    for name in ["a", "b"] {
        stage.begin(name).print("hello\n");
    }
    let on_terminal = |environment: &str| {
        let mut terminal = Terminal::new(&stage.sandbox, 80, &format!("{environment} async log --prefix a b"));
        assert!(terminal.finish().success());
        String::from_utf8_lossy(&terminal.sent).replace('\r', "")
    };
    assert_eq!(on_terminal(""), "\x1b[36ma |\x1b[0m hello\n\x1b[33mb |\x1b[0m hello\n");
    let plain = "a | hello\nb | hello\n";
    assert_eq!(on_terminal("NO_COLOR=1"), plain);
    assert_eq!(on_terminal("TERM=dumb"), plain);
    assert_eq!(stage.sandbox.run("async log --prefix a b").stdout, plain);
}
