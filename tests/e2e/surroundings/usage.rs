//! Calls that are not what was meant.

use std::ffi::OsString;
use std::fs;

use async_tests::shell::Sandbox;

use super::probe::{complaints, in_each, sourced};

/// The call is wrong usage with a message about it, starts nothing and leaves no record.
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
        // Neither a function nor a program is called that.
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
