//! Failing outputs, system limits, and a binary that disappears.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use async_tests::fault::in_each_case;
use async_tests::shell::{Finished, Sandbox, copy_program};
use async_tests::small_disk::is_root;

#[test]
fn a_log_that_can_not_be_handed_over_can_still_be_collected() {
    in_each_case(|case| {
        case.run(
            "async_run t echo the log
            wait $!
            async_wait t >/dev/full
            echo \"full $?\"
            async_wait t >&-
            echo \"closed $?\"
            exec 4> >(exec true); wait \"$!\"
            async_wait t >&4; echo \"pipe $?\"; exec 4>&-
            async_wait t
            echo \"at last $?\"",
        )
        .complains("No space left on device")
        .says("pipe 125\n")
        .says("full 125\n")
        .says("closed 125\n")
        .says("the log\n")
        .says("at last 0\n");
    });
}

#[test]
fn a_program_whose_output_is_closed_collects_nothing() {
    in_each_case(|case| {
        case.run(
            "async run t -- sh -c 'echo the log; exit 3' >&-
            echo \"run $?\"
            for wait in 'wait t' 'wait --all' 'wait --any' 'wait --json t' cleanup 'cleanup --json' 'log t' status; do
                async $wait >&-
                echo \"$wait $?\"
            done
            # What prints nothing needs no output.
            async wait --keep --quiet t >&-
            echo \"quiet $?\"
            async wait t
            echo \"at last $?\"",
        )
        .complains("async: can't write the output: Bad file descriptor (os error 9)\n")
        .says("run 0\nwait t 125\nwait --all 125\nwait --any 125\nwait --json t 125\n")
        .says("\ncleanup 125\ncleanup --json 125\nlog t 125\nstatus 125\nquiet 3\n")
        .says("the log\n")
        .says("at last 3\n");
    });
}

#[test]
fn a_reader_that_goes_away_does_not_take_the_future_with_it() {
    in_each_case(|case| {
        case.run(
            "function lot { quiet; seq 100000; }
            async_run t lot
            wait $!
            async_wait t | head -n 1 >/dev/null
            echo \"pipe ${PIPESTATUS[0]}\"
            async_wait t | tail -n 2 | grep -x 100000",
        )
        .says("pipe 125\n")
        .says("100000\n");
    });
}

#[test]
#[ignore = "in the full set"]
fn a_reader_that_stops_reading_holds_nobody_up() {
    in_each_case(|case| {
        case.run(
            "make_gate reads
            function lot { quiet; seq 100000; return 3; }
            async_run t lot
            wait $!
            { async_wait t; echo \"first $?\" >&2; } | { read -r line; echo \"$line\" >began; gate reads; cat >/dev/null; } &
            until [[ -s began ]]; do sleep 0.1; done
            async_wait t >/dev/null & own=$!
            async wait t >/dev/null & other=$!
            async wait --all >/dev/null & all=$!
            async run t -- true; echo \"run $?\"
            wait $own; echo \"own $?\"
            wait $other; echo \"other $?\"
            wait $all; echo \"all $?\"
            open_gate reads
            wait",
        )
        .complains("async: `t` is being collected by another process, which has stopped reading: ")
        .complains("first 3\n")
        .says("run 125\nown 125\nother 125\nall 125\n");
    });
}

#[test]
fn closed_standard_descriptors() {
    in_each_case(|case| {
        for (closed, output) in [("<&-", true), (">&-", false), ("2>&-", true), ("<&- >&- 2>&-", false)] {
            let sandbox = case.sandbox();
            let finished = sandbox.run(&case.script(&format!(
                "function task {{ echo the log; echo done >ran; return 3; }}
                exec 7>&1
                exec {closed}
                async_run t task
                async_wait t
                echo \"wait $?\" >&7
                exec >&7
                async_wait t
                cat ran",
            )));
            finished.says("done\n");
            if output {
                finished.says("the log\n").says("wait 3\n");
            } else {
                // It could not be printed, so it is handed over when it can be.
                finished.says("wait 125\n").says("the log\n");
            }
        }
    });
}

#[test]
fn too_few_descriptors() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.script(
            "function task { : >started; }
            ulimit -n 10
            async_run t task
            echo \"run $?\"
            ulimit -n 5
            async_run t task
            echo \"run $?\"",
        ));
        finished.lacks("run 0\n");
        assert!(!sandbox.path("cwd/started").exists());
        sandbox.run(&case.sourced("async_run t task2 || :; async_wait t; async status")).lacks("lost");
    });
}

#[test]
fn as_few_descriptors_as_four() {
    in_each_case(|case| {
        for most in 4..=18 {
            let sandbox = case.sandbox();
            let finished = sandbox.run(&case.script(&format!(
                "function task {{ return 3; }}
                ulimit -n {most}
                async_run t task; echo \"run $?\"
                async_wait t; echo \"wait $?\"
                async run u -- sh -c 'exit 3' || ran=$?
                echo \"program ${{ran:-0}}\"
                async wait u; echo \"waited $?\""
            )));
            let status = |what: &str| {
                let line = finished.stdout.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
                line.and_then(|status| status.parse::<u8>().ok())
                    .unwrap_or_else(|| panic!("{most}, {what}: {finished}"))
            };
            for (start, wait) in [("run", "wait"), ("program", "waited")] {
                match (status(start), status(wait)) {
                    (0, 3 | 125) | (125, 125) | (126 | 127, 125..=127) => {}
                    other => panic!("with {most} descriptors {start} and {wait} give {other:?}: {finished}"),
                }
            }
            for slip in ["ambiguous", "invalid value", "IO Safety", "panicked", "(never started)"] {
                finished.lacks(slip);
            }
        }
    });
}

#[test]
fn a_limit_on_the_size_of_files() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.script(
            "function task { : >started; }
            (ulimit -f 0; async_run t task; echo \"run $?\") 2>&1 | cat
            async_run t echo fine
            async_wait t
            echo \"wait $?\"",
        ));
        finished.says("File too large").says("run 125\n").says("fine\n").says("wait 0\n");
        assert!(!sandbox.path("cwd/started").exists());
    });
}

#[test]
#[ignore = "in the full set"]
fn a_log_of_more_than_two_gib() {
    in_each_case(|case| {
        // A hole takes no space and reads as zeros.
        case.run(
            "function task { quiet; truncate -s 2200M /dev/stdout; echo end; }
            async_run t task
            wait $!
            async_wait t | tail -n 2 | tr -d '\\0'
            echo \"wait ${PIPESTATUS[0]}\"",
        )
        .says("end\n")
        .says("wait 0\n");
    });
}

#[test]
fn a_binary_that_goes_away_after_the_start() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let copy = sandbox.path("cwd/copy");
        copy_program(&copy);
        let finished = sandbox.run(&case.script(
            "export ASYNC_BIN=$PWD/copy
            make_gate go ready
            function task { : >ready; gate go; return 4; }
            async_run t task
            gate ready
            rm copy
            open_gate go
            async_wait t
            echo \"wait $?\"
            unset ASYNC_BIN
            async_wait t
            echo \"at last $?\"",
        ));
        finished.complains("no program '").says("wait 125\n").says("at last 4\n");
    });
}

#[test]
fn no_binary_at_all() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.sourced(
            "PATH=/usr/bin:/bin
            hash -r
            for command in async_init 'async_run t true' 'async_wait t' 'async_pidof t' 'async_log t x' async_cleanup \\
                async_print_timing; do
                $command
                echo \"$?\"
            done",
        ));
        finished.complains("async: no program 'async': install async, or say where it is with ASYNC_BIN\n");
        assert_eq!(finished.stdout, "125\n".repeat(7), "{finished}");
        assert_eq!(finished.stderr.lines().count(), 7, "one line each: {finished}");
    });
}

#[test]
#[ignore = "in the full set"]
fn arguments_longer_than_a_program_may_have() {
    in_each_case(|case| {
        case.run(
            "function count { quiet; echo \"$# ${#1} ${#2}\"; }
            long=$(printf '%300000s' '')
            async_run t count \"$long\" \"${long}x\" | tail -c 100
            async_wait t | grep -v Async
            async_run many count \"\" \"\" {1..100000} | tail -c 100
            async_wait many | grep -v Async
            echo \"wait ${PIPESTATUS[0]}\"",
        )
        .says("2 300000 300001\n")
        .says("100002 0 0\n")
        .says("wait 0\n");
    });
}

#[test]
fn a_script_whose_output_nobody_reads() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        // The read end of the pipe is closed before the script begins.
        let mut command = sandbox.bash(&case.script("async_run t echo the log; async_wait t; echo $? >status"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap();
        sandbox
            .run(&case.sourced("cat status; async_wait t; echo \"wait $?\""))
            .says("125\n")
            .says("the log\n")
            .says("wait 0\n");
    });
}

/// How many user ids have been used: the limit covers all processes of a user, so each test gets its own.
static USERS: AtomicU32 = AtomicU32::new(0);

/// Runs a script as another user, who has no other processes.
fn run_as_nobody(sandbox: &Sandbox, script: &str) -> Finished {
    let program = sandbox.path("bin");
    fs::create_dir(&program).unwrap();
    copy_program(&program.join("async"));
    let user = 3_000_000 + 10 * std::process::id() + USERS.fetch_add(1, Ordering::Relaxed);
    sandbox.run("chmod 1777 \"$HOME\" . \"$DEST\" ../ && chmod a+rx ../bin ../bin/async").exits(0);
    fs::write(sandbox.path("script"), script).unwrap();
    let mut command = sandbox.command("setpriv");
    command.arg(format!("--reuid={user}")).args(["--clear-groups", "bash"]).arg(sandbox.path("script"));
    command.env("PATH", format!("{}:/usr/bin:/bin", program.display()));
    sandbox.finish(&mut command)
}

#[test]
#[ignore = "in the full set"]
fn too_few_processes() {
    if !is_root("a user without other processes") {
        return;
    }
    in_each_case(|case| {
        let script = case.script(
            "function fails { echo the log; return 3; }
            # Until there is room again. No children: their end would interrupt bash's own patience.
            for i in 1 2 3; do setsid --fork sleep 1.5; done
            ulimit -Su 4
            async_run later fails >/dev/null; echo \"run $?\"
            async_wait later; echo \"later $?\"
            # Bash itself gives up after 15 seconds, and goes no further.
            ulimit -Su 1
            async_run never fails; echo \"run $?\"
            async_wait never; echo \"never $?\"",
        );
        let finished = run_as_nobody(&case.sandbox(), &script);
        finished.complains("fork: retry: Resource temporarily unavailable\n").says("the log\n");
        finished.says("run 0\n").says("later 3\n").lacks("never 0\n");
        assert_eq!(finished.stdout.matches("run 0\n").count(), 1, "{finished}");
    });
}

#[test]
fn programs_when_there_are_too_few_processes() {
    if !is_root("a user without other processes") {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = run_as_nobody(
        &sandbox,
        "async init; sleep 1.5 & ulimit -Su 4
        async run t -- sh -c 'exit 3'; echo \"run $?\"
        async wait t; echo \"wait $?\"",
    );
    finished.says("run 0\n").says("wait 3\n");
}

#[test]
#[ignore = "in the full set"]
fn a_task_that_is_held_back_when_there_are_too_few_processes() {
    if !is_root("a user without other processes") {
        return;
    }
    // From a limit at which the supervisor can't be forked to one at which everything can: in between, no thread is
    // available for the wait.
    for processes in 5..=8 {
        let finished = run_as_nobody(
            &Sandbox::default(),
            &format!(
                "async init; async run --quiet first -- sleep 4
                sleep 1.5 & ulimit -Su {processes}
                async run --after-any first t -- sh -c 'exit 3'; echo \"run $?\"
                async wait t; echo \"wait $?\""
            ),
        );
        finished.says("run 0\n").says("wait 3\n");
    }
}

#[test]
fn too_little_memory() {
    in_each_case(|case| {
        for memory in [2000, 6000, 9000, 12000] {
            // If there is too little of it, the start is refused and nothing has run.
            let finished = case.run(&format!(
                "function fails {{ echo ran >ran; return 3; }}
                (
                    ulimit -Sv {memory}
                    async_run t fails; echo \"run $?\"
                    ulimit -Sv unlimited
                    async_wait t; echo \"wait $?\"
                )
                echo \"shell $?\"
                [[ ! -e ran ]] || echo ran",
            ));
            let ran = finished.stdout.contains("\nran\n");
            let told = finished.stdout.contains("run 0\n") && finished.stdout.contains("wait 3\n");
            assert!(ran == told && !finished.stdout.contains("wait 0\n"), "{memory}: {finished}");
        }
    });
}

#[test]
fn an_environment_that_is_too_large() {
    in_each_case(|case| {
        case.run(
            "function fails { echo the log; return 3; }
            big=$(head -c 130000 /dev/zero | tr '\\0' x)
            async_run before fails
            for i in {1..20}; do export big$i=$big; done
            async_run t fails; echo \"run $?\"
            async_wait t; echo \"wait $?\"
            async_wait before; echo \"early $?\"
            for i in {1..20}; do unset big$i; done
            async_wait t; echo \"again $?\"
            async_wait before; echo \"before $?\"",
        )
        .complains("Argument list too long")
        .lacks("wait 0\n")
        .lacks("early 0\n")
        .says("run 125\n")
        .says("again 125\n")
        .says("the log\n")
        .says("before 3\n");
    });
}
