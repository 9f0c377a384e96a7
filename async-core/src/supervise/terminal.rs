//! A pseudo-terminal as a task's output. The supervisor copies what is written there to the log.
//!
//! It is nobody's controlling terminal: no signal comes from it, and a program that would ask a person finds no `/dev/tty`,
//! instead of waiting for an answer that nobody can give.

use std::cell::Cell;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::process::Stdio;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::Supervisor;
use super::attempts::ends_attempts;
use super::attend::copy;
use super::ending::insist;
use super::events::Event;
use super::sleeper::Sleeper;
use crate::clock::{self, Millis};
use crate::tree::{self, Ended};

/// How much to copy at a time, in bytes. The kernel holds back less than that.
const PIECE: usize = 1 << 16;

/// How many such pieces to copy once the task is over: what it left behind may go on writing.
const LAST_PIECES: usize = 4;

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// How many lines it has.
    pub rows: u16,
    /// How many characters fit into a line.
    pub columns: u16,
}

impl Default for TerminalSize {
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// A pseudo-terminal for one attempt of a task.
pub(super) struct Terminal {
    ours: File,
    /// What the task writes to, and does not read from. While this is open, it is no event that no other process has it open.
    theirs: File,
    log: File,
    /// Whether the kernel has closed it; a leader of a session whose terminal it was may have ended.
    is_over: Cell<bool>,
    /// How much could not be written to the log since something was, in bytes.
    gap: Cell<u64>,
    /// How much could not be written at all, in bytes.
    unlogged: Cell<u64>,
}

impl Terminal {
    fn open(size: TerminalSize, log: File, unlogged: u64) -> io::Result<Self> {
        // Not by posix_openpt(3), which has another word for a system without any more of them.
        let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
        let ours = File::options().read(true).write(true).custom_flags(flags).open("/dev/ptmx")?;
        unlockpt(&ours)?;
        let write_only = OpenptFlags::from_bits_retain(OFlags::WRONLY.bits());
        let theirs = ioctl_tiocgptpeer(&ours, write_only | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        // As of the log; often a group may write to terminals.
        let theirs = File::from(theirs);
        theirs.set_permissions(Permissions::from_mode(0o600))?;
        // A newline stays what it is.
        let mut modes = tcgetattr(&theirs)?;
        modes.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&theirs, OptionalActions::Now, &modes)?;
        let TerminalSize { rows, columns } = size;
        tcsetwinsize(&theirs, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        Ok(Self { ours, theirs, log, is_over: Cell::new(false), gap: Cell::new(0), unlogged: Cell::new(unlogged) })
    }

    /// What the task writes to.
    pub(super) fn output(&self) -> &File {
        &self.theirs
    }

    /// The same, for a program.
    pub(super) fn side_of_the_task(&self) -> io::Result<Stdio> {
        self.theirs.try_clone().map(Stdio::from)
    }

    /// The descriptor to poll.
    fn pending(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_over.get()).then(|| self.ours.as_fd())
    }

    /// What has been written, up to a piece.
    fn read(&self) -> Vec<u8> {
        let mut piece = vec![0; PIECE];
        let mut length = 0;
        while length < PIECE {
            match (&self.ours).read(&mut piece[length..]) {
                Ok(read) if read > 0 => length += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => {
                    self.is_over.set(true);
                    break;
                }
            }
        }
        piece.truncate(length);
        piece
    }

    /// Counts what could not be written.
    fn miss(&self, bytes: u64) {
        self.gap.set(self.gap.get().saturating_add(bytes));
        self.unlogged.set(self.unlogged.get().saturating_add(bytes));
    }
}

impl Supervisor<'_> {
    /// Opens the terminal of another attempt, if the task is to have one.
    pub(super) fn open_terminal(&mut self, log: &File) -> io::Result<()> {
        if let Some(size) = self.terminal_size {
            let unlogged = self.close_terminal().unwrap_or(0);
            self.terminal = Some(Terminal::open(size, log.try_clone()?, unlogged)?);
        }
        Ok(())
    }

    /// Copies the last that was written there. Returns how much is not in the log, in bytes, if anything.
    pub(super) fn close_terminal(&mut self) -> Option<u64> {
        self.drain_terminal();
        let terminal = self.terminal.take()?;
        self.mark_gap(&terminal);
        Some(terminal.unlogged.get()).filter(|bytes| *bytes > 0)
    }

    /// Copies what the task has written by its end.
    pub(super) fn drain_terminal(&self) {
        for _ in 0..LAST_PIECES {
            if self.terminal.as_ref().is_none_or(|terminal| !self.copy_output(terminal)) {
                return;
            }
        }
    }

    /// Copies a piece of what was written; returns whether there was anything. What can't be written to the log is
    /// counted and dropped: a task must not wait for room on a disk without knowing of it.
    fn copy_output(&self, terminal: &Terminal) -> bool {
        let piece = terminal.read();
        if piece.is_empty() {
            return false;
        }
        let written = if self.mark_gap(terminal) { copy(&terminal.log, &piece) } else { 0 };
        terminal.miss((piece.len() as u64).saturating_sub(written));
        true
    }

    /// Says in the log that something is missing there; false if there is no room for that either.
    fn mark_gap(&self, terminal: &Terminal) -> bool {
        if terminal.gap.get() > 0 {
            let text =
                format!("{} bytes of the output are missing here, as they could not be written", terminal.gap.get());
            let remark = format!("\n{}", self.remark(&text));
            if copy(&terminal.log, remark.as_bytes()) < remark.len() as u64 {
                return false;
            }
            terminal.gap.set(0);
        }
        true
    }

    /// The next event for a supervisor; until then, copies what is written to the terminal.
    pub(super) fn next_beside(
        &self,
        terminal: &Terminal,
        others: &[Option<BorrowedFd<'_>>],
        deadline: Option<Millis>,
    ) -> io::Result<Event> {
        loop {
            let watched: Vec<Option<BorrowedFd<'_>>> = others.iter().copied().chain([terminal.pending()]).collect();
            match insist(|| self.events.next(&watched, deadline))? {
                Event::Woken(index) if index == others.len() => {
                    self.copy_output(terminal);
                    // A task that never stops writing does not hold up its timeout.
                    if deadline.is_some_and(|deadline| clock::since_boot() >= deadline) {
                        return Ok(Event::TimeUp);
                    }
                }
                event => return Ok(event),
            }
        }
    }

    /// Ends the tree, and meanwhile copies what it writes: a process that waits for a reader could not end in time.
    pub(super) fn end_tree_beside(&mut self, grace: Millis) -> io::Result<Ended> {
        // The loop below takes the samples.
        let Ok(ending) = Sleeper::start(move || Ok(insist(|| tree::end_own(grace, &|| Millis::MAX)))) else {
            return insist(|| tree::end_own(grace, &|| self.events.sample_if_due()));
        };
        loop {
            match self.next(&[ending.pending()], None).map_err(io::Error::other)? {
                Event::Woken(_) => return ending.result().map_err(io::Error::other)?,
                Event::Signal(signal) => self.stop_retrying |= ends_attempts(signal),
                Event::TimeUp | Event::ScriptGone | Event::LogCut(_) | Event::Relayed => {}
            }
        }
    }
}
