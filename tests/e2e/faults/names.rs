//! Names: invalid ones, and ones in use.

use std::fs;

use async_tests::fault::in_each_case;

#[test]
fn a_bad_name_is_refused_and_nothing_is_started() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        for (name, why) in [
            ("a/b", "it has a `/`"),
            ("''", "it is empty"),
            ("..", "it begins with a dot"),
            ("$'a\\nb'", "it has a control character"),
            ("$'a\\e[31mb'", "it has a control character"),
            ("$'\\xff'", "it is not UTF-8"),
            ("\"$(printf 'x%.0s' {1..300})\"", "it has 300 bytes"),
        ] {
            for parallel in ["True", "False"] {
                let finished = sandbox.run(&case.script(&format!(
                    "DEVSTACK_PARALLEL={parallel}
                    function task {{ touch started; }}
                    async_run {name} task
                    echo \"status $?\""
                )));
                finished.says("status 2\n").complains(why).lacks("\x1b");
                assert!(!sandbox.path("cwd/started").exists(), "{name} was started");
                let left: Vec<_> =
                    fs::read_dir(sandbox.store()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                // The store's own files begin with a dot.
                assert!(left.iter().all(|file| file.as_encoded_bytes().starts_with(b".")), "{name} left {left:?}");
                assert_eq!(
                    fs::read_dir(sandbox.store().join(".starting")).unwrap().count(),
                    0,
                    "{name} left something"
                );
            }
        }
    });
}

#[test]
fn a_name_started_again_while_it_runs_is_refused_and_the_first_is_untouched() {
    in_each_case(|case| {
        case.run(
            "make_gate go ready
            function first { : >ready; gate go; echo the first; return 4; }
            async_run t first
            gate ready
            before=$(cat \"$DEST/async/t.ini\")
            async_run t echo the second
            echo \"again $?\"
            [[ $(cat \"$DEST/async/t.ini\") == \"$before\" ]] && echo unchanged
            open_gate go
            async_wait t
            echo \"status $?\"",
        )
        .complains("`t` is running already (pid ")
        .says("again 125\n")
        .says("unchanged\n")
        .says("the first\n")
        .says("status 4\n")
        .lacks("the second");
    });
}

#[test]
fn a_name_started_again_before_it_was_collected_keeps_the_old_result_and_log() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.script(
            "async_run t echo the first
            wait
            async_run t echo the second
            async_wait t
            cat \"$DEST\"/async/.collected/t.*.log
            grep -h -E '^(rc|command)' \"$DEST\"/async/.collected/t.*.ini",
        ));
        finished
            .complains("`t` was started before and never waited for; its result and log were kept")
            .says("the first\n")
            .says("the second\n")
            .says("command = echo the first\nrc = 0\ncommand = echo the second\nrc = 0\n");
    });
}

#[test]
fn no_name_at_all() {
    in_each_case(|case| {
        case.run("async_run; echo \"run $?\"; async_log; echo \"log $?\"; async_wait; echo \"wait $?\"")
            .complains("async_run needs a name and a command: ")
            .complains("async: async_log needs a name; type `async_log NAME MESSAGE`\n")
            .says("run 2\n")
            .says("log 2\n")
            .says("wait 0\n");
    });
}
