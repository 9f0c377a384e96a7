//! Every system call that a command makes on the store or on its output fails once, in every way that the kernel knows.
//!
//! The command then either reports that, or ends as if nothing had happened; and it never leaves a store that confuses
//! another command.

use std::collections::HashMap;

use async_tests::strace::{self, Call};
use async_tests::sweep::{self, Kind, Outcomes, Ran, Sweep, Trial};
use async_tests::tools;

/// The minimum count, so that the sweep can't shrink unnoticed.
const FAULTS: usize = 7100;

/// How many calls of a name may be on a process each. Some commands look at all processes of the machine, at each in the
/// same way.
const PROCESSES: usize = 12;

struct Fault<'a> {
    trial: &'a Trial,
    good: &'a Ran,
    call: Call,
    error: &'static str,
}

#[test]
#[ignore = "in the full set"]
fn a_system_call_that_fails_is_told_of_or_does_no_harm() {
    if !tools::is_there("strace") {
        return;
    }
    let trials = sweep::trials();
    let mut complaints = Vec::new();
    let outcomes = Outcomes::default();
    let good: Vec<_> = trials
        .iter()
        .map(|trial| {
            let subject = &trial.subject;
            let (mut stage, ran) = Sweep::run_well(*subject, &trial.bash);
            let failed = ran.says_that_it_failed();
            let as_meant =
                if failed == subject.is_to_fail() { Ok(()) } else { Err(format!("has it failed? {failed}")) };
            if let Err(complaint) = as_meant.and_then(|()| stage.check(&ran, failed, &outcomes)) {
                complaints.push(format!("=== {}: all goes well\n{complaint}\n{ran}", subject.title));
            }
            (trial, stage.folder(), ran)
        })
        .collect();
    let mut faults = Vec::new();
    for (trial, folder, good) in &good {
        let subject = &trial.subject;
        let fails_anyway = |call: &Call| subject.lacks.iter().any(|lack| lack.starts_with(&format!("{}:", call.name)));
        // A failed message can't be reported, and a line about a future need not be seen.
        let is_line = |call: &Call| !subject.is_to_fail() && call.is_on_errors();
        let is_tried = |call: &&Call| (call.concerns(folder) || is_line(call)) && !fails_anyway(call);
        let mut on_processes = HashMap::new();
        let is_another = |call: &&Call| {
            let before = on_processes.entry(call.name.clone()).or_insert(0);
            *before += usize::from(call.is_on_a_process());
            !call.is_on_a_process() || *before <= PROCESSES
        };
        let tried = good.calls.iter().filter(is_tried).filter(is_another);
        let cases = tried.flat_map(|call| call.errors().iter().map(move |error| (call, error)));
        faults.extend(trial.share(cases).map(|(call, error)| Fault { trial, good, call: call.clone(), error }));
    }
    complaints.extend(strace::in_parallel(&faults, |fault| check(fault, &outcomes)));
    println!("{} commands, {} injected faults", trials.len(), faults.len());
    assert!(complaints.is_empty(), "{} of {} faults:\n\n{}", complaints.len(), faults.len(), complaints.join("\n\n"));
    assert!(faults.len() >= FAULTS, "only {} faults were injected", faults.len());
}

/// How often to run a command at most until it makes a call again: how often a supervisor wakes up, and then reads,
/// depends on how busy the machine is.
const RUNS: u32 = 3;

fn check(fault: &Fault<'_>, outcomes: &Outcomes) -> Result<(), String> {
    let Fault { trial: Trial { subject, bash, .. }, good, call, error } = fault;
    let is_it = |met: &&Call| (&met.name, met.number) == (&call.name, call.number);
    let mut runs = 0;
    let (mut stage, ran) = loop {
        let stage = Sweep::set(*subject, bash);
        let ran = stage.run(Some(&format!("{}:error={error}:when={}", call.name, call.number)));
        runs += 1;
        let is_over = ran.calls.iter().any(|met| is_it(&met)) || subject.may_make_fewer_calls() || !ran.is_like(good);
        if is_over || runs == RUNS {
            break (stage, ran);
        }
    };
    let context = |complaint: String| {
        format!("=== {}: {error} from {} #{}({}\n{complaint}\n{ran}", subject.title, call.name, call.number, call.text)
    };
    let met = ran.calls.iter().find(is_it);
    if met.is_none() && subject.may_make_fewer_calls() && ran.is_like(good) {
        return stage.check(&ran, false, outcomes).map_err(context);
    }
    if !met.is_some_and(|met| met.text.ends_with("(INJECTED)")) {
        return Err(context("the call was not met again".into()));
    }
    // A task's result is worth more than the line about it: once it is recorded, the status is the task's.
    let has_a_line = matches!(subject.kind, Kind::Ends | Kind::Tasks | Kind::Runs);
    let only_the_line_is_missing = has_a_line && ran.complains() && ran.has_done_the_same(good);
    // Once the program has started, nobody listens to its supervisor: the record shows that it failed.
    let nobody_listens = subject.kind == Kind::Supervises && ran.finished.status == 125;
    // A task that should have started later, and could not, ends its future, which is checked below.
    let is_recorded = subject.kind == Kind::Tasks && ran.finished.stderr.contains("FAILED with rc 125 (never started");
    // Between two attempts, a remark goes to the log if there is room.
    let only_a_remark_is_missing = subject.kind == Kind::Tasks && ran.lacks_only_remarks(good);
    // What can't be copied from a terminal to the log is counted in the record, and the wait says so.
    let output_is_missing = subject.has_terminal() && ran.has_counted_missing_output(good);
    // If the request can't be written, this command stops the task itself, and says so.
    let is_stopped =
        subject.kind == Kind::Cancels && ran.finished.stderr.contains("]: stopped without its supervisor: ");
    let only_a_line_is_missing = call.is_on_errors() && ran.has_done_the_same(good);
    let is_told = only_a_line_is_missing
        || only_the_line_is_missing
        || nobody_listens
        || is_recorded
        || only_a_remark_is_missing
        || output_is_missing
        || is_stopped;
    if !ran.is_like(good) && !ran.says_that_it_failed() && !is_told {
        return Err(context("neither failure nor success".into()));
    }
    stage.check(&ran, ran.says_that_it_failed(), outcomes).map_err(context)
}
