//! What became of each future of the plan: the checker's rules about records.

use std::fs;
use std::io::{self, Read};
use std::process::{Command, ExitStatus};

use super::checker::Checker;
use super::event_log::Entry;
use super::final_state::{Place, Remains};
use super::mode::Mode;
use super::plan::{Step, Task, Token};
use super::report::{self, Report};

impl Checker<'_> {
    pub(super) fn check_future(&mut self, token: Token, task: &Task) {
        if self.is_missing(token) {
            self.accuse(token, "the shell was not killed, and never came back from this start");
        }
        let found = self.store.records.remove(&token).unwrap_or_default();
        let hit = self.was_hit(token);
        match self.entry(token) {
            Some(Entry::Started) => {
                self.tally.started += 1;
                if found.is_empty() {
                    self.accuse(token, "started, and there is no record of it");
                }
            }
            Some(Entry::Refused { rc, why }) => {
                let what = format!("refused with {rc}: {why}");
                let founded = why.contains("is running already") || self.mode.explains(*rc, why);
                let unfounded = !hit && (!founded || !found.is_empty());
                self.tally.refused += 1;
                if unfounded {
                    self.accuse(token, &what);
                }
            }
            _ => {}
        }
        if found.len() > 1 {
            self.accuse(token, &format!("has several records: {found:?}"));
        }
        for record in found {
            self.check_record(token, task, &record, hit);
        }
    }

    fn check_record(&mut self, token: Token, task: &Task, record: &Remains, hit: bool) {
        let confirmed = self.confirmed.get(&token).copied().unwrap_or(0);
        self.tally.cancelled += usize::from(record.cancelled);
        match record.rc {
            None => {
                self.tally.lost += 1;
                if !hit && !self.mode.loses() {
                    self.accuse(token, "lost, though nobody was killed");
                }
            }
            Some(137) if hit => {}
            Some(rc) if rc == task.rc() => self.tally.as_planned += 1,
            // Ends by SIGTERM or SIGKILL, if the supervisor says that it has sent them.
            Some(137 | 143) if record.cancelled => {}
            // It lacked a resource, or its own commands did.
            Some(rc) if rc != 0 && self.mode.is_want() => {}
            Some(rc) => self.accuse(token, &format!("ended with {rc}, and the plan was {}", task.rc())),
        }
        if record.cancelled && !record.asked_to_cancel {
            self.accuse(token, "cancelled, and nobody has asked for that");
        }
        if record.asked_to_cancel && self.mode != Mode::Cancel && !self.is_cancelled_by_plan(&task.name) {
            self.accuse(token, "somebody has asked for it to be cancelled, and that was not planned");
        }
        if record.name != task.name {
            self.accuse(token, &format!("recorded under `{}`, and started as `{}`", record.name, task.name));
        }
        if record.run_time.is_some_and(|ms| ms < 0) || record.rc.is_some() && record.run_time.is_none() {
            self.accuse(token, &format!("ran for {:?} ms", record.run_time));
        }
        // A reported future is not handed over if that can't be recorded.
        let again = self.mode == Mode::Disk;
        match record.place {
            Place::Collected if confirmed == 1 || confirmed > 1 && again => self.tally.reported += 1,
            Place::Collected if confirmed == 0 && self.has_disturbed_waiter(&task.name) => self.tally.in_flight += 1,
            Place::Superseded if confirmed == 0 || again => {
                self.tally.superseded += 1;
                let log = record.path.with_extension("log");
                let kept = report::untraced(&fs::read_to_string(&log).unwrap_or_default());
                self.check_output(token, token, task, record.rc, &kept);
            }
            Place::Live { held: true } => self.accuse(token, "somebody still holds its life"),
            Place::Live { held: false } if confirmed == 0 || again => self.collect(token, task, record),
            place => self.accuse(token, &format!("{place:?}, and {confirmed} undisturbed waits have reported it")),
        }
    }

    fn is_cancelled_by_plan(&self, name: &String) -> bool {
        self.steps().into_iter().any(|(_, place)| matches!(place, Step::Cancel { name: victim } if victim == name))
    }

    fn has_disturbed_waiter(&self, name: &String) -> bool {
        let asks = |place: &Step| matches!(place, Step::Wait { names, .. } if names.contains(name));
        self.steps().into_iter().any(|(step, place)| asks(place) && self.is_disturbed(step))
    }

    /// Collects what nobody has waited for.
    fn collect(&mut self, token: Token, task: &Task, record: &Remains) {
        self.tally.collectable += 1;
        let (status, text) = match all_said(self.scene.call(&["wait", "--", &task.name])) {
            Ok(said) => said,
            Err(error) => return self.accuse(token, &format!("can't call the program: {error}")),
        };
        let rc = record.rc.unwrap_or(125);
        match report::parse(&text).as_deref() {
            Ok([report @ Report { result: Some(verdict), .. }])
                if verdict.token == token && verdict.rc == record.rc && status.code() == Some(rc) =>
            {
                self.check_output(token, token, task, record.rc, &report.log);
            }
            _ => {
                let what = format!("collected at the end with {status}, {rc} was due: {text}");
                self.accuse(token, &what);
            }
        }
    }
}

/// Runs it, and returns its status and both of its outputs in the order in which they were written.
fn all_said(mut command: Command) -> io::Result<(ExitStatus, String)> {
    let (mut reader, writer) = io::pipe()?;
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // This closes its ends of the pipe.
    drop(command);
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    Ok((child.wait()?, String::from_utf8_lossy(&said).into_owned()))
}
