//! The process behind a running future: it holds the future's life, starts the task when its time has come, waits for it as
//! its parent, and records how it ended.

mod events;
mod gate;
mod holding;
mod sleeper;

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process;
use crate::record::{Cause, Line, Record};
use crate::store::{End, INSIDE, RecordWriter, Slot, Store};
use crate::tree::{self, Ended};

use events::{Event, Events, Shell};

pub use gate::Gated;

/// The signals that are meant for a task when its future's process gets them.
const PASSED_ON: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// The exit status of a future whose task was never started.
const FAILED: i32 = 125;
/// The exit status of a task whose time was up, as timeout(1) has it.
const TIMED_OUT: i32 = 124;
/// The exit status of a task that was cancelled while nothing of it ran.
const TERMINATED: i32 = 128 + Signal::SIGTERM as i32;
/// The exit status of a program that can't be executed, as shells have it.
const NOT_EXECUTABLE: i32 = 126;
/// The exit status of a program that is not there, as shells have it.
const NOT_FOUND: i32 = 127;

/// How often what can fail for a while is tried again while a task runs, and how long to wait before that.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// What became of a future that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its task starts.
    Runs,
    /// Its task is held back for now.
    Queued,
    /// Its task is never started; why is recorded.
    Never,
}

/// Is called when it is known what becomes of the future, and again when one that was queued runs. What it hears first counts: a
/// failure after that is recorded.
///
/// A function is let go after that, so that none runs that somebody takes for not started; if this fails, it never is.
pub type Report<'a> = &'a mut dyn FnMut(io::Result<Begun>) -> io::Result<()>;

/// What a supervisor runs. The output goes to the future's log.
pub enum Task {
    /// A child of this process that is there already, and waits at a gate.
    Function(Gated),
    /// A program, which is not started yet.
    Program(Box<Command>),
}

/// Runs the task of the future that has `record`, and records its end.
///
/// `planned` says that the record has a [`Plan`]. The signals HUP, INT, QUIT, TERM, USR1 and USR2 are passed on to the task.
/// They and SIGCHLD and SIGCONT stay blocked; this process must have no other threads.
///
/// A task that can't be started at once is an error, and so is what goes wrong before that. Everything that happens
/// later is the end of the future, and recorded.
pub fn supervise(
    store: &Store,
    name: &FutureName,
    record: File,
    planned: bool,
    task: Task,
    report: Report<'_>,
) -> Result<End> {
    let here = |error| Error::io("supervise the task of", &store.log_path(name))(error);
    let (shell, script) = match &task {
        Task::Function(gated) => (Some(Shell { pid: gated.shell(), gate: gated.pipe() }), gated.script()),
        Task::Program(_) => (None, None),
    };
    let events = Events::block(shell, script).map_err(here)?;
    // Whatever the task leaves without a parent stays in reach.
    set_child_subreaper(true).map_err(|errno| here(errno.into()))?;
    process::reset_sigchld().map_err(here)?;
    set_name(tree::SUPERVISOR).map_err(|errno| here(errno.into()))?;
    let record = RecordWriter::new(store, name, record);
    let read = if planned { record.read()? } else { Record::default() };
    let mut supervisor = Supervisor {
        store,
        name,
        record,
        plan: read.plan.unwrap_or_default(),
        events,
        child: None,
        function: None,
        run_start: clock::since_boot(),
        rc: None,
        signal: None,
        has_started: false,
        stop_retrying: false,
        slot: None,
        script_is_gone: Cell::new(false),
    };
    let mut end = match supervisor.run(task, report) {
        // What runs must not go on without anybody who looks after it.
        Err(error) if supervisor.has_started => supervisor.give_up(&error),
        end => end?,
    };
    // A timeout has a status of its own.
    end.signal = end.signal.or(supervisor.signal.filter(|signal| end.rc == 128 + signal));
    if supervisor.was_ended_from_around(&end) {
        end.cause = Some(Cause::Cancelled);
    }
    // A task that was told to stop has not succeeded, also if it takes that for a good end.
    if end.cause == Some(Cause::Cancelled) && end.rc == 0 {
        end.rc = TERMINATED;
    }
    supervisor.record.finish(&end)?;
    Ok(end)
}

struct Supervisor<'a> {
    store: &'a Store,
    name: &'a FutureName,
    record: RecordWriter,
    plan: Plan,
    events: Events,
    child: Option<Pid>,
    /// The function that it runs, if it is none that is a program.
    function: Option<Gated>,
    /// When the task was let go, in ms since boot.
    run_start: Millis,
    /// The child's exit status, once it is over.
    rc: Option<i32>,
    /// The signal that ended it, if one did.
    signal: Option<i32>,
    /// Whether the task has been let go, so that whoever waits for its start has heard of it.
    has_started: bool,
    /// Whether somebody has asked the task to end.
    stop_retrying: bool,
    /// The task counts until its end is recorded.
    slot: Option<Slot>,
    /// Whether the script is gone whose end is the task's too.
    script_is_gone: Cell<bool>,
}

impl Supervisor<'_> {
    fn run(&mut self, task: Task, report: Report<'_>) -> Result<End> {
        let log;
        let mut program = match task {
            Task::Function(gated) => {
                self.adopt(gated.pid());
                self.function = Some(gated);
                log = self.store.open_log(self.name)?;
                None
            }
            Task::Program(mut command) => {
                self.record.add(&[Line::Pid(std::process::id().to_string())])?;
                log = self.store.open_log(self.name)?;
                let path = self.store.log_path(self.name);
                let output = || log.try_clone().map(Stdio::from).map_err(Error::io("use", &path));
                command.stdout(output()?).stderr(output()?);
                process::start_without_inherited_signals(&mut command);
                Some(command)
            }
        };
        let mut told = None;
        let end = self.hold_back(&mut || {
            let result = report(Ok(Begun::Queued));
            let goes_on = result.is_ok();
            told.get_or_insert(result);
            goes_on
        });
        let was_held = told.is_some();
        if end.is_some() && !was_held {
            told = Some(report(Ok(Begun::Never)));
        }
        if end.is_some() || matches!(told, Some(Err(_))) {
            self.end_child();
        }
        told.transpose().map_err(Error::io("tell who waits for the start of", &self.store.log_path(self.name)))?;
        if let Some(end) = end {
            return Ok(end);
        }
        let end = self.run_attempts(program.as_deref_mut(), &log, was_held, report);
        self.dismiss_spare();
        end
    }

    fn adopt(&mut self, pid: u32) {
        self.child = Some(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
    }

    /// Runs it as often as the plan says, until it succeeds. `told` says that whoever waits for the start has been told that it is
    /// held back.
    fn run_attempts(
        &mut self,
        mut program: Option<&mut Command>,
        log: &File,
        mut told: bool,
        report: Report<'_>,
    ) -> Result<End> {
        let attempts = self.plan.retry.map(|retry| retry.saturating_add(1));
        let mut attempt = 1;
        let mut has_begun = false;
        loop {
            let more = attempts.is_some_and(|attempts| attempt < attempts);
            let mut tell = || {
                if std::mem::replace(&mut has_begun, true) {
                    return Ok(());
                }
                let heard = report(Ok(Begun::Runs));
                // One that was held back is to be run in any case.
                if told {
                    return Ok(());
                }
                told = heard.is_ok();
                heard
            };
            match self.start(program.as_deref_mut(), log, attempt, more, &mut tell) {
                Ok(()) => self.has_started = true,
                Err(error) if !told => {
                    self.end_child();
                    let _ = report(Err(io::Error::new(error.kind(), error.to_string())));
                    return Err(match program {
                        Some(command) => Error::io("start the program", command.get_program().as_ref())(error),
                        None => Error::io("start the task of", &self.store.log_path(self.name))(error),
                    });
                }
                Err(error) => {
                    self.end_child();
                    self.say(log, &format!("can't be started: {error}"));
                    let rc = match program {
                        None => FAILED,
                        Some(_) if error.kind() == io::ErrorKind::NotFound => NOT_FOUND,
                        Some(_) => NOT_EXECUTABLE,
                    };
                    let attempts = attempts.map(|_| attempt - 1);
                    return Ok(End { rc, cause: Some(Cause::Unstartable), attempts, ..End::default() });
                }
            }
            let mut end = self.wait_for_child()?;
            end.attempts = attempts.map(|_| attempt);
            if end.rc == 0 || end.cause.is_some() || !more || self.stop_retrying {
                return Ok(end);
            }
            let delay = self.plan.retry_delay.unwrap_or(0);
            let of = attempts.unwrap_or(1);
            let seconds = crate::text::seconds(delay);
            self.say(
                log,
                &format!("attempt {attempt} of {of} ended with status {}, next in {seconds} seconds", end.rc),
            );
            match self.pause(delay)? {
                Pause::Over => {}
                Pause::Stop(rc, cause) => return Ok(End { rc, cause, ..end }),
            }
            attempt += 1;
            self.rc = None;
        }
    }

    /// Starts the task once; there may be `more` attempts after that. A function is let go only when its start has been told.
    fn start(
        &mut self,
        program: Option<&mut Command>,
        log: &File,
        attempt: u32,
        more: bool,
        tell: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let pid = match (program, &mut self.function) {
            (Some(command), _) => {
                let spawned = process::with_patience(|| command.spawn());
                spawned.map_err(|error| explained(error, command.get_program()))?.id()
            }
            (None, Some(gated)) if attempt > 1 => gated.take_spare()?,
            (None, Some(gated)) => gated.pid(),
            (None, None) => return Err(Errno::ESRCH.into()),
        };
        self.adopt(pid);
        // That of a function's first attempt was there before the record.
        if attempt > 1 || self.function.is_none() {
            self.record.add(&[Line::Task(pid)]).map_err(io::Error::other)?;
        }
        let Some(gated) = &mut self.function else {
            // It runs, whether or not somebody hears of it.
            let _ = tell();
            return Ok(());
        };
        let order = gated.order(log, more, &self.store.place_of(self.name))?;
        tell()?;
        match gated.open(&order) {
            // Its process has been killed meanwhile, and that is how it ended.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            opened => opened,
        }
    }

    /// Ends what a function has left for an attempt that there is not to be.
    fn dismiss_spare(&mut self) {
        let running = self.child;
        if let Some(Ok(spare)) = self.function.as_mut().map(Gated::take_spare) {
            self.adopt(spare);
            if let Some(spare) = self.child.filter(|spare| Some(*spare) != running) {
                let _ = kill(spare, Signal::SIGKILL);
                let _ = waitpid(spare, None);
            }
            self.child = running;
        }
    }

    /// Between two attempts.
    fn pause(&mut self, delay: Millis) -> Result<Pause> {
        let until = clock::since_boot().saturating_add(delay);
        let deadline = self.deadline().map_or(until, |deadline| deadline.min(until));
        loop {
            match self.next(&[], Some(deadline))? {
                Event::TimeUp if deadline < until => return Ok(Pause::Stop(TIMED_OUT, Some(Cause::Timeout))),
                Event::TimeUp => return Ok(Pause::Over),
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone if self.cancelled().is_some() => {
                    return Ok(Pause::Stop(TERMINATED, Some(Cause::Cancelled)));
                }
                Event::Signal(signal) if ends_attempts(signal) => {
                    self.signal = Some(signal as i32);
                    return Ok(Pause::Stop(128 + signal as i32, None));
                }
                _ => {}
            }
        }
    }

    fn deadline(&self) -> Option<Millis> {
        self.plan.timeout.map(|timeout| self.run_start.saturating_add(timeout))
    }

    /// Waits for the task as its shell would.
    fn wait_for_child(&mut self) -> Result<End> {
        let deadline = self.deadline();
        loop {
            // Asked before each sleep: the child may have ended before its signal was blocked.
            if let Some(rc) = self.reap() {
                return Ok(End { rc, ..End::default() });
            }
            match self.next(&[], deadline)? {
                Event::TimeUp => {
                    let ended = Some(self.end_tree(self.plan.grace())?);
                    return Ok(End { rc: TIMED_OUT, cause: Some(Cause::Timeout), ended, ..End::default() });
                }
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone => {
                    if let Some(grace) = self.cancelled() {
                        return self.cancel(grace);
                    }
                }
                Event::Signal(signal) => self.pass_on(signal),
                Event::Woken(_) => {}
            }
        }
    }

    fn cancel(&mut self, grace: Millis) -> Result<End> {
        let ended = Some(self.end_tree(grace)?);
        // Without a child it has never run: as if it had ended on the spot.
        let rc = self.reap().unwrap_or(TERMINATED);
        Ok(End { rc, cause: Some(Cause::Cancelled), ended, ..End::default() })
    }

    fn end_tree(&mut self, grace: Millis) -> Result<Ended> {
        // It has run nothing yet, so it is none of what is ended.
        self.dismiss_spare();
        let ended = insist(|| tree::end_own(grace));
        ended.or_else(|error| {
            // Without a look at the others it can end the task's own process, which is its child.
            self.say_in_log(&format!("only the task's own process was ended: {error}"));
            self.end_child_in_time(grace)
        })
    }

    /// Ends a task that can't be looked after any more, by what needs no descriptor and no memory.
    fn give_up(&mut self, error: &Error) -> End {
        self.end_child();
        self.say_in_log(&format!("killed, as its supervisor can't go on: {error}"));
        End { rc: self.rc.unwrap_or(128 + Signal::SIGKILL as i32), ..End::default() }
    }

    /// Ends the task's own process: SIGTERM first, and SIGKILL if it is still there `grace` ms later.
    fn end_child_in_time(&mut self, grace: Millis) -> Result<Ended> {
        let deadline = clock::since_boot().saturating_add(grace);
        let mut ended = Ended::default();
        while let Some(child) = self.child.filter(|_| self.reap().is_none()) {
            if ended.terminated == 0 {
                ended.terminated = 1;
                let _ = kill(child, Signal::SIGTERM);
                let _ = kill(child, Signal::SIGCONT);
            }
            if clock::since_boot() >= deadline {
                ended.killed = 1;
                self.end_child();
                break;
            }
            self.next(&[], Some(deadline))?;
        }
        Ok(ended)
    }

    /// The grace period, if somebody has asked for the future to be cancelled.
    fn cancelled(&self) -> Option<Millis> {
        // If it can't be read, whoever asks will ask again.
        if self.script_is_gone.get() {
            return Some(self.plan.grace());
        }
        let record = self.record.read().ok()?;
        record.cancel_time.map(|_| record.cancel_grace.unwrap_or_else(|| self.plan.grace()))
    }

    /// Whether it was asked to end because a future is cancelled inside whose task it was started.
    fn was_ended_from_around(&mut self, end: &End) -> bool {
        // Most have not been started inside another's task, and that saves them a look.
        if end.cause.is_some() || end.rc == 0 && std::env::var_os(INSIDE).is_none() {
            return false;
        }
        // The task may have heard of it before this process did.
        while let Ok(Event::Signal(signal)) = self.next(&[], Some(0)) {
            self.stop_retrying |= ends_attempts(signal);
        }
        let is_killed = [Signal::SIGTERM, Signal::SIGKILL].into_iter().any(|signal| end.rc == 128 + signal as i32);
        (self.stop_retrying || is_killed)
            && self.record.read().is_ok_and(|record| self.store.is_cancelled_around(&record))
    }

    fn pass_on(&mut self, signal: Signal) {
        self.stop_retrying |= ends_attempts(signal);
        // Once it has been waited for, its process id may be another's.
        if signal != Signal::SIGCHLD
            && let Some(child) = self.child.filter(|_| self.rc.is_none())
        {
            // It may be gone by now.
            let _ = kill(child, signal);
        }
    }

    /// Takes note of whatever has ended, of what the task left behind too. Gives the task's status once it is over.
    fn reap(&mut self) -> Option<i32> {
        loop {
            let (pid, rc, signal) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, rc)) => (pid, rc, None),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32, Some(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return self.rc,
                Ok(_) | Err(_) => continue,
            };
            if Some(pid) == self.child {
                self.rc = Some(rc);
                self.signal = signal;
            }
        }
    }

    /// Ends a task that is not to start any more.
    fn end_child(&mut self) {
        if let Some(child) = self.child
            && self.reap().is_none()
        {
            let _ = kill(child, Signal::SIGKILL);
            if let Ok(WaitStatus::Signaled(_, signal, _)) = waitpid(child, None) {
                (self.rc, self.signal) = (Some(128 + signal as i32), Some(signal as i32));
            }
        }
    }

    fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> Result<Event> {
        let event = insist(|| self.events.next(others, deadline));
        let event = event.map_err(Error::io("wait for the task of", &self.store.log_path(self.name)))?;
        if let Event::ScriptGone = event {
            // As if it had asked for that. It is done, too, where the request can't be written down.
            self.script_is_gone.set(true);
            let _ = self.record.add(&[Line::CancelTime(clock::wall())]);
        }
        Ok(event)
    }

    fn say(&self, mut log: &File, text: &str) {
        // The end is recorded whether or not there is room for a remark.
        let _ = log.write_all(format!("[Async {}:{}]: {text}\n", self.name, std::process::id()).as_bytes());
    }

    fn say_in_log(&self, text: &str) {
        if let Ok(log) = self.store.open_log(self.name) {
            self.say(&log, text);
        }
    }
}

/// Tries again what may fail for a while, as when all descriptors are taken, but not what never works here.
fn insist<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES {
        match attempt() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => sleep(BETWEEN_TRIES),
            done => return done,
        }
    }
    attempt()
}

/// The error of a program's start. What is missing may also be the interpreter of a script.
fn explained(error: io::Error, program: &OsStr) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && Path::new(program).exists() {
        return io::Error::other("the interpreter that its first line names is not there");
    }
    error
}

/// Whether the signal asks a program to end, so that it is not to be run again.
fn ends_attempts(signal: Signal) -> bool {
    matches!(signal, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM)
}

/// How the time between two attempts ended.
enum Pause {
    Over,
    /// There is to be no further one, for that cause, or because of a signal. The future has that status.
    Stop(i32, Option<Cause>),
}
