//! Tasks that end in other ways than by returning.

use async_tests::fault::in_each_case;

#[test]
fn a_task_that_exits() {
    in_each_case(|case| {
        case.run(
            "function dies { exit 3; }
            async_run t dies
            async_wait t
            echo \"status $?\"
            async_print_timing",
        )
        .tells("FAILED with rc 3\n")
        .tells("finished dies with result 3 in 0 seconds\n")
        .says("status 3\n")
        .says("Time spent in the background minus waits: 0")
        .lacks("-1795");
    });
}

#[test]
fn a_task_whose_process_is_killed() {
    in_each_case(|case| {
        case.run(
            "function killed { kill -KILL \"$BASHPID\"; }
            async_run t killed
            async_wait t
            echo \"status $?\"
            async_print_timing",
        )
        .tells("FAILED with rc 137 (killed by signal 9, SIGKILL)\n")
        .tells("finished killed with result 137 in 0 seconds (killed by signal 9, SIGKILL)\n")
        .says("status 137\n")
        .says("minus waits: 0");
    });
}

#[test]
fn a_task_whose_background_subshell_is_killed() {
    in_each_case(|case| {
        case.run(
            "make_gate go ready
            function waits { : >ready; gate go; }
            async_run t waits
            gate ready
            kill -KILL \"$(async_pidof t)\"
            async_wait t
            echo \"status $?\"
            async_print_timing
            open_gate go",
        )
        .tells("finished waits with result 137 (killed by signal 9, SIGKILL)\n")
        .tells("its process is gone and left no result; process ")
        .tells("of its task still runs\n")
        .says("status 137\n")
        .says("minus waits: 0");
    });
}

#[test]
fn a_task_and_its_background_subshell_are_killed_at_once() {
    in_each_case(|case| {
        case.run(
            "make_gate ready
            function waits { : >ready; sleep 1000; }
            async_run t waits
            gate ready
            pid=$(async_pidof t)
            kill -STOP \"$pid\"
            kill -KILL $(awk -F' = ' '$1 == \"task\" { print $2 }' \"$DEST/async/t.ini\") \"$pid\"
            async_wait t
            echo \"status $?\"",
        )
        .tells("with result 137 (killed by signal 9, SIGKILL)\n")
        .says("status 137\n")
        .lacks("still runs");
    });
}

#[test]
fn a_task_that_turns_into_a_program() {
    in_each_case(|case| {
        let finished = case.run(
            "async_run t exec sh -c 'echo \"it is $$\"; exit 4'
            async_wait t
            echo \"status $?\"
            sed -n 's/^task = /it is /p' \"$DEST\"/async/.collected/t.*.ini",
        );
        finished.tells("FAILED with rc 4\n").says("status 4\n");
        let pids: Vec<&str> = finished.stdout.lines().filter(|line| line.starts_with("it is ")).collect();
        assert!(pids.len() == 2 && pids[0] == pids[1], "{case}: {finished}");
    });
}

#[test]
fn a_task_with_traps_and_children_of_its_own() {
    in_each_case(|case| {
        case.run(
            "function task {
                trap 'echo terminated' TERM
                trap 'echo the end' EXIT
                (exit 5) &
                wait \"$!\" || echo \"child $?\"
                # A wait with that one set is where bash itself can come to grief.
                trap 'echo a child is over' CHLD
                kill -TERM \"$BASHPID\"
                (exit 6) || echo \"and $?\"
                return 7
            }
            trap 'echo never' TERM EXIT
            async_run t task
            trap - TERM EXIT
            async_wait t
            echo \"status $?\"",
        )
        .says("a child is over\n")
        .says("child 5\n")
        .tells("terminated\n")
        .says("and 6\n")
        .says("the end\n")
        .says("status 7\n")
        .lacks("never\n");
    });
}

#[test]
fn a_task_knows_itself() {
    in_each_case(|case| {
        let finished = case.run(
            "function task {
                quiet
                local me=$BASHPID
                sh -c 'echo $PPID' >parent.$me
                [[ $(<parent.$me) == \"$me\" ]] || echo not itself
                [[ $$ == \"$script\" ]] || echo another script
                [[ $BASHPID != \"$$\" && $BASH_SUBSHELL -gt 0 ]] || echo no subshell
                [[ ! -e /dev/fd/0 || /dev/fd/0 -ef /dev/null ]] || echo some input
                echo \"random $RANDOM $RANDOM $RANDOM\"
            }
            script=$$ RANDOM=1
            async_run a task
            async_run b task
            exec <&-
            async_run c task
            async_wait a b c
            echo \"status $?\"",
        );
        finished.says("status 0\n").lacks("not itself").lacks("another").lacks("no subshell").lacks("some input");
        let mut random: Vec<&str> = finished.stdout.lines().filter(|line| line.starts_with("random ")).collect();
        random.sort_unstable();
        random.dedup();
        assert_eq!(random.len(), 3, "{case}: {finished}");
    });
}

#[test]
fn job_control_in_the_script() {
    in_each_case(|case| {
        case.run(
            "set -m
            make_gate ready
            function dies { exit 3; }
            function waits { : >ready; sleep 1000; }
            async_run a dies
            async_wait a
            echo \"a $?\"
            async_run b waits
            gate ready
            # The group is one of its own, and the task in it.
            kill -TERM -- \"-$!\"
            async_wait b
            echo \"b $?\"
            (exit 4) &
            wait \"$!\"
            echo \"own $?\"",
        )
        .says("a 3\n")
        .says("b 143\n")
        .says("own 4\n");
    });
}

#[test]
fn a_signal_to_the_futures_process_reaches_the_task() {
    in_each_case(|case| {
        case.run(
            "make_gate ready go
            function handles {
                trap 'echo \"got the signal\"; exit 9' TERM
                : >ready
                gate go
            }
            async_run t handles
            gate ready
            kill -TERM \"$(async_pidof t)\"
            async_wait t
            echo \"status $?\"",
        )
        .says("got the signal\n")
        .says("status 9\n");
    });
}

#[test]
fn a_task_that_is_terminated() {
    in_each_case(|case| {
        case.run(
            "make_gate ready
            function waits { : >ready; sleep 1000; }
            async_run t waits
            gate ready
            kill -TERM \"$(async_pidof t)\"
            async_wait t
            echo \"status $?\"",
        )
        .tells("FAILED with rc 143 (killed by signal 15, SIGTERM)\n")
        .says("status 143\n");
    });
}

#[test]
fn a_signal_right_after_the_start_is_not_lost() {
    in_each_case(|case| {
        let text = "
            for signal in TERM HUP; do
                for number in {1..10}; do
                    async_run $signal$number sleep 1000
                    # The task is there, and whoever watches it may not be yet.
                    until [[ $(<\"$DEST/async/$signal$number.ini\") == *'task = '* ]]; do :; done
                    kill -s $signal \"$!\"
                    async_wait $signal$number
                    echo \"$signal $?\" >>statuses
                done
            done >/dev/null
            uniq -c statuses | tr -s ' '";
        assert_eq!(case.run(text).stdout, " 10 TERM 143\n 10 HUP 129\n", "{case}");
    });
}

#[test]
fn arguments_arrive_exactly() {
    in_each_case(|case| {
        case.run(
            r#"function count { quiet; printf '<%s>' "$@"; echo; }
            touch file1 file2
            async_run t count 'a b' '' '*' $'x\ny' '$HOME' "it's"
            async_wait t
            async_runfunc count 'a b'
            async_wait count"#,
        )
        .says("<a b><><*><x\ny><$HOME><it's>\n")
        .says("<a b>\n");
    });
}

#[test]
fn special_characters_in_commands_and_messages() {
    in_each_case(|case| {
        case.run(
            r"async_run t echo 'a&b' 'c\d' 'e#f' '%command'
            async_log t 'x & \ # / %command'
            async_wait t",
        )
        .tells(r"running: echo a&b c\d e#f %command")
        .tells(r"]: x & \ # / echo a&b c\d e#f %command");
    });
}

#[test]
fn a_very_short_task_has_its_pid_in_its_end_line() {
    in_each_case(|case| {
        let finished = case.run(
            "for i in {1..30}; do async_run \"t$i\" true; pids[i]=$!; done
            for i in {1..30}; do async_wait \"t$i\"; done
            for i in {1..30}; do echo \"wanted: [Async t$i:${pids[i]}]: finished successfully\"; done",
        );
        for wanted in finished.stdout.lines().filter_map(|line| line.strip_prefix("wanted: ")) {
            assert!(
                finished.stdout.lines().chain(finished.stderr.lines()).any(|line| line == wanted),
                "{wanted}\n{finished}"
            );
        }
        finished.lacks(":]").exits(0);
    });
}

#[test]
fn a_failing_command_in_the_middle_of_a_task() {
    in_each_case(|case| {
        let finished = case.run(
            "set -e
            function middle { false; echo went on; }
            async_run a middle
            if async_run b middle; then :; fi
            async_run c middle || exit
            for t in a b c; do async_wait $t || echo \"$t failed with $?\"; done",
        );
        match case.profile {
            "devstack" => finished.says("went on\n").lacks("failed with"),
            _ => {
                finished.says("a failed with 1\n").says("b failed with 1\n").says("c failed with 1\n").lacks("went on")
            }
        };
    });
}

#[test]
fn a_task_that_leaves_a_daemon_behind() {
    in_each_case(|case| {
        // One program and one subshell; both write to the log.
        case.run(
            "make_gate go
            function leaves {
                sleep 1000 &
                echo \"$!\" >daemon
                ( gate go; exec sleep 1000 ) &
                echo left
            }
            async_run t leaves
            async_wait t
            echo \"status $?\"
            kill -0 \"$(<daemon)\" && echo 'the daemon lives'
            open_gate go",
        )
        .says("status 0\n")
        .says("the daemon lives\n");
    });
}

#[test]
fn not_parallel_times_and_statuses_are_the_tasks_own() {
    in_each_case(|case| {
        case.run(
            "DEVSTACK_PARALLEL=False
            function fails { echo here; return 6; }
            function looks { async status; }
            async_run good looks && async_wait good
            async_run bad fails
            echo \"run $?\"
            async_wait bad
            echo \"wait $?\"",
        )
        .says("good\trunning\t")
        .tells("finished looks with result 0 in 0 seconds\n")
        .says("run 6\n")
        .tells("finished fails with result 6 in 0 seconds\n")
        .says("wait 6\n");
    });
}

#[test]
fn the_summary_when_no_second_has_gone_by() {
    in_each_case(|case| {
        case.run("_TIME_BEGIN=$(($(date +%s) + 100)); async_print_timing").says(" Speedup:  n/a\n").exits(0);
    });
}

#[test]
fn nobody_waits_for_what_a_script_has_left_behind() {
    in_each_case(|case| {
        for (script, how) in [
            ("async_run t server", "0"),
            ("async_runfunc server", "0"),
            ("pid=$(async_run t server)", "0"),
            ("(async_run t server)", "0"),
            ("{ async_run t server; } | cat", "0"),
            ("exec 3>/dev/null; async_run t server", "0"),
            ("exec 3>&1; async_run t server", "0"),
            ("exec {copy}>&2 4>&1 3> >(cat >&4); async_run t server", "0"),
            ("function start { async_run t server; }; start >/dev/null 2>&1", "0"),
            ("{ async_run t server; } 5>&1 >/dev/null", "0"),
            ("x=$(exec 3>&1; async_run t server)", "0"),
            ("exec 3>&1; async_run t async run inner -- cat go", "0"),
            ("exec 3>&1; async_run t server; kill -KILL $$", "137"),
            ("exec 3>&1; ASYNC_JOBS=1; async_run t server; async_run --retry 1 second true; async_run third true", "0"),
            ("ASYNC_JOBS=1; async_run t server; async_run second true; async_run --after t third true", "0"),
            ("async_run t async run inner -- cat go", "0"),
            ("async_run t server; kill -KILL $$", "137"),
            ("async_run t server; kill -KILL $BASHPID", "137"),
            // The wait for another script's future sleeps in its own process.
            (
                "async run t -- cat go; me=$$
                (until grep -qs block /proc/$(pgrep -P $me async)/cmdline; do :; done; kill -KILL $me) >&- 2>&- &
                async_wait t",
                "137",
            ),
        ] {
            let finished = case.run(&format!(
                "make_gate go
                export -f gate
                function server {{ gate go; return 3; }}
                export -f server
                ASYNC_ON_EXIT=leave $BASH -c 'source <(async shim)
                    {script}
                    echo the step is over' 2>err | cat >out
                echo \"status ${{PIPESTATUS[0]}}\"
                async status
                open_gate go
                async wait --all --quiet",
            ));
            finished.says(&format!("status {how}\n")).says("\trunning\t");
        }
    });
}
