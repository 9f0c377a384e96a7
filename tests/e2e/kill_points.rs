//! Commands are killed before and after each system call that changes the store or prints something.
//!
//! What must hold then is written at [`Stage::check`].

use std::path::Path;

use async_tests::stage::{self, Kind, Ran, Stage, Subject};
use async_tests::strace::{self, Call};
use async_tests::tools;

/// The count that must at least be reached, lest the sweep shrink unseen.
const POINTS: usize = 1200;

struct Point<'a> {
    subject: &'a Subject,
    bash: &'a Path,
    call: Call,
}

#[test]
#[ignore = "in the full set"]
fn a_command_that_is_killed_leaves_a_store_that_tells_the_truth() {
    if !tools::is_there("strace") {
        return;
    }
    let subjects = stage::subjects();
    let mut points = Vec::new();
    for (subject, bash) in subjects.iter().filter(|(subject, _)| subject.kind != Kind::Looks) {
        let stage = Stage::set(*subject, bash);
        let Ran { calls, .. } = stage.run(None);
        let folder = stage.folder();
        let at = |index: &usize| {
            let changes = |call: &Call| call.concerns(&folder) && call.changes();
            changes(&calls[*index]) || *index > 0 && changes(&calls[*index - 1])
        };
        // The signal comes at the entry of a call, which is then not made; so to be killed after one is to be killed
        // at the entry of the next.
        points.extend((0..calls.len()).filter(at).map(|index| Point { subject, bash, call: calls[index].clone() }));
    }
    let complaints = strace::in_parallel(&points, check);
    println!("{} kill points", points.len());
    assert!(complaints.is_empty(), "{} of {} points:\n\n{}", complaints.len(), points.len(), complaints.join("\n\n"));
    assert!(points.len() >= POINTS, "only {} kill points", points.len());
}

fn check(point: &Point<'_>) -> Result<(), String> {
    let Point { subject, bash, call } = point;
    let mut stage = Stage::set(**subject, bash);
    let ran = stage.run(Some(&format!("{}:signal=KILL:when={}", call.name, call.number)));
    let context = |complaint: String| {
        format!("=== {}: killed at {} #{}({}\n{complaint}\n{ran}", subject.title, call.name, call.number, call.text)
    };
    let is_over_before = subject.may_make_fewer_calls() && ran.finished.status == 0;
    if ran.finished.status != 137 && !is_over_before {
        return Err(context("it was not killed".into()));
    }
    stage.check(&ran, !is_over_before).map_err(context)
}
