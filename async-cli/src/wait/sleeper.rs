//! Sleeping until a future is over or a deadline has passed, with a panel on the terminal meanwhile.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use async_core::clock::{self, Millis};
use async_core::{FutureHandle, FutureName, Store};

use crate::cli::Context;
use crate::failure::Failure;
use crate::wait::panel::Panel;

/// Sleeps for a wait.
pub(crate) struct Sleeper {
    deadline: Option<Instant>,
    panel: Option<Panel>,
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
    pub(crate) fn new(context: &Context, timeout: Option<Millis>, notice: Option<String>) -> Result<Self, Failure> {
        // A deadline too far off to represent is no deadline.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(clock::length(timeout)));
        Ok(Self { deadline, panel: Panel::of_program(context, notice)? })
    }

    /// A sleeper for a shell, until that time, in ms since boot.
    pub(crate) fn of_shell(deadline: Option<Millis>, panel: Option<Panel>) -> Self {
        let left = deadline.map(|deadline| clock::length(deadline.saturating_sub(clock::since_boot()).max(0)));
        Self { deadline: left.and_then(|left| Instant::now().checked_add(left)), panel }
    }

    /// Whether there may be a panel meanwhile.
    pub(crate) fn has_panel(&self) -> bool {
        self.panel.is_some()
    }

    /// Whether it only sleeps, without a deadline or a panel.
    pub(crate) fn only_sleeps(&self) -> bool {
        self.deadline.is_none() && self.panel.is_none()
    }

    /// Sleeps until something arrives, which it returns, or until `until` has passed. The error is any other reason to
    /// wake up. The panel shows the futures with these names.
    pub(crate) fn sleep_on<T>(
        &self,
        receiver: &Receiver<T>,
        until: Option<Instant>,
        store: &Store,
        names: &[FutureName],
    ) -> Result<Option<T>, Woken> {
        loop {
            let is_past = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= Instant::now());
            if is_past(self.deadline) {
                self.erase();
                return Err(Woken::TimeUp);
            }
            let due = self.panel.as_ref().map(Panel::due);
            if let (Some(panel), true) = (&self.panel, is_past(due)) {
                panel.draw(store, names);
                continue;
            }
            let what = match [until, self.deadline, due].into_iter().flatten().min() {
                Some(next) => receiver.recv_timeout(next.saturating_duration_since(Instant::now())),
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match what {
                Ok(what) => return Ok(Some(what)),
                Err(RecvTimeoutError::Timeout) if !is_past(until) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// Removes the panel before anything else is printed.
    pub(crate) fn erase(&self) {
        if let Some(panel) = &self.panel {
            panel.erase();
        }
    }

    /// Sleeps until that future ends. The panel shows those with these names.
    pub(crate) fn sleep(&self, store: &Store, future: FutureHandle, names: &[FutureName]) -> Result<Woken, Failure> {
        if self.only_sleeps() {
            future.wait()?;
            return Ok(Woken::Over);
        }
        let (sender, ends) = channel();
        wait_in_thread(future, sender)?;
        let woken = self.sleep_on(&ends, None, store, names);
        self.erase();
        match woken {
            Ok(Some(end)) => Ok(end.map(|()| Woken::Over)?),
            Ok(None) => Ok(Woken::Over),
            // It may have ended just in time.
            Err(woken) => ends.try_recv().map_or(Ok(woken), |end| Ok(end.map(|()| Woken::Over)?)),
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
