//! What a follower is woken by.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use async_core::{Error, FutureName, Live, Store};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::failure::Failure;

/// Something that happened.
pub(super) enum Event {
    /// The log or the record of that name has changed, or is another one.
    Changed(FutureName),
    /// More has changed than could be told.
    AllChanged,
    /// The future with that number is over.
    Over(usize),
    /// Nobody reads the output any more.
    ReaderGone,
    /// Nothing more can be seen.
    Failed(Failure),
}

/// Where the events arrive; each kind comes from a thread of its own, which sleeps in the kernel.
pub(super) struct Events {
    sender: Sender<Event>,
    pub(super) receiver: Receiver<Event>,
}

impl Events {
    /// Begins to look at the store's files, and at the output.
    pub(super) fn of(store: &Store) -> Result<Self, Failure> {
        let (sender, receiver) = channel();
        let events = Self { sender, receiver };
        events.watch_files(store.dir())?;
        events.watch_output()?;
        Ok(events)
    }

    fn watch_files(&self, dir: &Path) -> Result<(), Failure> {
        let fail = |errno: Errno| Failure::from(Error::io("watch", dir)(errno.into()));
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).map_err(fail)?;
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_MODIFY;
        inotify.add_watch(dir, flags).map_err(fail)?;
        let (sender, dir) = (self.sender.clone(), dir.to_owned());
        thread::spawn(move || {
            loop {
                match inotify.read_events() {
                    Err(Errno::EINTR) => {}
                    Err(errno) => {
                        let failure = Error::io("watch", &dir)(errno.into()).into();
                        let _ = sender.send(Event::Failed(failure));
                        return;
                    }
                    Ok(changes) => {
                        for change in changes {
                            let overflown = change.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                            let name = change.name.as_deref().and_then(future_of).map(Event::Changed);
                            if let Some(event) = if overflown { Some(Event::AllChanged) } else { name } {
                                let _ = sender.send(event);
                            }
                        }
                    }
                }
            }
        });
        Ok(())
    }

    /// A follower may have nothing to write for hours, and would not notice.
    fn watch_output(&self) -> Result<(), Failure> {
        if io::stdout().is_terminal() {
            return Ok(());
        }
        let output = io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Output)?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            // Only errors are waited for, and a file has none.
            let mut fds = [PollFd::new(output.as_fd(), PollFlags::empty())];
            while poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
            let _ = sender.send(Event::ReaderGone);
        });
        Ok(())
    }

    /// Begins to wait for the end of a future. The lock on its record is what tells, and a lock can't be polled for.
    pub(super) fn watch_life(&self, number: usize, live: &Live) -> Result<(), Failure> {
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

/// The future whose record or log has that file name.
fn future_of(file: &OsStr) -> Option<FutureName> {
    let (stem, extension) = file.to_str()?.rsplit_once('.')?;
    matches!(extension, "ini" | "log").then(|| stem.parse().ok()).flatten()
}
