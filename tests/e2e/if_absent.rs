//! `--if-absent`: a future only starts if none of its name is queued or running.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use async_tests::fault::PRELUDE;
use async_tests::shell::{Sandbox, bashes};
use serde_json::Value;

/// A script in a sandbox, with gates and the standalone functions.
fn script(text: &str) -> String {
    format!("{PRELUDE}source <(async shim)\nasync_init || exit\n{text}")
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn a_program_that_runs_or_is_queued_is_not_started_again() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&script(
        "make_gate go
        export ASYNC_JOBS=1
        async run --if-absent --quiet runs -- bash -c 'read -r _ <go; exit 3'
        async run --if-absent --quiet queued -- true
        for name in runs queued; do
            async run --if-absent $name -- touch again; echo \"$name $?\"
            async run --if-absent --quiet $name -- touch again; echo \"quiet $?\"
            async run --if-absent --wait $name -- touch again; echo \"wait $?\"
        done
        async status | cut -f 1-2
        open_gate go
        async wait --quiet runs; echo \"its own $?\"
        async wait --quiet queued
        async run --if-absent --quiet --wait runs -- bash -c 'exit 5'; echo \"collected $?\"
        async run --if-absent --quiet over -- bash -c 'exit 6'
        async wait --quiet --keep over
        async run --if-absent --quiet --wait over -- bash -c 'exit 7'; echo \"over $?\"",
    ));
    let of = |name| format!("{name} 122\nquiet 122\nwait 122\n");
    finished.says(&of("runs")).says(&of("queued")).says("runs\trunning\nqueued\tqueued\n");
    finished.says("its own 3\n").says("collected 5\n").says("over 7\n");
    let said: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("async: ")).collect();
    let is_there = |line: &str, state: &str| {
        line.starts_with(&format!("async: `{state}"))
            && line.ends_with("), so nothing was started")
            && line.contains(" already (pid ")
    };
    assert!(
        said.len() == 5 && is_there(said[0], "runs` is running") && is_there(said[2], "queued` is queued"),
        "{finished}"
    );
    assert!(said[4].contains("`over` was started before, FAILED with rc 6 and was never waited for"), "{finished}");
    assert!(!sandbox.path("cwd/again").exists());
}

#[test]
fn json_says_whether_it_was_started_and_what_is_there() {
    let finished = Sandbox::default().run(&script(
        "make_gate go
        async run --if-absent --json t -- bash -c 'read -r _ <go; exit 122'; echo \",$?,\"
        async run --if-absent --json --wait t -- true; echo \",$?,\"
        open_gate go
        async wait --quiet t
        async run --if-absent --json --wait t -- bash -c 'exit 122'; echo \",$?\"",
    ));
    let documents: Vec<Value> = serde_json::from_str(&format!("[{}]", finished.stdout)).unwrap();
    let said: Vec<[&Value; 3]> =
        documents.chunks(2).map(|pair| [&pair[1], &pair[0]["started"], &pair[0]["state"]]).collect();
    let expected = serde_json::json!([[0, true, "running"], [122, false, "running"], [122, true, "collected"]]);
    assert_eq!(serde_json::to_value(said).unwrap(), expected, "{finished}");
    assert_eq!(documents[0]["pid"], documents[2]["pid"]);
    assert!(!finished.stderr.contains("async: "), "{finished}");
}

#[test]
fn a_function_is_not_started_again_and_a_wait_tells_the_truth() {
    for bash in bashes() {
        for parallel in ["true", "false"] {
            let sandbox = Sandbox::new(&bash.path);
            let finished = sandbox.run(&script(&format!(
                "make_gate go other ready
                # Somebody else's: another script's, and a program.
                bash -c 'source <(async shim); function g {{ : >ready; read -r _ <go; exit 4; }}
                    async_run theirs g >>theirs; async_wait theirs >>theirs; echo \"$?\" >>theirs' &
                gate ready
                async run --quiet program -- bash -c 'read -r _ <other; exit 5'
                ASYNC_PARALLEL={parallel}
                function f {{ echo f >>ran; return 3; }}
                async_run --if-absent theirs f; echo \"theirs $?\"
                async_wait theirs; echo \"wait $?\"
                async_run --timeout 9s --if-absent program f; echo \"program $?\"
                async_wait program; echo \"wait $?\"
                async_run --if-absent ours f; echo \"ours $?\"
                async_wait ours; echo \"wait $?\"
                async_wait ours; echo \"again $?\"
                open_gate go
                open_gate other
                wait
                async_wait theirs; echo \"wait $?\"
                async wait --quiet program; echo \"program $?\"
                cat theirs"
            )));
            let ours = if parallel == "true" { 0 } else { 3 };
            finished
                .says("theirs 122\nwait 125\nprogram 122\nwait 125\n")
                .says(&format!("ours {ours}\n"))
                .says("\nwait 3\n")
                .says("again 3\nwait 125\nprogram 5\n")
                .says("program 5\n4\n");
            assert_eq!(finished.stderr.matches("so nothing was started").count(), 2, "{finished}");
            assert_eq!(
                finished.stderr.matches("was not started, so there is nothing to wait for").count(),
                3,
                "{finished}"
            );
            assert_eq!(lines(&sandbox.path("cwd/ran")), 1, "{finished}");
        }
    }
}

#[test]
fn what_the_script_itself_has_started_can_be_waited_for_after_that() {
    let finished = Sandbox::default().run(&script(
        "make_gate go
        function f { read -r _ <go; return 3; }
        async_run t f
        async_run --if-absent t f; echo \"run $?\"
        open_gate go
        async_wait t; echo \"wait $?\"
        async_wait t; echo \"again $?\"",
    ));
    finished.says("run 122\n").says("wait 3\n").says("again 3\n");
}

#[test]
fn of_many_at_once_exactly_one_starts_it() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&script(
        "make_gate go
        function f { echo ran >>ran; read -r _ <go; }
        for ((i = 0; i < 12; i++)); do
            (if ((i % 2)); then async_run --if-absent t f; else async run --if-absent t -- bash -c 'echo ran >>ran; read -r _ <go'; fi
            echo $? >>statuses) &
        done
        wait
        sort statuses | uniq -c
        open_gate go
        async wait --quiet t",
    ));
    let statuses: Vec<String> = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with(' '))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(statuses, ["1 0", "11 122"], "{finished}");
    assert_eq!(lines(&sandbox.path("cwd/ran")), 1, "{finished}");
}

#[test]
fn where_it_is_there_what_it_was_to_come_after_does_not_matter() {
    let finished = Sandbox::default().run(&script(
        "make_gate go
        async run --quiet t -- bash -c 'read -r _ <go'
        async run --if-absent --after nothing t -- true; echo \"there $?\"
        async run --if-absent --after nothing u -- true; echo \"absent $?\"
        open_gate go",
    ));
    finished.says("there 122\n").says("absent 125\n");
}
