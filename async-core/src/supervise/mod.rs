//! The process behind a running future: it holds the future's life, starts the task when its time has come, waits for
//! it as its parent, and records how it ended.

mod attempts;
mod attend;
mod ending;
mod events;
mod gate;
mod here;
mod holding;
mod launcher;
mod relay;
mod sampling;
mod sleeper;
mod terminal;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use attempts::ends_attempts;
use ending::insist;

use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::launch::Elsewhere;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process;
use crate::record::{Cause, Line, Record, Usage};
use crate::store::{End, RecordWriter, Slot, Store};
use crate::tree;

use attend::Attendant;
use events::{Event, Events, Shell};
use here::Here;
use launcher::{Caller, Launcher};
use terminal::Terminal;

pub use gate::Gated;
pub use terminal::TerminalSize;

/// The signals that the future's process passes on to the task.
const PASSED_ON: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// The exit status of a future whose task was never started.
const FAILED: i32 = 125;
/// The exit status of a task that timed out, as in timeout(1).
const TIMED_OUT: i32 = 124;
/// The exit status of a task that was cancelled while nothing of it ran.
const TERMINATED: i32 = 128 + Signal::SIGTERM as i32;
/// The exit status of a program that can't be executed, as in shells.
const NOT_EXECUTABLE: i32 = 126;
/// The exit status of a missing program, as in shells.
const NOT_FOUND: i32 = 127;

/// How often to retry what can fail for a while, while a task runs, and how long to wait before each retry.
const TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// What became of a future that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its task starts.
    Runs,
    /// Its task is held back for now.
    Queued,
    /// Its task will never start; the record says why.
    Never,
}

/// Called once the future's start is decided, and again when a queued future runs. The first call counts: later
/// failures are only recorded.
///
/// A function runs only after this call, so that no caller takes a running function for one that did not start; if the
/// call fails, the function never runs.
pub type Report<'a> = &'a mut dyn FnMut(io::Result<Begun>) -> io::Result<()>;

/// The task that a supervisor runs. Its output goes to the future's log, by way of a pseudo-terminal if it is to have
/// one.
pub enum Task {
    /// An existing child of this process, which waits at a gate.
    Function(Gated),
    /// A program that has not started yet.
    Program(Box<Command>),
    /// A task for an engine, which may be running it already.
    Elsewhere(Elsewhere),
}

/// The open files of a future that has begun.
#[derive(Debug)]
pub struct Files {
    /// Its record.
    pub record: File,
    /// Its log, which is opened by its name if this is none.
    pub log: Option<File>,
}

/// Runs the task of the future with these files, and records its end.
///
/// `planned` says that the record has a [`Plan`]. The supervisor passes the signals HUP, INT, QUIT, TERM, USR1 and USR2
/// on to the task. They and SIGCHLD and SIGCONT stay blocked; this process must have no other threads.
///
/// With a size, the output of a task that runs here is a pseudo-terminal of that size.
///
/// Fails if a task that should start right away can't, and on any error before that. Everything later becomes the
/// recorded end of the future.
pub fn supervise(
    store: &Store,
    name: &FutureName,
    files: Files,
    planned: bool,
    task: Task,
    terminal_size: Option<TerminalSize>,
    report: Report<'_>,
) -> Result<End> {
    let here = |error| Error::io("supervise the task of", &store.log_path(name))(error);
    let (shell, script) = match &task {
        Task::Function(gated) => (Some(Shell { pid: gated.shell(), gate: gated.gate().as_raw_fd() }), gated.script()),
        Task::Elsewhere(Elsewhere { shell: Some(gated), .. }) => {
            (Some(Shell { pid: gated.shell(), gate: gated.gate().as_raw_fd() }), gated.script())
        }
        Task::Program(_) | Task::Elsewhere(_) => (None, None),
    };
    let events = Events::block(shell, script).map_err(here)?;
    // Orphans of the task stay within reach.
    set_child_subreaper(true).map_err(|errno| here(errno.into()))?;
    process::reset_sigchld().map_err(here)?;
    set_name(tree::SUPERVISOR).map_err(|errno| here(errno.into()))?;
    let record = RecordWriter::new(store, name, files.record);
    let read = if planned { record.read()? } else { Record::default() };
    let mut supervisor = Supervisor {
        store,
        name,
        record,
        plan: read.plan.unwrap_or_default(),
        events,
        child: None,
        function: None,
        terminal_size,
        terminal: None,
        run_start: clock::since_boot(),
        rc: None,
        signal: None,
        has_started: false,
        stop_retrying: false,
        slot: None,
        script_is_gone: Cell::new(false),
    };
    let mut launcher: Box<dyn Launcher> = match task {
        Task::Function(gated) => {
            supervisor.function = Some(gated);
            Box::new(Here::Function { commands: String::new() })
        }
        Task::Program(command) => Box::new(Here::Program(command)),
        Task::Elsewhere(elsewhere) => Box::new(Attendant::new(elsewhere)),
    };
    let mut end = match supervisor.run(&mut *launcher, files.log, report) {
        // A task must not go on without a supervisor here. On an engine it may.
        Err(error) if supervisor.has_started && launcher.is_child() => supervisor.give_up(&error),
        end => end?,
    };
    end.unlogged = supervisor.close_terminal();
    supervisor.close_relays(&mut end);
    // A timeout has its own status.
    end.signal = end.signal.or(supervisor.signal.filter(|signal| end.rc == 128 + signal));
    if supervisor.was_ended_from_around(&end) {
        end.cause = Some(Cause::Cancelled);
    }
    // A cancelled task has not succeeded, even if it exits with 0.
    if end.cause == Some(Cause::Cancelled) && end.rc == 0 {
        end.rc = TERMINATED;
    }
    end.usage = if supervisor.has_started && launcher.is_child() { Usage::of_children() } else { None };
    (end.samples, end.log_cut) = supervisor.events.end_samples(end.usage);
    supervisor.record.finish(&end)?;
    launcher.clean_up();
    Ok(end)
}

struct Supervisor<'a> {
    store: &'a Store,
    name: &'a FutureName,
    record: RecordWriter,
    plan: Plan,
    events: Events,
    child: Option<Pid>,
    /// The function to run; none for a program.
    function: Option<Gated>,
    /// The size of the pseudo-terminal that its output is to be, if any.
    terminal_size: Option<TerminalSize>,
    /// That of the present attempt.
    terminal: Option<Terminal>,
    /// When the task was allowed to run, in ms since boot.
    run_start: Millis,
    /// The child's exit status, once it is over.
    rc: Option<i32>,
    /// The signal that ended it, if one did.
    signal: Option<i32>,
    /// Whether the task was allowed to run, so that the caller knows of its start.
    has_started: bool,
    /// Whether somebody has asked the task to end.
    stop_retrying: bool,
    /// Until the end is recorded, the task counts against the limit.
    slot: Option<Slot>,
    /// Whether the script is gone whose end is the task's too.
    script_is_gone: Cell<bool>,
}

impl Supervisor<'_> {
    fn run(&mut self, launcher: &mut dyn Launcher, log: Option<File>, report: Report<'_>) -> Result<End> {
        let log = log.map_or_else(|| self.store.open_log(self.name), Ok)?;
        launcher.enter(self, &log)?;
        let mut caller = Caller::new(report);
        if !launcher.is_resumed()
            && let Some(end) = self.admit(launcher.is_child(), &log, &mut caller)?
        {
            return Ok(end);
        }
        launcher.make_ready(self)?;
        let end = self.run_attempts(launcher, &log, &mut caller);
        self.dismiss_spare();
        end
    }

    /// Holds the task back as planned. Returns the end if it comes to that.
    fn admit(&mut self, is_child: bool, log: &File, caller: &mut Caller<'_>) -> Result<Option<End>> {
        let mut told = None;
        let end = self.hold_back(is_child, log, &mut || {
            let result = caller.begun(Begun::Queued);
            let goes_on = result.is_ok();
            told.get_or_insert(result);
            goes_on
        });
        if end.is_some() && told.is_none() {
            told = Some(caller.begun(Begun::Never));
        }
        if end.is_some() || matches!(told, Some(Err(_))) {
            self.end_child();
        }
        told.transpose().map_err(Error::io("tell who waits for the start of", &self.store.log_path(self.name)))?;
        Ok(end)
    }

    fn adopt(&mut self, pid: u32) {
        self.child = Some(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
    }

    fn deadline(&self) -> Option<Millis> {
        self.plan.timeout.map(|timeout| self.run_start.saturating_add(timeout))
    }

    fn pass_on(&mut self, signal: Signal) {
        self.stop_retrying |= ends_attempts(signal);
        // Once the child has been waited for, its process id may belong to another process.
        if signal != Signal::SIGCHLD
            && let Some(child) = self.child.filter(|_| self.rc.is_none())
        {
            // It may be gone by now.
            let _ = kill(child, signal);
        }
    }

    /// Reaps everything that has ended, including what the task left behind. Returns the task's status once it is over.
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

    fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> Result<Event> {
        let event = match &self.terminal {
            None => insist(|| self.events.next(others, deadline)),
            Some(terminal) => self.next_beside(terminal, others, deadline),
        };
        let event = event.map_err(Error::io("wait for the task of", &self.store.log_path(self.name)))?;
        match event {
            Event::ScriptGone => {
                // As if the script had cancelled it. This works even if the request can't be written.
                self.script_is_gone.set(true);
                let _ = self.record.add(&[Line::CancelTime(clock::wall())]);
            }
            Event::LogCut(length) => {
                let _ = self.record.add(&[Line::LogCut(length)]);
            }
            _ => {}
        }
        Ok(event)
    }

    fn say(&self, mut log: &File, text: &str) {
        // The end is recorded even if there is no room for a remark.
        let _ = log.write_all(self.remark(text).as_bytes());
    }

    fn remark(&self, text: &str) -> String {
        format!("[Async {}:{}]: {text}\n", self.name, std::process::id())
    }

    fn say_in_log(&self, text: &str) {
        if let Ok(log) = self.store.open_log(self.name) {
            self.say(&log, text);
        }
    }
}
