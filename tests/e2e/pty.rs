//! `--pty`: a pseudo-terminal as the output of a task.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::fault::{Case, in_each_standalone_case};
use async_tests::shell::{Finished, Sandbox};
use async_tests::small_disk::{SmallDisk, is_root};
use async_tests::terminal::Terminal;
use async_tests::tools::is_there;

/// What a task finds out about its output, and what it prints last.
const LOOKS: &str = "[[ -t 1 ]] && echo 'out is one'
    [[ -t 2 ]] && echo 'err is one' >&2
    [[ -t 0 ]] || echo 'in is none'
    echo more >/dev/stderr
    printf '\\033[31mred\\033[m\\r\\n'";

/// The same for a function and for a program: a script that starts `t` with these options and this body.
fn both(case: &Case, options: &str, body: &str, then: &str) -> [Finished; 2] {
    let body = body.replace('\'', "'\\''");
    [
        format!("eval 'function task {{ {body}; }}'; async_run {options} t task; {then}"),
        format!("async run {options} t -- bash -c '{body}'; {then}"),
    ]
    .map(|script| case.run(&format!("mkfifo go; {script}")))
}

#[test]
fn both_outputs_are_a_terminal_and_the_log_has_its_bytes() {
    in_each_standalone_case(|case| {
        for finished in
            both(case, "--pty", LOOKS, "async_wait --keep t; cp \"$ASYNC_DIR/t.log\" log; async wait t; od -c log")
        {
            finished
                .says("out is one\nerr is one\nin is none\nmore\nred\r\n0000")
                .says(" 033   [   3   1   m ")
                .exits(0);
            assert!(!finished.stdout.contains("\\r  \\r"), "newlines stay what they are: {finished}");
        }
    });
}

#[test]
fn the_variable_asks_for_one_and_an_option_is_not_needed() {
    in_each_standalone_case(|case| {
        for (how, is_one) in
            [("ASYNC_PTY=1", true), ("export ASYNC_PTY=yes", true), ("ASYNC_PTY=no", false), (":", false)]
        {
            let script =
                format!("{how}; function task {{ [[ ! -t 1 ]] || echo one; }}; async_run t task; async_wait t");
            assert_eq!(case.run(&script).stdout, if is_one { "one\n" } else { "" }, "{how}");
        }
    });
    let sandbox = Sandbox::default();
    let run = |value| {
        sandbox.finish(
            sandbox.command("async").args(["run", "--wait", "t", "--", "test", "-t", "1"]).env("ASYNC_PTY", value),
        )
    };
    run("true").exits(0);
    run("0").exits(1);
}

/// Which is why there is the option. The reference says so.
#[test]
fn without_it_a_path_of_an_output_cuts_the_log() {
    in_each_standalone_case(|case| {
        for finished in both(case, "", "echo one; echo two >/dev/stderr; echo three", "async wait t") {
            assert_eq!(finished.stdout, "two\nthree\n", "{finished}");
        }
    });
}

#[test]
fn a_line_is_in_the_log_as_soon_as_it_is_printed() {
    in_each_standalone_case(|case| {
        // To a file, grep prints in blocks.
        let body = "{ echo first; read -r _ <go; } | grep .";
        for finished in
            both(case, "--pty", body, "async log -f t | { read -r line; echo \"<$line>\"; : >go; }; async wait t")
        {
            // Without a terminal, nobody would ever open the gate.
            finished.says("<first>\nfirst\n").exits(0);
        }
    });
}

#[test]
fn it_is_not_the_controlling_terminal_and_nothing_is_read_from_it() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "async run --pty --wait t -- bash -c '(: </dev/tty) 2>/dev/null || echo none; read -r _ <&1 || echo nothing'",
    );
    assert_eq!(finished.stdout.lines().next(), Some("none"), "{finished}");
    finished.says("nothing\n").exits(0);
    // That of a function is the script's, as without the option.
    let script = "source <(async shim); function task { echo seen >/dev/tty; ps -o tty= $BASHPID; }
        async_run --pty t task; async_wait t >log; [[ $(<log) == *\"$(ps -o tty= $$)\"* ]] && echo the same";
    let mut terminal = Terminal::new(&sandbox, 80, script);
    assert!(terminal.finish().success(), "{}", terminal.text());
    assert!(terminal.text().contains("seen"), "{}", terminal.text());
    assert!(terminal.text().contains("the same"), "{}", terminal.text());
}

#[test]
fn it_has_the_size_of_the_callers_or_else_the_usual_one() {
    let sandbox = Sandbox::default();
    let script = "source <(async shim); function size { stty size <&1; }
        async_run --pty f size; async run --pty p -- bash -c 'stty size <&1'; async_wait f; async wait p";
    let finished = sandbox.run(script);
    assert_eq!(finished.stdout, "24 80\n24 80\n", "{finished}");
    let mut terminal = Terminal::of_size(&sandbox, 31, 97, &format!("{{ {script}; }} >log"));
    assert!(terminal.finish().success(), "{}", terminal.text());
    assert_eq!(fs::read_to_string(sandbox.path("cwd/log")).unwrap(), "31 97\n31 97\n");
}

/// The law.
#[test]
fn the_status_is_the_tasks_own_however_it_ends() {
    in_each_standalone_case(|case| {
        for (body, status) in [("echo x; exit 0", 0), ("echo x; exit 3", 3), ("echo x; kill -KILL $BASHPID", 137)] {
            for finished in both(case, "--pty", body, "async wait t; echo \"status $?\"") {
                finished.says(&format!("x\nstatus {status}\n"));
            }
        }
    });
}

#[test]
fn all_that_was_written_before_the_end_is_in_the_log() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "{ seq 3000; printf end; } >expected
        for i in {1..40}; do async run -q --pty t$i -- cat expected; done
        for i in {1..40}; do async wait -q t$i | cmp - expected || echo \"t$i\"; done",
    );
    assert_eq!(finished.stdout, "", "{finished}");
    finished.exits(0);
}

#[test]
fn attempts_have_one_each_and_their_output_is_in_order() {
    in_each_standalone_case(|case| {
        let body = "[[ -t 1 && -t 2 ]] && seq 2000 && echo end && exit 4";
        for finished in both(case, "--pty --retry 2", body, "async wait t; echo \"status $?\"") {
            let ends: Vec<&str> = finished.stdout.lines().filter(|line| line.parse::<u32>().is_err()).collect();
            let [end, first, end_again, second, last, status] = ends[..] else { panic!("{finished}") };
            assert_eq!([end, end_again, last, status], ["end", "end", "end", "status 4"], "{finished}");
            assert!(first.contains("attempt 1 of 3") && second.contains("attempt 2 of 3"), "{finished}");
        }
    });
}

#[test]
fn a_timeout_ends_a_task_that_never_stops_writing() {
    in_each_standalone_case(|case| {
        for finished in both(case, "--pty --timeout 1", "yes", "async wait --no-log t; echo \"status $?\"") {
            finished.says("status 124\n").complains("(its time was up)");
        }
    });
}

#[test]
fn what_a_cancelled_task_prints_at_its_end_holds_nobody_up() {
    in_each_standalone_case(|case| {
        // More than a terminal holds back.
        let body = "trap \"seq 50000; echo last; exit 5\" TERM; echo ready; while :; do sleep 0.1; done";
        let then = "async log -f t | read -r _; async cancel --grace 1h t; async wait t | tail -1; echo \"status ${PIPESTATUS[0]}\"";
        for finished in both(case, "--pty", body, then) {
            finished.says("last\nstatus 5\n").complains("(cancelled)");
        }
    });
}

#[test]
fn it_can_be_queued_and_paused() {
    in_each_standalone_case(|case| {
        case.run(
            "make_gate go
            function looks { [[ -t 1 ]] && echo \"$1 has one\"; }
            function waits { gate go; looks a; }
            async_run --pty --jobs 1 a waits; async_run --pty --jobs 1 b looks b
            async pause; async run --pty c -- bash -c '[[ -t 1 ]] && echo \"c has one\"'
            open_gate go; async resume; async_wait a b; async wait c",
        )
        .says("a has one\nb has one\nc has one\n")
        .exits(0);
    });
}

#[test]
fn a_daemon_that_keeps_it_open_does_not_hold_up_the_end_and_gets_an_error() {
    in_each_standalone_case(|case| {
        let body = "(read -r _ <go; echo late || echo \"error $?\" >said; : >done) & echo started";
        let then = "async wait t; echo \"status $?\"; echo >go; until [[ -e done ]]; do sleep 0.02; done; cat said";
        for finished in both(case, "--pty", body, then) {
            finished.says("started\nstatus 0\nerror 1\n");
        }
    });
}

#[test]
fn where_it_can_not_be_nothing_starts_or_it_has_no_effect() {
    in_each_standalone_case(|case| {
        for call in [
            "async_run --pty --on slurm t touch there",
            "ASYNC_PTY=1 ASYNC_ON=ssh:nowhere async_run t touch there",
            "async run --pty --on ssh:nowhere t -- touch there",
        ] {
            let finished = case.run(&format!("{call}; echo \"status $?\"; ls; async status 2>/dev/null"));
            finished.complains("--pty (or ASYNC_PTY) is for a task that runs here, not on s");
            assert_eq!(finished.stdout, "status 2\n", "{call}: {finished}");
            assert_eq!(finished.stderr.lines().count(), 1, "{call}: {finished}");
        }
        let finished = case
            .run("ASYNC_PARALLEL=no; function task { [[ -t 1 ]] || echo none; }; async_run --pty t task; async_wait t");
        finished.says("none\n").exits(0);
        let record = case.run("ASYNC_PARALLEL=no; async_run --pty t true; ! grep pty \"$ASYNC_DIR/t.ini\"");
        record.exits(0);
    });
}

#[test]
fn if_there_is_no_terminal_nothing_starts() {
    if !is_there("strace") {
        return;
    }
    let without = "strace -f -qq -o /dev/null -P /dev/ptmx -e inject=?open,openat:error=ENOSPC";
    let sandbox = Sandbox::default();
    for (call, started) in [
        ("async run --pty t -- touch there", "async run t -- touch there"),
        ("source <(async shim); async_run --pty t touch there", "source <(async shim); async_run t touch there"),
    ] {
        let finished =
            sandbox.run(&format!("{without} bash -c '{call}'; echo \"status $?\"; ls; async status 2>/dev/null"));
        finished.complains("can't open a terminal for ").complains("No space left on device");
        assert_eq!(finished.stdout, "status 125\n", "{finished}");
        sandbox.run(&format!("{without} bash -c '{started}; async wait t'; rm there")).exits(0);
    }
    // What is queued is told so by its end.
    let finished = sandbox.run(&format!(
        "async pause; {without} bash -c 'async run --pty t -- touch there; async resume; async wait t'; echo \"status $? <$(ls)>\""
    ));
    finished.says("can't be started: there is no terminal for it").says("status 125 <>\n");
}

const COLORS: &str = r"printf '\033[1;31mred\033[m \033]0;title\007\033[2Ktext\007\n'";

#[test]
fn only_text_is_printed_to_a_pipe_and_a_log_without_it_is_as_it_is() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "source <(async shim); function task {{ {COLORS}; }}
        async_run --pty p task; async_run t task; wait
        async log p; async log --color=always p; CLICOLOR_FORCE=1 async log p; async log --color=never p t
        async log --color=always --prefix p
        NO_COLOR=1 async log t; async_wait p; async_wait t"
    ));
    let (text, colors) = ("red text\n", "\x1b[1;31mred\x1b[m text\n");
    let raw = "\x1b[1;31mred\x1b[m \x1b]0;title\x07\x1b[2Ktext\x07\n";
    let prefixed = format!("\x1b[36mp |\x1b[0m {colors}");
    assert_eq!(finished.stdout, [text, colors, colors, text, raw, &prefixed, raw, text, raw].concat(), "{finished}");
}

#[test]
fn colors_and_no_other_sequences_reach_a_terminal() {
    let sandbox = Sandbox::default();
    let script = format!(
        "async run -q --pty p -- bash -c {}; async log -f p >/dev/null; async log p; async log -f p; async wait -q p",
        shlex(COLORS)
    );
    let mut terminal = Terminal::new(&sandbox, 80, &script);
    assert!(terminal.finish().success(), "{}", terminal.text());
    let sent = String::from_utf8_lossy(&terminal.sent);
    assert_eq!(sent.matches("\x1b[1;31mred\x1b[m text\r\n").count(), 3, "{sent:?}");
    assert!(!sent.contains("title") && !sent.contains("\x1b[2K"), "{sent:?}");
    let mut terminal = Terminal::new(&sandbox, 80, "NO_COLOR=1 async log p");
    assert!(terminal.finish().success(), "{}", terminal.text());
    assert_eq!(String::from_utf8_lossy(&terminal.sent), "red text\r\n");
}

fn shlex(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn pages_and_reports_have_the_text_alone() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "source <(async shim); function task {{ {COLORS}; return 1; }}; async_run --pty t task; async_wait t
        async timing --html=page --junit=report >/dev/null
        grep -c 'red text' page report; grep -c $'\\033\\|title\\|1;31m' report
        async log --list-runs --json t | grep -o '\"pty\": *true'; grep pty \"$ASYNC_DIR\"/.collected/t.*.ini"
    ));
    finished.says("page:1\nreport:1\n0\n\"pty\": true\npty = true\n");
}

#[test]
fn if_the_supervisor_is_killed_it_is_lost_and_the_task_gets_an_error() {
    in_each_standalone_case(|case| {
        let body = "echo ready; read -r _ <go; echo late || echo \"error $?\" >said; : >done";
        let then = "async log -f t | read -r _; kill -KILL \"$(async pid t)\"; async wait t; echo \"status $?\"
            echo >go; until [[ -e done ]]; do sleep 0.02; done; cat said";
        for finished in both(case, "--pty", body, then) {
            finished.says("ready\nstatus 125\nerror 1\n").complains("left no result");
        }
    });
}

#[test]
fn what_a_full_disk_does_not_take_is_told_and_the_task_goes_on() {
    if !is_root("mounting a small disk") {
        return;
    }
    in_each_standalone_case(|case| {
        let sandbox = case.sandbox();
        let _disk = SmallDisk::at(&sandbox.path("dest"));
        let finished = sandbox.run(&case.script(
            "function task { seq 200000 | head -c 1000000; echo end; exit 3; }
            async_run --pty t task
            async_wait t >out; echo \"status $?\"
            async log --list-runs --json t | grep -o '\"unlogged_bytes\": *[0-9]*'; wc -c <out",
        ));
        finished
            .says("status 3\n")
            .complains(" bytes of what it has printed are missing in its log, which could not be written\n");
        let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        let lines: Vec<&str> = finished.stdout.lines().collect();
        let [_, missing, there] = lines[..] else { panic!("{finished}") };
        assert_eq!(number(missing) + number(there), 1_000_004, "{finished}");
    });
}

#[test]
fn a_gap_is_marked_where_it_is() {
    if !is_root("mounting a small disk") {
        return;
    }
    let sandbox = Sandbox::default();
    let _disk = SmallDisk::at(&sandbox.path("dest"));
    let finished = sandbox.run(
        "mkfifo go
        async run --pty t -- bash -c 'seq 200000 | head -c 1000000; echo >ready; read -r _ <go; echo end'
        until [[ -e ready ]]; do sleep 0.02; done
        mount -o remount,size=2m \"$DEST\" && : >go
        async wait t | tail -2; async wait t; echo \"status $?\"",
    );
    finished.says(" bytes of the output are missing here, as they could not be written\nend\nstatus 0\n");
}
