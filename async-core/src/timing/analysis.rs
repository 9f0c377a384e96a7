//! The analysis of a run: what determines its length, and what could make it shorter.

use super::{Advice, Run, Schedule, Stretch, Stuck};

/// A run, what determines its length, and what could make it shorter.
#[derive(Clone, Debug)]
pub struct Analysis<'a> {
    /// The run itself.
    pub run: &'a Run,
    /// The run taken apart, for replays with changes.
    pub schedule: Schedule,
    /// What determines its length, from its start to its end.
    pub path: Vec<Stretch>,
    /// What could make it shorter, the best first.
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
