//! What is kept of finished futures, and of earlier runs.

use std::fs;

use async_tests::shell::Sandbox;

/// Bash with the shim.
const SHIM: &str = "source <(async shim)\n";

#[test]
fn a_name_that_is_used_again_keeps_the_earlier_logs() {
    let sandbox = Sandbox::default();
    sandbox
        .run(&format!(
            "{SHIM}async_init
            for word in first second third; do
                async_run t echo \"the $word\"
                async_wait t
            done >/dev/null
            for log in \"$DEST\"/async/.collected/t.*.log; do
                [[ -e ${{log%log}}ini ]] && cat \"$log\"
            done
            cat \"$DEST/async/t.log\""
        ))
        .says("the first\nthe second\nthe third\nthe third\n")
        .exits(0);
}

#[test]
fn init_keeps_the_newest_runs_with_what_was_never_waited_for() {
    let sandbox = Sandbox::default();
    let run = |word: &str, keep: &str| {
        sandbox
            .run(&format!(
                "{SHIM}async_init || exit
                async_run t echo \"waited for in {word}\"
                async_wait t
                async_run left echo \"left in {word}\"
                wait
                {keep} async_init"
            ))
            .exits(0)
            .lacks("async: ");
    };
    let kept =
        || sandbox.run("cat \"$DEST\"/async/.runs/*/*.log; ls \"$DEST/async\"; ls \"$DEST/async/.runs\" | wc -l >&2");
    for word in ["one", "two", "three"] {
        run(word, "ASYNC_KEEP_RUNS=2");
    }
    let finished = kept();
    assert_eq!(
        finished.stdout, "left in two\nwaited for in two\nleft in three\nwaited for in three\n",
        "nothing else is in the store\n{finished}"
    );
    for word in ["four", "five", "six", "seven"] {
        run(word, "ASYNC_KEEP_RUNS=");
    }
    assert_eq!(kept().stderr, "5\n", "five of six, if nothing is said");
    sandbox.run("ASYNC_KEEP_RUNS=3 async init --keep-runs 1").exits(0);
    assert_eq!(kept().stdout, "left in seven\nwaited for in seven\n");
    sandbox.run("ASYNC_KEEP_RUNS=0 async init").exits(0);
    assert_eq!(fs::read_dir(sandbox.store().join(".runs")).map_or(0, Iterator::count), 0);
}

#[test]
fn a_number_of_runs_that_is_none_is_refused() {
    let sandbox = Sandbox::default();
    for value in ["many", "-1", "1.5"] {
        sandbox
            .run(&format!("ASYNC_KEEP_RUNS={value} async init"))
            .complains(&format!("async: ASYNC_KEEP_RUNS is `{value}`, and should be a number of runs to keep\n"))
            .exits(2);
    }
    assert!(!sandbox.store().exists());
}
