//! The events that wake a follower.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use async_core::store::Change;
use async_core::{FutureHandle, FutureName, Store};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::failure::Failure;

/// Something that wakes a follower.
pub(super) enum Event {
    /// The log or the record of that name has changed or been replaced.
    Changed(FutureName),
    /// More has changed than the kernel could tell.
    AllChanged,
    /// The future with that number is over.
    Over(usize),
    /// Nobody reads the output any more.
    ReaderGone,
    /// Watching has failed.
    Failed(Failure),
}

/// The events; each kind comes from a thread of its own, which sleeps in the kernel.
pub(super) struct Events {
    sender: Sender<Event>,
    pub(super) receiver: Receiver<Event>,
}

impl Events {
    /// Starts watching the store's files and the output.
    pub(super) fn of(store: &Store) -> Result<Self, Failure> {
        let (sender, receiver) = channel();
        let events = Self { sender, receiver };
        events.watch_files(store)?;
        events.watch_output()?;
        Ok(events)
    }

    fn watch_files(&self, store: &Store) -> Result<(), Failure> {
        let mut changes = store.changes(false)?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            loop {
                match changes.wait() {
                    Err(error) => {
                        let _ = sender.send(Event::Failed(error.into()));
                        return;
                    }
                    Ok(changes) => {
                        for change in changes {
                            let _ = sender.send(change.into());
                        }
                    }
                }
            }
        });
        Ok(())
    }

    /// Notices a closed output even if there is nothing to write for hours.
    fn watch_output(&self) -> Result<(), Failure> {
        if io::stdout().is_terminal() {
            return Ok(());
        }
        let output = io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Output)?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            // Polls only for errors, which a file does not have.
            let mut fds = [PollFd::new(output.as_fd(), PollFlags::empty())];
            while poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
            let _ = sender.send(Event::ReaderGone);
        });
        Ok(())
    }

    /// Starts waiting for the end of a future. Only the lock on its record tells, and poll(2) can't watch a lock.
    pub(super) fn watch_life(&self, number: usize, live: &FutureHandle) -> Result<(), Failure> {
        let (sender, live) = (self.sender.clone(), live.try_clone()?);
        thread::spawn(move || {
            let _ = sender.send(match live.wait() {
                Ok(()) => Event::Over(number),
                Err(error) => Event::Failed(error.into()),
            });
        });
        Ok(())
    }
}

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        match change {
            Change::Record(file) => Self::Changed(file.name().clone()),
            Change::Log(name) => Self::Changed(name),
            Change::Anything => Self::AllChanged,
        }
    }
}
