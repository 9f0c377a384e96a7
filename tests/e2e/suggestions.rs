//! What is answered to a misspelt word.

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
    // `watch`, which only the shim calls, would be near too.
    let near = call(&sandbox, &["wiat"]);
    assert!(near.stderr.contains("a similar subcommand exists: 'wait'"), "{}", near.stderr);
    let far = call(&sandbox, &["gaurd"]);
    assert_eq!((far.status, far.stderr.contains("similar")), (2, false), "{}", far.stderr);
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest_live_one() {
    let sandbox = Sandbox::default();
    let script =
        "source <(async shim); async_init; for name in build 'two words' docs; do async_run \"$name\" true; done";
    assert_eq!(sandbox.run(script).status, 0);
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

    assert_eq!(call(&sandbox, &["cleanup"]).status, 0);
    assert_eq!(nearest(&["wait", "biuld"]), "");
}

#[test]
fn what_is_no_command_line_of_run_is_answered_with_what_is_one() {
    let sandbox = Sandbox::default();
    let form = "async run [OPTIONS] NAME -- COMMAND";
    for args in [&["run", "x", "--nope"][..], &["run", "ls", "-l"], &["run", "--nope", "x", "--", "true"]] {
        let finished = call(&sandbox, args);
        assert_eq!(finished.status, 2, "{finished}");
        let tip = format!("tip: options and the name go first, the command behind `--`: {form}\n");
        finished.complains("unexpected argument '-").complains(&tip).lacks("as a value");
    }
    call(&sandbox, &["run", "x", "--timout", "5", "true"]).complains("a similar argument exists: '--timeout'").exits(2);
    for args in [&["run", "--", "ls"][..], &["run", "ls"]] {
        let tip = format!("tip: is the name missing? It goes first: {form}\n");
        call(&sandbox, args).complains("  <COMMAND>...\n").complains(&tip).exits(2);
    }
    let program = format!("async: there is no program `-j4`: is the name missing? It goes first: {form}\n");
    call(&sandbox, &["run", "--", "make", "-j4"]).complains(&program).exits(127);
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
