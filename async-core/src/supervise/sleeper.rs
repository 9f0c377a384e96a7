//! Sleeping in system calls that poll(2) can't watch.

use std::cell::Cell;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::error::{Error, Result};
use crate::process::with_patience;

/// A thread that sleeps in a system call which poll(2) can't watch. Poll can watch the end of the thread.
pub(super) struct Sleeper<T> {
    end: PipeReader,
    received: Receiver<Result<T>>,
    taken: Cell<bool>,
}

impl<T: Send + 'static> Sleeper<T> {
    pub(super) fn start(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<Self> {
        let failed = Error::io("wait in a thread of", Path::new("/proc/self"));
        let (end, open) = io::pipe().map_err(failed)?;
        let (send, received) = channel();
        let run = move || {
            // The receiver may be gone.
            let _ = send.send(work());
            drop(open);
        };
        // If the thread can't be made, its closure is lost; so it gets its work only once it exists.
        let make = || {
            let (give, given) = channel::<Box<dyn FnOnce() + Send>>();
            let work = move || given.recv().map_or((), |run| run());
            thread::Builder::new().spawn(work).map(|_| give)
        };
        let failed = Error::io("wait in a thread of", Path::new("/proc/self"));
        let _ = with_patience(make).map_err(failed)?.send(Box::new(run));
        Ok(Self { end, received, taken: Cell::new(false) })
    }

    /// The descriptor to poll, until the result has been taken.
    pub(super) fn pending(&self) -> Option<BorrowedFd<'_>> {
        (!self.taken.get()).then(|| self.end.as_fd())
    }

    /// The result, once the thread has ended.
    pub(super) fn result(&self) -> Result<T> {
        self.taken.set(true);
        let gone = || Error::io("wait in a thread of", Path::new("/proc/self"))(io::ErrorKind::BrokenPipe.into());
        self.received.recv().unwrap_or_else(|_| Err(gone()))
    }
}
