//! Functions and programs of different versions, and the location of the program.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::fault::in_each_case;
use async_tests::shell::{Sandbox, binary_dir};

/// Changes the functions in the sandbox to claim that version.
fn make_functions(sandbox: &Sandbox, profile: &str, version: &str) {
    let own = env!("CARGO_PKG_VERSION");
    let shim = sandbox.finish(sandbox.command("async").args(["shim", "--profile", profile, "--parallel-default=true"]));
    let said = format!("{profile}/{own}");
    assert!(shim.stdout.contains(&said), "the functions say what they are: {shim}");
    fs::write(sandbox.path("cwd/functions"), shim.stdout.replace(&said, &format!("{profile}/{version}"))).unwrap();
}

#[test]
fn functions_of_another_series_are_refused_before_anything_is_started() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run("async init").exits(0);
        make_functions(&sandbox, case.profile, "99.0.0");
        let finished = sandbox.run(
            "source ./functions
            function task { : >ran; }
            async_init; echo \"init $?\"
            async_run t task; echo \"run $?\"
            DEVSTACK_PARALLEL=False; async_run t task; echo \"here $?\"; DEVSTACK_PARALLEL=True
            async_wait t; echo \"wait $?\"
            async_pidof t; echo \"pidof $?\"
            ls",
        );
        finished.complains("async: the functions are version 99.0.0, but the program is version ");
        finished.says("init 125\nrun 125\nhere 125\nwait 125\npidof 125\nfunctions\n").lacks("ran\n").lacks("error:");
    });
}

#[test]
fn functions_of_the_same_series_are_told_of_and_work() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        make_functions(&sandbox, case.profile, "0.1.99");
        let finished = sandbox.run(
            "source ./functions
            function task { return 3; }
            async_init && async_run t task && async_wait t; echo \"wait $?\"",
        );
        finished.says("wait 3\n").complains("async: the functions are version 0.1.99, but the program is version ");
    });
}

#[test]
fn a_relative_path_of_the_program_is_meant_from_where_it_is_used_first() {
    in_each_case(|case| {
        for (link, path) in [("bin", "bin/async"), ("../bin", "../bin/async"), ("bin", "./bin/async")] {
            let sandbox = case.sandbox();
            std::os::unix::fs::symlink(binary_dir(), sandbox.path("cwd").join(link)).unwrap();
            let finished = sandbox.run(&case.sourced(&format!(
                "PATH=/usr/bin:/bin ASYNC_BIN={path}
                async_init || exit
                mkdir -p below && cd below
                async_run t echo fine
                cd /
                async_wait t; echo \"wait $?\""
            )));
            finished.says("fine\n").says("wait 0\n");
        }
    });
}

#[test]
fn a_script_that_ends_because_a_call_was_refused_can_still_say_so() {
    in_each_case(|case| {
        let finished = case.sandbox().run(&case.sourced(
            "trap 'echo leaving >&2' EXIT
            set -e
            ASYNC_BIN=/nowhere async_run t true
            echo not reached",
        ));
        finished.exits(125).complains("async: no program '/nowhere'").complains("\nleaving\n").lacks("not reached");
    });
}
