//! `async wait`: for one, for several, for any, for a limited time.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_core::clock;
use async_tests::fixtures::store::{Held, Running};
use async_tests::shell::Finished;
use async_tests::tools::is_there;

fn run(held: &Held, command: &str) -> Finished {
    held.sandbox.run(command)
}

/// The names of the live futures.
fn live(held: &Held) -> Vec<String> {
    held.store.names().unwrap().iter().map(ToString::to_string).collect()
}

/// So that the next step does not happen in the same millisecond.
fn next_millisecond() {
    let now = clock::wall();
    while clock::wall() == now {
        std::thread::yield_now();
    }
}

#[test]
fn when_the_time_is_up_the_status_is_124_and_what_is_not_over_can_be_waited_for_again() {
    let held = Held::default();
    let (mut over, mut runs) = (held.begin("over"), held.begin("runs"));
    over.print("the log\n");
    over.finish(0);
    runs.print("half of it\n");
    for limit in ["0", "1ms", "0.001"] {
        run(&held, &format!("async wait --timeout {limit} runs"))
            .complains("async: the time was up before the end of `runs`: wait again, or longer\n")
            .lacks("half of it")
            .exits(124);
    }
    run(&held, "async wait --timeout 20ms over runs").says("the log\n").lacks("`over`").exits(124);
    assert_eq!(live(&held), ["runs"]);
    runs.finish(3);
    run(&held, "async wait --timeout 1h runs").says("half of it\n").tells("with result 3 in ").exits(3);
}

#[test]
fn a_wait_with_a_limit_ends_with_the_future() {
    let held = Held::default();
    let task = held.begin("t");
    let waiter = held.start(&["wait", "--timeout", "1h", "t"]);
    task.wait_for_waiter();
    task.finish(5);
    waiter.rest().tells("with result 5 in ").exits(5);
    // Even if it ends without a result.
    let task = held.begin("t");
    let waiter = held.start(&["wait", "--timeout", "1h", "t"]);
    task.wait_for_waiter();
    task.end();
    waiter.rest().tells("its process is gone and left no result").exits(125);
}

#[test]
fn the_first_to_end_is_collected_and_its_name_is_the_last_line() {
    let held = Held::default();
    let (slow, mut fast) = (held.begin("slow"), held.begin("fast one"));
    fast.print("no newline");
    let waiter = held.start(&["wait", "--any", "slow", "fast one"]);
    waiter.wait_for_inotify();
    fast.finish(3);
    let finished = waiter.rest();
    finished.complains("[Async fast one:]: Waiting for completion of make (1 other jobs running)\n[").exits(3);
    finished.tells("with result 3 in ");
    assert_eq!(finished.stdout, "no newlinefast one\n");
    assert_eq!(live(&held), ["slow"]);
    slow.finish(0);
    let finished = run(&held, "async wait --any --quiet slow");
    finished.exits(0);
    assert_eq!(finished.stdout, "slow\n");
}

#[test]
fn of_several_that_are_over_any_is_the_one_that_ended_first() {
    let held = Held::default();
    let tasks = ["a", "b", "c"].map(|name| held.begin(name));
    let [a, b, c] = tasks;
    for (task, rc) in [(c, 3), (a, 1), (b, 2)] {
        task.finish(rc);
        next_millisecond();
    }
    for (options, name, rc) in [("--any", "c", 3), ("--any --all", "a", 1), ("--any b", "b", 2)] {
        let finished = run(&held, &format!("async wait -q {options}"));
        finished.exits(rc);
        assert_eq!(finished.stdout, format!("{name}\n"));
    }
    run(&held, "async wait --any --all").complains("async: there is nothing to wait for in ").exits(2);
}

#[test]
fn any_goes_on_with_the_others_when_somebody_else_collects_one() {
    let held = Held::default();
    let (a, b) = (held.begin("a"), held.begin("b"));
    // Both sleep until `a` ends, and both may hear of it.
    let waiters = [held.start(&["wait", "--any", "-q", "a", "b"]), held.start(&["wait", "--any", "-q", "a", "b"])];
    waiters.iter().for_each(Running::wait_for_inotify);
    a.finish(1);
    next_millisecond();
    b.finish(2);
    let mut seen = waiters.map(|waiter| {
        let finished = waiter.rest();
        (finished.stdout, finished.status)
    });
    seen.sort();
    assert_eq!(seen, [("a\n".to_owned(), 1), ("b\n".to_owned(), 2)]);
    assert_eq!(live(&held), [""; 0]);
}

#[test]
fn of_more_than_there_are_descriptors_the_first_to_end_is_noticed_however_it_ends() {
    let held = Held::default();
    let names: Vec<String> = (0..150).map(|number| format!("t{number}")).collect();
    let mut tasks: Vec<_> = names.iter().map(|name| held.begin(name)).collect();
    let few = |how: &str| format!("ulimit -n 64; exec async wait {how}");
    run(&held, &few("-q --any --timeout 1ms")).complains("async: the time was up before the end of `t0`, ").exits(124);
    for (number, rc) in [(149, 7), (0, 0)] {
        let waiter = held.start_with("bash", &["-c", &few("-q --any --timeout 1h")]);
        waiter.wait_for_inotify();
        tasks.remove(number).finish(rc);
        let finished = waiter.rest();
        finished.exits(rc);
        assert_eq!(finished.stdout, format!("{}\n", names[number]));
    }
    // Without a result too, and if nothing can listen.
    for inject in ["", "strace -f -qq -o /dev/null -e inject=inotify_init1:error=EMFILE "] {
        let waiter = held.start_with("bash", &["-c", &few("-q --any").replace("exec ", &format!("exec {inject}"))]);
        if inject.is_empty() {
            waiter.wait_for_inotify();
        } else if !is_there("strace") {
            continue;
        }
        tasks.remove(70).end();
        waiter.rest().exits(125);
    }
    for (number, task) in tasks.into_iter().enumerate() {
        task.finish(if number == 100 { 9 } else { 0 });
    }
    run(&held, &few("-q --all --keep")).complains("async: 1 of 146 failed: ").exits(9);
    let finished = run(&held, &few("--all --json"));
    assert_eq!(finished.exits(9).stdout.matches("\"collected\"").count(), 146, "{finished}");
    assert_eq!(live(&held), [""; 0]);
}

#[test]
fn any_has_a_limit_too() {
    let held = Held::default();
    let _tasks = [held.begin("a"), held.begin("b")];
    run(&held, "async wait --any --timeout 1ms b a")
        .complains("async: the time was up before the end of `b`, `a`: wait again, or longer\n")
        .exits(124);
    assert_eq!(live(&held), ["a", "b"]);
}

#[test]
fn all_are_waited_for_in_the_order_of_their_starts_and_those_that_failed_are_named() {
    let held = Held::default();
    for (name, rc) in [("c", Some(0)), ("b", Some(137)), ("d", None), ("a", Some(2))] {
        let task = held.begin(name);
        match rc {
            Some(rc) => task.finish(rc),
            None => task.end(),
        }
        next_millisecond();
    }
    fs::write(held.path("broken.ini"), "nothing\n").unwrap();
    let finished = run(&held, "async wait --all");
    finished
        .complains("broken.ini is not a record that can be read")
        .complains(
            "async: 4 of 5 failed: `broken` could not be waited for, \
             `b` with status 137, `d` was lost, `a` with status 2\n",
        )
        .exits(125);
    let order: Vec<&str> =
        finished.stderr.lines().filter(|line| line.contains("Waiting")).map(|line| &line[7..8]).collect();
    assert_eq!(order, ["c", "b", "d", "a"], "{finished}");

    fs::remove_file(held.path("broken.ini")).unwrap();
    let [first, second] = ["first", "second"].map(|name| held.begin(name));
    first.finish(7);
    second.finish(8);
    run(&held, "async wait --all").complains("async: 2 of 2 failed: `first` with status 7, `second` with").exits(7);
    let finished = run(&held, "async wait --all");
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str(), finished.status), ("", "", 0), "nothing is left");
}

#[test]
fn all_waits_for_those_that_still_run() {
    let held = Held::default();
    let (a, b) = (held.begin("a"), held.begin("b"));
    let waiter = held.start(&["wait", "--all"]);
    a.wait_for_waiter();
    b.finish(0);
    a.finish(0);
    waiter.rest().tells("[Async a:]: finished make with result 0").tells("[Async b:]: finished make").exits(0);
}

#[test]
fn what_is_kept_is_handed_over_by_a_later_wait() {
    let held = Held::default();
    let mut task = held.begin("t");
    task.print("the log\n");
    let waiter = held.start(&["wait", "--keep", "t"]);
    task.wait_for_waiter();
    task.finish(3);
    waiter.rest().tells("finished make with result 3 in ").lacks("the log").exits(3);
    for _ in 0..2 {
        let finished = run(&held, "async wait --keep --any -q t");
        finished.exits(3);
        assert_eq!(finished.stdout, "t\n");
    }
    run(&held, "async wait t").says("the log\n").exits(3);
}

#[test]
fn a_wait_may_print_less() {
    let held = Held::default();
    for name in ["a", "b"] {
        let mut task = held.begin(name);
        task.print("the log\n");
        task.finish(0);
    }
    run(&held, "async wait --no-log a")
        .tells("Waiting for completion")
        .tells("with result 0")
        .lacks("the log")
        .exits(0);
    let finished = run(&held, "async wait -q b");
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str(), finished.status), ("the log\n", "", 0));
    run(&held, "async log a").says("the log\n");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let held = Held::default();
    for args in [
        "",
        "-q",
        "--any",
        "--all t",
        "--fail-fast --any t",
        "--fail-fast --keep t",
        "--nope t",
        "--timeout",
        "--timeout soon t",
        "--timeout=-1 t",
        "../t",
    ] {
        let finished = run(&held, &format!("async wait {args}"));
        finished.exits(2);
        assert_eq!(finished.stdout, "", "{args}");
    }
    let task = held.begin("t");
    task.finish(0);
    run(&held, "async wait t nobody").complains("there is no future `nobody`").exits(125);
    assert_eq!(live(&held), ["t"], "nothing was collected");
}

#[test]
fn a_task_that_a_shell_runs_itself_is_over_when_its_record_says_so() {
    let held = Held::default();
    held.begin_in_process("t");
    let waiter = held.start(&["wait", "t"]);
    waiter.wait_for_pidfd();
    held.store.finish(&"t".parse().unwrap(), 4).unwrap();
    waiter.rest().tells("with result 4 in ").exits(4);
}

#[test]
fn the_others_that_are_counted_are_those_that_run() {
    let held = Held::default();
    let [first, second, runs, over] = ["first", "second", "runs", "over"].map(|name| held.begin(name));
    for task in [first, second, over] {
        task.finish(0);
    }
    run(&held, "async run --after runs queued -- true").complains("]: queued: true\n").exits(0);
    run(&held, "async wait first").complains(" (1 other jobs running)\n").exits(0);
    run(&held, "async wait --quiet second").lacks("other jobs").exits(0);
    runs.finish(0);
    run(&held, "async wait queued").complains(" (0 other jobs running)\n").exits(0);
}

#[test]
fn of_very_many_others_it_is_said_how_many_there_are_at_least() {
    let held = Held::default();
    held.begin("t").finish(0);
    let others: Vec<_> = (0..150).map(|number| held.begin(&format!("other{number}"))).collect();
    run(&held, "async wait t").complains(" (at least 100 other jobs running)\n").exits(0);
    drop(others);
}

#[test]
fn a_pipe_gets_the_usual_lines_and_nothing_else() {
    let held = Held::default();
    let task = held.begin("t");
    let waiter = held.start(&["wait", "t"]);
    task.wait_for_waiter();
    assert_eq!(waiter.threads(), 1, "nothing is done but to sleep");
    task.finish(0);
    let finished = waiter.rest();
    finished.exits(0);
    assert_eq!(finished.stdout, "");
    assert_eq!(
        finished.stderr.replace(&seconds(&finished.stderr), " in N seconds"),
        "[Async t:]: Waiting for completion of make (0 other jobs running)\n\
         [Async t:]: finished make with result 0 in N seconds\n"
    );
}

#[test]
fn all_that_are_named_are_waited_for_and_in_the_end_it_is_said_which_failed() {
    let held = Held::default();
    for (name, rc) in [("a", 0), ("b", 3), ("c c", 0), ("d", 4)] {
        held.begin(name).finish(rc);
    }
    run(&held, "async wait a b 'c c' d")
        .complains("\nasync: 2 of 4 failed: `b` with status 3, `d` with status 4\n")
        .exits(3);
    assert_eq!(live(&held), [""; 0]);
    // Again; for a single one, its line says everything.
    run(&held, "async wait a b d").complains("async: 2 of 3 failed: `b` with status 3, ").exits(3);
    run(&held, "async wait d").complains("]: collected before: make, with result 4 in ").lacks(" failed").exits(4);
}

/// The number of seconds in a result.
fn seconds(text: &str) -> String {
    let number = text.split(" in ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?");
    format!(" in {number} seconds")
}
