//! The signals and other events that a supervisor waits for.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::{Pid, getppid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::PASSED_ON;
use super::relay::Relays;
use super::sampling::Sampler;
use crate::clock::{self, Millis};
use crate::descriptor;
use crate::process::{ProcessIdentity, Watched};
use crate::record::{Samples, Usage};

/// An event that wakes a supervisor.
pub(super) enum Event {
    Signal(Signal),
    /// The descriptor with that index is readable.
    Woken(usize),
    TimeUp,
    /// The script that the task must not outlive is gone. This event comes once.
    ScriptGone,
    /// Something has made the log shorter, which had that length, in bytes. This event comes once.
    LogCut(u64),
    /// The rest that was taken from the relays has been copied. This event comes once.
    Relayed,
}

/// The signals that this process gets, as events.
pub(super) struct Events {
    arriving: SignalFd,
    /// Fires at a deadline; created with the first one. poll(2)'s own timeout stands still while the machine is
    /// suspended.
    alarm: OnceCell<TimerFd>,
    /// The shell whose descriptors this process has inherited, until the shell is gone.
    shell: Cell<Option<Shell>>,
    script: RefCell<Script>,
    sampler: RefCell<Sampler>,
    relays: RefCell<Relays>,
}

/// The script that the task must not outlive.
enum Script {
    /// There is none, or it is gone and the event has come.
    None,
    /// The shell that started this process.
    Shell(Pid),
    Other(Watched),
    Gone,
}

impl Script {
    fn of(identity: Option<ProcessIdentity>, shell: Option<Shell>) -> Self {
        match (identity, shell) {
            (None, _) => Self::None,
            (Some(script), Some(shell)) if i32::try_from(script.pid()) == Ok(shell.pid.as_raw()) => {
                Self::Shell(shell.pid)
            }
            (Some(script), _) => Watched::of(script).map_or(Self::Gone, Self::Other),
        }
    }

    fn pidfd(&self) -> Option<&OwnedFd> {
        if let Self::Other(watched) = self { watched.pidfd() } else { None }
    }
}

/// How often to check whether the script is gone, in ms, if the kernel does not tell.
const LOOK_AGAIN: Millis = 500;
pub(super) const NOT_AT_ALL: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The shell that started this process.
#[derive(Clone, Copy)]
pub(super) struct Shell {
    pub(super) pid: Pid,
    /// The one inherited descriptor that is meant for this process.
    pub(super) gate: RawFd,
}

impl Events {
    /// Blocks the signals, so that they wait until this process asks for them. Once its parent `shell` is gone, this
    /// process closes what it has inherited, so that a reader of the shell's output does not wait for this process.
    ///
    /// The end of `script` is an event too.
    pub(super) fn block(shell: Option<Shell>, script: Option<ProcessIdentity>) -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in PASSED_ON.into_iter().chain([Signal::SIGCHLD, Signal::SIGCONT]) {
            signals.add(signal);
        }
        signals.thread_block()?;
        let arriving = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let events = Self {
            arriving,
            alarm: OnceCell::new(),
            shell: Cell::new(shell),
            script: RefCell::new(Script::of(script, shell)),
            sampler: RefCell::default(),
            relays: RefCell::default(),
        };
        if shell.is_some() {
            set_pdeathsig(Signal::SIGCONT)?;
            // The shell may be gone already.
            events.leave_shell_if_gone();
        }
        Ok(events)
    }

    /// From now on, takes samples of the task while this process waits for events. `run_start` is in ms since boot.
    pub(super) fn sample_from(&self, run_start: Millis, log: PathBuf) {
        self.sampler.replace(Sampler::from(run_start, log));
    }

    /// Takes a sample if one is due; returns when the next one is, in ms since boot.
    pub(super) fn sample_if_due(&self) -> Millis {
        self.sampler.borrow_mut().take_if_due()
    }

    /// The samples of the task, which is over and has used that in all, and what [`Event::LogCut`] has not told yet.
    pub(super) fn end_samples(&self, usage: Option<Usage>) -> (Option<Samples>, Option<u64>) {
        self.sampler.take().finish(usage)
    }

    /// From now on, copies what the task writes to these while this process waits for events.
    pub(super) fn relay(&self, relays: Relays) {
        self.relays.replace(relays);
        if self.shell.get().is_none() {
            self.relays.borrow_mut().leave_pipes();
        }
    }

    pub(super) fn relays(&self) -> RefMut<'_, Relays> {
        self.relays.borrow_mut()
    }

    fn is_script_gone(&self) -> bool {
        match &*self.script.borrow() {
            Script::None => false,
            Script::Gone => true,
            Script::Shell(pid) => getppid() != *pid,
            Script::Other(watched) => match watched.pidfd() {
                Some(pidfd) => {
                    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&NOT_AT_ALL)).is_ok_and(|ready| ready > 0)
                }
                None => !watched.seems_alive(),
            },
        }
    }

    fn leave_shell_if_gone(&self) {
        let Some(Shell { gate, .. }) = self.shell.get().filter(|shell| getppid() != shell.pid) else {
            return;
        };
        self.shell.set(None);
        self.relays.borrow_mut().leave_pipes();
        // If this fails, a reader waits longer than necessary.
        let _ = descriptor::close_inherited(gate);
        // If no descriptor is free for it, the signalfd stands in: nothing can be written to that either.
        let null = File::options().read(true).write(true).open("/dev/null");
        let nothing = null.as_ref().map_or_else(|_| self.arriving.as_fd(), AsFd::as_fd);
        for put in [dup2_stdin, dup2_stdout, dup2_stderr] {
            let _ = put(nothing);
        }
    }

    /// Sleeps until an event; `deadline` is in ms since boot.
    pub(super) fn next(&self, others: &[Option<BorrowedFd<'_>>], deadline: Option<Millis>) -> io::Result<Event> {
        loop {
            if self.relays.borrow_mut().are_done() {
                return Ok(Event::Relayed);
            }
            if self.is_script_gone() {
                *self.script.borrow_mut() = Script::None;
                return Ok(Event::ScriptGone);
            }
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
            watched.extend(
                deadline.and_then(|ms| self.alarm_at(ms)).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            );
            let script = self.script.borrow();
            watched.extend(script.pidfd().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
            let relays = self.relays.borrow();
            watched.extend(relays.pending().map(|(fd, events)| PollFd::from_borrowed_fd(fd, events)));
            let look_again = matches!(&*script, Script::Other(_) if script.pidfd().is_none()).then_some(LOOK_AGAIN);
            // Late samples do no harm, so they need no alarm.
            let sample = Some(self.sample_if_due()).filter(|&next| next < Millis::MAX);
            if let Some(length) = self.sampler.borrow_mut().cut() {
                return Ok(Event::LogCut(length));
            }
            let wake = deadline.into_iter().chain(sample).min();
            let left = wake.map(|wake| wake.saturating_sub(clock::since_boot()).max(0));
            let timeout = left.into_iter().chain(look_again).min();
            let timeout = timeout.map(|ms| Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 });
            match poll(&mut watched, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let is_first = !watched[0].revents().is_empty();
            let woken = watched[1..=present.len()].iter().position(|other| !other.revents().is_empty());
            drop(watched);
            drop(relays);
            self.relays.borrow_mut().copy_some();
            if is_first {
                continue;
            }
            if let Some(position) = woken {
                return Ok(Event::Woken(present[position].0));
            }
            if deadline.is_some_and(|deadline| clock::since_boot() >= deadline) {
                return Ok(Event::TimeUp);
            }
        }
    }

    /// A descriptor that becomes readable at `deadline`, in ms since boot. Without one poll(2) still returns in time,
    /// unless the machine is suspended meanwhile.
    fn alarm_at(&self, deadline: Millis) -> Option<BorrowedFd<'_>> {
        if self.alarm.get().is_none() {
            let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
            let _ = self.alarm.set(TimerFd::new(ClockId::CLOCK_BOOTTIME, flags).ok()?);
        }
        let alarm = self.alarm.get()?;
        // Zero would disarm the timer.
        let at = Expiration::OneShot(TimeSpec::milliseconds(deadline.max(1)));
        alarm.set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME).ok()?;
        Some(alarm.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_deadline_comes_while_the_machine_is_suspended_too() {
        let events = Events::block(None, None).expect("signals can be blocked");
        let alarm = events.alarm_at(clock::since_boot() + 1).expect("a timer");
        let mut watched = [PollFd::from_borrowed_fd(alarm, PollFlags::IN)];
        assert_eq!(poll(&mut watched, None), Ok(1), "it goes off by itself");
        let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", alarm.as_raw_fd())).expect("it is open");
        let clock = nix::time::ClockId::CLOCK_BOOTTIME.as_raw();
        assert!(about.contains(&format!("clockid: {clock}\n")), "{about}");
    }
}
