//! What goes to standard output, and what to standard error, with the standalone functions and with the program.

use std::process::Stdio;

use async_tests::fault::{Case, in_each_case, in_each_standalone_case};
use async_tests::shell::{Finished, Sandbox};

/// Each line, with numbers and process ids replaced.
fn lines(text: &str) -> String {
    let figures = regex::Regex::new(r":\d*\]| in \d+ seconds").expect("a regular expression");
    figures
        .replace_all(text, |found: &regex::Captures<'_>| {
            if found[0].starts_with(':') { ":PID]" } else { " in N seconds" }.to_owned()
        })
        .into_owned()
}

const TWO: &str = "function sized { echo 42; }
function fails { echo the log; return 3; }
async_run size sized; wait \"$!\"
async_run bad fails; wait \"$!\"
";

#[test]
fn the_output_of_a_wait_is_that_of_the_task_and_nothing_else() {
    in_each_standalone_case(|case| {
        case.run(&format!(
            "{TWO}size=$(async_wait size); echo \"<$size> $?\"
            log=$(async_wait bad); echo \"<$log> $?\"
            again=$(async_wait size); echo \"<$again> $?\"
            async_wait bad; echo \"$?\"
            async_run next sized; async_wait next | {{ read -r line; echo \"<$line>\"; }}
            pid=$(async_run started sized); echo \"<$pid>\"
            left=$(async_cleanup); echo \"<$left>\""
        ))
        .says("<42> 0\n<the log> 3\n<> 0\n3\n<42>\n<>\n<42>\n");
    });
    let finished = Sandbox::default().run(
        "run=$(async run t -- echo 42); size=$(async wait t); echo \"<$run> <$size> $?\"
        size=$(async run --wait t -- echo 43); echo \"<$size>\"
        async run t -- echo 44 2>/dev/null; name=$(async wait --any --no-log t); echo \"<$name>\"
        async run t -- sleep 1000; said=$(async cancel t); echo \"<$said>\"; said=$(async cleanup); echo \"<$said>\"",
    );
    assert_eq!(finished.stdout, "<> <42> 0\n<43>\n<t>\n<>\n<>\n", "{finished}");
}

#[test]
fn all_lines_about_futures_are_on_standard_error() {
    in_each_standalone_case(|case| {
        for parallel in ["true", "false"] {
            let finished = case.run(&format!(
                "ASYNC_PARALLEL={parallel}
                function fails {{ echo the log; return 3; }}
                {{ async_run t fails; async_log t now %command; async_wait t; async_wait t
                async_run u true; async_cleanup; }} >out
                grep -q 'Async\\|WARNING' out || echo none
                async_pidof nobody; async_run v true; async_pidof v >pid; async_wait v; async_print_timing"
            ));
            finished.says("none\n").complains("]: now fails\n").complains("]: finished fails with result 3 in ");
            finished.complains("]: collected before: fails, with result 3 in ");
            assert_eq!(finished.stdout.contains("Async summary"), parallel == "true", "{finished}");
            assert!(!finished.stdout.contains("[Async "), "{finished}");
            if parallel == "true" {
                finished.complains("]: running: fails\n").complains("]: FAILED with rc 3\n");
                finished.complains("WARNING: uncollected async future u\n");
            } else {
                finished.complains("[Async t:self]: Running synchronously: fails\n");
            }
        }
    });
}

/// As devstack's scripts, and the readers of their output, expect.
#[test]
fn devstacks_lines_are_on_standard_output() {
    in_each_case(|case| {
        if case.profile == "devstack" {
            case.run("ASYNC_QUIET=1; export ASYNC_QUIET; async_run t true; async_log t now; async_wait t")
                .says("]: running: true\n")
                .says("]: now\n")
                .says("]: Waiting for completion of true ")
                .says("]: finished true with result 0 in ");
        }
    });
}

#[test]
fn line_log_line_is_the_order_where_both_go_to_one_place() {
    in_each_standalone_case(|case| {
        for place in [">out 2>&1; cat out", "2>&1 | cat", ">>out 2>>out; cat out"] {
            let finished = case.run(&format!("{TWO} echo; {{ async_wait size; async_wait bad; }} {place}"));
            let text = lines(&finished.stdout);
            let wanted = "\n[Async size:PID]: Waiting for completion of sized (0 other jobs running)\n42\n\
                [Async size:PID]: finished sized with result 0 in N seconds\n\
                [Async bad:PID]: Waiting for completion of fails (0 other jobs running)\nthe log\n\
                [Async bad:PID]: finished fails with result 3 in N seconds\n";
            assert!(text.contains(wanted), "{place}: {finished}");
        }
    });
}

/// Nobody has to hear it, and the result is the same.
#[test]
fn where_no_line_can_be_printed_statuses_and_logs_are_as_ever() {
    in_each_standalone_case(|case| {
        for errors in ["2>&-", "2>/dev/full", "2> >(exec true)", "2</dev/null"] {
            let sandbox = case.sandbox();
            let script = case.script(&format!(
                "function fails {{ echo the log; return 3; }}
                trap : PIPE; exec {errors}
                async_run t fails; echo \"run $?\"
                async_log t now; echo \"log $?\"
                async_wait t; echo \"wait $?\"
                async_wait t; echo \"again $?\"
                async_run t fails; wait \"$!\"; async_wait t >/dev/full; echo \"full $?\"
                async_wait t >&-; echo \"closed $?\"
                ASYNC_PARALLEL=false; async_run u fails; echo \"here $?\"; async_wait u; echo \"wait $?\"; ASYNC_PARALLEL=
                async_cleanup; echo \"cleanup $?\""
            ));
            let finished = sandbox.run(&script);
            assert_eq!(
                finished.stdout,
                "run 0\nlog 0\nthe log\nwait 3\nagain 3\nfull 125\nclosed 125\nthe log\nhere 3\nwait 3\nthe log\ncleanup 3\n",
                "{errors}: {finished}"
            );
            let finished = sandbox.run(&format!(
                "exec {errors}
                async run t -- sh -c 'echo the log; exit 3'; echo \"run $?\"
                async wait t >/dev/full; echo \"full $?\"
                async wait t; echo \"wait $?\""
            ));
            assert_eq!(finished.stdout, "run 0\nfull 125\nthe log\nwait 3\n", "{errors}: {finished}");
        }
    });
}

fn quietly(case: &Case, script: &str) -> Finished {
    // As a variable of the script, or of its environment.
    let [set, exported] = ["ASYNC_QUIET=1", "export ASYNC_QUIET=yes"].map(|how| case.run(&format!("{how}\n{script}")));
    assert_eq!(set.stdout, exported.stdout, "{set}{exported}");
    assert_eq!(set.stderr.lines().count(), exported.stderr.lines().count(), "{set}{exported}");
    set
}

#[test]
fn quiet_is_to_hear_of_failures_alone() {
    in_each_standalone_case(|case| {
        let finished = quietly(
            case,
            "function sized { echo 42; }
            async_run size sized; async_log size now; async_wait size; async_wait size
            async_run left sized; async_cleanup
            ASYNC_PARALLEL=false; async_run size sized; async_wait size",
        );
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("42\n42\n42\n", ""), "{finished}");
        let finished = quietly(case, "function fails { echo the log; return 3; }; async_run t fails; async_wait t");
        assert_eq!(finished.stdout, "the log\n");
        finished
            .complains("]: FAILED with rc 3\n")
            .complains("]: finished fails with result 3 in ")
            .lacks("running:")
            .lacks("Waiting for")
            .exits(3);
        // A failure of the program itself is not a line about a future.
        quietly(case, "async_wait nobody").complains("there is no future `nobody`").exits(125);
        for no in ["", "0", "no", "False"] {
            case.run(&format!("ASYNC_QUIET={no}; async_run t true; async_wait t")).complains("]: running: true\n");
        }
    });
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "async run -q t -- echo 42; async wait -q t; async run -q --wait t -- echo 43
        async run -q t -- echo 44; async cleanup -q; async run -q t -- echo 45; async wait -q --no-log t
        async run -q t -- sleep 1000; async cancel -q t; async wait -q t",
    );
    assert_eq!(finished.stdout, "42\n43\n44\n");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
    finished.complains("with result 143 in ").exits(143);
}

#[test]
fn a_wrong_value_of_async_quiet_is_named_and_nothing_is_started() {
    in_each_standalone_case(|case| {
        case.run(
            "async_run kept false
            ASYNC_QUIET=maybe
            async_run t true; echo \"run $?\"; async_wait kept; echo \"wait $?\"
            ASYNC_PARALLEL=false async_run t true; echo \"here $?\"
            ASYNC_QUIET=
            async_wait t; echo \"t $?\"; async_wait kept; echo \"kept $?\"",
        )
        .complains("async: ASYNC_QUIET can't be `maybe`: it is 1 or 0, yes or no, true or false\n")
        .says("run 2\nwait 2\nhere 2\nt 125\nkept 1\n");
    });
    let sandbox = Sandbox::default();
    for command in ["run t -- true", "wait --all", "cleanup", "cancel --all"] {
        sandbox
            .run(&format!("async init; ASYNC_QUIET=2 async {command}"))
            .complains("ASYNC_QUIET can't be `2`")
            .exits(2);
    }
}

#[test]
fn whoever_reads_what_a_script_prints_sees_its_end() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let mut command = sandbox.bash(&case.script("async_run t sleep 1000"));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash runs");
        // It returns before the task's end.
        let output = child.wait_with_output().expect("its end");
        let printed = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&printed).contains("]: running: sleep 1000\n"), "{case}");
        assert!(output.status.success());
    });
}
