//! Wrong calls.

use std::ffi::OsString;
use std::fs;

use async_tests::shell::{Sandbox, bashes};

use super::probe::{complaints, in_each, sourced};

/// The call is wrong usage: it gets a message, starts nothing and leaves no record.
fn is_wrong_usage(sandbox: &Sandbox, profile: &str, call: &str, message: &str) {
    for parallel in ["True", "False"] {
        let script = format!(
            "DEVSTACK_PARALLEL={parallel}
            function tests {{ : >started; }}
            function t {{ : >started; }}
            function make {{ : >started; }}
            async_run build true; async_wait build
            {call}
            echo \"status $?\""
        );
        let finished = sandbox.run(&sourced(profile, &script));
        finished.says("status 2\n").complains("async_run").complains(message);
        assert_eq!(complaints(&finished.stderr).lines().count(), 1, "{call}: one line says it\n{finished}");
        assert!(!sandbox.path("cwd/started").exists(), "{call}: something ran\n{finished}");
        let left: Vec<_> = fs::read_dir(sandbox.store()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let record = |file: &&OsString| file.as_encoded_bytes().ends_with(b".ini");
        assert_eq!(left.iter().find(record), None, "{call}: it left {left:?}");
    }
}

#[test]
fn async_run_of_a_function_without_a_name_says_what_to_type() {
    in_each(|bash, profile| {
        let sandbox = Sandbox::new(&bash.path);
        is_wrong_usage(&sandbox, profile, "async_run tests", "async_runfunc");
    });
}

#[test]
fn async_run_of_nothing_says_what_is_missing() {
    in_each(|bash, profile| {
        let sandbox = Sandbox::new(&bash.path);
        is_wrong_usage(&sandbox, profile, "async_run", "name");
        // No function or program has that name.
        is_wrong_usage(&sandbox, profile, "async_run no-such-command", "command");
    });
}

#[test]
fn a_name_that_was_taken_for_the_value_of_an_option_is_missed() {
    in_each(|bash, profile| {
        if profile == "standalone" {
            let sandbox = Sandbox::new(&bash.path);
            for call in ["async_run --after build make", "async_run --timeout 5m make", "async_run --retry=2 make"] {
                is_wrong_usage(&sandbox, profile, call, "command");
            }
        }
    });
}

/// The answer to a wrong call in a script, on one line that begins with the script's file and line.
#[test]
fn a_wrong_start_is_refused_with_what_to_type_and_where_it_is() {
    let duration = "write it as 90s, 5m, 1h30m or 500ms";
    for bash in bashes() {
        let sandbox = Sandbox::new(&bash.path);
        for (call, status, wanted) in [
            ("async_run --retry lots t make", 2, "'lots' for '--retry <N>': write a whole number, such as 3"),
            ("async_run --timeout -5 t make", 2, duration),
            ("async_run --timeout=-5 t make", 2, duration),
            ("async_run -j 4 t make", 2, "no option '-j'; type `--jobs` for `-j`"),
            ("async_run -j4 t make", 2, "type `--jobs` for `-j`"),
            ("async_run t -j 4 make", 2, "type `--jobs` for `-j`"),
            ("async_run -q t make", 2, "no option '-q'; set ASYNC_QUIET=1"),
            ("async_run t --nope make", 2, "no option '--nope'; "),
            ("async_run --wait t make", 2, "type `async_wait NAME` after it"),
            ("async_run --cwd / t make", 2, "have a function `cd` there"),
            (
                "async_run t no-such-command",
                127,
                "no function, builtin or program `no-such-command`: check the name, or PATH",
            ),
            ("async_run --timeout 5m t no-such-command", 127, "no function, builtin or program `no-such-command`"),
            ("async_run t ./no-such-file", 127, "no function, builtin or program `./no-such-file`"),
            ("async_runfunc no_such_function", 127, "no function, builtin or program `no_such_function`"),
            ("async_run t 'echo hi; echo there'", 127, "type `async_run t bash -c 'echo hi; echo there'`"),
            ("ASYNC_JOBS=lots async_run t make", 2, "ASYNC_JOBS can't be `lots`"),
            ("ASYNC_JOBS=-1 async_run t make", 2, "ASYNC_JOBS can't be `-1`"),
            ("ASYNC_JOBS=--all async_run t make", 2, "ASYNC_JOBS can't be `--all`"),
            ("ASYNC_QUIET=-1 async_run t make", 2, "ASYNC_QUIET can't be `-1`"),
            ("ASYNC_PTY=-1 async_run t make", 2, "ASYNC_PTY can't be `-1`"),
            ("ASYNC_ON_EXIT=-x async_run t make", 2, "ASYNC_ON_EXIT can't be `-x`"),
            ("ASYNC_PARALLEL=maybe async_run t make", 2, "ASYNC_PARALLEL can't be `maybe`"),
        ] {
            for parallel in ["true", "false"] {
                let script = format!(
                    "source <(async shim); {{ [[ {parallel} == true ]] || DEVSTACK_PARALLEL=false; }}
                    function make {{ : >started; }}
                    async_init

                    {call}
                    echo \"status $?\"
                    ASYNC_ON_EXIT=leave"
                );
                fs::write(sandbox.path("cwd/build.sh"), script).unwrap();
                let finished = sandbox.finish(sandbox.command(&bash.path).arg("build.sh"));
                finished.says(&format!("status {status}\n")).complains(wanted);
                assert_eq!(finished.stderr.lines().count(), 1, "{call}: {finished}");
                finished.complains("async: build.sh: line 5: ");
                assert!(!sandbox.path("cwd/started").exists(), "{call}: something ran\n{finished}");
                // Its wait fails.
                let waits = format!("{}; async_wait t", fs::read_to_string(sandbox.path("cwd/build.sh")).unwrap());
                if call.contains(" t ") {
                    sandbox.run(&waits).exits(125);
                }
            }
        }
    }
}

/// A command that the shell finds in its own way is not missing.
#[test]
fn whatever_the_shell_can_run_is_started() {
    for bash in bashes() {
        let sandbox = Sandbox::new(&bash.path);
        for (before, call) in [
            ("function é { :; }", "async_run t é"),
            ("function a/b { :; }", "async_run t a/b"),
            ("function -x { :; }", "async_run t -- -x"),
            ("", "async_run t :"),
            ("", "async_run t cd /"),
            ("", "async_run t /bin/true"),
            ("", "async_run --timeout 5m --retry 1 --grace 1s t true"),
            ("", "async_run t --timeout 5m true"),
            ("printf '#!/bin/sh\\n' >mine; chmod +x mine", "async_run t ./mine"),
            ("printf '#!/bin/sh\\n' >mine; chmod +x mine; PATH=$PWD:$PATH", "async_run t mine"),
            ("printf '#!/bin/sh\\n' >mine; chmod +x mine; hash -p ./mine hashed", "async_run t hashed"),
            ("function command_not_found_handle { :; }", "async_run t no-such-command"),
            ("set +h", "async_run t true"),
            ("set -o posix", "async_run t true"),
            ("set -f -C -u", "async_run t true"),
            (
                "words=({1..30}); for word in \"${words[@]}\"; do async_run a$word true; async_wait a$word; done",
                "async_run t true",
            ),
        ] {
            let script = format!("source <(async shim)\n{before}\n{call} && async_wait t");
            let finished = sandbox.run(&script);
            assert_eq!(finished.status, 0, "bash {}: {before}; {call}\n{finished}", bash.version);
        }
    }
}

/// These take one argument or none, and say so whether or not tasks run in parallel.
#[test]
fn arguments_that_a_function_does_not_take_are_not_swallowed() {
    for bash in bashes() {
        let sandbox = Sandbox::new(&bash.path);
        for (call, wanted) in [
            ("async_init now", "async_init does not take 'now'; type `async_init`\n"),
            ("async_init --keep-runs 3", "async_init does not take '--keep-runs'; type `async_init`\n"),
            (
                "async_cleanup a",
                "async_cleanup takes no arguments, and 'a' is one; for some futures type `async_wait NAME...`\n",
            ),
            ("async_end now", "async_end does not take 'now'; type `async_end`\n"),
            ("async_pidof a b", "async_pidof does not take 'b'; type `async_pidof NAME`\n"),
            ("async_pidof", "async_pidof needs a name; type `async_pidof NAME`\n"),
            ("async_log", "async_log needs a name; type `async_log NAME MESSAGE`\n"),
            ("async_print_timing --table", "async_print_timing does not take '--table'; type `async_print_timing`\n"),
        ] {
            for parallel in ["true", "false"] {
                let script = format!(
                    "ASYNC_PARALLEL={parallel}; source <(async shim); async_run a true 2>/dev/null
                    {call}
                    echo \"status $?\"; async_wait a"
                );
                let finished = sandbox.run(&script);
                finished.says("status 2\n").complains(&format!("async: {wanted}")).exits(0);
            }
        }
    }
}

#[test]
fn an_option_of_one_letter_is_no_name() {
    in_each(|bash, profile| {
        if profile == "standalone" {
            let sandbox = Sandbox::new(&bash.path);
            for call in ["async_run -j 4 t true", "async_run -j4 t true", "async_run -x"] {
                is_wrong_usage(&sandbox, profile, call, "-");
            }
        }
    });
}
