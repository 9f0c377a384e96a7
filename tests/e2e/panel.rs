//! The panel that a terminal shows while a wait blocks.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::fixtures::store::Held;
use async_tests::shell::Sandbox;
use async_tests::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The marks that rows begin with.
const MARKS: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏·✓✗";

/// The beginning of scripts. The task `t` prints, and ends when somebody writes to `go`.
const FUNCTIONS: &str = r#"
source <(async shim --profile "${PROFILE:-standalone}" --parallel-default true)
mkfifo go
function t { echo "step one"; read -r _ <go; echo "the log"; }
echo "$$" >pid
"#;

/// So many of these tasks that what others print does not cover all of their rows.
const MANY: &str = r#"ASYNC_QUIET=1; for name in t a b c d e; do async_run "$name" t; done; async_wait"#;

/// The rows of the panel.
fn rows(screen: &str) -> Vec<&str> {
    screen.lines().filter(|line| line.starts_with(|mark| MARKS.contains(mark))).collect()
}

/// The row of that future, without its mark.
fn row<'a>(screen: &'a str, name: &str) -> Option<&'a str> {
    let mut rows = rows(screen).into_iter().filter_map(|row| Some(row.split_once(' ')?.1));
    rows.find(|row| row.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

fn has_row(screen: &str, name: &str, wanted: &str) -> bool {
    row(screen, name).is_some_and(|row| row.contains(wanted))
}

/// Whether a panel was drawn there: only then is the position of the cursor saved.
fn draws(sent: &[u8]) -> bool {
    sent.windows(2).any(|bytes| bytes == b"\x1b7")
}

/// The number of seconds in a result.
fn seconds(text: &str) -> String {
    let number = text.split(" in ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?");
    format!(" in {number} seconds")
}

/// Waits for so long that anything else that waits since then would have shown its panel.
fn one_panel_long() {
    let held = Held::default();
    let task = held.begin("clock");
    let mut terminal = Terminal::new(&held.sandbox, 80, "async wait -q clock");
    terminal.wait_for(|screen| row(screen, "clock").is_some_and(|row| !row.ends_with(" 0s")));
    task.finish(0);
    terminal.finish();
}

fn script_of(sandbox: &Sandbox) -> Pid {
    let pid = fs::read_to_string(sandbox.path("cwd/pid")).unwrap();
    Pid::from_raw(pid.trim().parse().unwrap())
}

/// Lets the task `t` of a script end.
fn open_gate(sandbox: &Sandbox) {
    fs::write(sandbox.path("cwd/go"), "\n").unwrap();
}

#[test]
fn a_terminal_shows_what_is_waited_for_and_what_it_printed_last() {
    let held = Held::default();
    let mut task = held.begin("t");
    let mut terminal = Terminal::new(&held.sandbox, 80, "stty -g; async wait t; echo \"status $?\"; stty -g");
    terminal.wait_for(|screen| row(screen, "t").is_some());
    task.print("\x1b[1mone\x1b[0m\ntwo of \x1b]0;title\x07 10%\rtwo of 20%\n\n");
    terminal.wait_for(|screen| has_row(screen, "t", "s  two of 20%"));
    assert!(terminal.shows_cursor());
    task.print("\x1b[1mthree\x1b[0m\u{202e}\n");
    terminal.wait_for(|screen| has_row(screen, "t", r"s  three\u{202e}"));
    let before = terminal.text().lines().next().unwrap().to_owned();
    fs::write(held.path("t.log"), "all of it\n").unwrap();
    task.finish(3);
    assert!(terminal.finish().success());
    assert_eq!(
        terminal.text(),
        format!(
            "{before}\n\
             [Async t:]: Waiting for completion of make (0 other jobs running)\n\
             all of it\n\
             [Async t:]: finished make with result 3{}\n\
             status 3\n\
             {before}",
            seconds(&terminal.text())
        ),
        "nothing of the panel is left"
    );
    assert!(terminal.shows_cursor());
    assert!(!terminal.sent.windows(3).any(|bytes| bytes == b"\x1b[?"), "no mode was changed");
}

#[test]
fn what_a_task_usually_takes_is_a_bar() {
    let held = Held::default();
    held.begin("t").finish(0);
    held.sandbox.run("async wait t").exits(0);
    // As if it had taken longer.
    for entry in fs::read_dir(held.path(".collected")).unwrap().flatten() {
        let record = fs::read_to_string(entry.path()).unwrap();
        let slower =
            |line: &str| if line.starts_with("run_time = ") { "run_time = 7000" } else { line }.to_owned() + "\n";
        fs::write(entry.path(), record.lines().map(slower).collect::<String>()).unwrap();
    }
    let (task, new) = (held.begin("t"), held.begin("new"));
    let mut terminal = Terminal::new(&held.sandbox, 100, "async wait -q t new");
    terminal.wait_for(|screen| has_row(screen, "t", "─ ~7s") && row(screen, "new").is_some());
    assert!(!has_row(&terminal.text(), "new", "─"), "{}", terminal.text());
    terminal.wait_for(|screen| has_row(screen, "t", "━━━━"));
    terminal.resize(24, 50);
    terminal.wait_for(|screen| row(screen, "t").is_some_and(|row| !row.contains('─')));
    task.finish(0);
    new.finish(0);
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "");
}

#[test]
fn what_is_queued_says_why_and_what_is_over_how_it_ended() {
    let held = Held::default();
    let [first, over, fails, lost] = ["first", "over", "fails", "lost"].map(|name| held.begin(name));
    held.sandbox.run("async run -q --after first --after over later -- true").exits(0);
    held.sandbox.run("async run -q --after first --jobs 1 limited -- true").exits(0);
    let mut terminal = Terminal::new(&held.sandbox, 80, "async wait -q first over later fails lost");
    terminal.wait_for(|screen| has_row(screen, "later", "s  queued after first, over"));
    over.finish(0);
    fails.finish(3);
    lost.end();
    terminal.wait_for(|screen| {
        has_row(screen, "over", "s  finished")
            && has_row(screen, "fails", "s  failed with status 3")
            && has_row(screen, "lost", "  was lost")
            && has_row(screen, "later", "s  queued after first")
    });
    let marks: Vec<char> = rows(&terminal.text())[1..].iter().filter_map(|row| row.chars().next()).collect();
    assert_eq!(marks, ['✓', '·', '✗', '✗'], "{}", terminal.text());
    first.finish(0);
    terminal.finish();
    assert_eq!(rows(&terminal.text()), [""; 0]);
}

#[test]
fn what_a_limit_holds_back_says_so() {
    let sandbox = Sandbox::default();
    sandbox
        .run("mkfifo go; async init; export ASYNC_JOBS=1; async run -q a -- cat go; async run -q b -- true")
        .exits(0);
    let mut terminal = Terminal::new(&sandbox, 80, "async wait -q --all");
    terminal.wait_for(|screen| has_row(screen, "b", "s  queued: no more than 1 at once") && row(screen, "a").is_some());
    open_gate(&sandbox);
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "");
}

#[test]
fn as_many_as_fit_are_shown_and_the_others_counted() {
    let held = Held::default();
    let mut tasks: Vec<_> = (0..200).map(|number| held.begin(&format!("t{number:03}"))).collect();
    let before = "yes line | head -n 20";
    let mut terminal = Terminal::of_size(&held.sandbox, 8, 60, &format!("{before}; async wait -q --all; echo end"));
    let is_whole = |screen: &str, shown: usize| {
        rows(screen).len() == shown && screen.ends_with(&format!("\n  … and {} more: {0} running", 200 - shown))
    };
    terminal.wait_for(|screen| is_whole(screen, 5));
    assert!(terminal.text().starts_with("line\n\n"), "{}", terminal.text());
    assert!(row(&terminal.text(), "t004").is_some());
    // What failed comes before what runs.
    tasks.remove(150).finish(2);
    terminal.wait_for(|screen| has_row(screen, "t150", "failed with status 2"));
    terminal.wait_for(|screen| rows(screen).len() == 5 && screen.ends_with("… and 195 more: 195 running"));
    for (rows_, columns) in [(20, 60), (6, 30), (3, 10), (2, 5), (1, 3), (12, 200)] {
        terminal.resize(rows_, columns);
        let most = usize::from(rows_).saturating_sub(3);
        terminal.wait_for(|screen| rows(screen).len() == most && screen.lines().count() <= usize::from(rows_));
    }
    terminal.type_in(b"\x03");
    terminal.finish();
    assert_eq!(rows(&terminal.text()), [""; 0], "{}", terminal.text());
    for task in tasks {
        task.finish(0);
    }
}

#[test]
fn rows_are_cut_to_the_width_of_the_terminal() {
    let held = Held::default();
    let mut task = held.begin("a name that is longer than anybody's");
    task.print(&format!("{}\n", "größe 日本 ".repeat(50)));
    let mut terminal = Terminal::new(&held.sandbox, 40, "async wait -q --no-log --all");
    terminal.wait_for(|screen| has_row(screen, "a name that…", "größe") && screen.ends_with('…'));
    for columns in [16, 3, 1, 40] {
        terminal.resize(24, columns);
        terminal.wait_for(|screen| screen.trim().lines().count() == 1 && (columns < 40 || screen.ends_with('…')));
    }
    task.finish(0);
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "");
}

#[test]
fn the_first_of_several_is_waited_for_with_a_row_for_each() {
    let held = Held::default();
    let (mut a, b) = (held.begin("a"), held.begin("b"));
    a.print("of a\n");
    let mut terminal = Terminal::new(&held.sandbox, 80, "async wait -q --any a b");
    terminal.wait_for(|screen| has_row(screen, "a", "s  of a") && row(screen, "b").is_some());
    b.finish(0);
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "b");
    a.finish(0);
}

#[test]
fn an_interrupted_wait_says_that_what_it_waited_for_goes_on() {
    let held = Held::default();
    let (one, other) = (held.begin("one"), held.begin("two words"));
    let dir = held.sandbox.store();
    let given = format!("async --dir {}", dir.display());
    for (command, shown, names) in [
        ("async wait one 'two words'", "⠋ two words  ", "async wait one 'two words'"),
        ("async wait --any one 'two words'", "⠋ two words  ", "async wait one 'two words'"),
        ("async wait --json --all", "⠋ two words  ", "async wait --all"),
        ("async cleanup", "⠋ one  ", "async wait --all"),
        (&format!("{given} wait --timeout 1h one"), "⠋ one  ", &format!("{given} wait one")),
        ("TERM=dumb async wait one", "Waiting for completion", "async wait one"),
    ] {
        let mut terminal = Terminal::new(&held.sandbox, 200, &format!("trap : INT; {command}; echo \"status $?\""));
        terminal
            .wait_for(|screen| row(screen, shown.trim_start_matches("⠋ ").trim()).is_some() || screen.contains(shown));
        terminal.type_in(b"\x03");
        terminal.wait_for(|screen| screen.contains("status 130"));
        let cancel = names.replacen(" wait ", " cancel ", 1);
        let notice =
            format!("async: interrupted; what was waited for goes on: `{names}` waits again, `{cancel}` stops it");
        assert!(terminal.text().replace('\n', "").contains(&notice), "{command}: {}", terminal.text());
        assert!(terminal.finish().success());
        assert_eq!(rows(&terminal.text()), [""; 0], "{}", terminal.text());
        assert!(terminal.shows_cursor());
    }
    assert_eq!(held.store.names().unwrap().len(), 2);
    one.finish(0);
    other.finish(0);
}

#[test]
fn an_interrupt_takes_the_panel_away_and_leaves_the_future() {
    let held = Held::default();
    let [mut task, others @ ..] = ["t", "a", "b", "c", "d"].map(|name| held.begin(name));
    task.print("the log\n");
    let script = "trap : INT; async wait --timeout 1h -q t a b c d; echo \"status $?\"";
    let mut terminal = Terminal::new(&held.sandbox, 160, script);
    terminal.wait_for(|screen| has_row(screen, "t", "the log") && rows(screen).len() == 5);
    terminal.type_in(b"\x03");
    assert!(terminal.finish().success());
    let notice = "async: interrupted; what was waited for goes on: `async wait t a b c d` waits again, \
                  `async cancel t a b c d` stops it";
    assert_eq!(terminal.text(), format!("^C\n{notice}\nstatus 130"));
    for task in others {
        task.finish(0);
    }
    task.finish(6);
    held.sandbox.run("async wait t").says("the log\n").exits(6);
}

#[test]
fn the_time_that_is_up_takes_the_panel_away_too() {
    let held = Held::default();
    let _task = held.begin("t");
    let script = "async wait --timeout 2s -q t; echo \"status $?\"";
    let mut terminal = Terminal::new(&held.sandbox, 80, script);
    terminal.wait_for(|screen| row(screen, "t").is_some());
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "async: the time was up before the end of `t`: wait again, or longer\nstatus 124");
}

#[test]
fn a_stopped_wait_leaves_the_terminal_to_others_and_comes_back() {
    let held = Held::default();
    // So many that what the shell prints does not cover their rows.
    let [t, others @ ..] = ["t", "a", "b", "c", "d", "e"].map(|name| held.begin(name));
    let mut terminal = Terminal::new(&held.sandbox, 80, "PS1='$ ' exec bash --norc --noprofile -i");
    terminal.type_in(b"stty tostop; async wait -q t a b c d e\n");
    terminal.wait_for(|screen| rows(screen).len() == 6);
    terminal.type_in(b"\x1a");
    terminal.wait_for(|screen| screen.contains("Stopped") && rows(screen).is_empty());
    assert!(terminal.shows_cursor());
    terminal.type_in(b"fg\n");
    terminal.wait_for(|screen| rows(screen).len() == 6);
    terminal.type_in(b"\x1a");
    terminal.wait_for(|screen| screen.matches("Stopped").count() == 2 && rows(screen).is_empty());
    // In the background it neither draws nor is stopped.
    terminal.type_in(b"bg; echo $((10 + 3))\n");
    terminal.wait_for(|screen| screen.contains("\n13\n"));
    let before = terminal.sent.len();
    one_panel_long();
    terminal.type_in(b"jobs; echo $((40 + 2))\n");
    terminal.wait_for(|screen| screen.contains("Running") && screen.contains("\n42\n"));
    assert!(!draws(&terminal.sent[before..]), "{}", terminal.text());
    terminal.type_in(b"fg\n");
    terminal.wait_for(|screen| rows(screen).len() == 6);
    for task in others {
        task.finish(0);
    }
    t.finish(7);
    terminal.wait_for(|screen| rows(screen).is_empty());
    terminal.type_in(b"echo \"status $?\"\n");
    terminal.wait_for(|screen| screen.contains("\nstatus 7\n"));
    terminal.type_in(b"exit\n");
    terminal.finish();
}

#[test]
fn a_killed_wait_leaves_the_cursor_and_the_terminals_mode() {
    let held = Held::default();
    let task = held.begin("t");
    let script = "echo $$ >pid; stty -g; async wait -q t & echo $! >pid; wait; stty -g; exec async wait -q t";
    let mut terminal = Terminal::new(&held.sandbox, 80, script);
    terminal.wait_for(|screen| row(screen, "t").is_some());
    kill(script_of(&held.sandbox), Signal::SIGKILL).unwrap();
    let is_mode = |line: &&str| line.matches(':').count() > 5;
    terminal.wait_for(|screen| screen.lines().filter(is_mode).count() == 2);
    assert!(terminal.shows_cursor());
    // The next one draws over it.
    terminal
        .wait_for(|screen| rows(screen).len() == 1 && screen.lines().last().is_some_and(|line| has_row(line, "t", "")));
    task.finish(0);
    assert!(terminal.finish().success());
    let text = terminal.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, lines[2]), "{text}");
}

#[test]
fn a_waiting_script_shows_it_too_and_its_traps_run_at_once() {
    let sandbox = Sandbox::default();
    let script = "ASYNC_QUIET=1
        trap 'echo trapped' USR1
        async_run t t; async_wait t; echo \"status $?\"";
    let mut terminal = Terminal::new(&sandbox, 80, &format!("{FUNCTIONS}{script}"));
    terminal.wait_for(|screen| has_row(screen, "t", "s  step one"));
    assert!(terminal.shows_cursor());
    kill(script_of(&sandbox), Signal::SIGUSR1).unwrap();
    terminal.wait_for(|screen| screen.starts_with("trapped\n") && has_row(screen, "t", "s  step one"));
    open_gate(&sandbox);
    assert!(terminal.finish().success());
    assert_eq!(terminal.text(), "trapped\nstep one\nthe log\nstatus 0");
}

#[test]
fn a_script_that_waits_for_the_first_and_one_that_waits_at_its_end_show_it() {
    for (script, names, said) in [
        (
            "mkfifo never; async_run t t; async_run other cat never; async_wait --any t other; async cancel -q other",
            &["t", "other"][..],
            "step one\nthe log\nt",
        ),
        ("ASYNC_ON_EXIT=wait; async_run t t", &["t"], "step one\nthe log"),
    ] {
        let sandbox = Sandbox::default();
        let mut terminal = Terminal::new(&sandbox, 80, &format!("{FUNCTIONS}ASYNC_QUIET=1; {script}"));
        terminal.wait_for(|screen| {
            names.iter().all(|name| row(screen, name).is_some()) && has_row(screen, "t", "s  step one")
        });
        open_gate(&sandbox);
        terminal.finish();
        assert!(terminal.text().starts_with(said), "{}", terminal.text());
        assert_eq!(rows(&terminal.text()), [""; 0]);
    }
}

#[test]
fn what_the_shell_alone_knows_counts_where_it_is_shown_too() {
    let [shown, not] = ["on", "off"].map(|progress| {
        let sandbox = Sandbox::default();
        let script = format!(
            "export ASYNC_PROGRESS={progress}
            async_run t t; async_pidof t >supervisor; echo waits; async_wait t; echo \"status $?\""
        );
        let mut terminal = Terminal::new(&sandbox, 200, &format!("{FUNCTIONS}{script}"));
        terminal.wait_for(|screen| screen.contains("waits") && (progress == "off" || row(screen, "t").is_some()));
        let pid = fs::read_to_string(sandbox.path("cwd/supervisor")).unwrap();
        kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
        terminal.finish();
        terminal.text().replace(pid.trim(), "PID")
    });
    assert!(shown.contains("result 137 (killed by signal 9, SIGKILL)"), "{shown}");
    // The shell may or may not say that its child was killed, and what is left of the task may be gone by then.
    let what_counts = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("[Async") || line.starts_with("status"));
        lines.map(|line| line.split("; process ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(what_counts(&shown), what_counts(&not));
}

#[test]
fn what_is_printed_meanwhile_comes_out_whole() {
    let sandbox = Sandbox::default();
    let script = "mkfifo more
        { read -r _ <more; async_run a true; async_run b true; async_wait -q a b; printf partial; } &
        function long { echo \"step one, $(printf '%0*d' 60 0)\"; read -r _ <go; }
        async_run t long; async_wait t";
    let mut terminal = Terminal::new(&sandbox, 80, &format!("{FUNCTIONS}{script}"));
    terminal.wait_for(|screen| has_row(screen, "t", "s  step one"));
    fs::write(sandbox.path("cwd/more"), "\n").unwrap();
    terminal.wait_for(|screen| screen.contains("partial") && has_row(screen, "t", "s  step one"));
    terminal.wait_for(|screen| rows(screen).len() == 1 && screen.matches("finished successfully").count() == 2);
    open_gate(&sandbox);
    assert!(terminal.finish().success());
    let text = terminal.text();
    assert_eq!(rows(&text), [""; 0]);
    for name in ["a", "b"] {
        let lines =
            text.lines().filter_map(|line| line.trim_start_matches("partial").strip_prefix(&format!("[Async {name}:")));
        let mut lines: Vec<&str> = lines.filter_map(|line| Some(line.split_once("]: ")?.1)).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["finished successfully", "running: true"], "{text}");
    }
    assert!(text.contains("partial"), "{text}");
}

#[test]
fn nothing_is_left_of_it_however_its_script_ends() {
    for (signal, status) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGKILL, 137)] {
        let sandbox = Sandbox::default();
        // What it leaves running prints nothing, which would take the panel away.
        fs::write(sandbox.path("cwd/script"), format!("{FUNCTIONS}ASYNC_ON_EXIT=leave; {MANY}")).unwrap();
        let mut terminal = Terminal::new(&sandbox, 80, "bash script; echo \"status $?\"; read -r _");
        terminal.wait_for(|screen| rows(screen).len() == 6);
        kill(script_of(&sandbox), signal).unwrap();
        terminal.wait_for(|screen| screen.contains(&format!("status {status}")) && rows(screen).is_empty());
        assert!(terminal.shows_cursor());
        sandbox.run("async cancel --quiet t a b c d e").exits(0);
        terminal.type_in(b"\n");
        assert!(terminal.finish().success());
        assert_eq!(rows(&terminal.text()), [""; 0]);
    }
}

#[test]
fn ctrl_c_ends_a_waiting_script_and_its_panel() {
    let sandbox = Sandbox::default();
    let mut terminal = Terminal::new(&sandbox, 80, &format!("{FUNCTIONS}{MANY}"));
    terminal.wait_for(|screen| rows(screen).len() == 6);
    terminal.type_in(b"\x03");
    assert!(!terminal.finish().success());
    assert_eq!(rows(&terminal.text()), [""; 0]);
    assert!(terminal.text().starts_with("^C"), "{}", terminal.text());
    assert!(terminal.shows_cursor());
}

#[test]
fn a_stopped_script_leaves_the_terminal_to_others_and_comes_back() {
    let sandbox = Sandbox::default();
    let script =
        "ASYNC_QUIET=1; for name in t a b c d e; do async_run \"$name\" t; done; async_wait; echo \"status $?\"";
    fs::write(sandbox.path("cwd/script"), format!("{FUNCTIONS}{script}")).unwrap();
    let mut terminal = Terminal::new(&sandbox, 80, "PS1='$ ' exec bash --norc --noprofile -i");
    terminal.type_in(b"bash script\n");
    let is_whole = |screen: &str| rows(screen).len() == 6 && rows(screen).iter().all(|row| row.contains("step one"));
    terminal.wait_for(is_whole);
    terminal.type_in(b"\x1a");
    terminal.wait_for(|screen| screen.contains("Stopped") && rows(screen).is_empty());
    terminal.type_in(b"fg\n");
    terminal.wait_for(is_whole);
    open_gate(&sandbox);
    terminal.wait_for(|screen| screen.contains("the log\nstatus 0\n") && rows(screen).is_empty());
    terminal.type_in(b"exit\n");
    terminal.finish();
}

#[test]
fn there_is_none_where_nobody_looks_or_somebody_does_not_want_it() {
    let waits: Vec<_> = [
        "export CI=1",
        "TERM=dumb",
        "TERM=",
        "ASYNC_PROGRESS=off",
        "export ASYNC_PROGRESS=off",
        "exec 2>err",
        "exec 2> >(cat)",
        "PROFILE=devstack",
    ]
    .into_iter()
    .map(|setting| {
        let sandbox = Sandbox::default();
        let script = format!("{setting}\n{FUNCTIONS}\nasync_init; async_run t t; echo waits; async_wait t");
        let mut terminal = Terminal::new(&sandbox, 80, &script);
        terminal.wait_for(|screen| screen.contains("waits"));
        (setting, sandbox, terminal)
    })
    .collect();
    one_panel_long();
    for (setting, sandbox, mut terminal) in waits {
        open_gate(&sandbox);
        assert!(terminal.finish().success(), "{setting}");
        assert!(terminal.text().contains("the log"), "{setting}: {}", terminal.text());
        assert!(!terminal.sent.contains(&b'\x1b'), "{setting}: {}", terminal.text());
    }
}

#[test]
fn where_it_can_not_be_shown_it_costs_nothing() {
    let held = Held::default();
    // A thread listens for Ctrl-C if somebody can be told.
    for (script, threads) in [
        ("TERM=dumb exec async wait -q t", 2),
        ("unset TERM; exec async wait -q t", 2),
        ("CI=true exec async wait -q t", 2),
        ("ASYNC_PROGRESS=off exec async wait -q t", 2),
        ("exec async wait -q t 2>err", 1),
    ] {
        let task = held.begin("t");
        let mut terminal = Terminal::new(&held.sandbox, 80, script);
        task.wait_for_waiter();
        assert_eq!(terminal.threads(), threads, "nothing is done but to sleep: {script}");
        task.finish(0);
        assert!(terminal.finish().success());
        assert_eq!(terminal.sent, b"", "{script}");
    }
}

#[test]
fn it_has_no_colors_where_they_are_not_wanted() {
    let held = Held::default();
    for (setting, colored) in [("", true), ("NO_COLOR=1 ", false)] {
        let task = held.begin("t");
        let mut terminal = Terminal::new(&held.sandbox, 80, &format!("{setting}async wait -q t"));
        terminal.wait_for(|screen| row(screen, "t").is_some());
        task.finish(0);
        assert!(terminal.finish().success());
        assert_eq!(terminal.sent.windows(5).any(|bytes| bytes == b"\x1b[36m"), colored, "{setting}");
    }
}

#[test]
fn a_wrong_value_of_the_variable_is_refused() {
    let held = Held::default();
    let task = held.begin("t");
    let wrong = "ASYNC_PROGRESS can't be `maybe`: it is on or off\n";
    for command in ["async wait t", "async cleanup", "async run --wait u -- true"] {
        held.sandbox.run(&format!("ASYNC_PROGRESS=maybe {command}")).complains(wrong).exits(2);
    }
    assert_eq!(held.store.names().unwrap().len(), 1, "nothing was started");
    held.sandbox
        .run("source <(async shim); ASYNC_PROGRESS=maybe; async_wait t; echo \"wait $?\"")
        .complains(wrong)
        .says("wait 2\n");
    task.finish(0);
    held.sandbox.run("ASYNC_PROGRESS=on async wait t").exits(0);
}
