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
fn where_there_is_no_store_it_is_said_how_to_come_by_one() {
    let sandbox = Sandbox::default();
    for args in [&["status"][..], &["wait", "x"]] {
        call(&sandbox, args).complains(": `async run` makes one, and so does `async init` (in a script: async_init)\n");
    }
}
