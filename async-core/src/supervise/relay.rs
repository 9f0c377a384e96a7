//! Pipes to which a function's task may write besides its output, as after `exec 3>&1`.
//!
//! The task has a pipe of its own instead, and its supervisor copies what comes. So who reads the script's pipe sees its
//! end when the script ends, and not when the task does.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rustix::event::{PollFd, PollFlags, poll};

use super::attend::copy;
use super::events::NOT_AT_ALL;
use super::gate::{Gated, path_of, pipe};
use crate::store::{FileIdentity, identity};

/// How much a pipe takes at once, or not at all (`PIPE_BUF`), in bytes.
const PIECE: usize = 4096;

/// How many pieces to copy at most to a pipe that is about to be left: a task may write without end.
const LAST_PIECES: usize = 32;

/// How many relays a task has at most. Each takes three of its supervisor's descriptors.
const MOST: usize = 32;

/// How often to look whether a task waits at its gate, and how long to wait between two looks.
const LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The first descriptor in which bash may save one that a redirection replaces.
const FIRST_SAVED: RawFd = 10;

/// The relays of a task.
#[derive(Default)]
pub(super) struct Relays {
    all: Vec<Relay>,
    /// For what comes once the script's pipes are left.
    log: Option<File>,
    /// Whether the task is over, and the rest on its way.
    is_closing: bool,
}

/// A pipe of the task's, and where it leads.
struct Relay {
    /// None once nobody reads what the task would write.
    ours: Option<PipeReader>,
    theirs: PipeWriter,
    /// The script's pipe, until it is left.
    to: Option<File>,
    /// Whether that can't get a reader again once it has none, and it is still to be watched for that.
    is_nameless: bool,
    /// The last of the task's descriptors for it, in `/proc`.
    link: PathBuf,
    /// What has been read and not yet written.
    pending: Vec<u8>,
    /// How much could not be written to the log, in bytes.
    unlogged: u64,
}

impl Relays {
    /// Makes a relay for each pipe to which the task may write. Returns them, and the command by which the task takes
    /// them, in bash; it is empty if there are none.
    ///
    /// A pipe that can't be opened once more, as it is another user's, stays as it is. So do those beyond [`MOST`], and all
    /// if the task can't be seen in `/proc`. Sockets stay too, but for those in which bash keeps the output from before a
    /// redirection.
    pub(super) fn of(task: &Gated, log: &File) -> io::Result<(Self, String)> {
        let gate = identity(&task.gate().metadata()?);
        for _ in 0..LOOKS {
            match Self::of_waiting(task, gate, log) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(BETWEEN_LOOKS),
                made => return made,
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// The same. Fails with `WouldBlock` if the task does not wait at its gate yet: until then it may have pipes of bash's
    /// own, for whose end it waits.
    fn of_waiting(task: &Gated, gate: FileIdentity, log: &File) -> io::Result<(Self, String)> {
        let mut is_seen = false;
        let mut pipes = Vec::new();
        let mut redirections = String::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", task.pid()))? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str);
            let Some(fd) = name.and_then(|name| name.parse::<RawFd>().ok()).filter(|fd| *fd > 2) else { continue };
            let file = fs::metadata(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => ErrorKind::WouldBlock.into(),
                _ => error,
            })?;
            let id = identity(&file);
            // Another process could have this id where `/proc` is of another pid namespace.
            is_seen |= id == gate;
            if file.file_type().is_socket() && fd >= FIRST_SAVED && !is_behind(id, fd) {
                let _ = write!(redirections, " {fd}>&-");
            }
            if file.file_type().is_fifo() && is_for_writing_only(&path) {
                // The task closes these before it waits.
                if id == gate || is_behind(id, task.answer()) {
                    return Err(ErrorKind::WouldBlock.into());
                }
                pipes.push((fd, path, id));
            }
        }
        if !is_seen {
            return Err(ErrorKind::NotFound.into());
        }
        let mut relays: Vec<(FileIdentity, Relay)> = Vec::new();
        for (fd, path, id) in pipes {
            let known = relays.iter().position(|(other, _)| *other == id);
            let index = known.unwrap_or(relays.len());
            if known.is_none() {
                if relays.len() == MOST {
                    continue;
                }
                let Ok(relay) = Relay::to(&path, id.0 == gate.0) else { continue };
                relays.push((id, relay));
            }
            let relay = &mut relays[index].1;
            // Closed first, because bash reverts a redirection of one in which it keeps another.
            let _ = write!(redirections, " {fd}>&- {fd}>>{}", path_of(&relay.theirs)?);
            relay.link = path;
        }
        let command = if redirections.is_empty() { redirections } else { format!("\\exec{redirections}") };
        let all: Vec<Relay> = relays.into_iter().map(|(_, relay)| relay).collect();
        let log = if all.is_empty() { None } else { Some(log.try_clone()?) };
        Ok((Self { all, log, ..Self::default() }, command))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What to wait for: that a task writes, that there is room for what it has written, or that nobody reads it.
    pub(super) fn pending(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.all.iter().flat_map(Relay::pending)
    }

    /// Copies a piece of what has been written to each.
    pub(super) fn copy_some(&mut self) {
        for relay in &mut self.all {
            relay.copy_piece(self.log.as_ref());
        }
    }

    /// From now on, copies to the log instead of the script's pipes, which take what they have room for.
    pub(super) fn leave_pipes(&mut self) {
        for relay in &mut self.all {
            for _ in 0..LAST_PIECES {
                if !relay.copy_piece(self.log.as_ref()) {
                    break;
                }
            }
            relay.to = None;
        }
        self.copy_some();
    }

    /// Takes what the task, which is over, has written, and no more, and copies what there is room for. Returns whether
    /// something is left.
    pub(super) fn take_rest(&mut self) -> bool {
        for relay in &mut self.all {
            // What it has left behind may go on writing.
            let most = relay.pending.len().saturating_add(relay.capacity());
            while relay.read(most) > 0 {}
            relay.ours = None;
            while relay.copy_piece(self.log.as_ref()) {}
            self.is_closing |= !relay.pending.is_empty();
        }
        self.is_closing
    }

    /// Whether the rest that was taken has been copied by now. True once.
    pub(super) fn are_done(&mut self) -> bool {
        self.is_closing && self.all.iter().all(|relay| relay.pending.is_empty()) && {
            self.is_closing = false;
            true
        }
    }

    /// How much is neither where it should be nor in the log, in bytes.
    pub(super) fn unlogged(&self) -> u64 {
        self.all.iter().map(|relay| relay.unlogged).sum()
    }
}

impl Relay {
    /// Fails if that pipe can't be opened once more, or has no reader.
    fn to(path: &Path, is_nameless: bool) -> io::Result<Self> {
        // Not the script's own description of it, whose writes must stay what they are.
        let to = File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        let (ours, theirs) = pipe()?;
        Ok(Self {
            ours: Some(ours),
            theirs,
            to: Some(to),
            is_nameless,
            link: path.to_owned(),
            pending: Vec::new(),
            unlogged: 0,
        })
    }

    fn pending(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let has_more = !self.pending.is_empty();
        // That nobody reads a pipe, poll(2) says unasked.
        let to = self.to.as_ref().filter(|_| has_more || self.ours.is_some() && self.is_nameless);
        let to = to.map(|to| (to.as_fd(), if has_more { PollFlags::OUT } else { PollFlags::empty() }));
        let ours = self.ours.as_ref().filter(|_| !has_more).map(|ours| (ours.as_fd(), PollFlags::IN));
        to.into_iter().chain(ours)
    }

    /// How much the task's pipe holds, in bytes.
    fn capacity(&self) -> usize {
        fcntl(&self.theirs, FcntlArg::F_GETPIPE_SZ).ok().and_then(|size| size.try_into().ok()).unwrap_or(PIECE)
    }

    /// Reads until there is nothing more, or that much is pending, in bytes. Returns how much it has read.
    fn read(&mut self, most: usize) -> usize {
        let mut piece = [0; PIECE];
        let room = PIECE.min(most.saturating_sub(self.pending.len()));
        let length = self.ours.as_mut().map_or(0, |ours| ours.read(&mut piece[..room]).unwrap_or(0));
        self.pending.extend_from_slice(&piece[..length]);
        length
    }

    /// Returns whether there was something, and room for it.
    fn copy_piece(&mut self, log: Option<&File>) -> bool {
        if self.to.as_ref().is_some_and(|to| self.is_nameless && is_unread(to)) {
            self.is_nameless = false;
            // A task that has still to open it would wait for a reader.
            if fs::metadata(&self.link).is_ok_and(|link| is_behind(identity(&link), self.theirs.as_raw_fd())) {
                self.give_up();
            }
        }
        self.read(PIECE);
        if self.pending.is_empty() {
            return false;
        }
        let Some(to) = &mut self.to else {
            let written = log.map_or(0, |log| copy(log, &self.pending));
            self.unlogged += (self.pending.len() as u64).saturating_sub(written);
            self.pending.clear();
            return true;
        };
        match to.write(whole_lines(&self.pending)) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.give_up(),
        }
        true
    }

    /// Nobody reads the script's pipe any more, which the task learns when it writes again.
    fn give_up(&mut self) {
        self.ours = None;
        self.pending.clear();
    }
}

/// The beginning of the text that a pipe takes at once. If there is more, it ends with a line, if it can be: others may
/// write between.
fn whole_lines(text: &[u8]) -> &[u8] {
    let piece = &text[..text.len().min(PIECE)];
    let end = piece.iter().rposition(|&byte| byte == b'\n').filter(|_| piece.len() == PIECE);
    end.map_or(piece, |end| &piece[..=end])
}

fn is_unread(pipe: &File) -> bool {
    let mut polled = [PollFd::new(pipe, PollFlags::empty())];
    poll(&mut polled, Some(&NOT_AT_ALL)).is_ok() && polled[0].revents().contains(PollFlags::ERR)
}

/// What the mode of a link in `/proc/PID/fd` says: see `proc_pid_fd(5)`.
fn is_for_writing_only(link: &Path) -> bool {
    fs::symlink_metadata(link).is_ok_and(|link| link.mode() & 0o600 == 0o200)
}

/// Whether this process has that file open by that number.
fn is_behind(file: FileIdentity, fd: RawFd) -> bool {
    fs::metadata(format!("/proc/self/fd/{fd}")).is_ok_and(|own| identity(&own) == file)
}
