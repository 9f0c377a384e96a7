//! Waiting for futures, from anywhere.

use async_tests::fault::in_each_case;
use async_tests::paused_script::PausedScript;

#[test]
fn cleanup_collects_each_with_a_warning() {
    in_each_case(|case| {
        case.run(
            "function fails { return 5; }
            async_run a true
            async_run 'b b' fails
            async_run c true
            async_cleanup
            echo \"status $?\"
            async_cleanup
            echo \"again $?\"",
        )
        .says(if case.profile == "devstack" { "status 0\nagain 0\n" } else { "status 5\nagain 0\n" })
        .tells("WARNING: uncollected async future a\n")
        .tells("WARNING: uncollected async future b b\n")
        .tells("WARNING: uncollected async future c\n")
        .tells("finished fails with result 5 in 0 seconds\n")
        .tells("finished true with result 0 in 0 seconds\n");
    });
}

#[test]
fn a_wait_from_a_subshell_and_from_another_process() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox
            .run(&case.script(
                "make_gate go go2
                function fails { gate \"$1\"; return \"$2\"; }
                async_run t fails go 7
                ( async_wait t; echo \"subshell $?\" ) &
                open_gate go
                wait $!
                async_run t fails go2 8
                async wait t >out 2>&1 &
                open_gate go2
                wait $!
                echo \"process $?\"
                cat out",
            ))
            .says("subshell 7\n")
            .says("process 8\n")
            .tells("with result 7 in 0 seconds\n")
            .tells("with result 8 in 0 seconds\n");
    });
}

#[test]
fn of_two_that_wait_for_one_future_one_collects_it() {
    in_each_case(|case| {
        let finished = case.run(
            "make_gate go
            function task { gate go; echo the log; }
            async_run t task
            for i in {1..8}; do async_wait t >out$i 2>&1 & done
            open_gate go
            wait
            cat out*",
        );
        finished.says("the log\n");
        assert_eq!(finished.stdout.matches("\nthe log\n").count(), 1, "{finished}");
        assert_eq!(finished.stdout.matches("finished task with result 0").count(), 1, "{finished}");
    });
}

#[test]
#[ignore = "in the full set"]
fn sixty_four_shells_start_into_one_store_at_once() {
    in_each_case(|case| {
        let finished = case.run(
            "function task { quiet; echo \"I am $1\"; return $(($1 % 5)); }
            for i in {1..64}; do
                ASYNC_ON_EXIT=leave bash -c \"$(declare -f task quiet)
                    source <(async shim)
                    async_run \\$1 task \\$2\" starter \"t$i\" \"$i\" >/dev/null &
            done
            wait
            for i in {1..64}; do
                async_wait \"t$i\" >out$i
                [[ $? == $((i % 5)) ]] || echo \"wrong status of $i\"
                grep -qx \"I am $i\" out$i || echo \"wrong log of $i\"
            done
            async status
            echo checked",
        );
        assert_eq!(finished.stdout, "checked\n", "{finished}");
    });
}

#[test]
#[ignore = "in the full set"]
fn more_children_end_before_the_wait_than_bash_remembers() {
    in_each_case(|case| {
        case.run(
            "function fails { return 7; }
            async_run t fails
            pid=$!
            wait $pid
            for i in {1..5000}; do : & done
            wait
            async_wait t
            echo \"status $?\"",
        )
        .says("status 7\n");
    });
}

#[test]
fn a_log_goes_out_as_it_is() {
    in_each_case(|case| {
        case.run(
            r"function escapes { quiet; printf '\e[31mred\e[0m\a\r\n'; }
            async_run t escapes
            async_wait t",
        )
        .says("\x1b[31mred\x1b[0m\x07\r\n");
    });
}

#[test]
fn control_characters_of_a_command_are_spelt_out() {
    in_each_case(|case| {
        // In devstack, bash itself traces the task.
        let errors = if case.profile == "devstack" { "exec 2>/dev/null\n" } else { "" };
        let finished = case.run(&format!(
            "{errors}{}",
            r"function quietly { quiet; }
            async_run t quietly $'\e]0;title\a' $'a\nb'
            async_log t $'%command \e[2J'
            async status
            async_wait t",
        ));
        finished.tells(r"running: quietly \u{1b}]0;title\u{7} a\nb").lacks("\x07");
        assert!(!(finished.stdout.clone() + &finished.stderr).contains('\x1b'), "{finished}");
    });
}

#[test]
fn a_wait_does_not_report_a_later_future_of_the_name() {
    in_each_case(|case| {
        // The steps of async_wait: another waiter is faster, and meanwhile the name is used again.
        case.run(
            r#"make_gate go
            function first { gate go; return 4; }
            function second { return 5; }
            async_run t first
            mapfile -t answer < <(async collect --answer 3 --report 2 --shell $$ -- t 3>&1)
            open_gate go
            async wait t
            async_run t second
            # Its own line is out by then.
            wait "$!"
            async collect --answer 3 --report 1 --shell $$ --resume "${answer[6]}" --status 0 -- t 3>&1
            async_wait t"#,
        )
        .tells("]: collected before: first, with result 4 in 0 seconds\n")
        .says("done\n4\n0\n0\n")
        .tells("finished second with result 5 in 0 seconds\n")
        .exits(5);
    });
}

#[test]
fn another_shells_lost_future_has_no_status_of_a_child_of_ours() {
    in_each_case(|case| {
        // Process ids are reused, and bash remembers the ends of its children.
        case.run(
            "(kill -TERM \"$BASHPID\") &
            printf '[job]\\ncommand = task\\nstart_time = 1700000000000\\nlog = own\\npid = %s\\n' \"$!\" >\"$DEST/async/t.ini\"
            : >\"$DEST/async/t.log\"
            async_wait t
            echo \"wait $?\"
            make_gate go ready
            function waits { : >ready; gate go; }
            async_run own waits
            gate ready
            kill -KILL \"$!\"
            async_wait own
            echo \"own $?\"
            open_gate go",
        )
        .tells("with result unknown (lost)\n")
        .says("wait 125\n")
        .says("own 137\n");
    });
}

#[test]
fn a_shell_does_not_wait_for_itself() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        // The state of a shell after a signal has ended the call that ran the task, or after the start itself was
        // killed.
        sandbox
            .run(&case.script(
                "DEVSTACK_PARALLEL=False
                async begin-here --answer 3 --shell $$ -- t task 3>&1 >/dev/null
                async status
                async_wait t
                echo \"wait $?\"",
            ))
            .says("t\trunning")
            .tells("(lost)\n")
            .says("wait 125\n");
    });
}

#[test]
fn what_this_script_started_and_somebody_else_took_is_an_error() {
    in_each_case(|case| {
        let other = format!("bash -c 'source <(async shim --profile {} --parallel-default true); ", case.profile);
        for (taking, who) in [
            (format!("{other} async_wait t' >/dev/null"), "process "),
            (format!("{other} async_run t true >/dev/null; async_wait t' >/dev/null"), "a later future has its name"),
            (format!("{other} async_run t true' >/dev/null"), "a later future has its name"),
            ("async run t true >/dev/null".to_owned(), "a later future has its name"),
            (format!("{other} async_run t true' >/dev/null; async wait t >/dev/null"), "a later future has its name"),
            ("async wait t >/dev/null".to_owned(), "process "),
            ("(async wait --all) >/dev/null".to_owned(), "process "),
            ("bash -c 'async cleanup; :' >/dev/null".to_owned(), "process "),
            ("async wait t --json >/dev/null".to_owned(), "process "),
            // It is reported however many runs are kept.
            ("async wait t >/dev/null; async init --keep-runs 0".to_owned(), "process "),
            (
                "bash -c 'async wait t; async init --keep-runs 0; async init --keep-runs 0' >/dev/null".to_owned(),
                "process ",
            ),
        ] {
            let finished = case.run(&format!(
                "function fails {{ return 3; }}
                async_run t fails
                wait \"$!\"
                {taking}
                async_wait t
                echo \"wait $?\"",
            ));
            finished.complains(&format!("the result of `t`, which this script has started, is gone: {who}"));
            finished.says("wait 125\n");
            if who == "process " {
                finished.complains(" has collected it at ");
            }
        }
        case.run("async_run t true; (async_wait t); async_wait t; echo \"wait $?\"").says("wait 0\n");
    });
}

#[test]
fn a_scripts_own_init_forgets_what_it_has_started() {
    in_each_case(|case| {
        // From then on the future does not exist, as with the original.
        for keep in ["5", "0"] {
            let finished = case.run(&format!(
                "ASYNC_KEEP_RUNS={keep}; export ASYNC_KEEP_RUNS
                async_run t false; wait \"$!\"; async_init; async_wait t; echo \"wait $?\"",
            ));
            match case.profile {
                "devstack" => finished.says("Not waiting for async task t ").says("wait 0\n"),
                _ => finished.complains("there is no future `t` in ").says("wait 125\n"),
            };
        }
    });
}

#[test]
fn others_leave_alone_what_a_running_script_has_not_collected() {
    in_each_case(|case| {
        let other = format!("source <(async shim --profile {} --parallel-default true); ", case.profile);
        let mut script = PausedScript::start(
            case.sandbox(),
            &case.script(
                "function fails { echo the log; return 3; }
                async_run t fails
                wait \"$!\"
                stay
                async_wait t
                echo \"wait $?\"",
            ),
        );
        let run = |command: &str| {
            let finished = script.sandbox.run(command);
            finished.complains("async: `t` belongs to the script with process id ").lacks("the log").exits(0);
            finished
        };
        for init in ["async init", "async init --keep-runs 0", &format!("{other} async_init")] {
            run(init).complains(", which has not collected it, so it was kept\n");
        }
        for all in ["async wait --all", "async cleanup", &format!("{other} async_cleanup")] {
            run(all).complains(", which has not collected it, so it was left alone\n");
        }
        for json in ["async wait --all --json", "async cleanup --json"] {
            run(json).says("\"futures\": [],\n").says("\"left\": [\n    \"t\"\n  ],\n").says("\"status\": 0\n");
        }
        script.go_on().says("the log\n").tells("with result 3 in ").says("wait 3\n");
        // A future that no script wants any more is there for all.
        let gone = case.run("ASYNC_ON_EXIT=leave bash -c 'source <(async shim); async_run t false'; async cleanup");
        gone.tells("WARNING: uncollected async future t\n").tells("with result 1 in ").exits(1);
    });
}

#[test]
fn a_wait_for_what_did_not_start_fails() {
    in_each_case(|case| {
        let refused = |start: &str, name: &str| {
            let finished = case.run(&format!(
                "function ok {{ :; }}
                {start} || echo refused

                async_wait {name}
                echo \"wait $?\"",
            ));
            finished
                .says("refused\n")
                .complains("was not started, so there is nothing to wait for\n")
                .says("wait 125\n");
        };
        for parallel in ["True", "False"] {
            let set = format!("DEVSTACK_PARALLEL={parallel} ASYNC_PARALLEL={parallel}");
            let with = |start: &str| format!("{set}\n{start}");
            refused(&with("async_run t"), "t");
            refused(&with("async_run 'a b'"), "'a b'");
            refused(&with("async_run a/b ok"), "a/b");
            refused(&with("async_run '' ok"), "''");
            refused(&with("ASYNC_BIN=/nowhere/async async_run t ok"), "t");
            refused(&with("ASYNC_BIN=$(type -P false) async_run t ok"), "t");
            refused(&with("builtin() { :; }; async_run t ok || { unset -f builtin; false; }"), "t");
            let spoilt = "rm -r \"$DEST/async\"; : >\"$DEST/async\"; async_run t ok || { rm \"$DEST/async\"; async init; false; }";
            refused(&with(spoilt), "t");
            // An earlier success of that name says nothing about this future.
            refused(&with("async_run t ok; async_wait t; async_run t"), "t");
            refused(
                &with("async_run t ok; async_wait t; async_run u ok; async_run t || { async_wait u; false; }"),
                "t",
            );
            // A later future that starts does.
            case.run(&with(
                "function fails { return 3; }
                async_run t
                async_run t fails
                async_wait t
                echo \"wait $?\"
                async_wait t
                echo \"again $?\"",
            ))
            .says("wait 3\n")
            .says(if case.profile == "devstack" { "again 0\n" } else { "again 3\n" });
        }
        // Another script's future of that name does not count.
        refused(
            &format!(
                "bash -c 'source <(async shim --profile {} --parallel-default true); async_run t sleep 300; sleep 300' &
                until [[ $(async status 2>&1) == *running* ]]; do :; done
                async_run t ok",
                case.profile
            ),
            "t",
        );
        if case.profile == "standalone" {
            refused("async_run --after nothing -- t ok", "t");
            refused("async_run --nope t ok", "t");
            refused("async_run --jobs", "-- --jobs");
        }
    });
}

#[test]
fn however_much_did_not_start_a_wait_is_not_held_up() {
    in_each_case(|case| {
        case.run(
            "_ASYNC_STARTED[0]=$(printf '/name-%s/' {1..9000})
            async_run t false
            async_wait t
            echo \"wait $?\"
            async_wait name-7
            echo \"first $?\"",
        )
        .says("wait 1\n")
        .says("first 125\n");
    });
}

#[test]
fn a_future_whose_record_is_gone_was_started_all_the_same() {
    in_each_case(|case| {
        for parallel in ["True", "False"] {
            let finished = case.run(&format!(
                "DEVSTACK_PARALLEL={parallel} ASYNC_PARALLEL={parallel}
                async_run t false
                [[ {parallel} == False ]] || wait \"$!\"
                rm \"$DEST\"/async/t.*
                async_wait t
                echo \"wait $?\"",
            ));
            finished.says("wait 125\n").complains(if case.profile == "devstack" {
                "the result of `t`, which this script has started, is gone: somebody has removed its record from "
            } else {
                "there is no future `t` in "
            });
        }
    });
}

#[test]
fn a_name_that_was_waited_for_before() {
    in_each_case(|case| {
        let finished = case.run(
            "function fails { echo the log; return 3; }
            async_run t fails
            async_wait t >/dev/null
            async_wait t
            echo \"again $?\"
            async_wait nothing
            echo \"unknown $?\"",
        );
        finished.lacks("\nthe log\n");
        match case.profile {
            // As in the original.
            "devstack" => finished.says("Not waiting for async task t ").says("again 0\n").says("unknown 0\n"),
            // As in bash's own wait.
            _ => finished
                .tells("]: collected before: fails, with result 3 in 0 seconds\n")
                .says("again 3\n")
                .complains("there is no future `nothing` in ")
                .says("unknown 125\n"),
        };
    });
}

#[test]
fn of_several_that_wait_for_a_failure_none_is_told_of_a_success() {
    in_each_case(|case| {
        for wait in ["async_wait t", "async wait t", "async wait --all", "async wait --json t", "async wait --no-log t"]
        {
            let finished = case.run(&format!(
                "make_gate go
                function fails {{ gate go; echo the log; return 3; }}
                async_run t fails
                # Each has begun: it is a reader of the store's record.
                for i in {{1..5}}; do {{ {wait}; echo \"wait $?\"; }} >out$i & waiting+=($!); done
                record=$(stat -c %i \"$DEST/async/t.ini\")
                until [[ $(grep -c \"FLOCK.*READ.*:$record \" /proc/locks) == 5 ]]; do :; done
                open_gate go
                wait \"${{waiting[@]}}\"
                cat out*",
            ));
            assert_eq!(finished.stdout.matches("wait 3\n").count(), 5, "{wait}: {finished}");
        }
    });
}

#[test]
fn what_starts_beside_inits_is_not_in_their_way() {
    in_each_case(|case| {
        case.run(
            "make_gate go
            function fails { gate go$1; return 3; }
            { while [[ ! -e over ]]; do async init --keep-runs $((RANDOM % 3)); done; } 2>/dev/null &
            inits=$!
            for i in {1..30}; do
                mkfifo go$i
                async_run t$i fails $i >/dev/null || echo \"t$i does not start\"
                open_gate go$i
            done
            for i in {1..30}; do
                async_wait t$i >/dev/null
                [[ $? == 3 ]] || echo \"t$i has another status\"
            done
            : >over
            wait $inits
            echo done",
        )
        .says("done\n")
        .lacks("does not start")
        .lacks("another status");
    });
}

#[test]
fn a_task_that_waits_for_itself_is_refused() {
    in_each_case(|case| {
        let finished = case.run(
            "function waits { async_wait t; echo \"in it $?\"; }
            async_run t waits
            async_wait t
            async run p -- bash -c 'for how in \"\" --any --fail-fast \"--timeout 1h\" \"--timeout 0\" --json; do
                async wait $how p >/dev/null; echo \"$how: $?\"; done'
            async_wait p
            echo \"status $?\"",
        );
        for how in ["", "--any", "--fail-fast", "--timeout 1h", "--timeout 0", "--json"] {
            finished.says(&format!("\n{how}: 125\n"));
        }
        finished.says("in it 125\n").says("status 0\n").says("async: `p` can't wait for itself: it would never end\n");
    });
}

#[test]
fn of_tasks_that_wait_for_each_other_one_is_refused() {
    in_each_case(|case| {
        // Nobody else waits for them: who waited later would find that another of them has taken the result.
        let finished = case.run(
            "make_gate go1 go2 go3
            function waits { gate \"$2\"; { async_wait \"$1\"; echo \"got $?\"; } &>\"$1.out\"; }
            async_run one waits two go1
            async_run two waits three go2
            async run three -- bash -c 'read -r _ <go3; { async wait one; echo \"got $?\"; } &>one.out'
            open_gate go1; open_gate go2; open_gate go3
            until [[ $(cat ./*.out | grep -c '^got') == 3 ]]; do :; done
            cat ./*.out",
        );
        // The last one wins.
        let refusals = finished.stdout.matches("got 125\n").count();
        assert_eq!((refusals, finished.stdout.matches("got 0\n").count()), (1, 2), "{case}: {finished}");
        finished.says(": neither would ever end\n");
    });
}

#[test]
fn a_task_that_waits_for_the_one_that_waits_for_it_is_refused() {
    in_each_case(|case| {
        let ready = "until async_log outer '' >/dev/null && grep -q waits_for \"$ASYNC_DIR/outer.ini\"; do :; done";
        case.run(&format!(
            "function inner {{ quiet; {ready}; async_wait outer; echo \"inner $?\"; return 3; }}
            function outer {{ async_run inner inner; async_wait inner; echo \"outer $?\"; }}
            async_run outer outer
            async_wait outer"
        ))
        .says("inner 125\n")
        .says("outer 3\n")
        .says("async: `inner` can't wait for `outer`, which waits for `inner`: neither would ever end\n");
    });
}

#[test]
fn a_task_that_waits_for_what_comes_after_it_is_refused() {
    in_each_case(|case| {
        case.run(
            "function waits { async run --after t later -- true; async_wait later; echo \"in it $?\"; }
            async_run t waits
            async_wait t",
        )
        .says("in it 125\n")
        .says("async: `t` can't wait for `later`, which waits for `t`: neither would ever end\n");
    });
}

#[test]
fn a_task_waits_for_one_that_does_not_wait_for_it_and_for_one_that_only_looked() {
    in_each_case(|case| {
        case.run(
            "make_gate go
            function inner { async_wait outer; echo \"inner $?\"; }
            function outer { async_run inner inner; async wait --timeout 0 inner; gate go; return 4; }
            async_run outer outer
            until async_log inner '' >/dev/null 2>&1 && [[ -s $ASYNC_DIR/inner.log || -e $ASYNC_DIR/inner.ini ]]; do :; done
            open_gate go
            async_wait inner",
        )
        .says("inner 4\n");
    });
}
