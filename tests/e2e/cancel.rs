//! `async cancel`: it stops whole trees, and their ends are known.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_tests::fault::{Case, in_each_case};
use async_tests::paused_script::PausedScript;
use async_tests::shell::Sandbox;
use async_tests::tools::is_there;

/// A tree of processes that are hard to stop; it reports when all of them exist.
const TREE: &str = r"
function tree {
    echo 'the log'
    # One that has got away from its parent, and one that has a session of its own besides.
    (sleep 1000 & echo >there) &
    (setsid bash -c 'sleep 1000 & echo >there; wait' &) &
    # One that ignores the signal, and one that is stopped.
    (trap '' TERM; echo >there; while :; do sleep 1000 || :; done) &
    (bash -c 'echo >there; kill -STOP $$; sleep 1000') &
    (for i in 1 2 3 4; do read -r _; done <>there; echo >grown) &
    sleep 1000 &
    wait
}
mkfifo there grown
";

fn start(case: &Case, script: &str) -> PausedScript {
    PausedScript::start(case.sandbox(), &case.script(script))
}

#[test]
fn the_whole_tree_of_a_function_is_stopped() {
    in_each_case(|case| {
        let mut script =
            start(case, &format!("{TREE}async_run t tree; read -r _ <grown; stay; async_wait t; echo \"wait $?\""));
        script.call(&["cancel", "--grace", "100ms", "t"]).tells("]: cancelled: ").tells(" killed after").exits(0);
        assert!(script.left().is_empty(), "{:#?}", script.left());
        script.call(&["status"]).says("finished");
        script.go_on().says("the log\n").tells("result 143 in 0 seconds (killed by signal 15, SIGTERM; cancelled)\n");
    });
}

#[test]
fn the_whole_tree_of_a_program_is_stopped() {
    let mut script = PausedScript::plain(&format!(
        "{TREE}export -f tree; async run t -- bash -c tree; read -r _ <grown; stay; async wait t; echo \"wait $?\""
    ));
    script.call(&["cancel", "--grace", "100ms", "t"]).tells("]: cancelled: ").tells(" killed after").exits(0);
    assert!(script.left().is_empty(), "{:#?}", script.left());
    script.call(&["status"]).says("finished");
    script.go_on().says("the log\n").tells("(killed by signal 15, SIGTERM; cancelled)\n").says("wait 143\n");
}

#[test]
fn what_its_supervisor_can_not_stop_any_more_is_stopped() {
    for signal in ["KILL", "STOP"] {
        let mut script = PausedScript::plain(&format!(
            "{TREE}export -f tree
            async run t -- bash -c tree
            read -r _ <grown
            kill -s {signal} \"$(async pid t)\"
            stay
            async wait t
            echo \"wait $?\""
        ));
        let cancelled = script.call(&["cancel", "--grace", "100ms", "t"]);
        cancelled.exits(0);
        assert!(script.left().is_empty(), "{signal}: {:#?}{cancelled}", script.left());
        match signal {
            "KILL" => cancelled.tells("]: stopped without its supervisor: "),
            _ => cancelled.tells("]: cancelled: "),
        };
        script.go_on().says("the log\n");
    }
}

#[test]
fn a_function_whose_supervisor_is_killed_is_stopped() {
    in_each_case(|case| {
        let mut script = start(
            case,
            &format!(
                "{TREE}async_run t tree
                read -r _ <grown
                kill -KILL \"$(async_pidof t)\"
                stay
                async_wait t
                echo \"wait $?\""
            ),
        );
        let cancelled = script.call(&["cancel", "--grace", "100ms", "t"]);
        cancelled.tells("]: stopped without its supervisor: ").exits(0);
        assert!(script.left().is_empty(), "{:#?}{cancelled}", script.left());
        script.go_on().says("the log\n").tells("its process is gone and left no result\n").says("wait 137\n");
    });
}

#[test]
fn no_other_process_is_taken_for_a_survivor() {
    // The task's process id in the record of a lost future belongs to another process by now.
    let mut script = PausedScript::plain(
        "async init
        sleep 1000 &
        read -r uptime _ </proc/uptime
        printf '[job]\\ncommand = x\\nstart_time = 1\\nstart_boot = %s\\npid = %s\\ntask = %s\\n' \\
            $((${uptime%.*} * 1000 - 60000)) $! $! >\"$DEST/async/t.ini\"
        touch \"$DEST/async/t.log\"
        stay
        kill $! && echo 'it lives'",
    );
    script.call(&["cancel", "t"]).tells("nothing of it was left").exits(0);
    script.go_on().says("it lives\n");
}

#[test]
fn nested_futures_are_stopped_and_none_of_them_is_lost() {
    in_each_case(|case| {
        let mut script = start(
            case,
            "mkfifo there
            function stubborn { trap '' TERM; echo >there; while :; do sleep 1000; done; }
            function outer {
                async_run inner stubborn
                async run program -- bash -c 'trap \"exit 7\" TERM; echo >there; while :; do sleep 0.01; done'
                async run quick -- true
                async run --after inner later -- true
                echo >there
                async_wait inner
            }
            async_run t outer
            for i in 1 2 3; do read -r _; done <>there
            async wait --keep --quiet quick
            stay",
        );
        script.call(&["cancel", "--grace", "1s", "t"]).tells(" killed after the grace period\n").exits(0);
        assert!(script.left().is_empty(), "{:#?}", script.left());
        let status = script.call(&["status"]);
        for name in ["t", "inner", "program", "quick", "later"] {
            status.says(&format!("{name}\tfinished\t"));
        }
        status.says("inner\tfinished\t137 KILL cancelled\t").says("quick\tfinished\t0\t");
        script.call(&["wait", "inner"]).tells("with result 137 ").tells("SIGKILL; cancelled)\n").exits(137);
        script.call(&["wait", "program"]).exits(7);
        script.call(&["wait", "quick"]).exits(0);
        script.call(&["wait", "later"]).exits(143);
        let _ = script.go_on();
    });
}

#[test]
fn what_is_stopped_inside_of_another_is_cancelled_too_and_what_ended_by_itself_is_not() {
    let mut script = PausedScript::plain(
        r#"mkfifo there
        async run outside -- sleep 1000
        async run t -- bash -c '
            async run deep -- bash -c "async run deeper -- sleep 1000; echo >there; sleep 1000"
            async run traps -- bash -c "trap \"exit 7\" TERM; echo >there; while :; do sleep 0.1; done"
            async run ends-well -- bash -c "trap \"exit 0\" TERM; echo >there; while :; do sleep 0.1; done"
            async run --after outside queued -- true
            async run --retry 1 --retry-delay 1h again -- false
            async run killed -- bash -c "kill -TERM \$\$"
            async run fails -- false
            async wait --keep --quiet killed; async wait --keep --quiet fails; echo >there; sleep 1000'
        for i in 1 2 3 4; do read -r _; done <>there
        stay"#,
    );
    script.call(&["cancel", "t"]).exits(0);
    let status = script.call(&["status"]);
    for (name, how) in [
        ("t", "143 TERM cancelled"),
        ("deep", "143 TERM cancelled"),
        ("deeper", "143 TERM cancelled"),
        ("traps", "7 cancelled"),
        ("ends-well", "143 cancelled"),
        ("queued", "143 TERM cancelled"),
        ("again", "143 TERM cancelled"),
        ("killed", "143 TERM"),
        ("fails", "1"),
    ] {
        status.says(&format!("{name}\tfinished\t{how}\t"));
    }
    let _ = script.go_on();
}

#[test]
fn one_that_has_not_started_never_does() {
    let mut script = PausedScript::plain(
        "make_gate go
        async run --jobs 1 first -- bash -c 'read -r _ <go'
        async run --jobs 1 second -- touch second
        async run --jobs 1 third -- touch third
        async run --after first fourth -- touch fourth
        stay
        open_gate go
        async wait third",
    );
    script
        .call(&["cancel", "second", "fourth"])
        .tells("[Async second:")
        .tells("]: cancelled: it had not started\n[Async fourth:")
        .exits(0);
    script.call(&["wait", "second"]).tells("with result 143 in 0 seconds (cancelled)\n");
    script.call(&["status"]).says("first\trunning").says("third\tqueued").says("fourth\tfinished");
    let cwd = script.sandbox.path("cwd");
    script.go_on().tells("finished touch third with result 0").exits(0);
    assert!(cwd.join("third").exists() && !cwd.join("second").exists() && !cwd.join("fourth").exists());
}

#[test]
fn a_function_that_has_not_started_never_does() {
    in_each_case(|case| {
        let mut script = start(
            case,
            "make_gate go
            export ASYNC_JOBS=1
            function first { gate go; }
            function second { : >second; }
            async_run first first
            async_run second second
            stay
            open_gate go
            async_wait second
            echo \"wait $?\"",
        );
        script.call(&["cancel", "second"]).tells("]: cancelled: it had not started\n").exits(0);
        let ran = script.sandbox.path("cwd/second");
        script.go_on().tells("(killed by signal 15, SIGTERM; cancelled)\n").says("wait 143\n");
        assert!(!ran.exists());
    });
}

#[test]
fn between_two_attempts() {
    let mut script = PausedScript::plain(
        "async run --retry 5 --retry-delay 1h t -- sh -c 'echo x >>runs; exit 3'
        until grep -q 'attempt 1 of 6 ended with status 3, next in 3600 seconds' \"$DEST/async/t.log\"; do :; done
        stay
        async wait t
        wc -l <runs",
    );
    script.call(&["cancel", "t"]).tells("]: cancelled: ").exits(0);
    assert!(script.left().is_empty(), "{:#?}", script.left());
    script.go_on().tells("with result 143 in ").tells(" seconds (cancelled)\n").says("\n1\n");
    in_each_case(|case| {
        if case.profile == "devstack" {
            return;
        }
        let mut script = start(
            case,
            "function fails { echo x >>runs; return 3; }
            async_run --retry 5 --retry-delay 1h t fails
            until grep -q 'attempt 1 of 6 ended with status 3, next in 3600 seconds' \"$DEST/async/t.log\"; do :; done
            stay
            async_wait t
            wc -l <runs",
        );
        script.call(&["cancel", "t"]).tells("]: cancelled: ").exits(0);
        assert!(script.left().is_empty(), "{:#?}", script.left());
        script.go_on().tells("with result 143 in ").tells(" (cancelled)\n").says("\n1\n");
    });
}

#[test]
fn by_two_at_once() {
    let mut script = PausedScript::plain(&format!(
        "{TREE}export -f tree
        async run t -- bash -c tree
        read -r _ <grown
        for i in 1 2 3; do
            {{ async cancel --grace 100ms t; echo \"cancel $?\"; }} &
        done
        wait
        stay
        async wait t"
    ));
    assert!(script.left().is_empty(), "{:#?}", script.left());
    let finished = script.go_on();
    assert_eq!(finished.stdout.matches("cancel 0\n").count(), 3, "{finished}");
    finished.tells("cancelled)\n");
}

#[test]
fn all_of_them_or_those_that_are_named() {
    let mut script = PausedScript::plain(
        "for i in 1 2 3; do async run t$i -- sleep 1000; done
        async run --wait over -- true
        async run fine -- true
        async wait --keep --quiet fine
        stay",
    );
    script.call(&["cancel", "t1", "nobody"]).complains("there is no future `nobody`").exits(125);
    script.call(&["status"]).says("t1\trunning");
    script.call(&["cancel", "fine"]).tells("]: was over already\n").exits(0);
    script.call(&["cancel", "over"]).complains("there is no future `over`").exits(125);
    script.call(&["cancel", "--quiet", "t1"]).exits(0).lacks("Async");
    let all = script.call(&["cancel", "--all"]);
    all.exits(0).tells("[Async t2:").tells("[Async t3:").lacks("fine");
    assert!(script.left().is_empty(), "{:#?}", script.left());
    script.call(&["cancel", "--all"]).exits(0).lacks("Async");
    script.call(&["cancel"]).exits(2);
    let _ = script.go_on();
}

#[test]
fn a_task_that_a_shell_runs_itself_is_left_alone() {
    in_each_case(|case| {
        case.run(
            "DEVSTACK_PARALLEL=False
            function looks { async cancel t; echo \"cancel $?\"; async cancel --all; echo \"all $?\"; }
            async_run t looks",
        )
        .complains("async: `t` runs in the shell")
        .says("cancel 125\n")
        .says("all 125\n")
        .exits(0);
    });
}

#[test]
fn a_task_that_ends_well_when_it_is_asked_to_has_not_succeeded() {
    let mut script = PausedScript::plain(
        "make_gate ready
        async run t -- bash -c 'trap \"echo bye; exit 0\" TERM; sleep 1000 & : >ready; while :; do wait; done'
        async run --after t late -- touch late
        gate ready
        stay
        async wait t; echo \"wait $?\"
        async wait late; echo \"late $?\"; [[ ! -e late ]]",
    );
    script.call(&["cancel", "t"]).tells("]: cancelled: 2 processes terminated\n").exits(0);
    script.call(&["wait", "--keep", "late"]).exits(125);
    assert!(script.left().is_empty(), "{:#?}", script.left());
    script.call(&["status", "--json"]).says("\"failed\": true").lacks("\"exit_status\": 0");
    let finished = script.go_on();
    finished.says("bye\n").tells("with result 143 in 0 seconds (cancelled)\n").says("wait 143\n").says("late 125\n");
    finished.exits(0);
}

#[test]
fn by_a_task_of_its_own_tree() {
    let mut script = PausedScript::plain(
        "async run --quiet t -- bash -c 'async cancel --grace 100ms t; sleep 1000'
        async wait --keep --quiet t
        stay
        async wait t",
    );
    assert!(script.left().is_empty(), "{:#?}", script.left());
    script.go_on().tells("; cancelled)\n");
}

#[test]
fn a_wait_for_it_comes_back() {
    in_each_case(|case| {
        case.run(
            "make_gate ready
            function waits { : >ready; sleep 1000; }
            async_run t waits
            { gate ready; async cancel --quiet t; } &
            async_wait t
            echo \"wait $?\"",
        )
        .tells("(killed by signal 15, SIGTERM; cancelled)\n")
        .says("wait 143\n");
    });
}

#[test]
fn where_there_is_no_room_for_the_request_the_tree_is_stopped_all_the_same() {
    in_each_case(|case| {
        case.run(
            "function sleeps { sleep 300 & sleep 300; }
            async_run t sleeps
            async run p -- sh -c 'sleep 300 & sleep 300'
            (ulimit -f 0; async cancel --quiet t p); echo \"cancel $?\"
            async_wait t; echo \"t $?\"
            async_wait p; echo \"p $?\"
            grep -c cancel_time \"$DEST\"/async/.collected/*.ini",
        )
        .says("cancel 0\n")
        .says("t 143\n")
        .says("p 143\n")
        .lacks("ini:1\n");
    });
}

#[test]
fn all_at_once_are_cancelled_with_few_descriptors_and_no_threads() {
    if !is_there("strace") {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "async init; for i in {1..40}; do async run -q t$i -- sleep 300; done
        # A thread is a clone(2) that shares memory.
        ulimit -n 20
        strace -f -qq -o clones -e trace=clone,clone3 async cancel --all --quiet; echo \"cancel $?\"
        wc -l <clones
        async wait --all --quiet; echo \"wait $?\"",
    );
    finished.says("cancel 0\n0\nwait 143\n").complains("40 of 40 failed: ");
}
