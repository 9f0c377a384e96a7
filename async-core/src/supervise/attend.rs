//! Attending a job: supervising a task that runs on an engine.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use nix::sys::signal::Signal;

use super::events::Event;
use super::launcher::{Caller, Launcher};
use super::sleeper::Sleeper;
use super::{Begun, FAILED, Supervisor, TERMINATED, TIMED_OUT, ends_attempts};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::interruption::again;
use crate::launch::{
    Answer, Ask, Elsewhere, Engine, Folder, Heard, Job, JobEnd, Launch, Over, Stands, Submission, Submitted, Target,
    grace,
};
use crate::record::{Argument, Cause, Line};
use crate::store::{End, INSIDE};
use crate::tree::Ended;

/// How often to look for reports of a job, in ms: soon after news, and less often the longer there is none.
const OFTEN: Millis = 100;
const SELDOM: Millis = 1000;
/// How often to look at the engine's stored answer. The engine itself is asked less often.
const LOOK: Millis = 2000;
const HURRY: Millis = 250;
/// How long the starting command waits for the engine's answer, in ms.
const ANSWER: Millis = 15_000;
/// How long to wait for the engine's answer on a job that has reported its end itself, in ms.
const LAST_WORDS: Millis = 10_000;
/// The same if only the cause of its death is missing.
const CAUSE: Millis = 4000;
/// How late the reports of a job that was asked to end may be, in ms.
const LATE: Millis = 2000;
/// How often to record why an engine holds a job back; the record has to stay short.
const MOST_REASONS: usize = 100;
/// How long to ask the engine more often about a job that it may not have, in ms.
const DOUBT: Millis = 60_000;
/// The exit status of a task that was killed.
const KILLED: i32 = 128 + Signal::SIGKILL as i32;

/// The result of a thread.
enum Back {
    Heard(io::Result<Heard>),
    Answered(io::Result<Option<Answer>>),
    Told(io::Result<()>),
    Submitted(Submitted),
}

/// A repeated query: whether one is under way, and when the next one is due.
struct Round {
    running: Option<Sleeper<Back>>,
    next: Millis,
}

impl Round {
    fn at(next: Millis) -> Self {
        Self { running: None, next }
    }

    fn is_due(&self, now: Millis) -> bool {
        self.running.is_none() && now >= self.next
    }
}

/// A task that has to end.
struct Ending {
    cause: Cause,
    /// How long it has for that, in ms.
    grace: Millis,
    /// When it is to be killed, in ms since boot.
    kill_at: Millis,
    /// The last request to it, which may have to be repeated.
    asked: Option<Ask>,
}

/// How an attempt ended.
enum Followed {
    End(End),
    /// Unknown how.
    Lost,
}

/// Everything that is known about the current attempt.
struct Attempt {
    job: Arc<Job>,
    engine: Arc<dyn Engine>,
    /// How much of its output is in the future's log, in bytes.
    copied: u64,
    has_started: bool,
    /// Whether the future was begun on another host, and the engine that this one asks has not known the job so far.
    may_ask_another: bool,
    /// The last answer whose question may be older than the submission.
    before: u64,
    end: Option<(JobEnd, Millis)>,
    /// When its output last grew here, in ms since boot.
    grew: Millis,
    over: Option<(Over, Millis)>,
    /// Until when it is asked more often whether it has the job, in ms since boot.
    doubt: Option<Millis>,
    /// Since when the engine has not known the job, in ms since boot.
    unknown: Option<Millis>,
    /// When its reports could last be read, in ms since boot.
    heard: Option<Millis>,
    is_drained: bool,
    reasons: usize,
    reason: Option<String>,
    ending: Option<Ending>,
    /// How long its output was, in bytes, before something made it shorter.
    log_cut: Option<u64>,
}

/// Runs a task as jobs on an engine, which go on without this process.
pub(super) struct Attendant {
    elsewhere: Elsewhere,
    launch: Option<Launch>,
    engine: Option<Arc<dyn Engine>>,
    /// The attempt that was submitted before, and when the task started, in ms since the epoch.
    resumed: Option<(Submission, Option<Millis>)>,
    /// That of the last attempt.
    job: Option<Arc<Job>>,
}

impl Attendant {
    pub(super) fn new(elsewhere: Elsewhere) -> Self {
        Self { elsewhere, launch: None, engine: None, resumed: None, job: None }
    }
}

impl Launcher for Attendant {
    fn is_child(&self) -> bool {
        false
    }

    fn enter(&mut self, supervisor: &mut Supervisor<'_>, _log: &File) -> Result<()> {
        supervisor.record.add(&[Line::Pid(std::process::id().to_string())])
    }

    fn is_resumed(&self) -> bool {
        self.elsewhere.program.is_none()
    }

    fn make_ready(&mut self, supervisor: &mut Supervisor<'_>) -> Result<()> {
        let unknown = || supervisor.store.unknown(supervisor.name);
        let launch = match self.elsewhere.program.take() {
            None => {
                let record = supervisor.record.read()?;
                self.resumed = Some((record.submission.ok_or_else(unknown)?, record.run_start));
                record.launch.ok_or_else(unknown)?
            }
            Some(mut program) => {
                if supervisor.plan.on.as_ref().is_some_and(Target::is_cluster) {
                    // Another host's program says that itself.
                    program.variables.push((INSIDE.into(), supervisor.store.place_of(supervisor.name)));
                }
                let within = self.elsewhere.folders.take().unwrap_or_else(|| supervisor.store.jobs_path());
                let made =
                    Folder::make(&within, &new_token()?).and_then(|folder| folder.fill(&program).map(|()| folder));
                let folder = made.map_err(Error::io("make the folder of a job in", &within))?;
                let token = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
                let launch = Launch { folder: Argument::from(folder.path().as_os_str()), token };
                supervisor.launch_on_one(&within, &launch)?;
                launch
            }
        };
        let plan = &supervisor.plan;
        let engine = plan.on.as_ref().and_then(|target| target.engine(&plan.sbatch, &launch));
        self.engine = Some(engine.ok_or_else(|| supervisor.store.unknown(supervisor.name))?);
        self.launch = Some(launch);
        Ok(())
    }

    fn first_attempt(&self) -> u32 {
        self.resumed.map_or(1, |(submission, _)| submission.attempt)
    }

    fn run(
        &mut self,
        supervisor: &mut Supervisor<'_>,
        number: u32,
        _more: bool,
        log: &File,
        caller: &mut Caller<'_>,
    ) -> Result<End> {
        let (Some(launch), Some(engine)) = (&self.launch, &self.engine) else {
            return Err(supervisor.store.unknown(supervisor.name));
        };
        let job = Arc::new(Job::new(supervisor.name.as_str(), launch, number));
        self.job = Some(Arc::clone(&job));
        let length = log.metadata().map_err(Error::io("look at", &supervisor.store.log_path(supervisor.name)))?.len();
        let mut attempt = Attempt::new(&job, engine);
        attempt.may_ask_another = supervisor.record.read()?.other_host().is_some();
        if let Some((submission, run_start)) = self.resumed.take() {
            attempt.copied = length.saturating_sub(submission.log_from);
            if let Some(start) = run_start {
                supervisor.run_start = clock::since_boot().saturating_sub(clock::wall().saturating_sub(start));
                supervisor.has_started = true;
            }
        } else {
            job.folder.make_ready(number).map_err(Error::io("write to the folder", job.folder.path()))?;
            supervisor.record.add(&[Line::Submission(Submission { attempt: number, log_from: length })])?;
            if let Some(end) = supervisor.submit(&mut attempt, log, caller)? {
                return Ok(end);
            }
        }
        match supervisor.follow(&mut attempt, log, caller)? {
            Followed::End(end) => {
                if attempt.end.is_some_and(|(end, _)| !attempt.has_all(end)) {
                    supervisor.say(log, "the rest of its output can't be read, or not be written here");
                }
                if let (Some(Cause::Unstartable), Some(why)) = (end.cause, &attempt.reason) {
                    return Ok(supervisor.unstartable(log, end.rc, why));
                }
                Ok(end)
            }
            Followed::Lost => {
                supervisor.say(log, "the engine does not know its job any more, and the job has not said how it ended");
                supervisor.record.add(&[Line::Gone(clock::wall())])?;
                job.folder.remove();
                Err(Error::Gone(supervisor.name.to_string()))
            }
        }
    }

    fn may_repeat(&self, end: &End) -> bool {
        end.cause.is_none_or(Cause::is_of_the_engine)
    }

    fn clear(&mut self, _supervisor: &mut Supervisor<'_>) -> Result<()> {
        if let (Some(engine), Some(job)) = (self.engine.clone(), self.job.take()) {
            // What is left of it is in nobody's way, so nobody waits for the thread.
            drop(Sleeper::start(move || {
                engine.clean(&job);
                Ok(())
            })?);
        }
        Ok(())
    }

    fn clean_up(&mut self) {
        // Until then, the next attendant finds there what the job has said.
        if let (Some(engine), Some(job)) = (&self.engine, &self.job) {
            engine.clean(job);
            job.folder.remove();
        }
    }
}

impl Supervisor<'_> {
    /// Records the launch, and which host it is for if its plan has several: the one with the fewest jobs, in the order
    /// in which they are named.
    fn launch_on_one(&mut self, within: &Path, launch: &Launch) -> Result<()> {
        let Some(Target::AnyOf(hosts)) = &self.plan.on else {
            return self.record.add(&[Line::Launch(launch.clone())]);
        };
        // Two that choose at once would not see each other.
        let path = within.join("hosts.lock");
        let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(Error::io("open", &path))?;
        again(|| lock.lock()).map_err(Error::io("lock", &path))?;
        let busy = self.store.busy_hosts()?;
        let jobs = |host: &&String| busy.iter().filter(|busy| *busy == *host).count();
        let chosen = hosts.iter().min_by_key(jobs).cloned().map(Target::Ssh);
        let lines = chosen.clone().map(Line::On).into_iter().chain([Line::Launch(launch.clone())]);
        self.record.add(&lines.collect::<Vec<_>>())?;
        self.plan.on = chosen;
        Ok(())
    }

    /// Submits it. Returns the end if the engine refuses it after the caller was told that it is queued.
    fn submit(&mut self, attempt: &mut Attempt, log: &File, caller: &mut Caller<'_>) -> Result<Option<End>> {
        attempt.before = attempt.engine.last_answer(&attempt.job);
        let submitting = attempt.start(|engine, job| Back::Submitted(engine.submit(job)))?;
        let mut patience = clock::since_boot().saturating_add(ANSWER);
        let submitted = loop {
            match self.next(&[submitting.pending()], Some(patience))? {
                Event::Woken(_) => {
                    if let Back::Submitted(submitted) = submitting.result()? {
                        break submitted;
                    }
                }
                Event::TimeUp => {
                    patience = Millis::MAX;
                    tell(caller);
                }
                Event::Signal(signal) if ends_attempts(signal) => {
                    // It may have been submitted by now.
                    tell(caller);
                    return Err(Error::Unattended(self.name.to_string()));
                }
                _ => {}
            }
        };
        match submitted {
            Submitted::Accepted(id) => self.record.add(&[Line::Job(id)])?,
            Submitted::Refused(why) if !caller.is_told => {
                attempt.job.folder.remove();
                return Err(Error::NotSubmitted(why));
            }
            Submitted::Refused(why) => return Ok(Some(self.unstartable(log, FAILED, &why))),
            // Attend it as if the engine had it, until the engine denies that.
            Submitted::Unknown(why) => {
                self.record.add(&[Line::Reason(printable(&why))])?;
                attempt.reason = Some(why);
                attempt.doubt = Some(clock::since_boot() + DOUBT);
            }
        }
        tell(caller);
        Ok(None)
    }

    /// Attends one attempt to its end.
    fn follow(&mut self, attempt: &mut Attempt, log: &File, caller: &mut Caller<'_>) -> Result<Followed> {
        let now = clock::since_boot();
        let (mut hear, mut ask, mut order) = (Round::at(now), Round::at(now + OFTEN), Round::at(now));
        let mut pause = OFTEN;
        loop {
            let now = clock::since_boot();
            self.end_if_asked(attempt, now);
            if let Some(followed) = attempt.verdict(now) {
                return Ok(followed);
            }
            if hear.is_due(now) {
                let from = attempt.copied;
                hear.running = Some(attempt.start(move |engine, job| Back::Heard(engine.hear(job, from)))?);
            }
            if ask.is_due(now) {
                let hurry = attempt.is_in_a_hurry();
                ask.running = Some(attempt.start(move |engine, job| Back::Answered(engine.ask(job, hurry)))?);
            }
            if order.is_due(now)
                && let Some(what) = attempt.next_order(now)
            {
                order.running = Some(attempt.start(move |engine, job| Back::Told(engine.tell(job, what)))?);
            }
            let rounds = [&hear, &ask, &order];
            let pending: Vec<_> = rounds.map(|round| round.running.as_ref().and_then(Sleeper::pending)).into();
            let due = rounds.iter().filter(|round| round.running.is_none() && round.next > now).map(|round| round.next);
            let deadline = self.deadline().filter(|_| attempt.has_started && attempt.ending.is_none());
            let wake = due.chain(deadline).chain([attempt.next_moment(now)]).min();
            match self.next(&pending, wake)? {
                Event::Woken(index) => {
                    let round = [&mut hear, &mut ask, &mut order].into_iter().nth(index);
                    let Some(sleeper) = round.and_then(|round| round.running.take()) else { continue };
                    let now = clock::since_boot();
                    match sleeper.result()? {
                        Back::Heard(heard) => {
                            let is_new = self.take_in(attempt, heard, log, caller)?;
                            pause = if is_new { OFTEN } else { (pause * 3 / 2).min(SELDOM) };
                            hear.next = if is_new && !attempt.is_drained { now } else { now.saturating_add(pause) };
                        }
                        Back::Answered(answer) => {
                            self.take_answer(attempt, answer)?;
                            ask.next = now.saturating_add(if attempt.is_in_a_hurry() { HURRY } else { LOOK });
                        }
                        Back::Told(result) => {
                            if result.is_err()
                                && let Some(ending) = &mut attempt.ending
                            {
                                ending.asked = None;
                            }
                            order.next = now.saturating_add(SELDOM);
                            ask.next = now;
                        }
                        Back::Submitted(_) => {}
                    }
                }
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone => ask.next = ask.next.min(now + HURRY),
                Event::Signal(signal) if ends_attempts(signal) => {
                    let record = self.record.read()?;
                    if self.store.is_cancelled_around(&record) {
                        self.script_is_gone.set(true);
                        continue;
                    }
                    tell(caller);
                    // The next process that asks attends it again.
                    return Err(Error::Unattended(self.name.to_string()));
                }
                Event::Signal(signal @ (Signal::SIGUSR1 | Signal::SIGUSR2)) => {
                    let sent = attempt.start(move |engine, job| Back::Told(engine.tell(job, Ask::Signal(signal))))?;
                    // Nobody waits for the thread.
                    drop(sent);
                }
                Event::Signal(_) | Event::TimeUp | Event::LogCut(_) | Event::Relayed => {}
            }
        }
    }

    /// Ends it if somebody has asked for that or it has timed out.
    fn end_if_asked(&mut self, attempt: &mut Attempt, now: Millis) {
        if attempt.ending.is_some() || attempt.end.is_some() {
            return;
        }
        let is_late = attempt.has_started && self.deadline().is_some_and(|deadline| now >= deadline);
        let (cause, grace) = match self.cancelled() {
            Some(grace) => (Cause::Cancelled, grace),
            None if is_late => (Cause::Timeout, self.plan.grace()),
            None => return,
        };
        self.stop_retrying = true;
        attempt.ending = Some(Ending { cause, grace, kill_at: now.saturating_add(grace), asked: None });
    }

    /// Processes the reports and output of the job. Returns whether there were any.
    fn take_in(
        &mut self,
        attempt: &mut Attempt,
        heard: io::Result<Heard>,
        log: &File,
        caller: &mut Caller<'_>,
    ) -> Result<bool> {
        let now = clock::since_boot();
        let heard = match heard {
            Ok(heard) => heard,
            // So long after the job's end it is gone for good.
            Err(error) if error.kind() == ErrorKind::NotFound => Heard::default(),
            Err(_) => return Ok(false),
        };
        attempt.heard = Some(now);
        if let (None, Some(length)) = (attempt.log_cut, heard.log_cut) {
            attempt.log_cut = Some(length);
            self.record.add(&[Line::LogCut(length)])?;
            self.say(log, "its output has become shorter there, as by `>/dev/stderr`, so some of it is missing here");
        }
        let mut is_new = !heard.output.is_empty();
        if attempt.has_started && heard.start.is_none() {
            attempt.doubt.get_or_insert(now + DOUBT);
        }
        if let Some(start) = heard.start.filter(|_| !attempt.has_started) {
            attempt.has_started = true;
            is_new = true;
            let mut lines = vec![Line::Job(printable(&start.id)), Line::Node(printable(&start.node))];
            if !mem::replace(&mut self.has_started, true) {
                let ran = heard.end.map_or(0, |end| end.run_time);
                self.run_start = now.saturating_sub(ran);
                lines.extend([Line::RunStart(clock::wall().saturating_sub(ran)), Line::RunBoot(self.run_start)]);
            }
            self.record.add(&lines)?;
            let _ = caller.runs();
            caller.is_told = true;
        }
        match (&mut attempt.end, heard.end) {
            (None, Some(end)) => {
                attempt.end = Some((end, now));
                is_new = true;
            }
            // Its output may have become readable, or unreadable.
            (Some((known, _)), Some(end)) => known.log_bytes = end.log_bytes,
            (_, None) => {}
        }
        attempt.is_drained = heard.output.is_empty();
        let written = copy(log, &heard.output);
        if written > 0 {
            attempt.copied += written;
            attempt.grew = now;
        }
        if attempt.end.is_none() {
            tell(caller);
        }
        Ok(is_new)
    }

    fn take_answer(&mut self, attempt: &mut Attempt, answer: io::Result<Option<Answer>>) -> Result<()> {
        let Answer { number, job } = match answer {
            Ok(Some(answer)) => answer,
            Err(error) if !attempt.has_started && attempt.reason.is_none() => {
                let why = error.to_string();
                self.record.add(&[Line::Reason(printable(&why))])?;
                attempt.reason = Some(why);
                return Ok(());
            }
            Ok(None) | Err(_) => return Ok(()),
        };
        let now = clock::since_boot();
        let Some((id, stands)) = job else {
            // An answer to a question from before the submission says nothing, and another host may ask another engine.
            if !attempt.may_ask_another && number >= attempt.before.saturating_add(2) {
                attempt.unknown.get_or_insert(now);
            }
            return Ok(());
        };
        attempt.unknown = None;
        attempt.may_ask_another = false;
        match stands {
            Stands::Pending(reason) => {
                attempt.over = None;
                if attempt.reasons < MOST_REASONS && attempt.reason.as_ref() != Some(&reason) {
                    self.record.add(&[Line::Job(id), Line::Reason(printable(&reason))])?;
                    attempt.reasons += 1;
                    attempt.reason = Some(reason);
                }
            }
            Stands::Active => attempt.over = None,
            Stands::Over(over) => {
                attempt.over.get_or_insert((over, now));
            }
        }
        Ok(())
    }
}

impl Attempt {
    fn new(job: &Arc<Job>, engine: &Arc<dyn Engine>) -> Self {
        Self {
            job: Arc::clone(job),
            engine: Arc::clone(engine),
            copied: 0,
            has_started: false,
            may_ask_another: false,
            before: engine.last_answer(job),
            end: None,
            grew: 0,
            over: None,
            doubt: None,
            unknown: None,
            heard: None,
            is_drained: false,
            reasons: 0,
            reason: None,
            ending: None,
            log_cut: None,
        }
    }

    fn start(&self, work: impl FnOnce(&dyn Engine, &Job) -> Back + Send + 'static) -> Result<Sleeper<Back>> {
        let (engine, job) = (Arc::clone(&self.engine), Arc::clone(&self.job));
        Sleeper::start(move || Ok(work(&*engine, &job)))
    }

    /// Whether to ask the engine more often than usual.
    fn is_in_a_hurry(&self) -> bool {
        let is_doubtful = self.doubt.is_some_and(|until| clock::since_boot() < until);
        is_doubtful || self.ending.is_some() || self.end.is_some()
    }

    /// The next request to the job.
    fn next_order(&mut self, now: Millis) -> Option<Ask> {
        let ending = self.ending.as_mut().filter(|_| self.end.is_none() && self.over.is_none())?;
        let wanted = if now >= ending.kill_at { Ask::Kill } else { Ask::End(ending.grace) };
        if ending.asked == Some(wanted) {
            return None;
        }
        ending.asked = Some(wanted);
        Some(wanted)
    }

    /// When to look again even if nothing happens, in ms since boot.
    fn next_moment(&self, now: Millis) -> Millis {
        let kill = self.ending.as_ref().map(|ending| ending.kill_at).filter(|at| *at > now);
        kill.map_or(now + SELDOM, |kill| kill.min(now + SELDOM))
    }

    /// How it ended, if it has. Only the job can say that it succeeded.
    fn verdict(&self, now: Millis) -> Option<Followed> {
        match self.end {
            Some((end, since)) => self.said_end(end, now - since, now - since.max(self.grew)),
            None => self.silent_end(now),
        }
    }

    /// Whether its whole output is here.
    fn has_all(&self, end: JobEnd) -> bool {
        self.is_drained && end.log_bytes.is_some_and(|bytes| self.copied >= bytes)
    }

    /// The end of a job that said `ago` ms ago how its task ended, and whose output last grew `still` ms ago.
    fn said_end(&self, end: JobEnd, ago: Millis, still: Millis) -> Option<Followed> {
        if !self.has_all(end) && still < grace() {
            return None;
        }
        let mut rc = i32::from(end.rc);
        let is_gone = self.over.is_some() || self.unknown.is_some();
        let mut cause = self.ending.as_ref().map(|ending| ending.cause);
        if self.ending.is_some() && !is_gone && ago < LAST_WORDS {
            return None;
        }
        if cause == Some(Cause::Timeout) {
            rc = TIMED_OUT;
        }
        if cause.is_none() && (end.was_terminated || matches!(rc, KILLED | TERMINATED)) {
            // A task that ends with 0 on SIGTERM may not be done; only the engine knows why it came.
            let patience = if end.was_terminated && rc == 0 { grace() } else { CAUSE };
            if !is_gone && ago < patience {
                return None;
            }
            let named = match self.over {
                Some((Over::For(named), _)) => Some(named),
                _ => None,
            };
            cause = named;
            if named == Some(Cause::Timeout) {
                rc = TIMED_OUT;
            } else if rc == 0 && (named.is_some() || self.over.is_none()) {
                rc = TERMINATED;
            }
        }
        Some(Followed::End(End { rc, cause, ended: self.ended(), run_time: Some(end.run_time), ..End::default() }))
    }

    /// The end of a job that has not reported one, if the engine says that it is over, or does not know it.
    fn silent_end(&self, now: Millis) -> Option<Followed> {
        let grace = if self.ending.is_some() { grace().min(LATE) } else { grace() };
        // Its reports were read once more after that.
        let is_past = |since: Millis| {
            let until = since.saturating_add(grace);
            now >= until && self.heard.is_some_and(|heard| heard >= until)
        };
        let over = self.over.filter(|(_, since)| is_past(*since));
        let is_unknown = self.unknown.is_some_and(is_past);
        let end =
            |rc, cause| Some(Followed::End(End { rc, cause: Some(cause), ended: self.ended(), ..End::default() }));
        match (&self.ending, over) {
            (Some(ending), over) if over.is_some() || is_unknown => match ending.cause {
                Cause::Timeout => end(TIMED_OUT, Cause::Timeout),
                cause if ending.asked == Some(Ask::Kill) => end(KILLED, cause),
                cause => end(TERMINATED, cause),
            },
            (_, Some((Over::For(cause), _))) => match cause {
                Cause::Timeout => end(TIMED_OUT, cause),
                Cause::Cancelled => end(TERMINATED, cause),
                Cause::Memory => end(KILLED, cause),
                cause => end(FAILED, cause),
            },
            (_, Some((Over::Itself, _))) => end(FAILED, Cause::Silent),
            (None, None) if is_unknown && !self.has_started && self.reasons == 0 => end(FAILED, Cause::Unstartable),
            (_, None) if is_unknown => Some(Followed::Lost),
            (_, None) => None,
        }
    }

    /// What was done to end it; only the job itself is visible from here.
    fn ended(&self) -> Option<Ended> {
        let ending = self.ending.as_ref().filter(|_| self.has_started)?;
        Some(Ended { terminated: 1, killed: u32::from(ending.asked == Some(Ask::Kill)) })
    }
}

/// Tells the starting command that the engine has it, once.
fn tell(caller: &mut Caller<'_>) {
    // A task on an engine goes on in any case.
    let _ = caller.begun(Begun::Queued);
}

/// Adds to the log, and returns how much was written.
pub(super) fn copy(mut log: &File, output: &[u8]) -> u64 {
    let mut written = 0;
    while written < output.len() {
        match log.write(&output[written..]) {
            Ok(0) => break,
            Ok(length) => written += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written as u64
}

fn printable(text: &str) -> String {
    crate::text::at_most(&crate::text::printable(text.as_ref()), 200)
}

fn new_token() -> Result<String> {
    let path = "/proc/sys/kernel/random/uuid";
    let uuid = std::fs::read_to_string(path).map_err(Error::io("read", path.as_ref()))?;
    Ok(format!("async-{}", uuid.trim()))
}
