//! Answers to misspelt words.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_tests::shell::{Finished, Sandbox};

fn call(sandbox: &Sandbox, args: &[&str]) -> Finished {
    sandbox.finish(sandbox.command("async").args(args))
}

#[test]
fn a_misspelt_command_is_answered_with_the_nearest_that_the_help_lists() {
    let sandbox = Sandbox::default();
    let near = call(&sandbox, &["statsu"]);
    assert_eq!(near.status, 2);
    assert!(near.stderr.contains("a similar subcommand exists: 'status'"), "{}", near.stderr);
    // `watch`, which only the shim calls, would be similar too.
    let near = call(&sandbox, &["wiat"]);
    assert!(near.stderr.contains("a similar subcommand exists: 'wait'"), "{}", near.stderr);
    let far = call(&sandbox, &["gaurd"]);
    assert_eq!((far.status, far.stderr.contains("similar")), (2, false), "{}", far.stderr);
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest_live_one() {
    let sandbox = Sandbox::default();
    let script = "ASYNC_ON_EXIT=leave; source <(async shim); async_init
        for name in build 'two words' docs; do async_run \"$name\" true; done
        async_wait --keep";
    // Here a script's process group is killed at its end, with everything that still runs.
    sandbox.run(script).exits(0);
    let nearest = |args: &[&str]| {
        let finished = call(&sandbox, args);
        assert_eq!((finished.status, finished.stdout.as_str()), (125, ""), "{args:?}: {}", finished.stderr);
        let (message, name) = finished.stderr.split_once("; did you mean ").unwrap_or((&finished.stderr, ""));
        assert!(message.starts_with("async: there is no future `"), "{message}");
        name.to_owned()
    };
    assert_eq!(nearest(&["wait", "biuld"]), "`build`?\n");
    assert_eq!(nearest(&["wait", "docs", "tow words"]), "`two words`?\n");
    assert_eq!(nearest(&["message", "doc", "hello"]), "`docs`?\n");
    assert_eq!(nearest(&["wait", "xyz"]), "");
    let each = "`build`, `docs`? Each has to be a word, or an option, of its own\n";
    for args in [&["wait", "build,docs"][..], &["run", "--after", "build, docs", "late", "--", "true"]] {
        assert_eq!(nearest(args), each);
    }
    assert_eq!(nearest(&["wait", "build,xyz"]), "`build`?\n");

    call(&sandbox, &["cleanup"]).exits(0);
    assert_eq!(nearest(&["wait", "biuld"]), "");
}

#[test]
fn what_is_no_command_line_of_run_is_answered_with_what_is_one() {
    let sandbox = Sandbox::default();
    let form = "async run [OPTIONS] NAME -- COMMAND";
    for args in [&["run", "x", "--nope"][..], &["run", "--nope", "x", "--", "true"]] {
        let finished = call(&sandbox, args);
        assert_eq!(finished.status, 2, "{finished}");
        let tip = format!("tip: options and the name go first, the command after `--`: {form}\n");
        finished.complains("unexpected argument '-").complains(&tip).lacks("as a value");
    }
    call(&sandbox, &["run", "x", "--timout", "5", "true"]).complains("a similar argument exists: '--timeout'").exits(2);
    for (args, tip) in [
        (&["run", "--", "ls"][..], "tip: is the name missing? Type `async run ls -- ls`\n"),
        (&["run", "ls"], "tip: is the name missing? Type `async run ls -- ls`\n"),
        (&["run", "frobnicate"], &format!("tip: is the name missing? It goes first: {form}\n")),
    ] {
        call(&sandbox, args).complains("  <COMMAND>...\n").complains(tip).exits(2);
    }
    let program = "async: there is no program `-j4`: is the name missing? Type `async run make -- make -j4`\n";
    call(&sandbox, &["run", "--", "make", "-j4"]).complains(program).exits(127);
    assert!(!sandbox.store().exists());
}

#[test]
fn where_there_is_no_store_it_is_said_how_to_come_by_one() {
    let sandbox = Sandbox::default();
    for args in [&["status"][..], &["wait", "x"]] {
        call(&sandbox, args).complains(": `async run` makes one, and so does `async init` (in a script: async_init)\n");
    }
}

#[test]
fn a_shell_without_completions_is_answered_with_those_that_have_them() {
    let finished = call(&Sandbox::default(), &["completions", "tcsh"]);
    finished.complains("[possible values: bash, zsh, fish]").lacks("similar").exits(2);
}

/// The answer to a wrong command line, with status 2 or that of a missing program, in a line or two.
#[test]
fn a_wrong_command_line_is_answered_with_what_to_type() {
    let sandbox = Sandbox::default();
    sandbox.run("printf '#!/bin/sh\n' >script.sh; chmod +x script.sh; : >data.sh").exits(0);
    let duration = "': write it as 90s, 5m, 1h30m or 500ms; a number alone means seconds\n";
    for (args, status, wanted) in [
        ("stop a", 2, "type `async cancel NAME`\n"),
        ("kill a", 2, "type `async cancel NAME`\n"),
        ("list", 2, "type `async status`\n"),
        ("ls", 2, "type `async status`\n"),
        ("start a true", 2, "type `async run NAME -- COMMAND`\n"),
        ("logs a", 2, "type `async log NAME`\n"),
        ("-v", 2, "type `--version` for `-v`\n"),
        ("run --retry lots a -- t", 2, "'lots' for '--retry <N>': write a whole number, such as 3\n"),
        ("run --retry -1 a -- t", 2, "'-1' for '--retry <N>': write a whole number, such as 3\n"),
        ("run --timeout -5 a -- t", 2, &format!("'-5' for '--timeout <DURATION>{duration}")),
        ("run --grace -5 a -- t", 2, &format!("'-5' for '--grace <DURATION>{duration}")),
        ("run --retry 1 --retry-delay -5 a -- t", 2, &format!("'-5' for '--retry-delay <DURATION>{duration}")),
        ("run --jobs -1 a -- t", 2, "'-1' for '--jobs <N|PERCENT%>': it is a number from 1 to 10000, or a percentage"),
        ("run -j 4 a -- t", 2, "type `--jobs` for `-j`\n"),
        ("run -t 4 a -- t", 2, "type `--timeout` for `-t`\n"),
        ("wait --timeout -5 a", 2, &format!("'-5' for '--timeout <DURATION>{duration}")),
        ("cancel --grace -5 a", 2, &format!("'-5' for '--grace <DURATION>{duration}")),
        ("init --keep-runs lots", 2, "'lots' for '--keep-runs <N>': write a whole number, such as 3\n"),
        ("log --lines -3 a", 2, "'-3' for '--lines <N>': write a whole number, such as 3\n"),
        ("log --run 0 a", 2, "'0' for '--run <N>': write a whole number, such as 3\n"),
        ("wait --script x a", 2, "unexpected argument '--script' found\n"),
        ("run bash -j4", 2, "is the name missing? Type `async run bash -- bash -j4`\n"),
        ("run ls -l x", 2, "is the name missing? Type `async run ls -- ls -l x`\n"),
        ("run --retry 2 ls -l", 2, "is the name missing? Type `async run ls -- ls -l`\n"),
        ("run sleep 1", 127, "no program `1`: is the name missing? Type `async run sleep -- sleep 1`\n"),
        ("run sleep -- 1", 127, "no program `1`: check the name, or PATH; a function"),
        ("run a FOO=1 cmd", 127, "it sets a variable; type `async run a -- env FOO=1 cmd`\n"),
        ("run a FOO=1 _b=2 cmd x", 127, "type `async run a -- env FOO=1 _b=2 cmd x`\n"),
        ("run a script.sh x", 127, "type `async run a -- ./script.sh x`\n"),
        ("run a data.sh x", 127, "type `async run a -- bash data.sh x`\n"),
        (
            "run --timeout 0 a -- t",
            2,
            "'0' for '--timeout <DURATION>': the task would be stopped at once: write it as 90s,",
        ),
        ("kill -9 a", 2, "type `async cancel --grace 0 NAME`\n"),
        ("run a -- cd /tmp", 127, "type `async run --cwd /tmp a -- PROGRAM`\n"),
        ("run a -- export X=1", 127, "type `async run a -- bash -c 'export X=1'`\n"),
        (
            "run a -- my_function",
            127,
            "a script that has `source <(async shim)`, and there `async_run a my_function`\n",
        ),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        is_answered(&call(&sandbox, &args), status, wanted);
    }
    let line = "type `async run a -- bash -c 'echo hi; echo there'`\n";
    is_answered(&call(&sandbox, &["run", "a", "--", "echo hi; echo there"]), 127, line);
    let exported = sandbox.run("f() { :; }; export -f f; async run a -- f");
    is_answered(&exported, 127, "it is a function of the shell, and needs a script that has `source <(async shim)`");
    assert!(!sandbox.store().exists(), "nothing was started");
}

#[test]
fn a_wrong_call_of_a_function_is_answered_with_what_to_type() {
    let sandbox = Sandbox::default();
    sandbox.run("printf '#!/bin/sh\n' >script.sh; chmod +x script.sh").exits(0);
    for (call, status, wanted) in [
        ("async_run sleep 1", 127, "is the name missing? Type `async_run sleep sleep 1`\n"),
        ("async_run ls -l", 127, "is the name missing? Type `async_run ls ls -l`\n"),
        ("async_run a FOO=1 cmd", 127, "it sets a variable; type `async_run a env FOO=1 cmd`\n"),
        ("async_run a script.sh", 127, "type `async_run a ./script.sh`\n"),
        ("async_run --timeout 0 a true", 2, "the task would be stopped at once: write it as 90s,"),
        ("async_wait --json", 2, "async_wait has no option '--json'; type `async wait --json NAME`\n"),
    ] {
        is_answered(&sandbox.run(&format!("source <(async shim)\n{call}")), status, wanted);
    }
}

fn is_answered(finished: &Finished, status: i32, wanted: &str) {
    finished.complains(wanted).exits(status);
    assert!(finished.stderr.lines().count() <= 2, "in a line or two: {finished}");
    assert_eq!(finished.stdout, "", "{finished}");
}

/// The message names the variable, and no option that nobody has typed.
#[test]
fn a_variable_with_a_wrong_value_is_named() {
    let sandbox = Sandbox::default();
    for (variable, command) in [
        ("ASYNC_JOBS", "run a -- true"),
        ("ASYNC_QUIET", "run a -- true"),
        ("ASYNC_PTY", "run a -- true"),
        ("ASYNC_KEEP_RUNS", "init"),
    ] {
        for value in ["lots", "-1", "--jobs", "1.5"] {
            let finished = sandbox.finish(sandbox.command("async").args(command.split(' ')).env(variable, value));
            is_answered(&finished, 2, &format!("async: {variable} "));
            finished.complains(&format!("`{value}`")).lacks("'--");
        }
    }
}

#[test]
fn a_hint_has_no_option_that_the_command_has_not() {
    let sandbox = Sandbox::default();
    let script = "unset ASYNC_DIR; source <(async shim); async_run only true; async_wait only 2>/dev/null";
    sandbox.run(&format!("export XDG_STATE_HOME=$PWD/state ASYNC_SCRIPT=build\n{script}")).exits(0);
    let hint = |command: &str| {
        sandbox.run(&format!("unset ASYNC_DIR; export XDG_STATE_HOME=$PWD/state; async init; async {command} only"))
    };
    for command in ["wait", "queue --first"] {
        hint(command).complains("the script `build` has one: `async log --script build only`\n").exits(125);
    }
    hint("cancel").complains("the script `build` has one: `--script build`\n").exits(125);
    hint("log").complains("the script `build` has one: `--script build`\n").exits(125);
}
