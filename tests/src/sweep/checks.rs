//! What must be true after a command.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Child;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use async_core::{Cause, Permissions, Record, Store};

use super::{Kind, LOG, OTHER_LOG, Ran, Sweep, TASK_LOG, Target, figures_apart, read, told};
use crate::mark::Mark;
use crate::shell::Finished;

/// The prefix of messages to people.
const TO_PEOPLE: &str = "async: ";

/// The prefixes of messages from a supervisor to the command that started it.
const FROM_SUPERVISORS: [&str; 2] = ["error ", "failed "];

/// The prefixes of lines about futures.
const LINES: [&str; 2] = ["[Async ", "WARNING: uncollected async future "];

/// How long something that is about to end may take. What goes on for longer counts as going on forever.
const TO_END: Duration = Duration::from_secs(60);

/// When the earlier futures began.
const BEFORE: i64 = 1_700_000_000_000;

/// The answer to a shell that wanted to start a task.
#[derive(Debug)]
enum Answer {
    /// It was started or queued, at that time.
    Started(i64),
    /// It was refused, with that status.
    Refused(i32),
    /// No answer, so the shell waits for the supervisor's end and reports that the task was not started.
    None,
}

/// The outcomes that are known to be right: what other commands do then has been seen. Outcomes that differ only in
/// numbers are the same, and seeing it again takes longer than everything else.
#[derive(Default)]
pub struct Outcomes(Mutex<HashSet<u64>>);

impl Outcomes {
    fn is_known(&self, outcome: u64) -> bool {
        self.0.lock().expect("nobody panics").contains(&outcome)
    }

    fn add(&self, outcome: u64) {
        self.0.lock().expect("nobody panics").insert(outcome);
    }
}

impl Sweep {
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

    /// How often the future is among the collected.
    fn collected(&self, name: &str) -> usize {
        let start = format!("{name}.");
        fs::read_dir(self.store().join(".collected"))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|file| file.starts_with(&start) && has_extension(file, "ini"))
            .count()
    }

    /// What must be true after the command, when it has `failed` or was killed (`ran.finished.status` is 137).
    ///
    /// The program hands a future over before it moves it out of the live ones, and the rename of its record is what
    /// moves it. So
    /// * if its record was not renamed, the future is live: the next wait gets its whole log and its status, even if
    ///   both had been printed before;
    /// * if its record was renamed, its whole log and its result had been printed before, and it is not handed over
    ///   again;
    /// * no future is neither, or both.
    ///
    /// The exception is a file system that can't rename without replacing: there the record has both names for a
    /// moment, and a command that is killed then leaves a future that is handed over once more.
    pub fn check(&mut self, ran: &Ran, failed: bool, outcomes: &Outcomes) -> Result<(), String> {
        let killed = ran.finished.status == 137;
        if !self.store().exists() {
            return self.ensure(self.subject.target == Target::NoStore, "the store is gone").and_then(|()| self.init());
        }
        self.count_is_right()?;
        let states = self.states()?;
        let ends = self.subject.kind == Kind::Tasks && self.subject.sleeps;
        self.ensure(
            !self.subject.busy || ends || states.get("busy").is_some_and(|state| state == "running"),
            "busy is harmed",
        )?;
        if self.subject.target != Target::NoStore && self.subject.kind != Kind::Inits && !self.takes("other") {
            self.ensure(states.get("other").is_some_and(|state| state == "finished"), "other is harmed")?;
        }
        let state = states.get("t").map(String::as_str);
        self.nobody_goes_on(state, killed)?;
        if self.subject.kind == Kind::Tasks {
            self.answer_is_true(state, ran)?;
        }
        let outcome = self.outcome(ran, failed, &states);
        if outcomes.is_known(outcome) {
            return Ok(());
        }
        match self.subject.kind {
            Kind::Inits => self.after_init(),
            Kind::Begins => self.after_begin(state, ran, failed && !killed),
            Kind::Tasks => self.after_task(state, ran),
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
        self.can_go_on()?;
        outcomes.add(outcome);
        Ok(())
    }

    /// The outcome of the command, without numbers, and without why it failed, which no other command learns: all that
    /// the checks after it depend on.
    fn outcome(&self, ran: &Ran, failed: bool, states: &BTreeMap<String, String>) -> u64 {
        let mut hasher = DefaultHasher::new();
        let texts = [&ran.finished.stdout, &ran.report, &ran.answer].map(|text| figures_apart(text));
        let lines = |starts: &[&str]| {
            let is_one = |line: &&str| starts.iter().any(|start| line.starts_with(start));
            let found: Vec<_> = ran.finished.stderr.lines().filter(is_one).map(figures_apart).collect();
            found
        };
        let told = (failed, ran.complains(), ran.is_unheard(), !lines(&FROM_SUPERVISORS).is_empty());
        let told = (told, ran.may_lack_a_line(), lines(&LINES));
        (self.subject.title, &self.bash, ran.finished.status, ran.tasks.len(), texts, told, &ran.store, states)
            .hash(&mut hasher);
        hasher.finish()
    }

    /// No process of the task of `t` outlives its supervisor for good: a supervisor that failed has ended its task. One
    /// that was killed could not; then the future is lost, and cancelling it ends what is left.
    ///
    /// A task that nobody ends goes on forever, so it suffices to wait for those that are about to end.
    fn nobody_goes_on(&self, state: Option<&str>, killed: bool) -> Result<(), String> {
        let supervised = matches!(state, Some("running" | "queued"));
        if !matches!(self.subject.kind, Kind::Tasks | Kind::Runs | Kind::Supervises) || supervised {
            return Ok(());
        }
        let lingering = self.settled(true);
        if killed && state == Some("lost") && !lingering.is_empty() {
            let cancelled = self.call(&["cancel", "--grace", "0", "t"]);
            let left = self.settled(false);
            let is_done = cancelled.status == 0 && left.is_empty();
            let what = format!("cancelled, it goes on: {left:?}");
            return if is_done { Ok(()) } else { Err(told(&what, &cancelled)) };
        }
        self.ensure(lingering.is_empty(), &format!("its task goes on without its supervisor: {lingering:?}"))
    }

    /// The processes of the command that still run once none is about to end. Those that go on forever say so, if there
    /// may be any.
    fn settled(&self, may_linger: bool) -> Vec<u32> {
        let own = self.process.as_ref().map(Child::id);
        let deadline = Instant::now() + TO_END;
        loop {
            let lingering = if may_linger { self.noted("lingering") } else { Vec::new() };
            let running = Mark::of_users(&self.folder()).running();
            let left: Vec<u32> = running.into_iter().filter(|pid| Some(*pid) != own).collect();
            if left.iter().all(|pid| lingering.contains(pid)) || Instant::now() > deadline {
                return left;
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Checks that the number of live futures is the number of their records, whether or not it was recorded before.
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

    /// Checks that a wait now hands the future over properly.
    fn wait(&self, name: &str, status: i32, log: &str) -> Result<(), String> {
        let waited = self.call(&["wait", name]);
        let result = if status == 125 { "result unknown".to_owned() } else { format!("result {status} ") };
        // What could not be copied from a terminal is missing there, and the wait says so.
        let is_told =
            self.subject.has_terminal() && waited.stderr.contains(" bytes of what it has printed are missing");
        let is_whole = waited.stdout.contains(log) || is_told;
        if waited.status == status && is_whole && waited.stderr.contains(&result) {
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

    /// A begin that failed leaves no future; one that was killed leaves at most one, which is lost once nothing holds
    /// it. An earlier future of that name can be waited for, or is kept with its log.
    fn after_begin(&mut self, state: Option<&str>, ran: &Ran, failed: bool) -> Result<(), String> {
        let before = self.subject.target == Target::Finished;
        self.ensure(!failed || matches!(state, None | Some("finished")), "a future that failed to begin is there")?;
        self.ensure(before || state != Some("finished"), "finished before it began")?;
        // A shell with an answer runs the task.
        self.ensure(ran.answer.is_empty() || state == Some("running"), "the shell is to run what has not begun")?;
        self.ensure(ran.finished.status != 0 || ran.answer == "1\n", "it says that it has begun, without an answer")?;
        self.release();
        match state {
            None => {}
            Some("finished") => return self.wait("t", 3, LOG),
            Some(_) => self.wait("t", 125, "")?,
        }
        self.run_again()?;
        self.ensure(!before || self.is_kept(), "what was there before is lost")
    }

    /// The shell's answer is true: a task that was refused, or whose supervisor did not answer, never ran and belongs
    /// to no future; a task that was started belongs to a future.
    fn answer_is_true(&mut self, state: Option<&str>, ran: &Ran) -> Result<(), String> {
        let killed = ran.finished.status == 137;
        self.release();
        let new = self.new_record()?;
        let text = new.as_ref().map(|_| read(&self.store().join("t.ini"))).unwrap_or_default();
        let is_noted = |pid: &u32| text.lines().any(|line| line == format!("task = {pid}"));
        self.ensure(ran.tasks.iter().all(is_noted), "a task that nothing tells of has run")?;
        let most = if self.subject.args.contains(&"--retry") { 2 } else { 1 };
        self.ensure(ran.tasks.len() <= most, "it has run too often")?;
        match ran.answered().ok_or_else(|| told("half an answer", &ran.finished))? {
            Answer::Started(at) => {
                let is_it = new.as_ref().is_some_and(|record| record.start_time == at);
                self.ensure(is_it, "what was started is not there")?;
            }
            Answer::Refused(status) => {
                self.ensure(status != 0 && ran.tasks.is_empty() && new.is_none(), "what was refused is there")?;
                self.ensure(killed || status == ran.finished.status, "it was refused with another status")?;
                self.ensure(ran.complains(), "it was refused without a reason")?;
            }
            Answer::None => {
                self.ensure(ran.finished.status != 0, "it is well without an answer")?;
                self.ensure(ran.tasks.is_empty(), "what the shell takes for not started has run")?;
                self.ensure(killed || ran.complains() && new.is_none(), "it failed without a word, or is still there")?;
            }
        }
        let running = self.subject.target == Target::Running;
        self.ensure(!running || state == Some("running") && ran.tasks.is_empty(), "another one was harmed")
    }

    /// A future that was started tells how it ended, or is lost if its supervisor was killed or says that it failed.
    fn after_task(&self, state: Option<&str>, ran: &Ran) -> Result<(), String> {
        if let Some(record) = self.new_record()? {
            self.after_start(&record, state, ran)?;
        }
        if state.is_some() && self.record()?.is_some_and(|record| record.start_time == BEFORE) {
            let running = self.subject.target == Target::Running;
            return if running { self.wait("t", 125, LOG) } else { self.wait("t", 3, LOG) };
        }
        self.run_again()?;
        self.ensure(self.subject.target != Target::Finished || self.is_kept(), "what was there before is lost")
    }

    /// What the started future says.
    fn after_start(&self, record: &Record, state: Option<&str>, ran: &Ran) -> Result<(), String> {
        let killed = ran.finished.status == 137;
        let Some(rc) = record.rc else {
            self.ensure(state == Some("lost"), "it has no end, and is not lost")?;
            self.ensure(killed || ran.says_that_it_failed(), "its supervisor left it without a word")?;
            return self.wait("t", 125, "");
        };
        self.ensure(state == Some("finished"), "it has an end, and is not over")?;
        self.ensure(killed || ran.finished.status == rc, "its supervisor has another status")?;
        if rc == 3 {
            self.ensure(!ran.tasks.is_empty(), "it has the status of a task that did not run")?;
            return self.wait("t", 3, TASK_LOG);
        }
        let never =
            matches!(record.cause, Some(Cause::Skipped | Cause::Unstartable)) && record.attempts.unwrap_or(0) == 0;
        self.ensure(never == ran.tasks.is_empty(), "it does not say whether it ran")?;
        // The record itself names the failed dependency; for other reasons there is the log.
        let why =
            if record.cause == Some(Cause::Skipped) { "a future that it depends on" } else { "can't be started: " };
        let waited = self.call(&["wait", "t"]);
        let text = waited.stdout.clone() + &waited.stderr;
        let is_told = waited.status == 125 && ["(never started", why].iter().all(|part| text.contains(part));
        if is_told { Ok(()) } else { Err(told("`wait t` should say why it was not started", &waited)) }
    }

    /// The record of `t`, as a program finds it.
    fn record(&self) -> Result<Option<Record>, String> {
        let store = Store::open(&self.store(), Permissions::Private).map_err(|error| error.to_string())?;
        store.read(&"t".parse().expect("a name")).map_err(|error| error.to_string())
    }

    /// The record of a future of that name which the command has begun.
    fn new_record(&self) -> Result<Option<Record>, String> {
        Ok(self.record()?.filter(|record| record.start_time != BEFORE))
    }

    /// Whether the earlier record and log are among the collected.
    fn is_kept(&self) -> bool {
        let store = self.snapshot();
        let mut kept = store.iter().filter(|(name, _)| name.starts_with(".collected/t."));
        let log = kept.clone().any(|(name, content)| has_extension(name, "log") && content.contains(LOG));
        log && kept.any(|(name, content)| has_extension(name, "ini") && content.contains("rc = 3"))
    }

    /// Starts another future of that name, with its own log.
    fn run_again(&self) -> Result<(), String> {
        let run = self.call(&["run", "t", "--", "true"]);
        if run.status != 0 {
            return Err(told("the name can't be used again", &run));
        }
        let waited = self.call(&["wait", "t"]);
        if waited.status == 0 && waited.stdout.is_empty() {
            Ok(())
        } else {
            Err(told("`wait t` should say nothing of before", &waited))
        }
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

    /// A start that failed leaves no future. One that was killed leaves at most one, which is running or lost.
    fn after_run(&mut self, state: Option<&str>, ran: &Ran, failed: bool) -> Result<(), String> {
        let before = self.subject.target == Target::Finished;
        let is_new = !matches!(state, None | Some("finished"));
        let unheard = ran.is_unheard();
        self.ensure(!failed || !is_new || unheard, "a future that failed to start is there")?;
        self.release();
        match state {
            None => {}
            Some("finished") => self.wait("t", 3, LOG)?,
            Some(_) => {
                let waited = self.call(&["wait", "t"]);
                // The supervisor may have been stopped together with the command.
                let lost = (ran.finished.status == 137 || unheard)
                    && waited.status == 125
                    && waited.stderr.contains("result unknown");
                if waited.status != 3 && !lost {
                    return Err(told("`wait t` should exit with 3", &waited));
                }
            }
        }
        self.ensure(!before || self.collected("t") >= 1, "the record from before is lost")
    }

    /// It may report that it failed before the program ran, and then there is no future.
    fn after_supervising(&mut self, finished: &Finished) -> Result<(), String> {
        let never = FROM_SUPERVISORS.iter().any(|word| finished.stderr.starts_with(word));
        self.release();
        match self.states()?.remove("t").as_deref() {
            Some("finished") if finished.status == 3 => self.wait("t", 3, ""),
            // Recorded, and killed before it could exit with that status.
            Some("finished") if finished.status == 137 => self.wait("t", 3, ""),
            // The task could not be held back.
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
            let devstack = self.subject.args.contains(&"devstack");
            let lines = if devstack { &ran.report } else { &ran.finished.stderr };
            let begin = format!("[Async {name}:");
            let finished = |text: &str| text.starts_with(&begin) && text.contains("with result");
            let told = if self.subject.args.contains(&"--json") {
                output.contains(&format!("\"name\": \"{name}\"")) && output.ends_with("\n}\n")
            } else {
                // The status tells too.
                output.contains(log) && (ran.may_lack_a_line() || lines.lines().any(finished))
            };
            self.ensure(told, "taken out before it was handed over")?;
        }
        if live {
            self.wait(name, status, log)?;
        }
        let again = self.call(&["wait", name]);
        // A repeated wait returns its status again, unless it has been cleared away, and no log.
        if again.status != status || !again.stdout.is_empty() || !again.stderr.contains("]: collected before: ") {
            return Err(told("handed over again", &again));
        }
        self.ensure(self.collected(name) == 1, "among the collected twice")
    }

    /// Checks that everything is over and the store is usable.
    fn can_go_on(&mut self) -> Result<(), String> {
        self.release();
        if self.states()?.contains_key("other") {
            self.wait("other", 7, OTHER_LOG)?;
        }
        let cleanup = self.call(&["cleanup"]);
        // A failure may be reported.
        let is_wrong = |line: &str| line.starts_with("async: ") && !line.contains(" failed: ");
        if cleanup.stderr.lines().any(is_wrong) || cleanup.stderr.contains("could not be waited for") {
            return Err(told("`cleanup` fails", &cleanup));
        }
        let timing = self.call(&["timing"]);
        if timing.status != 0 {
            return Err(told("`timing` fails", &timing));
        }
        let states = self.states()?;
        self.ensure(states.is_empty(), "`cleanup` leaves something")?;
        let torn = self.snapshot().iter().any(|(name, content)| has_extension(name, "ini") && !content.ends_with('\n'));
        self.ensure(!torn, "a record is torn")?;
        self.run_again()?;
        self.count_is_right()?;
        self.init()?;
        self.ensure(self.leftovers() == 0, "`init` leaves new records of the dead")
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

impl Ran {
    /// Whether it differs in nothing from a run without faults.
    #[must_use]
    pub fn is_like(&self, good: &Self) -> bool {
        let outputs = |ran: &Self| (figures_apart(&ran.finished.stdout), figures_apart(&ran.report));
        outputs(self) == outputs(good) && self.has_done_the_same(good)
    }

    /// The texts of the answer, with numbers replaced except in statuses.
    fn answers(&self) -> Vec<String> {
        let ends = ['\0', '\n'];
        let statuses = if self.answer.contains('\0') { 1 } else { 2 };
        let texts = self.answer.split(ends).enumerate();
        texts.map(|(index, text)| if index < statuses { text.to_owned() } else { figures_apart(text) }).collect()
    }

    /// The shell's reading of a supervisor's answer; none if it is unreadable.
    fn answered(&self) -> Option<Answer> {
        if self.answer.is_empty() {
            return Some(Answer::None);
        }
        // The two dots come first; a trap of the script may have read them.
        let (status, rest) = self.answer.trim_start_matches('.').split_once('\0')?;
        let (remembered, rest) = rest.split_once('\0')?;
        // The name too, if it is known.
        let time = if remembered == "0" { remembered } else { remembered.strip_suffix("/t")? };
        let (is_refused, time) = time.strip_prefix("refused ").map_or((time == "0", time), |time| (true, time));
        match (status.parse().ok()?, is_refused, time.parse().ok()?, rest) {
            (0, false, time, "") => Some(Answer::Started(time)),
            (status, true, _, "") if status != 0 => Some(Answer::Refused(status)),
            _ => None,
        }
    }

    /// Whether it reports a failure, to people and to programs.
    #[must_use]
    pub fn says_that_it_failed(&self) -> bool {
        let replied = self.answer.starts_with("done\n125\n");
        // If another future has failed before, this one has no status of its own here.
        let is_one_of_several = self.finished.status != 0 && self.finished.stderr.contains("` could not be waited for");
        let status =
            matches!(self.finished.status, 2 | 125) || self.finished.status == 0 && replied || is_one_of_several;
        status && self.complains()
    }

    /// Whether standard error has a message of ours, and nothing but messages and lines about futures.
    #[must_use]
    pub fn complains(&self) -> bool {
        let stderr = &self.finished.stderr;
        let is_one_of = |starts: &[&str], line: &str| starts.iter().any(|start| line.starts_with(start));
        let is_ours = |line: &str| line.starts_with(TO_PEOPLE) || is_one_of(&FROM_SUPERVISORS, line);
        stderr.lines().any(is_ours) && stderr.lines().all(|line| is_ours(line) || is_one_of(&LINES, line))
    }

    /// Whether writing to standard error was made to fail.
    fn may_lack_a_line(&self) -> bool {
        self.calls.iter().any(|call| call.is_on_errors() && call.text.ends_with("(INJECTED)"))
    }

    /// Whether the command does not know if a task was started.
    fn is_unheard(&self) -> bool {
        self.finished.stderr.contains("did not say whether the task was started")
    }

    /// Whether the store and the answer are the same as after a run without faults.
    #[must_use]
    pub fn has_done_the_same(&self, good: &Self) -> bool {
        self.results() == good.results() && self.store == good.store
    }

    /// Whether status and answer are those of a run without faults, and the record says how much of the output its log lacks.
    #[must_use]
    pub fn has_counted_missing_output(&self, good: &Self) -> bool {
        self.results() == good.results() && self.store.values().any(|text| text.contains("\nunlogged = "))
    }

    /// The same, ignoring remarks in the log of `t`.
    #[must_use]
    pub fn lacks_only_remarks(&self, good: &Self) -> bool {
        let without = |ran: &Self| {
            let mut store = ran.store.clone();
            if let Some(log) = store.get_mut("t.log") {
                *log = log.lines().filter(|line| !line.starts_with("[Async t:")).collect();
            }
            store
        };
        self.results() == good.results() && without(self) == without(good)
    }

    fn results(&self) -> (i32, Vec<String>, usize) {
        (self.finished.status, self.answers(), self.tasks.len())
    }
}
