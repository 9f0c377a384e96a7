//! Commands are killed before and after each system call that changes the store or prints something.
//!
//! [`Sweep::check`] documents what must be true then.

use async_tests::strace::{self, Call};
use async_tests::sweep::{self, Kind, Outcomes, Ran, Sweep, Trial};
use async_tests::tools;

/// The minimum count, so that the sweep can't shrink unnoticed.
const POINTS: usize = 1190;

struct Point<'a> {
    trial: &'a Trial,
    call: Call,
}

#[test]
#[ignore = "in the full set"]
fn a_command_that_is_killed_leaves_a_store_that_tells_the_truth() {
    if !tools::is_there("strace") {
        return;
    }
    let trials = sweep::trials();
    let mut points = Vec::new();
    for trial in trials.iter().filter(|trial| trial.subject.kind != Kind::Looks) {
        let (stage, Ran { calls, .. }) = Sweep::run_well(trial.subject, &trial.bash);
        let folder = stage.folder();
        let at = |index: &usize| {
            let changes = |call: &Call| call.concerns(&folder) && call.changes();
            changes(&calls[*index]) || *index > 0 && changes(&calls[*index - 1])
        };
        // The signal comes at the entry of a call, which is then not made. So a kill after one call is a kill at the
        // entry of the next.
        let indexes = trial.share((0..calls.len()).filter(at));
        points.extend(indexes.map(|index| Point { trial, call: calls[index].clone() }));
    }
    let outcomes = Outcomes::default();
    let complaints = strace::in_parallel(&points, |point| check(point, &outcomes));
    println!("{} kill points", points.len());
    assert!(complaints.is_empty(), "{} of {} points:\n\n{}", complaints.len(), points.len(), complaints.join("\n\n"));
    assert!(points.len() >= POINTS, "only {} kill points", points.len());
}

fn check(point: &Point<'_>, outcomes: &Outcomes) -> Result<(), String> {
    let Point { trial: Trial { subject, bash, .. }, call } = point;
    let mut stage = Sweep::set(*subject, bash);
    let ran = stage.run(Some(&format!("{}:signal=KILL:when={}", call.name, call.number)));
    let context = |complaint: String| {
        format!("=== {}: killed at {} #{}({}\n{complaint}\n{ran}", subject.title, call.name, call.number, call.text)
    };
    let killed = ran.finished.status == 137;
    let may_be_over = subject.may_make_fewer_calls() && !ran.says_that_it_failed();
    if !killed && !may_be_over {
        return Err(context("it was not killed".into()));
    }
    stage.check(&ran, killed, outcomes).map_err(context)
}
