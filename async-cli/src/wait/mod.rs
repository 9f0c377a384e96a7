//! Waiting for futures: for each in turn, for any, or for all up to the first that fails.
//!
//! A wait goes in rounds. A round hands over what is over, and returns what to sleep on, or nothing once everything is
//! done. So the program's own waits sleep in this process, and a script's waits in its shell, between two calls of the
//! program.

pub(crate) mod any;
pub(crate) mod batch;
pub(crate) mod collecting;
mod dump;
pub(crate) mod panel;
pub(crate) mod sleeper;
pub(crate) mod started;
pub(crate) mod targets;

use std::collections::{BTreeSet, VecDeque};

use async_core::clock::{self, Millis};
use async_core::{Cancelled, FutureName, Store, text};

use serde::{Deserialize, Serialize};

use crate::commands::run::planning;
use crate::commands::{self, cancel::in_shell};
use crate::failure::{Failure, warn};
use crate::messages::{self, About, Output};
use crate::wait::any::{Candidate, Many};
use crate::wait::batch::PendingBatch;
use crate::wait::collecting::{Collecting, Resumed, Step, WaitOptions, WaitSummary};
use crate::wait::sleeper::{Sleeper, Woken};
use crate::wait::targets::{Rank, Target, is_usual};

/// How to wait for the futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitMode {
    /// For each in turn, even after one has failed.
    Each,
    /// The same, with a warning for each.
    CleanUp,
    /// The first to end.
    Any,
    /// For all, as they end; when one fails, the others are cancelled.
    FailFast,
}

/// The progress of a wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitState {
    /// When a wait for all at once began, or the last future was dealt with, in ms since the epoch.
    #[serde(rename = "b", default, skip_serializing_if = "is_usual")]
    pub(crate) began: Option<Millis>,
    /// The future that the wait is for at the moment.
    #[serde(rename = "c", default, skip_serializing_if = "is_usual")]
    pub(crate) current: Option<Current>,
    /// The last future that was dealt with in turn.
    #[serde(rename = "l", default, skip_serializing_if = "is_usual")]
    pub(crate) last: Option<Rank>,
    /// The futures that were dealt with out of turn.
    #[serde(rename = "d", default, skip_serializing_if = "is_usual")]
    pub(crate) done: BTreeSet<Rank>,
    /// Whether one has failed, if that ends the whole wait.
    #[serde(rename = "x", default, skip_serializing_if = "is_usual")]
    pub(crate) stopping: bool,
    #[serde(rename = "s", default, skip_serializing_if = "is_usual")]
    pub(crate) score: Score,
}

/// The results so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Score {
    /// How many futures were dealt with.
    #[serde(rename = "n", default, skip_serializing_if = "is_usual")]
    pub(crate) count: usize,
    /// The status of the first that failed, if one has.
    #[serde(rename = "r", default, skip_serializing_if = "is_usual")]
    pub(crate) rc: Option<u8>,
    /// Whether one could not even be waited for.
    #[serde(rename = "u", default, skip_serializing_if = "is_usual")]
    pub(crate) unsure: bool,
    /// Which failed and how, for a person: `t` with status 3.
    #[serde(rename = "f", default, skip_serializing_if = "is_usual")]
    pub(crate) failures: Vec<String>,
    /// How many more failed.
    #[serde(rename = "m", default, skip_serializing_if = "is_usual")]
    pub(crate) more: usize,
}

/// The future that the wait is for at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Current {
    #[serde(rename = "r", default, skip_serializing_if = "is_usual")]
    pub(crate) rank: Rank,
    #[serde(rename = "m")]
    pub(crate) name: FutureName,
    /// Its start, in ms since the epoch.
    #[serde(rename = "s")]
    pub(crate) started: Millis,
    /// When the wait for it began, in ms since the epoch.
    #[serde(rename = "t")]
    pub(crate) since: Millis,
    /// Whether its shell did not know which process to wait for, and may know more.
    #[serde(rename = "u", default, skip_serializing_if = "is_usual")]
    pub(crate) untold: bool,
}

/// What to sleep on, or do, before the next round.
pub(crate) enum Next {
    /// The end of that future. The process, if its shell knows more about it.
    One { pid: Option<String>, is_over: bool },
    /// The end of the first of those that are left.
    Any,
    /// The rest has to be cancelled.
    Cancel(Vec<FutureName>),
}

/// A wait.
pub(crate) struct Waiting<'a> {
    pub(crate) collecting: Collecting<'a>,
    pub(crate) targets: Vec<Target>,
    pub(crate) how: WaitMode,
    pub(crate) state: WaitState,
    /// The batch for a wait that reports its futures together.
    pub(crate) batch: Option<&'a mut PendingBatch>,
    is_first: bool,
    many: Option<Many<'a>>,
    over: VecDeque<Candidate>,
    /// The status that the shell's own wait saw of the current future.
    pub(crate) shell_status: Option<i32>,
    /// The future that ended first, if the wait was for that.
    pub(crate) first: Option<FutureName>,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(collecting: Collecting<'a>, targets: Vec<Target>, how: WaitMode) -> Self {
        let state = WaitState::default();
        let (batch, many, over, shell_status, first) = Default::default();
        Self { collecting, targets, how, state, batch, is_first: true, many, over, shell_status, first }
    }

    /// A wait of the program itself, with those options.
    pub(crate) fn of_program(
        store: &'a Store,
        output: &'a mut Output,
        options: WaitOptions,
        targets: Vec<Target>,
        how: WaitMode,
    ) -> Self {
        let collecting = Collecting {
            store,
            words: &[],
            output,
            shell: None,
            functions: None,
            parent: planning::parent(store),
            options,
            began: None,
            has_limit: false,
            summary: WaitSummary::default(),
            collected: Vec::new(),
        };
        Self::new(collecting, targets, how)
    }

    /// Continues a wait from that state.
    pub(crate) fn go_on_from(&mut self, state: WaitState) {
        (self.state, self.is_first) = (state, false);
    }

    /// Waits in this process until everything is done.
    pub(crate) fn run(&mut self, sleeper: &Sleeper) -> Result<(), Failure> {
        while let Some(pending) = self.round()? {
            match pending {
                Next::Cancel(names) => cancel(self.collecting.store, names),
                pending => {
                    if self.sleep(&pending, sleeper)? == Woken::TimeUp {
                        return Err(self.time_is_up()?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Sleeps until there may be something to do.
    pub(crate) fn sleep(&mut self, pending: &Next, sleeper: &Sleeper) -> Result<Woken, Failure> {
        if let (Next::One { .. }, Some(current)) = (pending, &self.state.current) {
            let store = self.collecting.store;
            let live = store.live(&current.name)?.filter(|live| live.record().start_time == current.started);
            let names = if sleeper.has_panel() { self.names_left() } else { Vec::new() };
            return live.map_or(Ok(Woken::Over), |live| sleeper.sleep(store, live, &names));
        }
        let many = self.many()?;
        loop {
            let over = many.over()?;
            if !over.is_empty() || many.is_empty() {
                sleeper.erase();
                self.over.extend(over);
                return Ok(Woken::Over);
            }
            if many.sleep(sleeper) == Woken::TimeUp {
                return Ok(Woken::TimeUp);
            }
        }
    }

    /// Hands over what is over. None once everything is done.
    pub(crate) fn round(&mut self) -> Result<Option<Next>, Failure> {
        if matches!(self.how, WaitMode::Any | WaitMode::FailFast) {
            // From now on the wait is for all.
            self.collecting.began = Some(*self.state.began.get_or_insert_with(clock::wall));
        }
        if let Some(current) = self.state.current.take() {
            let pending = self.go_on_with(&current)?;
            if pending.is_some() {
                return Ok(pending);
            }
        }
        match self.how {
            WaitMode::Each | WaitMode::CleanUp => self.each(),
            WaitMode::Any => self.any(),
            WaitMode::FailFast if self.state.stopping => self.each(),
            WaitMode::FailFast => self.up_to_a_failure(),
        }
    }

    fn each(&mut self) -> Result<Option<Next>, Failure> {
        let left = self.left();
        for target in left {
            if self.how == WaitMode::CleanUp {
                let line = messages::uncollected(&commands::name(&target.text)?);
                self.collecting.say(About::Progress, &line)?;
            }
            let pending = self.one(&target, None, Resumed::default())?;
            if pending.is_some() {
                return Ok(pending);
            }
        }
        Ok(None)
    }

    /// The futures without a result yet.
    fn left(&self) -> Vec<Target> {
        let WaitState { last, done, .. } = &self.state;
        let is_left =
            |target: &&Target| last.as_ref().is_none_or(|last| target.rank > *last) && !done.contains(&target.rank);
        self.targets.iter().filter(is_left).cloned().collect()
    }

    fn any(&mut self) -> Result<Option<Next>, Failure> {
        while self.first.is_none() {
            let Some(Candidate { name, started, .. }) = self.next_over()? else {
                let nothing_is_left = self.many()?.is_empty();
                return if nothing_is_left { Err(Failure::NothingLeft) } else { Ok(Some(Next::Any)) };
            };
            let pending = self.one(&self.target_of(&name), Some(started), Resumed::default())?;
            if pending.is_some() {
                return Ok(pending);
            }
        }
        Ok(None)
    }

    fn up_to_a_failure(&mut self) -> Result<Option<Next>, Failure> {
        while self.state.score.rc.is_none() {
            let Some(Candidate { name, started, .. }) = self.next_over()? else {
                let nothing_is_left = self.many()?.is_empty();
                if self.state.score.rc.is_some() {
                    continue;
                }
                return Ok(if nothing_is_left { None } else { Some(Next::Any) });
            };
            let pending = self.one(&self.target_of(&name), Some(started), Resumed::default())?;
            if pending.is_some() {
                return Ok(pending);
            }
        }
        self.state.stopping = true;
        let names = self.names_left();
        if names.is_empty() { Ok(None) } else { Ok(Some(Next::Cancel(names))) }
    }

    /// The next future that may be over, earliest end first.
    fn next_over(&mut self) -> Result<Option<Candidate>, Failure> {
        if self.over.is_empty() {
            let over = self.many()?.over()?;
            self.over.extend(over);
        }
        Ok(self.over.pop_front())
    }

    /// Sleeps until the first of those that are left may have ended, and reports nothing.
    pub(crate) fn only_sleep(&mut self, sleeper: &Sleeper) -> Result<(), Failure> {
        let found: Vec<_> = self.left().iter().map(|target| self.start_of(target)).collect();
        let all_are_there = found.iter().all(|found| matches!(found, Ok(Some(_))));
        if !all_are_there && self.how != WaitMode::Any {
            return Ok(());
        }
        let live = found.into_iter().filter_map(|found| found.ok().flatten()).collect();
        self.many = Some(Many::new(self.collecting.store, live));
        self.sleep(&Next::Any, sleeper).map(drop)
    }

    /// The names of the futures without a result yet.
    pub(crate) fn names_left(&self) -> Vec<FutureName> {
        self.left().iter().filter_map(|target| FutureName::from_arg(&target.text).ok()).collect()
    }

    /// The futures to wait for until the first ends. Deals with missing ones at once.
    fn many(&mut self) -> Result<&mut Many<'a>, Failure> {
        if self.many.is_none() {
            let mut live = Vec::new();
            for target in self.left() {
                match (self.start_of(&target), self.how) {
                    (Ok(Some((name, started))), _) => live.push((name, started)),
                    (Err(failure), WaitMode::Any) => return Err(failure),
                    (Ok(None), WaitMode::Any) => self.is_passed_over(&target)?,
                    // It has failed, or was collected before; or it exists after all.
                    _ => {
                        self.one(&target, None, Resumed::default())?;
                        live.extend(self.state.current.take().map(|current| (current.name, current.started)));
                    }
                }
            }
            for (name, _) in &live {
                self.collecting.donate_to(name)?;
            }
            self.many = Some(Many::new(self.collecting.store, live));
        }
        self.many.as_mut().ok_or(Failure::NothingLeft)
    }

    /// The name and start of a live target. Fails if another future has replaced the one that the script started.
    fn start_of(&self, target: &Target) -> Result<Option<(FutureName, Millis)>, Failure> {
        let Ok(name) = FutureName::from_arg(&target.text) else {
            return Ok(None);
        };
        let Some(record) = self.collecting.store.read(&name)? else {
            return Ok(None);
        };
        self.collecting.must_not_be_replaced(&name, &record)?;
        Ok(Some((name, record.start_time)))
    }

    /// Handles a missing target when another one will do. One that never existed is an error.
    fn is_passed_over(&mut self, target: &Target) -> Result<(), Failure> {
        if target.is_named() && self.is_first {
            self.collecting.kept(&target.text)?;
        }
        self.state.done.insert(target.rank.clone());
        if let (Some(batch), Ok(name)) = (&mut self.batch, FutureName::from_arg(&target.text)) {
            batch.not_there(&name);
        }
        Ok(())
    }

    fn target_of(&self, name: &FutureName) -> Target {
        let is_it = |target: &Target| target.text == name.as_str();
        let rank = Rank { number: 0, name: name.to_string() };
        self.left().into_iter().find(is_it).unwrap_or(Target { rank, text: name.as_str().into() })
    }

    fn go_on_with(&mut self, current: &Current) -> Result<Option<Next>, Failure> {
        let found = self.targets.iter().find(|target| target.rank == current.rank).cloned();
        let target = found.unwrap_or_else(|| Target { rank: current.rank.clone(), text: current.name.as_str().into() });
        let resumed = Resumed { since: Some(current.since), status: self.shell_status.take(), asked: !current.untold };
        self.one(&target, Some(current.started), resumed)
    }

    /// Handles one target. If that fails, reports it and goes on with the others.
    fn one(&mut self, target: &Target, expected: Option<Millis>, resumed: Resumed) -> Result<Option<Next>, Failure> {
        let name = FutureName::from_arg(&target.text).ok();
        let step = name.as_ref().map_or(Ok(Step::NotThere), |name| self.collecting.step(name, expected, resumed));
        let done = match (step, name) {
            (Ok(Step::StillRuns { pid, started, since, is_over }), Some(name)) => {
                let rank = target.rank.clone();
                self.state.current = Some(Current { rank, name, started, since, untold: true });
                return Ok(Some(Next::One { pid, is_over }));
            }
            (Ok(Step::Collected { started, since }), Some(name)) => {
                if let Some(batch) = &mut self.batch {
                    batch.over(&name, started, since);
                }
                self.first = Some(name);
                Ok(())
            }
            (Ok(_), name) => self.is_not_there(target, name.as_ref(), expected),
            (Err(failure), _) => Err(failure),
        };
        self.conclude(target, done).map(|()| None)
    }

    fn is_not_there(
        &mut self,
        target: &Target,
        name: Option<&FutureName>,
        expected: Option<Millis>,
    ) -> Result<(), Failure> {
        if let (Some(batch), Some(name)) = (&mut self.batch, name) {
            batch.not_there(name);
        }
        // Another future will do; and another process may have taken a future that was only found.
        if self.how == WaitMode::Any || expected.is_none() && !target.is_named() {
            return Ok(());
        }
        self.collecting.is_not_there(&target.text, expected)
    }

    fn conclude(&mut self, target: &Target, done: Result<(), Failure>) -> Result<(), Failure> {
        let WaitState { began, last, done: out_of_turn, score, stopping, .. } = &mut self.state;
        if *stopping || matches!(self.how, WaitMode::Each | WaitMode::CleanUp) {
            *last = Some(target.rank.clone());
        } else {
            out_of_turn.insert(target.rank.clone());
        }
        score.count += 1;
        if self.how == WaitMode::FailFast {
            // The next future gets its own share of the time.
            *began = Some(clock::wall());
            self.collecting.began = *began;
        }
        for failed in self.collecting.summary.failed.drain(..) {
            score.fail(format!("`{}` {}", failed.name, failed.how), failed.rc);
        }
        match done {
            Err(failure) if failure.is_about_one() && self.how != WaitMode::Any => {
                failure.report();
                score.fail(format!("`{}` could not be waited for", text::printable(&target.text)), None);
                Ok(())
            }
            done => done,
        }
    }

    /// The failure of a wait that has timed out, with the futures that are still running.
    pub(crate) fn time_is_up(&self) -> Result<Failure, Failure> {
        let store = self.collecting.store;
        let current = self.state.current.iter().map(|current| current.name.clone());
        let (mut running, mut seen) = (Vec::new(), BTreeSet::new());
        for name in current.chain(self.names_left()).filter(|name| seen.insert(name.clone())) {
            if let Some(mut live) = store.live(&name)?
                && !live.is_over()?
            {
                running.push(name.to_string());
            }
        }
        Ok(Failure::TimeUp(running))
    }

    /// The status of the wait. Says which of several futures failed.
    pub(crate) fn status(&self) -> u8 {
        let score = &self.state.score;
        if score.count > 1 && self.how != WaitMode::Any {
            score.tell();
        }
        let all_are_to_be_well =
            matches!(self.how, WaitMode::Each | WaitMode::CleanUp) && !self.targets.iter().any(Target::is_named);
        if all_are_to_be_well && score.unsure { 125 } else { score.rc.unwrap_or(0) }
    }
}

/// How much to say about individual failures, in bytes.
const TOLD: usize = 8000;

impl Score {
    fn fail(&mut self, how: String, rc: Option<u8>) {
        self.rc.get_or_insert(rc.unwrap_or(125));
        self.unsure |= rc.is_none();
        if self.failures.iter().map(String::len).sum::<usize>() < TOLD {
            self.failures.push(how);
        } else {
            self.more += 1;
        }
    }

    fn tell(&self) {
        let Self { count, failures, more, .. } = self;
        if failures.is_empty() {
            return;
        }
        let and_more = if *more == 0 { String::new() } else { format!(", and {more} more") };
        warn(&format!("{} of {count} failed: {}{and_more}", failures.len() + more, failures.join(", ")));
    }
}

/// Cancels these futures, and returns when they are over. Reports those that can't be cancelled.
pub(crate) fn cancel(store: &Store, names: Vec<FutureName>) {
    for (name, result) in store.cancel_all(names, None) {
        match result {
            Ok(Cancelled::InShell(pid)) => warn(&in_shell(&name, pid)),
            Ok(_) => {}
            Err(error) => warn(&error.to_string()),
        }
    }
}
