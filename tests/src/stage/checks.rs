//! What must hold after a command.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;

use async_core::{Permissions, Store};

use super::{GUEST_LOG, Kind, LOG, OTHER_LOG, Ran, Stage, Target, figures_apart, read, told};
use crate::shell::{Finished, binary_dir};

/// What messages begin with: those to people, and those of a supervisor to the command that has started it.
const OURS: [&str; 3] = ["async: ", "error ", "failed "];

impl Stage {
    /// The live futures and their states.
    fn states(&self) -> Result<BTreeMap<String, String>, String> {
        let status = self.call(&["status"]);
        // 1 says that a future failed.
        if !matches!(status.status, 0 | 1) {
            return Err(told("`status` fails", &status));
        }
        let two = |line: &str| {
            line.split_once('\t').and_then(|(name, rest)| Some((name.into(), rest.split('\t').next()?.into())))
        };
        Ok(status.stdout.lines().filter_map(two).collect())
    }

    /// Whether the future is among the collected.
    fn collected(&self, name: &str) -> usize {
        let start = format!("{name}.");
        fs::read_dir(self.store().join(".collected"))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|file| file.starts_with(&start) && has_extension(file, "ini"))
            .count()
    }

    /// What must hold after the command, when it has `failed` or was killed (`ran.finished.status` is 137).
    ///
    /// A future is handed over before it is taken out of the live ones, and the rename of its record is what takes it
    /// out. So
    /// * one whose record was not renamed is live: whoever waits for it next gets its whole log and its status, even if
    ///   both had been printed before;
    /// * one whose record was renamed had its whole log and its result printed before, and is not handed over again;
    /// * there is none that is neither, or both.
    ///
    /// The exception is a file system that can't rename without replacing: there the record has both names for a
    /// moment, and who is killed in it leaves a future that is handed over once more.
    pub fn check(&mut self, ran: &Ran, failed: bool) -> Result<(), String> {
        let killed = ran.finished.status == 137;
        if !self.store().exists() {
            return self.ensure(self.subject.target == Target::NoStore, "the store is gone").and_then(|()| self.init());
        }
        self.count_is_right()?;
        let states = self.states()?;
        self.ensure(
            !self.subject.busy || states.get("busy").is_some_and(|state| state == "running"),
            "busy is harmed",
        )?;
        if self.subject.target != Target::NoStore && self.subject.kind != Kind::Inits && !self.takes("other") {
            self.ensure(states.get("other").is_some_and(|state| state == "finished"), "other is harmed")?;
        }
        let state = states.get("t").map(String::as_str);
        match self.subject.kind {
            Kind::Inits => self.after_init(),
            Kind::Begins => self.after_begin(state, failed && !killed),
            Kind::Forks => self.after_fork(state, &ran.finished),
            Kind::Launches => self.after_launch(state, ran),
            Kind::Ends => self.after_end(&ran.finished),
            Kind::Runs => self.after_run(state, ran, failed && !killed),
            Kind::Supervises => self.after_supervising(&ran.finished),
            Kind::Cancels => self.after_cancel(),
            Kind::Collects(names) => names.iter().try_for_each(|name| {
                self.after_collect(name, ran, states.contains_key(*name))?;
                self.ensure(killed || failed || !states.contains_key(*name), "it says that it collected")
            }),
            Kind::Looks => self.ensure(self.snapshot() == self.before, "the store has changed"),
        }?;
        self.can_go_on()
    }

    /// The number of live futures is that of their records, whether or not it was noted before.
    fn count_is_right(&self) -> Result<(), String> {
        let counts = || {
            let store = Store::open(&self.store(), Permissions::Private)?;
            Ok::<_, async_core::Error>((store.live_count()?, store.names()?.len()))
        };
        let (noted, there) = counts().map_err(|error| error.to_string())?;
        self.ensure(noted == there, &format!("{noted} futures are said to be live"))
    }

    fn takes(&self, name: &str) -> bool {
        matches!(self.subject.kind, Kind::Collects(names) if names.contains(&name))
    }

    fn leftovers(&self) -> usize {
        self.snapshot().keys().filter(|name| name.starts_with(".starting/")).count()
    }

    fn ensure(&self, holds: bool, otherwise: &str) -> Result<(), String> {
        if holds { Ok(()) } else { Err(format!("{otherwise}; the store: {:#?}", self.snapshot())) }
    }

    /// Whether the future is handed over now, as it should be.
    fn wait(&self, name: &str, status: i32, log: &str) -> Result<(), String> {
        let waited = self.call(&["wait", name]);
        let result = if status == 125 { "result unknown".to_owned() } else { format!("result {status} ") };
        if waited.status == status && waited.stdout.contains(log) && waited.stdout.contains(&result) {
            Ok(())
        } else {
            Err(told(&format!("`wait {name}` should exit with {status}"), &waited))
        }
    }

    fn init(&self) -> Result<(), String> {
        let init = self.call(&["init"]);
        if init.status == 0 { Ok(()) } else { Err(told("`init` fails", &init)) }
    }

    fn after_init(&mut self) -> Result<(), String> {
        self.init()?;
        let wanted: &[&str] = if self.subject.busy { &["busy"] } else { &[] };
        let states = self.states()?;
        self.ensure(states.keys().eq(wanted), "`init` does not clear")?;
        self.ensure(states.values().all(|state| state == "running"), "`init` harms what runs")?;
        let kept: &[(&str, &str)] = match self.subject.target {
            Target::NoStore => &[],
            _ => &[("old.N.ini", ""), ("other.N.ini", "rc = 7"), ("other.N.log", OTHER_LOG), ("t.N.log", LOG)],
        };
        let store = self.snapshot();
        let is_kept =
            |(file, text): &(&str, &str)| store.get(&format!(".runs/N/{file}")).is_some_and(|it| it.contains(text));
        self.ensure(kept.iter().all(is_kept), "`init` loses what is over")
    }

    /// A begin that failed leaves no future; one that was killed at most one that is lost once nobody holds it. What
    /// was there before under that name can be waited for, or is kept with its log.
    fn after_begin(&mut self, state: Option<&str>, failed: bool) -> Result<(), String> {
        let before = self.subject.target == Target::Finished;
        self.ensure(!failed || matches!(state, None | Some("finished")), "a future that failed to begin is there")?;
        self.ensure(before || state != Some("finished"), "finished before it began")?;
        self.release();
        match state {
            None => {}
            Some("finished") => return self.wait("t", 3, LOG),
            Some(_) => self.wait("t", 125, "")?,
        }
        self.begin_again(".4194304.2")?;
        if before {
            let kept =
                self.snapshot().iter().any(|(name, content)| has_extension(name, "log") && content.contains(LOG));
            self.ensure(kept, "the log from before is lost")?;
            self.ensure(self.collected("t") >= 1, "the record from before is lost")?;
        }
        self.wait_for_lost()
    }

    /// With another record of the shell's, as this is how logs are made anew.
    fn begin_again(&self, id: &str) -> Result<(), String> {
        let record = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(self.store().join(format!(".starting/new{id}")))
            .expect("a record");
        let mut command = self.sandbox.command(binary_dir().join("async"));
        command.stdin(record.try_clone().expect("another descriptor"));
        let begun = self.program(&mut command, &["begin", "--fd", "0", "--id", id, "--", "t", "again"]);
        let _ = record.unlock();
        if begun.status == 0 { Ok(()) } else { Err(told("the name can't be used again", &begun)) }
    }

    fn wait_for_lost(&self) -> Result<(), String> {
        self.wait("t", 125, "")
    }

    fn after_end(&mut self, finished: &Finished) -> Result<(), String> {
        self.release();
        let state = self.states()?.remove("t");
        match state.as_deref() {
            Some("finished") => self.wait("t", 3, ""),
            Some("lost") if finished.status != 3 => self.wait("t", 125, ""),
            other => self.ensure(false, &format!("`end` left it {other:?}")),
        }
    }

    /// If the task could not be started its future says so, and nothing of it has run. Else it is as after `end`.
    fn after_fork(&mut self, state: Option<&str>, finished: &Finished) -> Result<(), String> {
        let ran = read(&self.store().join("t.log")).contains(GUEST_LOG);
        if state != Some("finished") || ran {
            return self.after_end(finished);
        }
        let waited = self.call(&["wait", "t"]);
        let says_so = waited.status == 125 && waited.stdout.contains("result 125 in 0 seconds (never started)\n");
        if says_so { Ok(()) } else { Err(told("`wait t` should say that the task never started", &waited)) }
    }

    /// Whatever becomes of the line about it, it runs on. Where its process could not be noted, that is said.
    fn after_launch(&mut self, state: Option<&str>, ran: &Ran) -> Result<(), String> {
        self.ensure(state == Some("running"), "what has been launched does not run")?;
        let noted = self.call(&["pid", "t"]).stdout == "4242\n";
        self.ensure(noted || ran.finished.status == 137 || ran.complains(), "its process is not known")?;
        self.release();
        self.wait_for_lost()
    }

    /// A start that failed leaves no future. One that was killed leaves one that runs or is lost, if any.
    fn after_run(&mut self, state: Option<&str>, ran: &Ran, failed: bool) -> Result<(), String> {
        let before = self.subject.target == Target::Finished;
        let is_new = !matches!(state, None | Some("finished"));
        let unheard = ran.finished.stderr.contains("did not say whether the task was started");
        self.ensure(!failed || !is_new || unheard, "a future that failed to start is there")?;
        self.release();
        match state {
            None => {}
            Some("finished") => self.wait("t", 3, LOG)?,
            Some(_) => {
                let waited = self.call(&["wait", "t"]);
                // The supervisor may have been stopped with the command.
                let lost = (ran.finished.status == 137 || unheard)
                    && waited.status == 125
                    && waited.stdout.contains("result unknown");
                if waited.status != 3 && !lost {
                    return Err(told("`wait t` should exit with 3", &waited));
                }
            }
        }
        self.ensure(!before || self.collected("t") >= 1, "the record from before is lost")
    }

    /// It may say that it has failed before the program has run, and then there is no future.
    fn after_supervising(&mut self, finished: &Finished) -> Result<(), String> {
        let never = ["error ", "failed "].iter().any(|word| finished.stderr.starts_with(word));
        self.release();
        match self.states()?.remove("t").as_deref() {
            Some("finished") if finished.status == 3 => self.wait("t", 3, ""),
            // Recorded, and killed before it could exit with that.
            Some("finished") if finished.status == 137 => self.wait("t", 3, ""),
            // It could not be held back.
            Some("finished") if finished.status == 125 => {
                let waited = self.call(&["wait", "t"]);
                let says_why = waited.status == 125 && waited.stdout.contains("can't be started: ");
                if says_why { Ok(()) } else { Err(told("`wait t` should say why it was not started", &waited)) }
            }
            Some("lost") if finished.status != 3 => self.wait("t", 125, ""),
            None if never && finished.status == 125 => Ok(()),
            other => self.ensure(false, &format!("the supervisor left it {other:?}")),
        }
    }

    fn after_cancel(&mut self) -> Result<(), String> {
        let again = self.call(&["cancel", "t"]);
        if again.status != 0 {
            return Err(told("`cancel` fails", &again));
        }
        self.release();
        self.wait("t", 143, LOG)
    }

    fn after_collect(&self, name: &str, ran: &Ran, live: bool) -> Result<(), String> {
        let (status, log) = match (name, self.subject.target) {
            ("other", _) => (7, OTHER_LOG),
            (_, Target::Lost | Target::Running) => (125, LOG),
            _ => (3, LOG),
        };
        let twice = self.subject.lacks.iter().any(|lack| lack.starts_with("renameat2:")) && ran.finished.status == 137;
        let collected = self.collected(name);
        self.ensure(usize::from(live) + collected == 1 || twice, "a future is lost or doubled")?;
        if collected > 0 {
            let output = format!("{}{}", ran.report, ran.finished.stdout);
            let begin = format!("[Async {name}:");
            let finished = |text: &str| text.starts_with(&begin) && text.contains("with result");
            let told = if self.subject.args.contains(&"--json") {
                output.contains(&format!("\"name\": \"{name}\"")) && output.ends_with("\n}\n")
            } else {
                output.contains(log) && output.lines().any(finished)
            };
            self.ensure(told, "taken out before it was handed over")?;
        }
        if live {
            self.wait(name, status, log)?;
        }
        let again = self.call(&["wait", name]);
        if again.status != 125 || !again.stderr.contains("there is no future") {
            return Err(told("handed over again", &again));
        }
        self.ensure(self.collected(name) == 1, "among the collected twice")
    }

    /// All is over, and the store is as good as new.
    fn can_go_on(&mut self) -> Result<(), String> {
        self.release();
        if self.states()?.contains_key("other") {
            self.wait("other", 7, OTHER_LOG)?;
        }
        for args in [["cleanup"], ["timing"]] {
            let done = self.call(&args);
            if done.status != 0 {
                return Err(told(&format!("{args:?} fails"), &done));
            }
        }
        let states = self.states()?;
        self.ensure(states.is_empty(), "`cleanup` leaves something")?;
        let torn = self.snapshot().iter().any(|(name, content)| has_extension(name, "ini") && !content.ends_with('\n'));
        self.ensure(!torn, "a record is torn")?;
        self.begin_again(".4194304.3")?;
        self.wait_for_lost()?;
        self.count_is_right()?;
        self.init()?;
        self.ensure(self.leftovers() == 0, "`init` leaves new records of the dead")
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

impl Ran {
    /// Whether nothing of it differs from a run where all went well.
    #[must_use]
    pub fn is_like(&self, good: &Self) -> bool {
        let outputs = |ran: &Self| (figures_apart(&ran.finished.stdout), figures_apart(&ran.report));
        self.finished.status == good.finished.status && outputs(self) == outputs(good) && self.store == good.store
    }

    /// Whether it says that it failed, to people and to programs.
    #[must_use]
    pub fn says_that_it_failed(&self) -> bool {
        let replied = self.finished.stdout.lines().last().is_some_and(|line| line.starts_with("done 125 "));
        let status = matches!(self.finished.status, 2 | 125) || self.finished.status == 0 && replied;
        status && self.complains()
    }

    /// Whether standard error has a message of ours, and nothing but such.
    #[must_use]
    pub fn complains(&self) -> bool {
        let stderr = &self.finished.stderr;
        !stderr.is_empty() && stderr.lines().all(|line| OURS.iter().any(|start| line.starts_with(start)))
    }

    /// Whether the store is as after a run where all went well.
    #[must_use]
    pub fn has_done_the_same(&self, good: &Self) -> bool {
        self.finished.status == good.finished.status && self.store == good.store
    }
}
