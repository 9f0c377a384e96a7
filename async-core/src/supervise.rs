//! The process behind a running future: it holds the future's life, starts the task when its time has come, waits for it as
//! its parent, and records how it ended.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Write};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock::{self, Millis};
use crate::descriptor;
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::plan::Plan;
use crate::record::{Cause, Record};
use crate::store::{End, Slot, Store, open_record, read_again};
use crate::tree::{self, Ended};

/// The signals that are meant for a task when its future's process gets them.
const PASSED_ON: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// The exit status of a future that never ran, because another one did not succeed.
const SKIPPED: i32 = 125;
/// The exit status of a task whose time was up, as timeout(1) has it.
const TIMED_OUT: i32 = 124;
/// The exit status of a program that can't be executed, as shells have it.
const NOT_EXECUTABLE: i32 = 126;
/// The exit status of a program that is not there, as shells have it.
const NOT_FOUND: i32 = 127;

/// What a supervisor runs.
pub enum Task<'a> {
    /// A child of this process that is there already, and starts when it gets a line through the pipe `gate`.
    Gated {
        /// Its process id.
        pid: u32,
        /// The pipe's descriptor.
        gate: RawFd,
    },
    /// A program, which is not started yet. Its output goes to the future's log.
    Program {
        /// The command line.
        command: Box<Command>,
        /// Is called when it is known whether the task has been started (true), or is held back for now (false). What it hears first counts:
        /// a failure after that is recorded.
        report: &'a mut dyn FnMut(io::Result<bool>),
    },
}

/// Runs the task of the future whose record has the descriptor `record`, and records its end.
///
/// `planned` says that the record has a [`Plan`]. The signals HUP, INT, QUIT, TERM, USR1 and USR2 are passed on to the task.
/// They and SIGCHLD and SIGCONT stay blocked; this process must have no other threads.
///
/// A program that can't be started at once is an error, and its future is not there any more. Everything that happens
/// later is the end of the future, and recorded.
pub fn supervise(store: &Store, name: &FutureName, record: RawFd, planned: bool, task: Task<'_>) -> Result<End> {
    let path = store.log_path(name);
    let here = || Error::io("supervise the task of", &path);
    let events = Events::block().map_err(here())?;
    // Whatever the task leaves without a parent stays in reach.
    set_child_subreaper(true).map_err(|errno| here()(errno.into()))?;
    let read = if planned { read_again(record, &path)? } else { Record::default() };
    let mut supervisor = Supervisor {
        store,
        name,
        record,
        planned,
        plan: read.plan.clone().unwrap_or_default(),
        events,
        child: None,
        run_start: clock::since_boot(),
        rc: None,
        stop_retrying: false,
    };
    let end = supervisor.run(&read, task)?;
    store.finish_on_descriptor(record, &end)?;
    Ok(end)
}

struct Supervisor<'a> {
    store: &'a Store,
    name: &'a FutureName,
    record: RawFd,
    planned: bool,
    plan: Plan,
    events: Events,
    child: Option<Pid>,
    /// When the task was let go, in ms since boot.
    run_start: Millis,
    /// The child's exit status, once it is over.
    rc: Option<i32>,
    /// Whether somebody has asked the task to end.
    stop_retrying: bool,
}

/// What came of holding a task back.
enum Admission {
    Run(Option<Slot>),
    End(End),
}

impl Supervisor<'_> {
    fn run(&mut self, record: &Record, task: Task<'_>) -> Result<End> {
        match task {
            Task::Gated { pid, gate } => {
                self.child = Some(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
                let _slot = match self.hold_back(record)? {
                    Admission::Run(slot) => slot,
                    Admission::End(end) => {
                        self.end_child();
                        return Ok(end);
                    }
                };
                // If it can't be opened, the end of this process tells the task not to start.
                descriptor::duplicate(gate)
                    .and_then(|mut gate| gate.write_all(b"\n"))
                    .map_err(Error::io("start the task of", &self.store.log_path(self.name)))?;
                self.wait_for_child()
            }
            Task::Program { mut command, report } => {
                let _slot = if self.plan.may_queue() {
                    report(Ok(false));
                    match self.hold_back(record)? {
                        Admission::Run(slot) => slot,
                        Admission::End(end) => return Ok(end),
                    }
                } else {
                    None
                };
                self.run_program(&mut command, report)
            }
        }
    }

    /// Runs it as often as the plan says, until it succeeds.
    fn run_program(&mut self, command: &mut Command, report: &mut dyn FnMut(io::Result<bool>)) -> Result<End> {
        let log_path = self.store.log_path(self.name);
        self.events.unblock_in(command);
        let attempts = self.plan.retry.map(|retry| retry.saturating_add(1));
        let mut attempt = 1;
        loop {
            let log = OpenOptions::new().append(true).open(&log_path).map_err(Error::io("open", &log_path))?;
            let output = || log.try_clone().map(Stdio::from).map_err(Error::io("use", &log_path));
            match command.stdout(output()?).stderr(output()?).spawn() {
                Ok(child) => {
                    self.child = Some(Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX)));
                    self.note(&format!("task = {}\n", child.id()))?;
                    report(Ok(true));
                }
                Err(error) if attempt == 1 && !self.plan.may_queue() => {
                    self.store.abandon(self.name);
                    let program = command.get_program().to_owned();
                    report(Err(io::Error::new(error.kind(), error.to_string())));
                    return Err(Error::io("start the program", program.as_ref())(error));
                }
                Err(error) => {
                    let found = error.kind() != io::ErrorKind::NotFound;
                    self.say(&log, &format!("can't be started: {error}"));
                    let rc = if found { NOT_EXECUTABLE } else { NOT_FOUND };
                    return Ok(End { rc, cause: Some(Cause::Unstartable), ..End::default() });
                }
            }
            let mut end = self.wait_for_child()?;
            end.attempts = attempts.map(|_| attempt);
            let again = attempts.is_some_and(|attempts| attempt < attempts) && !self.stop_retrying;
            if end.rc == 0 || end.cause.is_some() || !again {
                return Ok(end);
            }
            let delay = self.plan.retry_delay.unwrap_or(0);
            let of = attempts.unwrap_or(1);
            let seconds = crate::text::seconds(delay);
            self.say(
                &log,
                &format!("attempt {attempt} of {of} ended with status {}, next in {seconds} seconds", end.rc),
            );
            match self.pause(delay)? {
                Pause::Over => {}
                Pause::Stop(cause) => return Ok(End { cause, ..end }),
            }
            attempt += 1;
            self.rc = None;
        }
    }

    /// Between two attempts.
    fn pause(&mut self, delay: Millis) -> Result<Pause> {
        let until = clock::since_boot().saturating_add(delay);
        let deadline = self.deadline().map_or(until, |deadline| deadline.min(until));
        loop {
            match self.next(&[], Some(deadline))? {
                Event::TimeUp if deadline < until => return Ok(Pause::Stop(Some(Cause::Timeout))),
                Event::TimeUp => return Ok(Pause::Over),
                Event::Signal(Signal::SIGCONT) if self.cancelled()?.is_some() => {
                    return Ok(Pause::Stop(Some(Cause::Cancelled)));
                }
                Event::Signal(signal) if ends_attempts(signal) => return Ok(Pause::Stop(None)),
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
                Event::Signal(Signal::SIGCONT) => {
                    if let Some(grace) = self.cancelled()? {
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
        let rc = self.reap().unwrap_or(128 + Signal::SIGTERM as i32);
        Ok(End { rc, cause: Some(Cause::Cancelled), ended, ..End::default() })
    }

    fn end_tree(&self, grace: Millis) -> Result<Ended> {
        let ended = tree::end(std::process::id(), false, grace);
        ended.map_err(Error::io("stop the processes of", &self.store.log_path(self.name)))
    }

    /// The grace period, if somebody has asked for the future to be cancelled.
    fn cancelled(&self) -> Result<Option<Millis>> {
        let record = read_again(self.record, &self.store.log_path(self.name))?;
        Ok(record.cancel_time.map(|_| record.cancel_grace.unwrap_or_else(|| self.plan.grace())))
    }

    fn pass_on(&mut self, signal: Signal) {
        self.stop_retrying |= ends_attempts(signal);
        if signal != Signal::SIGCHLD
            && let Some(child) = self.child
        {
            // It may be gone by now.
            let _ = kill(child, signal);
        }
    }

    /// Takes note of whatever has ended, of what the task left behind too. Gives the task's status once it is over.
    fn reap(&mut self) -> Option<i32> {
        loop {
            let (pid, rc) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, rc)) => (pid, rc),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return self.rc,
                Ok(_) | Err(_) => continue,
            };
            if Some(pid) == self.child {
                self.rc = Some(rc);
            }
        }
    }

    /// Ends a task that is not to start any more.
    fn end_child(&mut self) {
        if let Some(child) = self.child
            && self.reap().is_none()
        {
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
        }
    }

    /// Keeps the task from starting until its plan allows it.
    fn hold_back(&mut self, record: &Record) -> Result<Admission> {
        if !self.plan.may_queue() {
            return Ok(Admission::Run(None));
        }
        if self.plan.has_dependencies() {
            let (store, plan) = (self.store.clone(), self.plan.clone());
            let waiting = Sleeper::start(move || store.wait_for_dependencies(&plan))?;
            if let Some(end) = self.sleep_until(&[&waiting])? {
                return Ok(Admission::End(end));
            }
            if let Some(why) = waiting.result()? {
                self.say_in_log(&format!("not started: {why}"));
                return Ok(Admission::End(End { rc: SKIPPED, cause: Some(Cause::Skipped), ..End::default() }));
            }
        }
        let mut slot = None;
        let mut lent_by = None;
        if let Some(jobs) = self.plan.jobs {
            let (file, path) = open_record(self.record)?;
            let place = match record.queue.clone() {
                Some(place) => place,
                None => self.store.enter_queue(self.name, &file, &read_again(self.record, &path)?)?,
            };
            let store = self.store.clone();
            let turn = Sleeper::start(move || store.wait_for_slot(place, jobs).map(Some))?;
            let mut lenders: Vec<(FutureName, Sleeper<Option<Slot>>)> = Vec::new();
            let admitted = loop {
                for lender in read_again(self.record, &path)?.lenders.into_iter().skip(lenders.len()) {
                    let (store, name) = (self.store.clone(), lender.clone());
                    lenders.push((lender, Sleeper::start(move || store.borrow_place(&name))?));
                }
                let sleepers: Vec<&Sleeper<Option<Slot>>> =
                    std::iter::once(&turn).chain(lenders.iter().map(|(_, sleeper)| sleeper)).collect();
                match self.sleep_until_poked(&sleepers)? {
                    Held::End(end) => return Ok(Admission::End(end)),
                    Held::Poked => {}
                    Held::Woken(0) => break turn.result()?,
                    Held::Woken(index) => {
                        if let Some(slot) = lenders[index - 1].1.result()? {
                            lent_by = Some(lenders[index - 1].0.clone());
                            break Some(slot);
                        }
                    }
                }
            };
            slot = admitted;
        }
        self.run_start = clock::since_boot();
        let lent = lent_by.map_or_else(String::new, |name| format!("lent_by = {name}\n"));
        self.note(&format!("{lent}run_start = {}\nrun_boot = {}\n", clock::wall(), self.run_start))?;
        if self.plan.jobs.is_some() {
            Store::leave_queue(&open_record(self.record)?.0);
        }
        Ok(Admission::Run(slot))
    }

    /// Sleeps until one of them is done. Gives the end of the future if it comes to its end meanwhile.
    fn sleep_until<T: Send + 'static>(&mut self, sleepers: &[&Sleeper<T>]) -> Result<Option<End>> {
        loop {
            match self.sleep_until_poked(sleepers)? {
                Held::End(end) => return Ok(Some(end)),
                Held::Woken(_) => return Ok(None),
                Held::Poked => {}
            }
        }
    }

    fn sleep_until_poked<T: Send + 'static>(&mut self, sleepers: &[&Sleeper<T>]) -> Result<Held> {
        loop {
            if let Some(grace) = self.cancelled()? {
                return self.cancel(grace).map(Held::End);
            }
            if let Some(rc) = self.reap() {
                return Ok(Held::End(End { rc, ..End::default() }));
            }
            let waiting: Vec<Option<BorrowedFd<'_>>> = sleepers.iter().map(|sleeper| sleeper.pending()).collect();
            match self.next(&waiting, None)? {
                Event::Woken(index) => return Ok(Held::Woken(index)),
                Event::Signal(Signal::SIGCONT) => return Ok(Held::Poked),
                Event::Signal(Signal::SIGCHLD) | Event::TimeUp => {}
                Event::Signal(signal) if self.child.is_some() => self.pass_on(signal),
                // There is no task yet that could act on it.
                Event::Signal(signal) if ends_attempts(signal) => {
                    return Ok(Held::End(End { rc: 128 + signal as i32, ..End::default() }));
                }
                Event::Signal(_) => {}
            }
        }
    }

    fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> Result<Event> {
        self.events.next(others, deadline).map_err(Error::io("wait for the task of", &self.store.log_path(self.name)))
    }

    /// Adds lines to the record.
    fn note(&self, lines: &str) -> Result<()> {
        let (file, path) = open_record(self.record)?;
        let record = if self.planned { read_again(self.record, &path)? } else { Record::default() };
        crate::store::append(&file, &record, lines).map_err(Error::io("write to the record", &path))
    }

    fn say(&self, mut log: &File, text: &str) {
        // The end is recorded whether or not there is room for a remark.
        let _ = log.write_all(format!("[Async {}:{}]: {text}\n", self.name, std::process::id()).as_bytes());
    }

    fn say_in_log(&self, text: &str) {
        if let Ok(log) = OpenOptions::new().append(true).open(self.store.log_path(self.name)) {
            self.say(&log, text);
        }
    }
}

/// Whether the signal asks a program to end, so that it is not to be run again.
fn ends_attempts(signal: Signal) -> bool {
    matches!(signal, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM)
}

/// How a look at a task that is held back ended.
enum Held {
    End(End),
    Woken(usize),
    Poked,
}

/// How the time between two attempts ended.
enum Pause {
    Over,
    /// There is to be no further one, for that cause, or because of a signal.
    Stop(Option<Cause>),
}

/// What a supervisor sleeps for.
enum Event {
    Signal(Signal),
    /// The descriptor with that index can be read.
    Woken(usize),
    TimeUp,
}

/// The signals that this process gets, as events.
struct Events {
    arriving: SignalFd,
    /// What was blocked before.
    before: SigSet,
}

impl Events {
    /// Has them wait until they are asked for.
    fn block() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in PASSED_ON.into_iter().chain([Signal::SIGCHLD, Signal::SIGCONT]) {
            signals.add(signal);
        }
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let arriving = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { arriving, before })
    }

    /// Has a program start as if these signals had never been blocked: a child inherits what is.
    #[allow(unsafe_code)]
    fn unblock_in(&self, command: &mut Command) {
        let mut mask = self.before;
        // See `process::outlive_file_size_limit`.
        mask.remove(Signal::SIGXFSZ);
        let set_mask = move || Ok(mask.thread_set_mask()?);
        // SAFETY: between fork and exec it makes one system call and touches no memory but its own.
        unsafe { command.pre_exec(set_mask) };
    }

    /// Sleeps until something happens; `deadline` is in ms since boot.
    fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> io::Result<Event> {
        loop {
            if let Some(info) = self.arriving.read_signal()?
                && let Ok(signal) = Signal::try_from(i32::try_from(info.ssi_signo).unwrap_or_default())
            {
                return Ok(Event::Signal(signal));
            }
            let present: Vec<(usize, BorrowedFd<'_>)> =
                others.iter().enumerate().filter_map(|(index, other)| Some((index, (*other)?))).collect();
            let mut watched = vec![PollFd::from_borrowed_fd(self.arriving.as_fd(), PollFlags::IN)];
            watched.extend(present.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
            let left = deadline.map(|deadline| deadline.saturating_sub(clock::since_boot()).max(0));
            let timeout = left.map(|ms| Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 });
            match poll(&mut watched, timeout.as_ref()) {
                Ok(0) => return Ok(Event::TimeUp),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let woken = watched[1..].iter().position(|other| !other.revents().is_empty());
            if watched[0].revents().is_empty()
                && let Some(position) = woken
            {
                return Ok(Event::Woken(present[position].0));
            }
        }
    }
}

/// Something that sleeps in a system call which poll(2) can't watch, in a thread whose end it can.
struct Sleeper<T> {
    end: PipeReader,
    received: Receiver<Result<T>>,
    taken: std::cell::Cell<bool>,
}

impl<T: Send + 'static> Sleeper<T> {
    fn start(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<Self> {
        let failed = Error::io("wait in a thread of", std::path::Path::new("/proc/self"));
        let (end, open) = io::pipe().map_err(failed)?;
        let (send, received) = channel();
        let run = move || {
            // Nobody may want it any more.
            let _ = send.send(work());
            drop(open);
        };
        let failed = Error::io("wait in a thread of", std::path::Path::new("/proc/self"));
        thread::Builder::new().spawn(run).map_err(failed)?;
        Ok(Self { end, received, taken: std::cell::Cell::new(false) })
    }

    /// What to poll, until the result has been taken.
    fn pending(&self) -> Option<BorrowedFd<'_>> {
        (!self.taken.get()).then(|| self.end.as_fd())
    }

    /// The result, after the end.
    fn result(&self) -> Result<T> {
        self.taken.set(true);
        let gone =
            || Error::io("wait in a thread of", std::path::Path::new("/proc/self"))(io::ErrorKind::BrokenPipe.into());
        self.received.recv().unwrap_or_else(|_| Err(gone()))
    }
}
