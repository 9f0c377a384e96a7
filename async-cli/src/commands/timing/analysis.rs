//! What is found out about a run.

use async_core::timing::{Advice, Change, Moved, Replay, Run, Schedule, Stretch, Stuck, Unchangeable};

use super::report;
use super::what_if::WhatIf;
use crate::failure::Failure;

/// A run, what its length hangs on, and what could make it shorter.
pub(super) struct Analysis<'a> {
    pub(super) run: &'a Run,
    pub(super) schedule: Schedule,
    pub(super) path: Vec<Stretch>,
    pub(super) advice: Vec<Advice>,
}

/// What comes of doing something differently.
pub(super) struct Prediction {
    /// The changes, as they were asked for.
    pub(super) asked: Vec<String>,
    /// The same one by one, with how far something was moved in fact.
    pub(super) done: Vec<(Change, Option<Moved>)>,
    pub(super) replay: Replay,
}

impl<'a> Analysis<'a> {
    pub(super) fn of(run: &'a Run) -> Result<Self, Failure> {
        let analyse = || {
            let schedule = Schedule::of(run)?;
            let recorded = schedule.replay()?;
            let (path, advice) = (schedule.critical_path(&recorded), schedule.advice(&recorded));
            Ok(Self { run, schedule, path, advice })
        };
        analyse().map_err(|stuck: Stuck| {
            Failure::Contradiction(format!("what they say can't have happened, as {}", because(run, stuck)))
        })
    }

    /// Does the run again with these changes.
    pub(super) fn predict(&self, what_ifs: &[WhatIf]) -> Result<Prediction, Failure> {
        let mut schedule = self.schedule.clone();
        let mut done = Vec::new();
        for what_if in what_ifs {
            for change in what_if.changes(self.run)? {
                let moved = schedule.change(change).map_err(|why| self.unchangeable(&what_if.text, why))?;
                done.push((change, moved));
            }
        }
        let asked: Vec<String> = what_ifs.iter().map(|what_if| what_if.text.clone()).collect();
        let replay = schedule.replay().map_err(|stuck| Failure::Usage(self.why_not(&asked.join(", "), stuck)))?;
        Ok(Prediction { asked, done, replay })
    }

    fn why_not(&self, asked: &str, stuck: Stuck) -> String {
        let is_unfinished = |&task: &usize| !self.run.tasks[task].status.state.is_over();
        let unfinished: Vec<usize> = (0..self.run.tasks.len()).filter(is_unfinished).collect();
        // What would never end may just not have ended yet.
        if unfinished.is_empty() {
            return format!("with {asked} the run would not end: {}", because(self.run, stuck));
        }
        let names = report::list(self.run, &unfinished);
        format!("what comes of {asked} can't be told before the end of {names}: ask again after that")
    }

    fn unchangeable(&self, what_if: &str, why: Unchangeable) -> Failure {
        let (task, hint) = match why {
            Unchangeable::Synchronous(task) => (task, format!("try parallel:{} first", self.run.label(task))),
            Unchangeable::NotWaitedFor(task) => (task, "only a future that was collected was waited for".to_owned()),
        };
        Failure::Usage(format!("{what_if}: `{}`: {why}; {hint}", self.run.label(task)))
    }
}

fn because(run: &Run, stuck: Stuck) -> String {
    let who =
        |task: Option<usize>| task.map_or_else(|| "the script".to_owned(), |task| format!("`{}`", run.label(task)));
    match stuck.awaited {
        Some(task) => format!("{} would wait for `{}` for ever", who(stuck.waiter), run.label(task)),
        None => format!("{} would never come to its end", who(stuck.waiter)),
    }
}
