//! Timeouts, retries, dependencies, and what a script leaves when it ends.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::fault::{Case, in_each_case, in_each_standalone_case};
use async_tests::paused_script::PausedScript;
use async_tests::proof::Records;
use async_tests::shell::Sandbox;
use async_tests::wait_until;

#[test]
fn a_task_whose_time_is_up_is_stopped_with_its_whole_tree() {
    let tree = "function tree {
        echo 'the log'
        (trap '' TERM; while :; do sleep 1000 || :; done) &
        (setsid sleep 1000 &)
        sleep 1000 &
        wait
    }";
    let script = PausedScript::plain(&format!(
        "{tree}
        export -f tree
        async run --quiet --timeout 800ms --grace 100ms t -- bash -c tree
        async wait t; echo \"wait $?\"
        stay"
    ));
    // Its supervisor may be about to end.
    wait_until("nothing is left", || script.left().is_empty());
    let mut script = script;
    script.go_on().says("the log\n").tells("with result 124 in 0 seconds (its time was up)\n").says("wait 124\n");
    in_each_standalone_case(|case| {
        let mut script = PausedScript::start(
            case.sandbox(),
            &case.script(&format!(
                "{tree}
                async_run --timeout 800ms --grace=100ms t tree
                async_wait t; echo \"wait $?\"
                stay"
            )),
        );
        // Its supervisor may be about to end.
        wait_until("nothing is left", || script.left().is_empty());
        script
            .go_on()
            .tells("FAILED with rc 124 (its time was up)\n")
            .says("the log\n")
            .tells("with result 124 in 0 seconds (its time was up)\n")
            .says("wait 124\n");
    });
}

#[test]
fn the_time_may_be_up_while_a_task_is_tried_again() {
    // The time does not start before the task does.
    let sandbox = Sandbox::default();
    sandbox
        .run(
            "async run --quiet first -- sleep 0.3
            async run --quiet --after first --timeout 1s --retry 1000 --retry-delay 10ms t -- sh -c 'echo x; exit 1'
            async run --quiet --timeout 200ms --retry 1 --retry-delay 1h u -- false
            async wait t; echo \"t $?\"
            async wait u; echo \"u $?\"",
        )
        .says("\nx\n")
        .says("t 124\n")
        .says("u 124\n");
    assert!(Records::of(&sandbox.store()).time("t", "attempts") > 1);
    in_each_standalone_case(|case| {
        case.run(
            "function fails { return 1; }
            async_run --timeout 200ms --retry 1000 --retry-delay 10ms t fails
            async_run --timeout 200ms --retry 1 --retry-delay 1h u fails
            async_wait t; echo \"t $?\"
            async_wait u; echo \"u $?\"",
        )
        .says("t 124\n")
        .says("u 124\n");
    });
}

#[test]
fn a_task_that_ends_in_time_is_left_alone() {
    in_each_standalone_case(|case| {
        case.run(
            "async_run --timeout 1h t true
            async_wait t; echo \"t $?\"
            async run --timeout 1h u -- sh -c 'exit 3'
            async wait u; echo \"u $?\"",
        )
        .says("t 0\n")
        .says("u 3\n")
        .lacks("time was up");
    });
}

#[test]
fn a_task_that_fails_is_tried_again_until_it_succeeds() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "counts='echo \"run $(($(wc -l <runs.$0) + 1))\" | tee -a runs.$0; [[ $(wc -l <runs.$0) -ge $1 ]]'
        touch runs.t runs.u runs.v
        async run --quiet --retry 5 --retry-delay 20ms t -- bash -c \"$counts\" t 3
        async run --quiet --retry 1 u -- bash -c \"$counts\" u 3
        async run --quiet --retry 0 v -- bash -c \"$counts\" v 3
        for name in t u v; do async wait $name; echo \"$name $?\"; done",
    );
    finished
        .says("]: attempt 1 of 6 ended with status 1, next in 0.02 seconds\nrun 2\n")
        .says("]: attempt 2 of 6 ended with status 1, next in 0.02 seconds\nrun 3\n")
        .says("]: attempt 1 of 2 ended with status 1, next in 0 seconds\nrun 2\n")
        .says("t 0\n")
        .says("u 1\n")
        .says("v 1\n");
    let records = Records::of(&sandbox.store());
    for (name, attempts) in [("t", "3"), ("u", "2"), ("v", "1")] {
        assert_eq!(records.value(name, "attempts"), Some(attempts), "{records:#?}");
    }
    in_each_standalone_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.script(
            "function counts {
                echo \"run $(($(wc -l <runs.$1) + 1))\" >>runs.$1
                cat runs.$1
                [[ $(wc -l <runs.$1) -ge $2 ]]
            }
            touch runs.t runs.u
            async_run --retry 5 --retry-delay=20ms t counts t 3
            async_run --retry=1 u counts u 3
            for name in t u; do async_wait $name; echo \"$name $?\"; done",
        ));
        finished
            .says("]: attempt 1 of 6 ended with status 1, next in 0.02 seconds\nrun 1\nrun 2\n")
            .says("]: attempt 2 of 6 ended with status 1, next in 0.02 seconds\nrun 1\nrun 2\nrun 3\n")
            .says("t 0\n")
            .says("u 1\n");
        let records = Records::of(&sandbox.store());
        for (name, attempts) in [("t", "3"), ("u", "2")] {
            assert_eq!(records.value(name, "attempts"), Some(attempts), "{records:#?}");
        }
    });
}

#[test]
fn a_signal_ends_the_retrying() {
    let handles = r#"trap "echo got $0; exit 9" "$0"; : >ready; while :; do sleep 0.01; done"#;
    let asks = "kill -s $signal \"$(async pid t)\"; async wait t; echo \"$signal $?\"; wc -l <runs; rm runs";
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "mkfifo ready
        for signal in HUP INT TERM; do
            async run --quiet --retry 5 t -- bash -c 'echo x >>runs; {handles}' $signal
            read -r _ <ready
            {asks}
        done"
    ));
    for signal in ["HUP", "INT", "TERM"] {
        finished.says(&format!("got {signal}\n")).says(&format!("{signal} 9\n1\n"));
    }
    in_each_standalone_case(|case| {
        let finished = case.run(
            "make_gate ready
            function handles {
                echo x >>runs
                trap \"echo got $1; exit 9\" $1
                : >ready
                while :; do sleep 0.01; done
            }
            for signal in HUP TERM; do
                async_run --retry 5 t handles $signal
                gate ready
                kill -s $signal \"$(async_pidof t)\"
                async_wait t || echo \"$signal $?\"
                wc -l <runs; rm runs
            done",
        );
        for signal in ["HUP", "TERM"] {
            finished.says(&format!("got {signal}\n")).says(&format!("{signal} 9\n1\n"));
        }
    });
}

#[test]
fn a_signal_between_two_attempts_ends_the_retrying() {
    let until_pause = "until grep -q 'attempt 1 of 6' \"$DEST/async/t.log\"; do :; done; kill -TERM \"$(async pid t)\"";
    Sandbox::default()
        .run(&format!(
            "async run --quiet --retry 5 --retry-delay 1h t -- sh -c 'echo x; exit 3'
            {until_pause}
            async wait t
            echo \"wait $?\""
        ))
        .says("wait 143\n");
    in_each_standalone_case(|case| {
        case.run(&format!(
            "function fails {{ return 3; }}
            async_run --retry 5 --retry-delay 1h t fails
            {until_pause}
            async_wait t
            echo \"wait $?\""
        ))
        .says("wait 143\n");
    });
}

#[test]
fn a_future_that_comes_after_others() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "mkfifo go
        async run --quiet good -- bash -c 'read -r _ <go || :; echo x >order'
        async run --quiet bad -- bash -c 'exit 3'
        async run --after good --after good a -- bash -c 'echo a >>order'
        async run --quiet --after-any bad --after a b -- bash -c 'echo b >>order'
        async run --quiet --after b --after bad c -- touch c
        async run --quiet --after c d -- touch d
        async run --quiet --after-any d e -- bash -c 'echo e >>order'
        async status
        : >go
        for name in a b c d e good bad; do async wait $name; echo \"$name $?\"; done
        cat order",
    );
    finished
        .tells("]: queued: bash -c 'echo a >>order'\n")
        .says("a\tqueued\t")
        .says("e\tqueued\t")
        .says("]: not started: `bad` failed with status 3\n")
        .says("]: not started: `c` failed with status 125\n")
        .tells("with result 125 in 0 seconds (never started: a future that it depends on did not succeed)\n")
        .says("x\na\nb\ne\n");
    for status in ["a 0\n", "b 0\n", "c 125\n", "d 125\n", "e 0\n"] {
        finished.says(status);
    }
    for never in ["c", "d"] {
        assert!(!sandbox.path("cwd").join(never).exists());
    }
}

#[test]
fn a_function_that_comes_after_others() {
    in_each_standalone_case(|case| {
        case.run(
            "make_gate go
            function good { gate go; echo good >order; }
            function bad { return 3; }
            function then { echo \"then $1\" >>order; }
            async_run good good
            async_run bad bad
            async_run --after good a then a
            async_run --after=a --after-any=bad b then b
            async_run --after bad c then c
            open_gate go
            for name in a b c; do async_wait $name; echo \"$name $?\"; done
            cat order",
        )
        .tells("]: queued: then a\n")
        .says("]: not started: `bad` failed with status 3\n")
        .tells("FAILED with rc 125 (never started: a future that it depends on did not succeed)\n")
        .says("c 125\n")
        .says("\ngood\nthen a\nthen b\n");
    });
}

#[test]
fn what_it_comes_after_is_what_had_the_name_when_it_was_started() {
    let sandbox = Sandbox::default();
    sandbox
        .run(
            "mkfifo go
            async run --wait --quiet old -- true
            async run --quiet --after old a -- true
            async run --wait --quiet failed -- false
            async run --quiet --after failed b -- true
            async run --quiet t -- bash -c 'read -r _ <go || :'
            async run --quiet --after t c -- true
            : >go
            async wait t
            async run --quiet t -- false
            for name in a b c; do async wait $name; echo \"$name $?\"; done
            async run --after nobody d -- true
            echo \"d $?\"
            async init
            async run --after failed d -- true
            echo \"after init $?\"",
        )
        .says("a 0\n")
        .says("]: not started: `failed` failed with status 1\n")
        .says("b 125\n")
        .says("c 0\n")
        .complains("there is no future `nobody`")
        .says("d 125\n")
        .says("after init 125\n");
}

#[test]
fn what_it_comes_after_may_be_killed_lost_or_cancelled() {
    let sandbox = Sandbox::default();
    sandbox
        .run(
            "mkfifo ready
            for how in killed lost cancelled; do
                async run --quiet $how -- bash -c 'echo >ready; sleep 1000'
                read -r _ <ready
                async run --quiet --after $how after-$how -- touch $how
                async run --quiet --after-any $how whatever-$how -- true
            done
            kill -KILL \"$(awk '$1 == \"task\" { print $3 }' \"$DEST/async/killed.ini\")\"
            kill -KILL \"$(async pid lost)\"
            async cancel --quiet cancelled
            for how in killed lost cancelled; do
                async wait after-$how; echo \"$how $?\"
                async wait whatever-$how; echo \"$how whatever $?\"
            done
            async cancel --quiet lost
            ls",
        )
        .says("]: not started: `killed` was killed by signal 9, SIGKILL\n")
        .says("]: not started: `lost` was lost\n")
        .tells("]: not started: `cancelled` was killed by signal 15, SIGTERM\n")
        .says("killed 125\n")
        .says("lost 125\n")
        .says("cancelled 125\n")
        .says("killed whatever 0\n")
        .says("lost whatever 0\n")
        .says("cancelled whatever 0\n")
        .says("\nready\n");
}

#[test]
fn a_chain_of_twenty_and_twenty_that_come_after_one() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "mkfifo go
        async run --quiet c0 -- bash -c 'read -r _ <go || :; echo 0'
        for i in {1..20}; do
            async run --quiet --after c$((i - 1)) c$i -- sh -c \"echo $i >>chain\"
            async run --quiet --after c0 m$i -- true
        done
        : >go
        async wait --no-log {c,m}{1..20}
        echo \"wait $?\"
        paste -sd' ' chain",
    );
    finished.says("wait 0\n1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n");
}

/// A script that ends in some way while its futures are running.
fn ends(case: &Case, on_exit: &str, end: &str) {
    let script = case.script(&format!(
        "ASYNC_ON_EXIT={on_exit}
        mkfifo there
        function stays {{ quiet; echo >there; sleep 1000; }}
        function outer {{ quiet; async_run inner stays; async run --quiet nested -- bash -c 'echo >there; sleep 1000'; sleep 1000; }}
        async_run function stays
        async_run outer outer
        (async_run subshell stays)
        async run program -- bash -c 'echo >there; sleep 1000'
        for i in {{1..5}}; do read -r _; done <>there
        stay
        {end}"
    ));
    let mut script = PausedScript::start(case.sandbox(), &script);
    let own = ["function", "outer", "inner", "nested", "subshell"];
    let status = script.call(&["status"]);
    for name in own.into_iter().chain(["program"]) {
        status.says(&format!("{name}\trunning"));
    }
    let _ = script.go_on();
    if on_exit == "leave" {
        let status = script.call(&["status"]);
        for name in own {
            status.says(&format!("{name}\trunning"));
        }
    } else {
        for name in own {
            // A future inside another one may be stopped as a part of it.
            script.call(&["wait", name]).tells("with result 143 in ").exits(143);
        }
        // It belongs to the program, and goes on as at the prompt.
        script.call(&["status"]).says("program\trunning");
    }
    script.call(&["cancel", "--all", "--quiet"]).exits(0);
    assert!(script.left().is_empty(), "{:#?}", script.left());
}

#[test]
fn what_a_script_leaves_is_cancelled_however_it_ends() {
    in_each_standalone_case(|case| {
        ends(case, "", "kill -KILL $$");
    });
    in_each_case(|case| {
        // The other ways to end do not depend on bash.
        if case.profile == "standalone" {
            for end in ["", "exit 3", "kill -TERM $$", "set -e; false", "trap 'echo mine' EXIT", "trap 'exit 4' EXIT"] {
                ends(case, "cancel", end);
            }
            ends(case, "leave", "exit");
        }
    });
}

#[test]
fn nothing_of_a_script_runs_when_it_has_ended_by_itself() {
    in_each_standalone_case(|case| {
        for end in ["", "exit 0", "set -e; false", "kill -INT $$", "async_end; exit"] {
            let finished = case.run(&format!(
                "bash -c 'source <(async shim)
                    function stays {{ trap \"\" TERM; echo >there; exec sleep 1000; }}
                    mkfifo there
                    async_run --grace 100ms t stays
                    read -r _ <there
                    {end}'
                async status"
            ));
            finished.says("t\tfinished\t137 KILL cancelled\t").tells("cancelled, with rc 137\n").lacks("FAILED");
        }
    });
}

#[test]
fn the_end_of_a_script_keeps_its_status_and_the_traps_that_were_there() {
    in_each_standalone_case(|case| {
        for (before, then, status, says) in [
            (":", "exit 5", 5, ""),
            ("trap 'echo \"mine $?\"' EXIT", "exit 5", 5, "mine 5\n"),
            ("trap 'echo \"it'\\''s $?\"' EXIT", "exit 5", 5, "it's 5\n"),
            ("trap 'echo \"mine $?\"; exit 6' EXIT", "exit 5", 6, "mine 5\n"),
            ("trap '' EXIT", "exit 5", 5, ""),
            ("set -e", "false", 1, ""),
            ("set -eu -o posix; trap 'echo \"mine $?\"' EXIT", "false", 1, "mine 1\n"),
            (":", "ASYNC_ON_EXIT=soon", 2, ""),
        ] {
            let script = case.sourced_after(before, &format!("async_run t sleep 1000\n{then}"));
            let finished = case.sandbox().run(&script);
            finished.says(says).exits(status);
        }
    });
}

#[test]
fn a_failure_that_nobody_waited_for_is_told_of_at_the_end() {
    in_each_standalone_case(|case| {
        let finished = case.run("async_run t false; async_run u true; wait; exit 0");
        finished.complains("nobody waited for `t`, which failed with status 1\n").lacks("`u`").exits(0);
    });
}

#[test]
fn a_script_may_wait_at_its_end_and_then_fails_if_something_failed() {
    in_each_standalone_case(|case| {
        let script = "ASYNC_ON_EXIT=wait\nfunction fails { quiet; gate go; echo the log; return 3; }\nmake_gate go\nasync_run t fails\n";
        for (end, status) in [("", 3), ("exit 4", 4)] {
            let finished = case.run(&format!("{script}{{ open_gate go; }} &\n{end}"));
            finished.says("the log\n").exits(status);
        }
        case.run("ASYNC_ON_EXIT=wait; async_run t echo fine").says("fine\n").exits(0);
    });
}

#[test]
fn options_of_async_run() {
    in_each_standalone_case(|case| {
        let finished = case.run(
            "set -eu -o pipefail
            IFS=5m=-
            function show { printf '<%s>' \"$@\"; echo; }
            async_run --timeout 5m --grace=1s --retry 2 --retry-delay=1s --jobs 2 t show --retry 'a b' ''
            async_run --timeout=1h -- --u show -- x
            async_run -- v show v
            async_run -- -w show w
            async_wait t
            async_wait -- --u v -w
            for wrong in '--timeout' '--timeout=' '--timeout soon w' '--nope w' '--timeoutx=1 w' '--retry -1 w' '--jobs 0 w' \\
                '--retry-delay 1s w' '--after w' '--after=../x w' '--'; do
                IFS=' '
                status=0
                async_run $wrong ${wrong:+show} || status=$?
                IFS=5m=-
                echo \"<$wrong> $status\"
            done
            async status --json | grep -c '\"name\"' || :",
        );
        finished.says("<--retry><a b><>\n").says("<--><x>\n").says("<v>\n").says("<w>\n");
        for (wrong, status) in [
            ("--timeout", 2),
            ("--timeout=", 2),
            ("--timeout soon w", 2),
            ("--nope w", 2),
            ("--timeoutx=1 w", 2),
            ("--retry -1 w", 2),
            ("--jobs 0 w", 2),
            ("--retry-delay 1s w", 2),
            ("--after w", 2),
            ("--after=../x w", 2),
        ] {
            finished.says(&format!("<{wrong}> {status}\n"));
        }
        finished.complains(": async_run has no option '--nope'; a name like that goes behind --; type `async_run ");
    });
}

#[test]
fn options_are_names_to_devstack() {
    in_each_case(|case| {
        if case.profile == "devstack" {
            case.run(
                "async_run --timeout echo 5m x
                async_wait --timeout; echo \"wait $?\"",
            )
            .tells("[Async --timeout:")
            .says("5m x\n")
            .says("wait 0\n");
        }
    });
}

#[test]
fn nothing_of_the_options_is_traced() {
    in_each_standalone_case(|case| {
        let finished = case.run(
            "set -x
            async_run --retry 1 --timeout 1h t true
            async_wait t
            async_run --retry 1 u false
            async_wait u
            set +x
            cat \"$DEST\"/async/u.log",
        );
        let own = |line: &&str| line.starts_with('+') && (line.contains("_async") || line.contains("builtin"));
        let traced: Vec<_> = finished.stderr.lines().chain(finished.stdout.lines()).filter(own).collect();
        assert!(traced.is_empty(), "{traced:#?}");
        finished.says("+ true\n").says("+ false\n");
    });
}

#[test]
fn a_task_that_is_tried_again_inherits_no_more_descriptors_than_another() {
    in_each_standalone_case(|case| {
        case.run(
            "function list { ls /proc/self/fd >&3; return 1; }
            exec 3>list.once
            async_run once list
            exec 3>list.again
            async_run --retry 1 again list
            async_wait once
            async_wait again
            exec 3>&-
            cat list.once list.once | cmp - list.again && echo same",
        )
        .says("same\n");
    });
}

#[test]
fn options_where_tasks_do_not_run_in_the_background() {
    in_each_standalone_case(|case| {
        case.run(
            "DEVSTACK_PARALLEL=False
            function fails { echo once; return 3; }
            async_run --timeout 1ms --retry 5 --retry-delay 1h --jobs 1 t fails
            echo \"run $?\"
            async_wait t
            echo \"wait $?\"
            async_run --after t u touch u
            echo \"run $?\"
            async_run --after-any t v echo fine
            async_run --nope w true
            echo \"run $?\"
            ls",
        )
        .tells("Running synchronously: fails\n")
        .says("once\nrun 3\n")
        .says("wait 3\n")
        .complains("async: `u` was not started: `t` failed with status 3\n")
        .says("run 125\n")
        .says("fine\n")
        .says("run 2\n")
        .lacks("\nu\n");
    });
}

#[test]
fn a_task_does_not_start_without_a_supervisor() {
    in_each_case(|case| {
        for (program, why) in [
            ("#!/no/such/interpreter\n", "/cwd/program: "),
            (
                "#!/bin/bash\n[[ $1 != supervise ]] || kill -KILL $$\nexec async \"$@\"\n",
                "was not started: no supervisor",
            ),
        ] {
            let sandbox = case.sandbox();
            fs::write(sandbox.path("cwd/program"), program).unwrap();
            let finished = sandbox.run(&case.script(
                "chmod +x program
                export ASYNC_BIN=$PWD/program
                async_run t touch started
                echo \"run $?\"
                unset ASYNC_BIN
                async_pidof t
                ls",
            ));
            finished.says("run 125\nUNKNOWN\n").complains(why).lacks("\nstarted\n");
            // Bash 5.1 prints two lines of its own about a missing interpreter.
            let said = finished.stderr.lines().filter(|line| !line.starts_with('+') && !line.ends_with(": Success"));
            assert_eq!(said.count(), 1, "{finished}");
        }
    });
}

#[test]
fn a_future_whose_name_ends_in_a_blank_can_come_first() {
    let sandbox = Sandbox::default();
    sandbox.run("async run 'a ' -- true && async run ' ' -- true").exits(0);
    for option in ["--after 'a '", "--after-any ' '", "--jobs 1"] {
        let script = format!("async run {option} 'b ' -- true && async run {option} c -- true && async wait 'b ' c");
        sandbox.run(&script).exits(0).tells(": finished true with result 0 in 0 seconds\n");
    }
}

#[test]
fn what_was_queued_says_so_when_it_runs() {
    in_each_standalone_case(|case| {
        let script = "make_gate go
            async_run --jobs=1 first gate go
            async_run --jobs=1 second true
            async_run --after=first third true
            open_gate go
            async_wait first second third";
        let finished = case.run(script);
        for name in ["second", "third"] {
            let queued = finished.stderr.find(&format!("[Async {name}:")).unwrap();
            let lines: Vec<&str> = finished.stderr[queued..].lines().filter(|line| line.contains(name)).collect();
            assert!(lines[0].ends_with("]: queued: true"), "{finished}");
            assert!(lines[1..].iter().any(|line| line.ends_with("]: running: true")), "{finished}");
        }
        assert_eq!(finished.stderr.matches("]: running: gate go\n").count(), 1, "{finished}");
        case.run(&format!("ASYNC_QUIET=1\n{script}")).lacks("running: true").lacks("queued: true");
    });
    // The original has no queue, so neither do the lines that its readers see.
    in_each_case(|case| {
        if case.profile == "devstack" {
            let ended = case.run("async pause; async_run t true; async resume; async_wait t; echo \"status $?\"");
            ended.says("status 0\n").lacks("running: true");
        }
    });
}

#[test]
fn the_program_says_when_what_it_waits_for_runs() {
    let sandbox = Sandbox::default();
    let script = |option: &str, until: &str| {
        format!(
            "mkfifo go; async run --quiet first -- sh -c 'read -r _ <go'
            async run {option} --wait --after first t -- echo out 2>err & until {until}; do sleep 0.01; done
            echo >go; wait $!; cat err >&2; rm go"
        )
    };
    let finished = sandbox.run(&script("", "grep -qs queued err"));
    finished.says("out\n").exits(0);
    let said: Vec<&str> = finished.stderr.lines().map(|line| line.split_once("]: ").unwrap().1).collect();
    assert_eq!(said[0], "queued: echo out", "{finished}");
    assert!(said[1..].contains(&"running: echo out"), "{finished}");
    sandbox.run(&script("--quiet", "async status | grep -q queued")).says("out\n").lacks("running").exits(0);
}

#[test]
fn only_what_is_held_back_is_called_queued() {
    let sandbox = Sandbox::default();
    sandbox
        .run("async run --jobs 4 t -- true; async wait t; async timing --table; async timing --json >json")
        .complains("]: running: true\n")
        .lacks("queued")
        .lacks("QUEUED")
        .exits(0);
    let json = fs::read_to_string(sandbox.path("cwd/json")).unwrap();
    assert!(json.contains("\"queued_ms\": 0") && !json.contains("\"queued\": true"), "{json}");
    // Nor does a future that never starts.
    let over = "async run bad -- false; async wait --keep bad;";
    sandbox.run(&format!("{over} async run --after bad t -- true; async wait t")).lacks("]: queued").exits(125);
    let ended = sandbox.run("async run bad -- false; async wait bad; async run --after bad u -- true; async wait u");
    ended.complains("]: not started: true\n").exits(125);
}

#[test]
fn options_stand_before_the_command_on_either_side_of_the_name() {
    in_each_standalone_case(|case| {
        let finished = case.run(
            "function fails { echo \"got $*\"; return 3; }
            async_run a --retry 1 fails --retry 2
            async_run --retry 1 b fails
            async run c --retry 1 -- bash -c 'echo got \"$@\"; exit 3' - --retry 2
            async wait --keep a b c >/dev/null 2>&1
            for name in a b c; do async status --json $name | grep -E '\"(attempts|retry)\"'; done | sort | uniq -c
            async_wait a c
            async run --quiet t -- sleep 1000
            async_run t --if-absent true; echo \"present $?\"
            async_wait t; echo \"wait $?\"
            async cancel --quiet t",
        );
        finished.says("3       \"attempts\": 2").says("3         \"retry\": 1").says("present 122\nwait 125\n");
        assert_eq!(finished.stdout.matches("got --retry 2\n").count(), 4, "{case}: {finished}");
    });
}
