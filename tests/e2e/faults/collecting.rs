//! Waiting for futures, from anywhere.

use async_tests::fault::in_each_case;

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
        .says("WARNING: uncollected async future a\n")
        .says("WARNING: uncollected async future b b\n")
        .says("WARNING: uncollected async future c\n")
        .says("finished fails with result 5 in 0 seconds\n")
        .says("finished true with result 0 in 0 seconds\n")
        .says("status 0\nagain 0\n");
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
                async wait t >out &
                open_gate go2
                wait $!
                echo \"process $?\"
                cat out",
            ))
            .says("subshell 7\n")
            .says("process 8\n")
            .says("with result 7 in 0 seconds\n")
            .says("with result 8 in 0 seconds\n");
    });
}

#[test]
fn of_two_that_wait_for_one_future_one_collects_it() {
    in_each_case(|case| {
        let finished = case.run(
            "make_gate go
            function task { gate go; echo the log; }
            async_run t task
            for i in {1..8}; do async_wait t >out$i & done
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
                bash -c \"$(declare -f task quiet)
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
        let finished = case.run(
            r"function quietly { quiet; }
            async_run t quietly $'\e]0;title\a' $'a\nb' 2>/dev/null
            async_log t $'%command \e[2J'
            async status
            async_wait t",
        );
        finished.says(r"running: quietly \u{1b}]0;title\u{7} a\nb").lacks("\x07");
        assert!(!finished.stdout.contains('\x1b'), "{finished}");
    });
}

#[test]
fn a_wait_does_not_report_a_later_future_of_the_name() {
    in_each_case(|case| {
        // What async_wait does, step by step: another waiter is faster, and the name is used again meanwhile.
        case.run(
            r#"make_gate go
            function first { gate go; }
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
        .says("Not waiting for async task t that we never started or has already been waited for\ndone\n0\n0\n0\n")
        .says("finished second with result 5 in 0 seconds\n")
        .exits(5);
    });
}

#[test]
fn another_shells_lost_future_has_no_status_of_a_child_of_ours() {
    in_each_case(|case| {
        // Process ids are used again, and bash remembers what became of its children.
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
        .says("with result unknown in ")
        .says("wait 125\n")
        .says("own 137\n");
    });
}

#[test]
fn a_shell_does_not_wait_for_itself() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        // As a shell stands when a signal has ended the call that ran the task, or the start itself was killed.
        sandbox
            .run(&case.script(
                "DEVSTACK_PARALLEL=False
                async begin-here --answer 3 --shell $$ -- t task 3>&1 >/dev/null
                async status
                async_wait t
                echo \"wait $?\"",
            ))
            .says("t\trunning")
            .says("(lost)\n")
            .says("wait 125\n");
    });
}

#[test]
fn what_this_script_started_and_somebody_else_took_is_an_error() {
    in_each_case(|case| {
        let other = format!("bash -c 'source <(async shim --profile {} --parallel-default true); ", case.profile);
        for (taking, who) in [
            (format!("{other} async_init'"), "an init has cleared it away"),
            (format!("{other} async_wait t' >/dev/null"), "the script with process id "),
            (format!("{other} async_cleanup' >/dev/null"), "the script with process id "),
            ("async wait t >/dev/null".to_owned(), "`async wait` or `async cleanup` has collected it"),
        ] {
            let finished = case.run(&format!(
                "function fails {{ return 3; }}
                async_run t fails
                wait \"$!\"
                {taking}
                async_wait t
                echo \"wait $?\"
                async_wait other
                echo \"other $?\"",
            ));
            finished.complains(&format!("the result of `t`, which this script has started, is gone: {who}"));
            finished.says("wait 125\n").says("other 0\n");
        }
        case.run("async_run t true; (async_wait t); async_wait t; echo \"wait $?\"").says("wait 0\n");
        // Its own init is no stranger's: from then on there is no such future, as with the original.
        case.run("async_run t false; wait \"$!\"; async_init; async_wait t; echo \"wait $?\"")
            .says("Not waiting for async task t ")
            .says("wait 0\n");
    });
}
