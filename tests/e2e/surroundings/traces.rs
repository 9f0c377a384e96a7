//! The trace of a script has the script's own lines, wherever it goes.

use std::fs;

use async_tests::fault::without_lines;
use async_tests::shell::{Finished, Sandbox};

use super::probe::{in_each, sourced};

/// The traced part of a script. Each line is a command, as the trace shows it.
const LINES: &[&str] = &[
    "async_run t task",
    "async_wait t",
    "async_run bad/name task",
    "async_pidof no",
    "async_runfunc task",
    "async_wait task",
    "async_cleanup",
    "async_print_timing",
    ": after",
    "set +x",
];

/// The body of a task and its call, which may be traced too.
const TASK: &[&str] = &["task", "users_line=1", "return 3"];

/// A script that is traced to that place.
fn traced(profile: &str, parallel: &str, to: &str) -> String {
    let lines = LINES.join("\n");
    sourced(
        profile,
        &format!(
            "DEVSTACK_PARALLEL={parallel}
            function task {{ users_line=1; return 3; }}
            {to}
            fd=${{BASH_XTRACEFD-none}}
            set -x\n{lines}
            [[ $fd == \"${{BASH_XTRACEFD-none}}\" ]] || echo 'another descriptor'"
        ),
    )
}

/// The trace has all lines of the script once, in order, and otherwise only those of the task.
fn has_its_own_lines(profile: &str, trace: &str, finished: &Finished) {
    let commands =
        trace.lines().filter(|line| line.starts_with('+')).map(|line| line.trim_start_matches('+').trim_start());
    // The original's function visibly calls the other function.
    let is_of_runfunc = |command: &str| profile == "devstack" && command == "async_run task task";
    let own: Vec<&str> = commands.filter(|command| !TASK.contains(command) && !is_of_runfunc(command)).collect();
    assert_eq!(own, LINES, "the trace is\n{trace}\n{finished}");
    finished.lacks("another descriptor");
}

/// How many lines are neither trace nor about a future: one about the bad name and, if the cleanup covers everything
/// that should have started, one about what did not.
fn remarks(profile: &str) -> usize {
    if profile == "standalone" { 2 } else { 1 }
}

#[test]
fn a_trace_on_standard_error_has_the_scripts_lines() {
    in_each(|bash, profile| {
        for parallel in ["True", "False"] {
            let finished = Sandbox::new(&bash.path).run(&traced(profile, parallel, ":"));
            has_its_own_lines(profile, &finished.stderr, &finished);
            let said = without_lines(&finished.stderr);
            let others: Vec<&str> = said.lines().filter(|line| !line.starts_with('+')).collect();
            assert!(others[0].contains("bad/name"), "{others:?}\n{finished}");
            assert_eq!(others.len(), remarks(profile), "{others:?}\n{finished}");
        }
    });
}

#[test]
fn a_trace_on_another_descriptor_has_the_scripts_lines_and_the_descriptor_works_after_it() {
    in_each(|bash, profile| {
        if profile != "standalone" {
            return;
        }
        for parallel in ["True", "False"] {
            for to in ["exec 7>trace; BASH_XTRACEFD=7", "exec {fd}>trace; BASH_XTRACEFD=$fd"] {
                let sandbox = Sandbox::new(&bash.path);
                let script = traced(profile, parallel, to) + "\necho 'still there' >&\"$BASH_XTRACEFD\"";
                let finished = sandbox.run(&script);
                let trace = fs::read_to_string(sandbox.path("cwd/trace")).unwrap();
                has_its_own_lines(profile, &trace, &finished);
                assert!(trace.ends_with("+ set +x\nstill there\n"), "{to}: {trace}");
                let said = without_lines(&finished.stderr);
                assert_eq!(said.lines().count(), remarks(profile), "{to}: {finished}");
            }
        }
    });
}
