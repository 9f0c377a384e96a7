//! Sleeping until a future is over or a deadline has passed, with a line on the terminal meanwhile.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use async_core::clock::{self, Millis};
use async_core::{FutureHandle, Store};

use crate::failure::Failure;
use crate::wait::live_line::LiveLine;
use crate::wait::progress::Progress;

/// How long a wait has to last before the terminal shows it, so that short ones do not flicker.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often to update the terminal.
const RENEWAL: Duration = Duration::from_millis(250);

/// Sleeps for a wait.
pub(crate) struct Sleeper {
    begin: Instant,
    deadline: Option<Instant>,
    line: Option<LiveLine>,
}

/// Why it woke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// A future is over, or may be.
    Over,
    /// The deadline has passed.
    TimeUp,
}

impl Sleeper {
    /// A sleeper for at most that many ms from now, over all of its sleeps. `notice` is printed when Ctrl-C ends it.
    pub(crate) fn new(timeout: Option<Millis>, notice: Option<String>) -> Self {
        let length = timeout.map(clock::length);
        // A deadline too far off to represent is no deadline.
        let begin = Instant::now();
        Self {
            begin,
            deadline: length.and_then(|length| begin.checked_add(length)),
            line: LiveLine::on_terminal(notice),
        }
    }

    /// A sleeper for a shell, until that time, in ms since boot; the terminal belongs to the shell.
    pub(crate) fn of_shell(deadline: Option<Millis>) -> Self {
        let left = deadline.map(|deadline| clock::length(deadline.saturating_sub(clock::since_boot()).max(0)));
        let begin = Instant::now();
        Self { begin, deadline: left.and_then(|left| begin.checked_add(left)), line: None }
    }

    /// Sleeps until something arrives or `longest` has passed, which gives none. The error is any other reason to wake
    /// up. The terminal shows what `progress` says.
    pub(crate) fn sleep_on<T>(
        &self,
        receiver: &Receiver<T>,
        longest: Duration,
        progress: &dyn Fn() -> String,
    ) -> Result<Option<T>, Woken> {
        let until = Instant::now() + longest;
        loop {
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                self.erase();
                return Err(Woken::TimeUp);
            }
            if let Some(line) = self.line.as_ref().filter(|_| self.begin + PATIENCE <= now) {
                line.show(&progress());
            }
            let renewal = self.line.as_ref().map(|_| now + RENEWAL);
            let next = [Some(until), self.deadline, renewal].into_iter().flatten().min().unwrap_or(until);
            match receiver.recv_timeout(next.saturating_duration_since(now)) {
                Ok(what) => return Ok(Some(what)),
                Err(_) if until <= Instant::now() => return Ok(None),
                Err(_) => {}
            }
        }
    }

    /// Removes the line before anything else is printed.
    pub(crate) fn erase(&self) {
        if let Some(line) = &self.line {
            line.erase();
        }
    }

    /// Sleeps until that future ends. After it, the wait is for `more`.
    pub(crate) fn sleep(&self, store: &Store, future: FutureHandle, more: usize) -> Result<Woken, Failure> {
        if self.deadline.is_none() && self.line.is_none() {
            future.wait()?;
            return Ok(Woken::Over);
        }
        let (sender, ends) = channel();
        wait_in_thread(future.try_clone()?, sender)?;
        let woken = self.sleep_until(&ends, store, &mut [future], more);
        self.erase();
        woken
    }

    fn sleep_until(
        &self,
        ends: &Receiver<End>,
        store: &Store,
        futures: &mut [FutureHandle],
        more: usize,
    ) -> Result<Woken, Failure> {
        let mut progress: Option<Progress> = None;
        loop {
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let renewal = self.line.as_ref().map(|_| if progress.is_some() { RENEWAL } else { PATIENCE });
            let end = match left.into_iter().chain(renewal).min() {
                Some(limit) => ends.recv_timeout(limit),
                None => ends.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match end {
                Ok(end) => return Ok(end.map(|()| Woken::Over)?),
                Err(_) if renewal.is_none_or(|renewal| left.is_some_and(|left| left <= renewal)) => {
                    return Ok(Woken::TimeUp);
                }
                Err(_) => {}
            }
            if let Some(line) = &self.line {
                let progress = progress.get_or_insert_with(|| Progress::of(store, futures, more));
                line.show(&progress.now(futures));
            }
        }
    }
}

type End = async_core::Result<()>;

/// Only the lock on its record reliably tells the end of a future, and the only way to wait for a lock is to sleep on
/// it: another process may have its process id by now, and a process that is gone may have left the lock to others.
/// Nobody joins the thread, which ends with the future or with this process.
fn wait_in_thread(future: FutureHandle, sender: Sender<End>) -> Result<(), Failure> {
    let wait = move || {
        let _ = sender.send(future.wait());
    };
    thread::Builder::new().spawn(wait).map(drop).map_err(Failure::Task)
}
