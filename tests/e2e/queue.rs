//! Pausing, resuming and changing the queue.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::fault::PRELUDE;
use async_tests::proof::Records;
use async_tests::shell::{Finished, Sandbox};
use async_tests::terminal::Terminal;
use serde_json::Value;

/// Runs a script with gates and the standalone functions. One task runs at a time, and waits for `go`.
fn run(sandbox: &Sandbox, text: &str) -> Finished {
    let common = "source <(async shim)
        async_init || exit
        make_gate go
        export ASYNC_JOBS=1
        function first { async run --quiet first -- bash -c 'read -r _ <go; :'; }
        function more { local name; for name; do async run --quiet \"$name\" -- bash -c 'echo \"$0\" >>ran' \"$name\"; done; }
        function queued { async queue --json | jq -r '[.futures[].name] | join(\" \")'; }
        function states { async status | cut -f 1-3 | tr '\\t\\n' '  '; echo; }\n";
    sandbox.run(&format!("{PRELUDE}{common}{text}"))
}

#[test]
fn nothing_that_is_queued_starts_while_the_queue_is_paused_and_then_all_of_it_in_its_order() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "first; more a b
        ASYNC_JOBS= async run --quiet --after first after -- bash -c 'echo after >>ran'
        async pause --quiet; echo \"pause $?\"
        open_gate go
        async wait --quiet first; echo \"first $?\"
        more c
        ASYNC_JOBS= async run d -- bash -c 'echo d >>ran'
        function f { echo f >>ran; }
        ASYNC_JOBS= async_run f f
        states
        async status --json | jq -c '[(.queue_paused_ms | type), .futures[].paused]'
        [[ -e ran ]] || echo 'nothing ran'
        async wait --timeout 0.1 --quiet a; echo \"wait $?\"
        async resume --quiet; echo \"resume $?\"
        async wait --quiet a b c d f after
        async status --json | jq -c .queue_paused_ms
        ls -A \"$DEST/async\" | grep -c order",
    );
    finished.says("pause 0\nfirst 0\n").complains("]: queued, as the queue is paused: bash -c 'echo d >>ran'\n");
    finished.complains("]: queued, as the queue is paused: f\n");
    finished
        .says("a queued paused b queued paused after queued paused c queued paused d queued paused f queued paused \n");
    finished.says(
        "[\"number\",\"queue\",\"queue\",\"queue\",\"queue\",\"queue\",\"queue\"]\nnothing ran\nwait 124\nresume 0\n",
    );
    finished.says("\nnull\n0\n");
    let ran = fs::read_to_string(sandbox.path("cwd/ran")).unwrap();
    let of_the_limit: Vec<&str> = ran.lines().filter(|line| ["a", "b", "c"].contains(line)).collect();
    assert_eq!(of_the_limit, ["a", "b", "c"], "{ran}");
    assert_eq!(ran.lines().count(), 6, "{ran}");
    assert!(finished.stderr.contains("the queue is paused: `async resume`"), "{finished}");
}

#[test]
fn single_futures_are_paused_while_the_others_go_on() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "first; more a b c
        async run --quiet --after first after -- bash -c 'echo after >>ran'
        async pause --quiet a after nothing; echo \"unknown $?\"
        async pause --quiet a after first; echo \"runs $?\"
        states
        async pause --quiet a after; echo \"pause $?\"
        states
        open_gate go
        async wait --quiet b c
        states
        async resume --quiet a; echo \"resume $?\"
        async wait --quiet a
        async resume --quiet
        states
        async resume --quiet after
        async wait --quiet after
        async resume after; echo \"over $?\"
        cat ran",
    );
    finished.says("unknown 125\nruns 125\nfirst running - a queued - b queued - c queued - after queued - \n");
    finished.says("pause 0\nfirst running - a queued paused b queued - c queued - after queued paused \n");
    finished.says("first finished 0 a queued paused after queued paused \nresume 0\n");
    finished.says("first finished 0 after queued paused \nover 125\nb\nc\na\nafter\n");
    assert!(
        finished.stderr.contains("`first` is running, and only what is queued can be changed: nothing was"),
        "{finished}"
    );
}

#[test]
fn one_that_was_paused_has_its_old_place_again() {
    let finished = run(
        &Sandbox::default(),
        "first; more a b c
        async pause --quiet a
        queued
        async resume --quiet a
        queued
        open_gate go
        async wait --quiet a b c
        cat ran",
    );
    finished.says("a b c\na b c\na\nb\nc\n");
}

#[test]
fn a_running_task_and_what_it_starts_and_waits_for_goes_on() {
    let finished = run(
        &Sandbox::default(),
        "function task { read -r _ <go; ASYNC_JOBS= async_run plain echo; async_run limited echo; async_wait plain limited; }
        async_run task task
        more other
        async pause --quiet
        open_gate go
        async_wait task; echo \"task $?\"
        states",
    );
    finished.says("task 0\nother queued paused \n");
}

#[test]
fn what_is_paused_can_be_cancelled_and_a_pause_survives_an_init() {
    let finished = run(
        &Sandbox::default(),
        "async pause --quiet
        more a b; async pause --quiet b
        async cancel a b
        async wait --quiet a; echo \"a $?\"
        async init; echo \"init $?\"
        async run --timeout 1ms c -- true
        async resume --quiet
        async run --quiet --wait d -- bash -c 'exit 4'; echo \"d $?\"",
    );
    finished
        .complains("cancelled: it had not started")
        .says("a 143\ninit 0\n")
        .complains("queued, as the queue is paused: true")
        .says("d 4\n");
    assert!(finished.stderr.contains("the queue is paused, and stays so"), "{finished}");
}

#[test]
fn a_wait_on_a_terminal_says_that_what_it_waits_for_is_paused() {
    let sandbox = Sandbox::default();
    run(&sandbox, "async pause --quiet; more a");
    let mut terminal = Terminal::new(&sandbox, 100, "async wait a");
    terminal.wait_for(|text| text.contains("queued, and the queue is paused: `async resume` lets it go on"));
    sandbox.run("async pause --quiet a; async resume --quiet").exits(0);
    terminal.wait_for(|text| text.contains("s  paused: `async resume` with its name lets it go on"));
    sandbox.run("async resume --quiet a").exits(0);
    terminal.finish();
}

#[test]
fn the_place_of_what_is_queued_is_changed() {
    let finished = run(
        &Sandbox::default(),
        "first; more a b c d
        async queue --quiet c --first; queued
        async queue --quiet a --last; queued
        more e
        async queue --quiet e --before d; queued
        async queue --quiet b --before b; queued
        async queue --quiet first --first; echo \"runs $?\"
        async queue --quiet c --before first; echo \"before what runs $?\"
        async run --quiet --after first --jobs 1 later -- true
        async queue --quiet later --first; echo \"later $?\"
        open_gate go
        async wait --quiet a b c d e later
        cat ran",
    );
    finished.says("c a b d\nc b d a\nc b e d a\nc b e d a\nruns 125\nbefore what runs 125\nlater 125\nc\nb\ne\nd\na\n");
    assert!(finished.stderr.contains("`later` has no place in the queue"), "{finished}");
}

#[test]
fn what_a_task_waits_for_does_not_come_after_it() {
    let sandbox = Sandbox::default();
    run(
        &sandbox,
        "first; more a
        ASYNC_JOBS= async run --quiet waits -- async wait a
        until async wait --timeout 0 --quiet waits; [[ $? == 124 ]] && grep -q waits_for \"$ASYNC_DIR/waits.ini\"; do :; done
        async queue --quiet a --after waits; echo \"circle $?\"
        async cancel --quiet first; async wait --quiet waits; echo \"waits $?\"",
    )
    .complains("`a` can't come after `waits`, which has to come after `a`: nothing was changed\n")
    .says("circle 125\n")
    .says("waits 0\n");
}

#[test]
fn the_limit_and_the_dependencies_of_what_is_queued_are_changed() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "first; more a b
        async queue --quiet a --after b; echo \"after $?\"
        async queue --quiet b --after a; echo \"circle $?\"
        async queue --quiet b --after-any b; echo \"itself $?\"
        async queue --quiet b --after nothing; echo \"unknown $?\"
        async queue --quiet b --jobs 3; echo \"jobs $?\"
        async status --json | jq -c '.futures[] | select(.plan.jobs == 3) | [.name, .plan.after]'
        async wait --quiet --keep b; echo \"b $?\"
        ASYNC_JOBS= async run --quiet --after first skipped -- true
        ASYNC_JOBS= async run --quiet --after first free -- true
        async queue --quiet free --no-after; async wait --quiet free; echo \"free $?\"
        async queue --quiet free --jobs 2; echo \"over $?\"
        async queue free; echo \"nothing to change $?\"
        async cancel --quiet first
        async wait --quiet skipped; echo \"skipped $?\"
        async wait --quiet a; echo \"a $?\"
        cat ran",
    );
    finished.says("after 0\ncircle 125\nitself 125\nunknown 125\njobs 0\n[\"b\",[]]\nb 0\n");
    finished.says("free 0\nover 125\nnothing to change 2\n").says("skipped 125\na 0\nb\na\n");
    assert!(
        finished.stderr.contains("`b` can't come after `a`, which has to come after `b`: nothing was changed"),
        "{finished}"
    );
}

#[test]
fn the_queue_is_listed_in_its_order() {
    let finished = run(
        &Sandbox::default(),
        "async queue; echo \"none $?\"
        first; more a b
        async queue b --first | cut -f 1-3
        async pause --json | jq -c '[(.queue_paused_ms | type), [.futures[] | [.name, .paused]]]'
        open_gate go",
    );
    finished.says("none 0\nb\tqueued\t-\na\tqueued\t-\n[\"number\",[[\"b\",\"queue\"],[\"a\",\"queue\"]]]\n");
    assert!(finished.stderr.contains("nothing is queued in "), "{finished}");
}

/// While the queue changes in every way, each future runs once, and never more than the limit.
#[test]
fn whatever_is_changed_meanwhile_each_runs_once_and_no_more_at_once_than_may() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "export ASYNC_JOBS=2
        names=()
        for ((i = 0; i < 30; i++)); do names+=(t$i); done
        for name in \"${names[@]}\"; do async run --quiet $name -- bash -c 'sleep 0.02; echo $0 >>ran' $name; done
        for worker in 1 2 3; do
            (for ((i = 0; i < 25; i++)); do
                name=t$((RANDOM % 30)) other=t$((RANDOM % 30))
                case $((RANDOM % 6)) in
                    0) async queue --quiet $name --first ;;
                    1) async queue --quiet $name --last ;;
                    2) async queue --quiet $name --before $other ;;
                    3) async pause --quiet $name && async resume --quiet $name ;;
                    4) async pause --quiet; async resume --quiet ;;
                    5) async queue --quiet $name --after-any $other ;;
                esac 2>>said || [[ $? == 125 ]] || echo \"worker $?\"
            done) &
        done
        wait
        for name in \"${names[@]}\"; do async resume --quiet $name 2>/dev/null; done
        async wait --quiet --timeout 60 \"${names[@]}\"; echo \"wait $?\"
        sort ran | uniq -c | awk '{ print $1 }' | sort | uniq -c | tr -s ' '
        grep -vE 'only what is queued|there is no future|has no place|can.t come after' said",
    );
    finished.says("wait 0\n 30 1\n").lacks("worker");
    assert!(Records::of(&sandbox.store()).most_at_once() <= 2, "{finished}");
    assert_eq!(finished.stdout.lines().count(), 2, "{finished}");
}

/// A process that is killed in the middle of a change has changed everything or nothing, and blocks nobody.
#[test]
#[ignore = "in the full set"]
fn a_change_that_is_killed_at_any_call_keeps_nothing_from_going_on() {
    if !async_tests::tools::is_there("strace") {
        return;
    }
    for change in ["pause", "resume", "queue b --first", "pause b", "queue b --jobs 2"] {
        for (call, most) in [("openat", 60), ("renameat", 3), ("write", 4), ("fcntl", 12), ("pidfd_send_signal", 4)] {
            for number in (1..=most).step_by(if call == "openat" { 7 } else { 1 }) {
                let sandbox = Sandbox::default();
                let before = if change == "resume" { "async pause --quiet" } else { ":" };
                let finished = run(
                    &sandbox,
                    &format!(
                        "first; more a b
                        {before}
                        strace -qq -o trace -e trace={call} -e inject={call}:signal=KILL:when={number} async {change} --quiet
                        open_gate go
                        async status --json | jq -e '.futures | length == 3' >/dev/null || echo 'not all are there'
                        async resume --quiet; async resume --quiet a 2>/dev/null; async resume --quiet b 2>/dev/null
                        async wait --timeout 60 --quiet first a b; echo \"wait $?\""
                    ),
                );
                assert_eq!(finished.stdout, "wait 0\n", "{change}, {call} {number}: {finished}");
            }
        }
    }
}

#[test]
fn json_of_the_queue_is_that_of_a_listing() {
    let finished = run(&Sandbox::default(), "first; more a; async queue --json; async cancel --quiet a; open_gate go");
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&document["queue_paused_ms"], &document["futures"][0]["name"]), (&Value::Null, &Value::from("a")));
}

#[test]
fn only_what_is_queued_is_offered_where_only_that_can_be_changed() {
    let finished = run(
        &Sandbox::default(),
        "first; more a b
        function offered { async complete fish -- async \"$@\" '' | cut -f 1 | tr '\\n' ' '; echo; }
        offered pause; offered resume a; offered queue; offered queue a --before; offered queue a --after
        async cancel --quiet --all",
    );
    assert_eq!(finished.stdout, "a b \nb \na b \nb \nb first \n", "{finished}");
}
