//! The signals and other events that a supervisor sleeps for.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getppid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::PASSED_ON;
use crate::clock::{self, Millis};
use crate::descriptor;

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
    /// The shell whose descriptors this process has inherited, as long as it is there.
    shell: Cell<Option<Shell>>,
}

/// The shell that has started this process.
#[derive(Clone, Copy)]
pub(super) struct Shell {
    pub(super) pid: Pid,
    /// The one descriptor that is from there and meant for this process.
    pub(super) gate: RawFd,
}

impl Events {
    /// Has them wait until they are asked for. This process closes what it has inherited when `shell`, its parent, is gone: a
    /// reader of what that prints waits for nobody else.
    pub(super) fn block(shell: Option<Shell>) -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in PASSED_ON.into_iter().chain([Signal::SIGCHLD, Signal::SIGCONT]) {
            signals.add(signal);
        }
        signals.thread_block()?;
        let arriving = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let events = Self { arriving, shell: Cell::new(shell) };
        if shell.is_some() {
            set_pdeathsig(Signal::SIGCONT)?;
            // It may be gone already.
            events.leave_shell_if_gone();
        }
        Ok(events)
    }

    fn leave_shell_if_gone(&self) {
        let Some(Shell { gate, .. }) = self.shell.get().filter(|shell| getppid() != shell.pid) else {
            return;
        };
        self.shell.set(None);
        // If it can't be done, somebody waits longer than need be.
        let _ = descriptor::close_inherited(gate);
        // Where there is no descriptor left for it, there is one that takes no words either.
        let null = File::options().read(true).write(true).open("/dev/null");
        let nothing = null.as_ref().map_or_else(|_| self.arriving.as_fd(), AsFd::as_fd);
        for put in [dup2_stdin, dup2_stdout, dup2_stderr] {
            let _ = put(nothing);
        }
    }

    /// Sleeps until something happens; `deadline` is in ms since boot.
    pub(super) fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> io::Result<Event> {
        loop {
            if let Some(info) = self.arriving.read_signal()?
                && let Ok(signal) = Signal::try_from(i32::try_from(info.ssi_signo).unwrap_or_default())
            {
                if signal == Signal::SIGCONT {
                    self.leave_shell_if_gone();
                }
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
