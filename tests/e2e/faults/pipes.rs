//! Pipes that a script has open besides its output, and to which its tasks may write.

use async_tests::fault::{in_each_case, in_each_standalone_case};

/// The script with its output in a pipe.
fn piped(script: &str) -> String {
    format!("{{ {script}\n}} | cat")
}

fn quoted(script: &str) -> String {
    format!("'{}'", script.replace('\'', r"'\''"))
}

#[test]
fn a_reader_of_a_script_with_more_pipes_sees_its_end() {
    in_each_case(|case| {
        for (script, said) in [
            ("exec 3>&1; async_run t server", "the step is over\nthe server\n"),
            ("function start { async_run t server; }; start >/dev/null", "the step is over\n"),
            ("{ async_run t server; } 4>&1 >/dev/null", "the step is over\n"),
        ] {
            let shim = case.sourced(&format!("exec 2>err\n{script}\necho the step is over"));
            let finished = case.run(&format!(
                "make_gate go
                function server {{ quiet; gate go; {{ echo the server >&3; }} 2>/dev/null; return 3; }}
                export -f quiet gate server
                ASYNC_ON_EXIT=leave $BASH -c {} | cat
                async status | cut -f 1,2
                open_gate go
                async wait --all 2>/dev/null; echo \"status $?\"",
                quoted(&shim)
            ));
            // What comes after the script's end is in the log.
            let last = if said.contains("server") { "the server\nstatus 3\n" } else { "status 3\n" };
            finished.says("the step is over\nt\trunning\n").says(last);
        }
    });
}

#[test]
fn what_a_task_writes_to_a_pipe_of_the_script_arrives_there_before_the_end_of_the_wait() {
    in_each_case(|case| {
        case.run(&piped(
            "function task { quiet; echo log; echo one >&3; echo two >&4; echo three >&5; return 3; }
            exec 3>&1
            { async_run t task; async_wait t; echo \"status $?\"; } 4>&1 5> >(sed s/^/five:/ >&3) >out
            sort out | tail -n 2
            function named { quiet; echo substituted >\"$1\"; }
            async_run n named >(cat >substituted); async_wait n >out
            until grep substituted substituted; do :; done",
        ))
        .says("one\ntwo\n")
        .says("five:three\n")
        .says("status 3\n")
        .says("substituted\n");
    });
}

/// As `stack.sh` sets them up.
const CONSOLE_LOG_AND_SUMMARY: &str = "exec 3>&1
exec 1> >(exec cat >log) 2>&1; logger=$!
exec 6> >(sed 's/^/summary: /' | tee summary >&3)
function echo_summary { echo -e \"$@\" >&6; }
";

#[test]
fn a_task_prints_to_the_console_and_the_summary_of_stack_sh() {
    in_each_case(|case| {
        let finished = case.run(&piped(&format!(
            "{CONSOLE_LOG_AND_SUMMARY}
            function install {{ quiet; echo_summary \"installing $1\"; echo \"console $1\" >&3; echo details; return \"$2\"; }}
            async_run nova install nova 0
            async_run swift install swift 4
            async_wait nova; echo_summary \"nova $?\"
            async_wait swift; echo_summary \"swift $?\"
            exec 1>&3 2>&3 6>&-; wait $logger
            grep -c ^details log",
        )));
        finished.says("console nova\n").says("console swift\n").says("\n2\n");
        // Either task may be ahead of the other, but none of its own wait.
        for (name, status) in [("nova", 0), ("swift", 4)] {
            let of_it = finished.stdout.lines().filter(|line| line.starts_with("summary: ") && line.contains(name));
            let wanted = [format!("summary: installing {name}"), format!("summary: {name} {status}")];
            assert_eq!(of_it.collect::<Vec<_>>(), wanted, "\n{finished}");
        }
    });
}

#[test]
fn all_of_it_arrives_though_the_reader_is_slow() {
    in_each_case(|case| {
        case.run(
            "make_gate go
            exec 3> >(gate go; cat >piped); reader=$!
            function task { quiet; seq 200000 >&3; seq 7 >&3; }
            async_run t task
            open_gate go
            async_wait t >out; echo \"status $?\"
            exec 3>&-; wait $reader
            { seq 200000; seq 7; } | cmp - piped && echo it is all there",
        )
        .says("status 0\n")
        .says("it is all there\n");
    });
}

/// More than a pipe holds, of which the last part is written at once: its writer is over while most of it is unread.
const TWO_PARTS: &str = "seq 20000 | head -c 60000 >&3; seq 20000 | tail -c 60000 >&3";

#[test]
fn the_rest_arrives_after_the_tasks_own_end_and_then_its_wait_returns() {
    in_each_case(|case| {
        for (reader, said) in [("cat >piped", "120000 piped\n"), ("head -c 5 >piped", "5 piped\n")] {
            case.run(&format!(
                "make_gate go
                exec 3> >(gate go; exec {reader}); reader=$!
                function task {{ quiet; {TWO_PARTS}; : >over; }}
                async_run t task
                until [[ -e over ]]; do :; done
                open_gate go
                async_wait t >out; echo \"status $?\"
                exec 3>&-; wait $reader
                wc -c piped"
            ))
            .says("status 0\n")
            .says(said);
        }
    });
}

#[test]
fn lines_of_several_tasks_arrive_whole() {
    in_each_standalone_case(|case| {
        case.run(
            "exec 3> >(cat >piped); reader=$!
            function task { local line; printf -v line '%080d' \"$1\"; for i in {1..3000}; do echo \"$line\" >&3; done; }
            for i in 1 2 3; do async_run t$i task $i; done
            async_wait t1 t2 t3; echo \"status $?\"
            exec 3>&-; wait $reader
            sort piped | uniq -c",
        )
        .says("status 0\n")
        .says(&format!("   3000 {:080}\n   3000 {:080}\n   3000 {:080}\n", 1, 2, 3));
    });
}

#[test]
fn a_copy_of_a_coprocesss_descriptor_can_be_written_to() {
    in_each_case(|case| {
        case.run(
            "coproc cat; exec 5>&\"${COPROC[1]}\" 6<&\"${COPROC[0]}\"
            async_run t eval 'quiet; echo hello >&5'
            async_wait t >out; echo \"status $?\"; read -r line <&6; echo \"$line\"",
        )
        .says("status 0\nhello\n");
    });
}

#[test]
fn a_pipe_that_nobody_reads_any_more_ends_a_task_that_writes_to_it_as_ever() {
    in_each_case(|case| {
        case.run(
            "exec 3> >(read -r line; echo \"$line\" >read)
            async_run t eval 'quiet; yes >&3; echo \"ended with $?\"'
            async_wait t; cat read",
        )
        .says("ended with 141\n")
        .says("y\n");
    });
}

/// Tasks that wait for a reader who does not read: in a write, and when they are over themselves.
const WAITING: [&str; 2] = ["yes >&3", TWO_PARTS];

#[test]
fn a_task_that_waits_for_the_reader_of_a_pipe_can_be_ended() {
    in_each_standalone_case(|case| {
        for task in WAITING {
            for (options, end, status) in [
                ("", "async cancel --grace 1 t", "status 143\n      \"cause\": \"cancelled\""),
                ("--timeout 0.5", ":", "status 124\n      \"cause\": \"timeout\""),
                ("", "kill -TERM $(async_pidof t)", "status 143\n      \"cause\": null"),
            ] {
                case.run(&format!(
                    "exec 3> >(exec tail -f /dev/null); reader=$!
                    async_run {options} t eval {}
                    {end}
                    async_wait t >out; echo \"status $?\"
                    async log --list-runs --json t | grep '\"cause\"'
                    kill $reader",
                    quoted(task)
                ))
                .says(status);
            }
        }
    });
}

#[test]
fn a_trap_that_waits_for_the_reader_of_a_pipe_is_ended_after_the_grace_period() {
    in_each_standalone_case(|case| {
        case.run(
            "mkfifo said; exec 3> >(exec tail -f /dev/null); reader=$!
            async_run t eval 'trap \"yes term >&3\" TERM; echo >said; yes >&3'
            read -r _ <said; async cancel --grace 0.5 t
            async_wait t >out; echo \"status $?\"
            kill $reader",
        )
        .says("status 137\n");
    });
}

#[test]
fn a_task_that_is_killed_while_it_waits_for_the_reader_of_a_pipe() {
    in_each_case(|case| {
        case.run(
            "mkfifo said; exec 3> >(exec tail -f /dev/null); reader=$!
            async_run t eval 'quiet; echo $BASHPID >said; exec yes >&3'
            read -r pid <said; kill -KILL \"$pid\"
            async_wait t >out; echo \"status $?\"
            kill $reader",
        )
        .says("status 137\n");
    });
}

#[test]
fn one_whose_parent_is_cancelled_while_it_waits_for_the_reader_of_a_pipe() {
    in_each_standalone_case(|case| {
        case.run(&format!(
            "mkfifo said; exec 3> >(exec tail -f /dev/null); reader=$!
            function parent {{ trap '' TERM; async_run c eval {}; echo >said; async_wait c; echo \"c $?\"; }}
            async_run p parent; read -r _ <said
            async cancel --grace 5 p
            async_wait p; kill $reader",
            // The parent's supervisor takes as much as a pipe holds, too.
            quoted(&format!("{TWO_PARTS}; seq 20000 | head -c 50000 >&3"))
        ))
        .says("c 143\n");
    });
}

#[test]
fn each_attempt_writes_to_the_pipe_and_so_does_one_that_had_to_wait() {
    in_each_standalone_case(|case| {
        case.run(&piped(
            "make_gate go; exec 3>&1; ASYNC_JOBS=1
            function task { echo try >&3; return 3; }
            function strict { set -e; echo strictly >&3; false; echo goes on >&3; }
            async_run first gate go
            async_run --retry 2 t task
            async_run u strict; async_run v echo once
            open_gate go
            async_wait t >out; echo \"status $?\"
            async_wait u; echo \"status $?\"; async_wait v",
        ))
        .says("try\ntry\ntry\n")
        .says("status 3\n")
        .says("strictly\n")
        .says("status 1\nonce\n")
        .lacks("goes on")
        .lacks("once\nonce");
    });
}

#[test]
fn what_a_task_writes_once_its_subshell_is_gone_comes_in_its_log() {
    in_each_standalone_case(|case| {
        case.run(&piped("make_gate go; exec 3>&1; (async_run t eval 'gate go; echo late >&3'); open_gate go; async_wait t >out; cat out"))
            .says("late\n");
    });
}

#[test]
fn a_pipe_that_a_script_both_reads_and_writes_stays_what_it_is() {
    in_each_case(|case| {
        case.run(
            "mkfifo tokens; exec 3<>tokens 4>tokens 5<tokens
            function task { quiet; echo one >&4; read -r -u 5 token; echo \"$token\" >&3; echo four >&4; }
            async_run t task; async_wait t >out
            read -r -u 3 token; echo \"$token\"; read -r -u 5 token; echo \"$token\"",
        )
        .says("one\nfour\n");
    });
}

#[test]
fn a_daemon_that_writes_to_a_pipe_after_the_tasks_end() {
    in_each_case(|case| {
        case.run(
            "make_gate go; mkfifo said; exec 3> >(cat)
            function daemon { trap 'echo SIGPIPE >said' PIPE; gate go; echo >&3; }
            function task { quiet; daemon >/dev/null 2>&1 & }
            async_run t task; async_wait t >out; echo \"status $?\"
            open_gate go; read -r line <said; echo \"$line\"",
        )
        .says("status 0\nSIGPIPE\n");
    });
}
