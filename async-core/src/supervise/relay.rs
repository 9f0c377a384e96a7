//! Pipes to which a function's task may write besides its output, as after `exec 3>&1`.
//!
//! The task has a pipe of its own instead, and its supervisor copies what comes. So who reads the script's pipe sees its
//! end when the script ends, and not when the task does.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rustix::event::PollFlags;

use super::attend::copy;
use super::gate::{Gated, path_of};

/// How much a pipe takes at once, or not at all (`PIPE_BUF`), in bytes.
const PIECE: usize = 4096;

/// A pipe of the task's, and where it leads.
struct Relay {
    /// None once nobody reads what the task would write.
    ours: Option<PipeReader>,
    theirs: PipeWriter,
    /// The script's pipe, until the script's shell is gone.
    to: Option<File>,
    /// What has been read and not yet written.
    pending: Vec<u8>,
}

/// The relays of a task.
#[derive(Default)]
pub(super) struct Relays {
    relays: Vec<Relay>,
    /// For what comes once the shell is gone.
    log: Option<File>,
}

/// The commands by which a task takes its relays, in bash; empty if it needs none.
pub(super) type Commands = String;

impl Relays {
    /// Makes a relay for each pipe to which the task may write.
    ///
    /// What its shell keeps for itself, as the output from before a redirection, is for no task, and closed. A pipe that
    /// can't be opened once more, as it is another user's, stays as it is. So do all if the task can't be seen in `/proc`.
    pub(super) fn of(task: &Gated, log: &File) -> io::Result<(Self, Commands)> {
        let gate = Identity::of(&task.gate().metadata()?);
        let mut is_seen = false;
        let mut relays: Vec<(Identity, Relay)> = Vec::new();
        let mut commands = Commands::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", task.pid()))? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str);
            let Some(fd) = name.and_then(|name| name.parse::<RawFd>().ok()).filter(|fd| *fd > 2) else { continue };
            let file = fs::metadata(&path)?;
            let (identity, kind) = (Identity::of(&file), file.file_type());
            // Another process could have this id where `/proc` is of another pid namespace.
            is_seen |= identity == gate;
            if identity == gate || !kind.is_fifo() && !kind.is_socket() {
                continue;
            }
            // The mode of the link says how the file is open; see proc_pid_fd(5).
            let mode = fs::symlink_metadata(&path)?.mode();
            let (reads, writes) = (mode & 0o400 != 0, mode & 0o200 != 0);
            let own = format!("/proc/self/fd/{fd}");
            let is_inherited = fs::metadata(&own).is_ok_and(|own| Identity::of(&own) == identity);
            if !writes || is_inherited && reads {
                continue;
            }
            if !is_inherited {
                let _ = write!(commands, " {fd}>&-");
                continue;
            }
            if !relays.iter().any(|(other, _)| *other == identity) {
                let Ok(relay) = Relay::to(&own) else { continue };
                relays.push((identity, relay));
            }
            for (_, relay) in relays.iter().filter(|(other, _)| *other == identity) {
                let _ = write!(commands, " {fd}>>{}", path_of(&relay.theirs)?);
            }
        }
        if !is_seen {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !commands.is_empty() {
            commands.insert_str(0, "\\exec");
        }
        let log = if relays.is_empty() { None } else { Some(log.try_clone()?) };
        Ok((Self { relays: relays.into_iter().map(|(_, relay)| relay).collect(), log }, commands))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.relays.is_empty()
    }

    /// What to wait for: that a task writes, or that there is room for what it has written.
    pub(super) fn pending(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.relays.iter().filter_map(|relay| match (&relay.to, &relay.ours) {
            (Some(to), _) if !relay.pending.is_empty() => Some((to.as_fd(), PollFlags::OUT)),
            (_, ours) => ours.as_ref().map(|ours| (ours.as_fd(), PollFlags::IN)),
        })
    }

    /// Copies a piece of what has been written to each.
    pub(super) fn copy(&mut self) {
        for relay in &mut self.relays {
            relay.copy(self.log.as_ref());
        }
    }

    /// From now on, copies to the log instead.
    pub(super) fn leave_pipes(&mut self) {
        self.copy();
        for relay in &mut self.relays {
            relay.to = None;
        }
        self.copy();
    }

    /// Reads what the task, which is over, has written, and no more. Returns whether there is something left to copy.
    pub(super) fn close(&mut self) -> bool {
        for relay in &mut self.relays {
            // What it has left behind may go on writing.
            let most = relay.pending.len().saturating_add(relay.capacity());
            while relay.read(most) > 0 {}
            relay.ours = None;
        }
        self.copy();
        self.relays.iter().any(|relay| !relay.pending.is_empty())
    }
}

impl Relay {
    /// Fails if that pipe can't be opened once more, or has no reader.
    fn to(pipe: &str) -> io::Result<Self> {
        // Others have the script's description of it, for which a write of theirs must stay what it is.
        let to = File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(pipe)?;
        let (ours, theirs) = io::pipe()?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { ours: Some(ours), theirs, to: Some(to), pending: Vec::new() })
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

    fn copy(&mut self, log: Option<&File>) {
        self.read(PIECE);
        while !self.pending.is_empty() {
            let Some(to) = &mut self.to else {
                if let Some(log) = log {
                    copy(log, &self.pending);
                }
                self.pending.clear();
                return;
            };
            match to.write(whole_lines(&self.pending)) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody reads it any more, which the task learns when it writes again.
                Err(_) => {
                    self.ours = None;
                    self.pending.clear();
                }
            }
        }
    }
}

/// The beginning of the text that a pipe takes at once, up to the end of a line if it can be: others may write between.
fn whole_lines(text: &[u8]) -> &[u8] {
    let piece = &text[..text.len().min(PIECE)];
    let end = piece.iter().rposition(|&byte| byte == b'\n').filter(|_| piece.len() == PIECE);
    end.map_or(piece, |end| &piece[..=end])
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}
