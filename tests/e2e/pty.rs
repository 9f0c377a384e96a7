//! `--pty`: a pseudo-terminal as the output of a task.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::another_user;
use async_tests::fault::{in_each_case, in_each_standalone_case};
use async_tests::shell::Sandbox;
use async_tests::small_disk::is_root;
use async_tests::terminal::Terminal;

/// What a task finds out about its output, and what it prints last.
const LOOKS: &str = "[[ -t 1 ]] && echo 'out is one'
    [[ -t 2 ]] && echo 'err is one' >&2
    [[ -t 0 ]] || echo 'in is none'
    echo more >/dev/stderr
    printf '\\033[31mred\\033[m\\r\\n'";

#[test]
fn both_outputs_are_a_terminal_and_the_log_has_its_bytes() {
    in_each_standalone_case(|case| {
        for finished in case.run_as_function_and_program(
            "--pty",
            LOOKS,
            "async_wait --keep t; cp \"$ASYNC_DIR/t.log\" log; async wait t; od -c log",
        ) {
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
        for finished in
            case.run_as_function_and_program("", "echo one; echo two >/dev/stderr; echo three", "async wait t")
        {
            assert_eq!(finished.stdout, "two\nthree\n", "{finished}");
        }
    });
}

#[test]
fn a_line_is_in_the_log_as_soon_as_it_is_printed() {
    in_each_standalone_case(|case| {
        // To a file, grep prints in blocks.
        let body = "{ echo first; read -r _ <go; } | grep .";
        for finished in case.run_as_function_and_program(
            "--pty",
            body,
            "async log -f t | { read -r line; echo \"<$line>\"; : >go; }; async wait t",
        ) {
            // Without a terminal, nobody would ever open the gate.
            finished.says("<first>\nfirst\n").exits(0);
        }
    });
}

#[test]
fn it_is_not_the_controlling_terminal_and_nothing_is_read_from_it() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "async run --pty --wait t -- bash -c '(: </dev/tty) 2>/dev/null || echo none; read -r _ <&1 || echo nothing
            stat -Lc %a /dev/fd/1'",
    );
    assert_eq!(finished.stdout.lines().next(), Some("none"), "{finished}");
    finished.says("nothing\n600\n").exits(0);
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
            for finished in case.run_as_function_and_program("--pty", body, "async wait t; echo \"status $?\"") {
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
        for finished in case.run_as_function_and_program("--pty --retry 2", body, "async wait t; echo \"status $?\"") {
            let ends: Vec<&str> = finished.stdout.lines().filter(|line| line.parse::<u32>().is_err()).collect();
            let [end, first, end_again, second, last, status] = ends[..] else { panic!("{finished}") };
            assert_eq!([end, end_again, last, status], ["end", "end", "end", "status 4"], "{finished}");
            assert!(first.contains("attempt 1 of 3") && second.contains("attempt 2 of 3"), "{finished}");
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
fn it_is_for_every_user() {
    if !is_root("being another user") {
        return;
    }
    let sandbox = Sandbox::default();
    for folder in ["dest", "cwd", "home"] {
        another_user::give(&sandbox.path(folder));
    }
    let finished = sandbox.finish(&mut another_user::bash(
        &sandbox,
        "source <(async shim); function task { [[ -t 1 && -t 2 ]] && echo more >/dev/stderr; }
        async_run --pty t task; async run --pty p -- bash -c 'echo less >/dev/stderr'; async_wait t; async wait p",
    ));
    finished.says("more\nless\n").exits(0);
}

#[test]
fn devstacks_functions_have_none() {
    in_each_case(|case| {
        let finished =
            case.run("export ASYNC_PTY=1; function task { [[ ! -t 1 ]] || echo one; }; async_run t task; async_wait t");
        assert_eq!(finished.stdout.lines().any(|line| line == "one"), case.profile == "standalone", "{finished}");
    });
}
