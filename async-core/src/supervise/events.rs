//! The signals and other events that a supervisor sleeps for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::PASSED_ON;
use crate::clock::{self, Millis};

/// What a supervisor sleeps for.
pub(super) enum Event {
    Signal(Signal),
    /// The descriptor with that index can be read.
    Woken(usize),
    TimeUp,
}

/// The signals that this process gets, as events.
pub(super) struct Events {
    arriving: SignalFd,
}

impl Events {
    /// Has them wait until they are asked for.
    pub(super) fn block() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in PASSED_ON.into_iter().chain([Signal::SIGCHLD, Signal::SIGCONT]) {
            signals.add(signal);
        }
        signals.thread_block()?;
        let arriving = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { arriving })
    }

    /// Sleeps until something happens; `deadline` is in ms since boot.
    pub(super) fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> io::Result<Event> {
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
