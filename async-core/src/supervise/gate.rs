//! The gate that a shell function's task waits at: it is forked before its future begins, and runs once it is told to.
//!
//! What it is told is one line: `SKIP LOG SPARE PARENT/`. SKIP is how many of the words that it was given are not its
//! command; LOG is the descriptor of its log in this process; SPARE is `-`, or the descriptor of a pipe here that wants
//! the process id of a copy of it, which it leaves at the gate for another attempt; PARENT is where it runs, as
//! [`INSIDE`](crate::store::INSIDE) has it. The end of the pipe without a line means that it is not to run.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// A shell function's task, which waits at its gate.
#[derive(Debug)]
pub struct Gated {
    pid: u32,
    gate: File,
    skip: usize,
    /// Where the ids of those come from that wait for another attempt.
    spares: Option<(PipeReader, PipeWriter)>,
}

impl Gated {
    /// The task that has that process id and waits for a line from `gate`; `skip` of its words are not its command.
    ///
    /// It is an error (`ECHILD`) if it is no child of this process, which would wait for ever for its end.
    pub fn new(pid: u32, gate: File, skip: usize) -> io::Result<Self> {
        let id = Id::Pid(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
        waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)?;
        Ok(Self { pid, gate, skip, spares: None })
    }

    /// The process of the attempt that is next, or runs.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Has the task run, and first leave a spare of itself if there may be `more` attempts. `parent` is what its programs
    /// are told of where they run.
    pub(super) fn open(&mut self, log: &File, more: bool, parent: &OsStr) -> io::Result<()> {
        if more && self.spares.is_none() {
            let (reader, writer) = io::pipe()?;
            fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            self.spares = Some((reader, writer));
        }
        let spare = match &self.spares {
            Some((_, writer)) if more => writer.as_raw_fd().to_string(),
            _ => "-".to_owned(),
        };
        let mut line = format!("{} {} {spare} ", self.skip, log.as_raw_fd()).into_bytes();
        line.extend_from_slice(parent.as_bytes());
        line.extend_from_slice(b"/\0");
        self.gate.write_all(&line)
    }

    /// The spare that the last attempt has left. The error is `ESRCH` if it was killed before it could leave one.
    pub(super) fn next(&mut self) -> io::Result<u32> {
        let mut text = [0; 32];
        let length = self.spares.as_mut().map_or(Ok(0), |(reader, _)| reader.read(&mut text));
        let pid = length.ok().and_then(|length| std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok());
        self.pid = pid.ok_or(Errno::ESRCH)?;
        Ok(self.pid)
    }
}
