//! Compares the shells' event logs with the store; the module above documents the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::event_log::{Entry, EventLog};
use super::final_state::{Remains, Store};
use super::mode::Mode;
use super::plan::{Manner, Plan, Step, Task, Token};
use super::report::{self, Report, Verdict};
use super::runner::Aftermath;
use super::script::Scene;

/// How many futures ended in each way.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) started: usize,
    pub(crate) refused: usize,
    pub(crate) reported: usize,
    /// Collected by a waiter that was killed before it reported.
    pub(crate) in_flight: usize,
    /// Kept because another future took the name before anybody waited.
    pub(crate) superseded: usize,
    pub(crate) collectable: usize,
    /// Of all these, how many left no result.
    pub(crate) lost: usize,
    /// Of all these, how many were cancelled.
    pub(crate) cancelled: usize,
    /// Of all these, how many ended as planned.
    pub(crate) as_planned: usize,
    /// How many rounds the other script made.
    pub(crate) rounds: usize,
    /// The same for what the run suffers besides the kills.
    pub(crate) blows: usize,
}

/// The evidence, and the violations so far.
pub(crate) struct Checker<'a> {
    plan: &'a Plan,
    pub(super) scene: &'a Scene,
    aftermath: &'a Aftermath,
    pub(super) mode: Mode,
    diaries: Vec<EventLog>,
    pub(super) store: Store,
    /// The futures whose records say that they were cancelled.
    cancelled: BTreeSet<Token>,
    /// How many undisturbed waits reported each future.
    pub(super) confirmed: BTreeMap<Token, usize>,
    /// What each shell has heard of, in a step that may have been disturbed.
    heard: BTreeSet<(usize, Token)>,
    /// The steps in which each shell has heard of a future of its own, with its name.
    own: Vec<(Token, String)>,
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(plan: &'a Plan, scene: &'a Scene, aftermath: &'a Aftermath, mode: Mode) -> Result<Self, String> {
        let diaries =
            (0..plan.shells.len()).map(|shell| EventLog::read(&scene.event_log(shell))).collect::<Result<_, _>>()?;
        let store = Store::read(&scene.store())?;
        let of = |(token, found): (&Token, &Vec<Remains>)| found.iter().any(|it| it.cancelled).then_some(*token);
        Ok(Self {
            cancelled: store.records.iter().filter_map(of).collect(),
            plan,
            scene,
            aftermath,
            mode,
            diaries,
            store,
            confirmed: BTreeMap::new(),
            heard: BTreeSet::new(),
            own: Vec::new(),
            tally: Tally::default(),
            violations: aftermath.hung.iter().map(|process| format!("hangs: {process}")).collect(),
        })
    }

    /// Applies all rules. Collects what is left in the store.
    pub(crate) fn run(&mut self) {
        self.check_rival();
        for (step, place) in self.steps() {
            match place {
                Step::Wait { manner, names } => self.check_wait(step, *manner, names),
                Step::Cancel { name } => self.check_cancel(step, name),
                _ => {}
            }
        }
        for (step, place) in self.steps() {
            if let Step::Start(task) = place {
                self.check_future(step, task);
            }
        }
        self.check_logs();
        self.check_strays();
    }

    pub(super) fn steps(&self) -> Vec<(Token, &'a Step)> {
        let of = |(shell, plan): (usize, &'a super::plan::Shell)| {
            plan.steps.iter().enumerate().map(move |(step, place)| (Token { shell, step }, place))
        };
        self.plan.shells.iter().enumerate().flat_map(of).collect()
    }

    pub(super) fn accuse(&mut self, step: Token, what: &str) {
        self.violations.push(format!("{step}: {what}"));
    }

    pub(super) fn entry(&self, step: Token) -> Option<&Entry> {
        self.diaries[step.shell].entries.get(&step.step)
    }

    /// Whether the shell was killed in this very step.
    fn is_cut(&self, step: Token) -> bool {
        self.aftermath.killed[step.shell] && self.diaries[step.shell].cut_step() == step.step
    }

    /// Whether the shell should have reached this step, and didn't.
    pub(super) fn is_missing(&self, step: Token) -> bool {
        !self.aftermath.killed[step.shell] && self.entry(step).is_none()
    }

    /// Whether a process of this future, or the shell that was just starting it, was killed.
    pub(super) fn was_hit(&self, token: Token) -> bool {
        self.is_cut(token)
            || self.aftermath.kills.hit(token)
            || self.diaries.iter().any(|event_log| event_log.kills.contains(&token))
    }

    /// Whether a waiter in this step was killed, or lacked a resource.
    pub(super) fn is_disturbed(&self, step: Token) -> bool {
        self.is_cut(step) || self.aftermath.kills.hit_the_waiter(step) || self.is_in_want(step)
    }

    /// Whether the run's mode made the step fail.
    fn is_in_want(&self, step: Token) -> bool {
        match self.entry(step) {
            Some(Entry::Waited { rc, why } | Entry::Cancelled { rc, why }) => self.mode.explains(*rc, why),
            _ => false,
        }
    }

    fn check_wait(&mut self, step: Token, manner: Manner, names: &[String]) {
        if self.is_missing(step) {
            self.accuse(step, "the shell was not killed, and never came back from this wait");
        }
        let path = self.scene.outputs(step.shell).join(step.step.to_string());
        let output = fs::read(&path).unwrap_or_default();
        let reports = match report::parse(&String::from_utf8_lossy(&output)) {
            Ok(reports) => reports,
            Err(line) => return self.accuse(step, &format!("the wait printed `{line}`")),
        };
        let disturbed = self.is_disturbed(step);
        for report in &reports {
            let Some(verdict) = report.result else {
                continue;
            };
            self.heard.insert((step.shell, verdict.token));
            if verdict.token.shell == step.shell {
                self.own.push((step, report.name.clone()));
            }
            if report.again {
                self.check_verdict(step, verdict);
            } else {
                self.check_report(step, report, verdict);
            }
            if !names.contains(&report.name) {
                self.accuse(step, &format!("nobody asked for `{}`", report.name));
            }
            if report.announced != verdict.token {
                self.accuse(step, &format!("{} was announced and {} reported", report.announced, verdict.token));
            }
            if !disturbed && !report.again {
                *self.confirmed.entry(verdict.token).or_default() += 1;
            }
        }
        if let (false, Some(Entry::Waited { rc, why })) = (disturbed, self.entry(step)) {
            let (rc, why) = (*rc, why.clone());
            let expected =
                reports.iter().filter_map(|report| report.result?.rc.or(Some(125))).find(|rc| *rc != 0).unwrap_or(0);
            let is_told = |name: &String| {
                why.contains(&format!("there is no future `{name}` in "))
                    || why.contains(&format!("the result of `{name}`, which this script has started, is gone: "))
                    || why.contains(&format!("`{name}` was not started, ")) && self.was_refused(step, name)
            };
            let absent = rc == 125 && names.iter().any(is_told);
            if rc == 0 && manner != Manner::Program {
                // If the shell started an earlier one itself, there was one to wait for.
                let is_own = |report: &Report| report.announced.shell == step.shell;
                let is_told_of = |name: &String| reports.iter().any(|report| report.name == *name && is_own(report));
                let counts =
                    |(name, token): &(&String, Token)| !is_told_of(name) || self.entry(*token) == Some(&Entry::Started);
                let unheard = names.iter().filter_map(|name| Some((name, self.unheard(step, name)?)));
                let unheard = unheard.filter(counts).map(|(_, token)| token).collect::<Vec<_>>();
                for token in unheard {
                    self.accuse(step, &format!("the wait returned 0, and the shell has started {token}: {why}"));
                }
            }
            if rc != expected && !absent {
                let what = format!("the wait returned {rc}, and its reports say {expected}: {why}");
                self.accuse(step, &what);
            }
        }
    }

    /// An undisturbed cancel returns, and says what became of the future, or that there is none.
    fn check_cancel(&mut self, step: Token, name: &str) {
        if self.is_missing(step) {
            self.accuse(step, "the shell was not killed, and never came back from this cancel");
        }
        let Some(Entry::Cancelled { rc, why }) = self.entry(step).filter(|_| !self.is_disturbed(step)) else {
            return;
        };
        let output = fs::read_to_string(self.scene.outputs(step.shell).join(step.step.to_string())).unwrap_or_default();
        let output: String = output.split_inclusive('\n').filter(|line| !report::is_message(line)).collect();
        let told = output.lines().count() == 1
            && output.starts_with(&format!("[Async {name}:"))
            && ["]: cancelled: ", "]: was over already", "]: stopped without its supervisor: "]
                .iter()
                .any(|text| output.contains(text));
        let absent = *rc == 125 && why.contains("there is no future") || *rc == 0 && output.is_empty();
        if !(*rc == 0 && told || absent) {
            let what = format!("the cancel returned {rc} and said: {output}{why}");
            self.accuse(step, &what);
        }
    }

    /// Compares a whole report with the plan and the record.
    fn check_report(&mut self, step: Token, report: &Report, verdict: Verdict) {
        let token = verdict.token;
        let Some(task) = self.plan.task(token) else {
            return self.accuse(step, &format!("a report of {token}, which is no future"));
        };
        let Some(rc) = self.store.records.get(&token).and_then(|found| found.first()).map(|record| record.rc) else {
            return self.accuse(step, &format!("a report of {token}, which has no record"));
        };
        let told = match (rc, verdict.rc) {
            (Some(_), said) => said == rc && !verdict.lost,
            (None, None) => verdict.lost,
            // Of a lost one, a shell knows at most that its own child was killed.
            (None, said) => said == Some(137),
        };
        if !told {
            let what = format!("{token} is reported with {:?}, and its record says {rc:?}", verdict.rc);
            self.accuse(step, &what);
        }
        if let Some(seconds) = verdict.seconds.filter(|&seconds| seconds < 0) {
            self.accuse(step, &format!("{token} ran {seconds} seconds"));
        }
        if report.name != task.name {
            self.accuse(step, &format!("{token} of `{}` is reported as `{}`", task.name, report.name));
        }
        self.check_output(step, token, task, rc, &report.log);
    }

    /// A repeated report says what the record says.
    fn check_verdict(&mut self, step: Token, Verdict { token, rc, .. }: Verdict) {
        let recorded = self.store.records.get(&token).and_then(|found| found.first()).map(|record| record.rc);
        if recorded != Some(rc) {
            self.accuse(step, &format!("{token} is reported again with {rc:?}, and its record says {recorded:?}"));
        }
    }

    /// Whether the shell was refused a future of that name before.
    fn was_refused(&self, step: Token, name: &String) -> bool {
        self.starts_before(step, name).any(|token| !matches!(self.entry(token), Some(Entry::Started)))
    }

    /// The last future of that name that the shell started or was refused, unless a wait has told the shell of it, or
    /// may have.
    fn unheard(&self, step: Token, name: &String) -> Option<Token> {
        let last = self.starts_before(step, name).last()?;
        let may_have_told = |other: usize| {
            let place = &self.plan.shells[step.shell].steps[other];
            matches!(place, Step::Wait { names, .. } if names.contains(name))
                && self.is_disturbed(Token { step: other, ..step })
        };
        let is_heard = self.heard.contains(&(step.shell, last)) || (last.step..step.step).any(may_have_told);
        // A refused start has not replaced another future of the shell.
        let told_of_another = |(at, of): &(Token, String)| at.shell == step.shell && at.step > last.step && of == name;
        let is_refused = matches!(self.entry(last), Some(Entry::Refused { .. }));
        let is_heard = is_heard || is_refused && self.own.iter().any(told_of_another);
        (!is_heard).then_some(last)
    }

    fn starts_before(&self, step: Token, name: &String) -> impl Iterator<Item = Token> {
        let steps = self.plan.shells[step.shell].steps.iter().enumerate().take(step.step);
        steps.filter_map(move |(number, place)| match place {
            Step::Start(task) if task.name == *name => Some(Token { step: number, ..step }),
            _ => None,
        })
    }

    /// The script beside the shells takes futures that no shell has a right to any more, and reports them like any
    /// other.
    fn check_rival(&mut self) {
        let output = fs::read(self.scene.output_of("rival")).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let nobody = Token { shell: usize::MAX, step: 0 };
        for round in output.split("round is over\n") {
            let reports = match report::parse(round) {
                Ok(reports) => reports,
                Err(line) => return self.accuse(nobody, &format!("the other script printed `{line}`")),
            };
            for report in &reports {
                if let Some(verdict) = report.result.filter(|_| !report.again) {
                    self.check_report(nobody, report, verdict);
                    *self.confirmed.entry(verdict.token).or_default() += 1;
                }
            }
        }
        self.tally.rounds = output.matches("round is over\n").count();
        let output = fs::read_to_string(self.scene.output_of("adversary")).unwrap_or_default();
        self.tally.blows = output.matches("round is over\n").count();
        let failures = output.lines().filter(|line| line.starts_with("failed with "));
        self.violations.extend(failures.map(|line| format!("to cancel all {line}")));
    }

    /// A log has the task's whole output if the task completed, and the beginning of it otherwise.
    pub(super) fn check_output(&mut self, step: Token, token: Token, task: &Task, rc: Option<i32>, log: &str) {
        let whole = task.output();
        let printed = self.mode.without_complaints(log);
        let cut = rc.is_none() || rc != Some(task.rc()) || self.was_hit(token) || self.cancelled.contains(&token);
        if printed != whole && !((cut || self.mode.cuts()) && self.mode.is_part(&printed, &whole)) {
            self.accuse(step, &format!("the log of {token} has {log:?}, and the task printed {whole:?}"));
        }
    }

    /// No log contains the output of another task.
    fn check_logs(&mut self) {
        for (name, path) in std::mem::take(&mut self.store.logs) {
            let log = report::untraced(&fs::read_to_string(&path).unwrap_or_default());
            let log = self.mode.without_complaints(&log);
            let token = log.split(' ').next().and_then(Token::parse);
            let fits = |task: &Task| task.name == name && self.mode.is_part(&log, &task.output());
            if !log.is_empty() && !token.and_then(|token| self.plan.task(token)).is_some_and(fits) {
                self.violations.push(format!("{} has {log:?}", path.display()));
            }
        }
    }

    /// Unfinished records belong to interrupted starts, and don't keep the store from being made again.
    fn check_strays(&mut self) {
        let cut = self.steps().iter().filter(|(step, _)| self.was_hit(*step)).count();
        let store = std::mem::take(&mut self.store);
        if store.unfinished.len() > cut {
            self.violations.push(format!("{} unfinished records of {cut} cut starts", store.unfinished.len()));
        }
        for (path, token) in store.unfinished {
            if token.is_some_and(|token| !self.was_hit(token)) {
                self.violations.push(format!("left behind by nobody who was killed: {}", path.display()));
            }
        }
        for (token, records) in store.records {
            self.violations.push(format!("{token}: recorded and not planned: {records:?}"));
        }
        self.violations.extend(store.strays.iter().map(|path| format!("no file of a store: {}", path.display())));
    }
}
