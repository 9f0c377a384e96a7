//! The analysis of a run.

use async_core::timing::{Analysis, Change, Moved, Replay, Run, Stuck, Unchangeable};

use super::report;
use super::what_if::WhatIf;
use crate::failure::Failure;

/// The result of some changes.
pub(super) struct Prediction {
    /// The changes, as requested.
    pub(super) asked: Vec<String>,
    /// The individual changes, with how far each really moved something.
    pub(super) done: Vec<(Change, Option<Moved>)>,
    pub(super) replay: Replay,
}

/// The analysis of a run, or why there is none.
pub(super) type Analysed<'a> = Result<Analysis<'a>, Stuck>;

/// The analysis of that run, or the message that says why there is none.
pub(super) fn of<'a, 'r>(run: &Run, analysed: &'a Analysed<'r>) -> Result<&'a Analysis<'r>, Failure> {
    analysed.as_ref().map_err(|&stuck| {
        Failure::Contradiction(format!("what they say can't have happened, as {}", because(run, stuck)))
    })
}

/// Replays the run with these changes.
pub(super) fn predict(analysis: &Analysis<'_>, what_ifs: &[WhatIf]) -> Result<Prediction, Failure> {
    let mut schedule = analysis.schedule.clone();
    let mut done = Vec::new();
    for what_if in what_ifs {
        for change in what_if.changes(analysis.run)? {
            let moved = schedule.change(change).map_err(|why| unchangeable(analysis.run, &what_if.text, why))?;
            done.push((change, moved));
        }
    }
    let asked: Vec<String> = what_ifs.iter().map(|what_if| what_if.text.clone()).collect();
    let replay = schedule.replay().map_err(|stuck| Failure::Usage(why_not(analysis.run, &asked.join(", "), stuck)))?;
    Ok(Prediction { asked, done, replay })
}

fn why_not(run: &Run, asked: &str, stuck: Stuck) -> String {
    let is_unfinished = |&task: &usize| !run.tasks[task].status.state.is_over();
    let unfinished: Vec<usize> = (0..run.tasks.len()).filter(is_unfinished).collect();
    // A wait that would never end may simply not be over yet.
    if unfinished.is_empty() {
        return format!("with {asked} the run would not end: {}", because(run, stuck));
    }
    let names = report::list(run, &unfinished);
    format!("what comes of {asked} can't be told before the end of {names}: ask again after that")
}

fn unchangeable(run: &Run, what_if: &str, why: Unchangeable) -> Failure {
    let (task, hint) = match why {
        Unchangeable::Synchronous(task) => (task, format!("try parallel:{} first", run.label(task))),
        Unchangeable::NotWaitedFor(task) => (task, "only a future that was collected was waited for".to_owned()),
    };
    Failure::Usage(format!("{what_if}: `{}`: {why}; {hint}", run.label(task)))
}

fn because(run: &Run, stuck: Stuck) -> String {
    let who =
        |task: Option<usize>| task.map_or_else(|| "the script".to_owned(), |task| format!("`{}`", run.label(task)));
    match stuck.awaited {
        Some(task) => format!("{} would wait for `{}` for ever", who(stuck.waiter), run.label(task)),
        None => format!("{} would never come to its end", who(stuck.waiter)),
    }
}
