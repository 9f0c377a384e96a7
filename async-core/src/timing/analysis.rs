//! What is found out about a run: what its length hangs on, and what could make it shorter.

use super::{Advice, Run, Schedule, Stretch, Stuck};

/// A run, what its length hangs on, and what could make it shorter.
#[derive(Clone, Debug)]
pub struct Analysis<'a> {
    /// The run.
    pub run: &'a Run,
    /// The same taken apart, to be done again with something changed.
    pub schedule: Schedule,
    /// What its length hangs on, from its start to its end.
    pub path: Vec<Stretch>,
    /// What could make it shorter, the most first.
    pub advice: Vec<Advice>,
}

impl<'a> Analysis<'a> {
    /// Analyses a run. Fails if its records contradict each other.
    pub fn of(run: &'a Run) -> Result<Self, Stuck> {
        let schedule = Schedule::of(run)?;
        let recorded = schedule.replay()?;
        let (path, advice) = (schedule.critical_path(&recorded), schedule.advice(&recorded));
        Ok(Self { run, schedule, path, advice })
    }
}
