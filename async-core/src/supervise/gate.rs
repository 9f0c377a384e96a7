//! The gate that a shell function's task waits at: it is forked before its future begins, and runs once it is told to.
//!
//! What it is told is, behind two dots that it may lose, four texts, each with a NUL character behind it: how many of the words that it was given are not its
//! command; the path by which it opens its log; where it runs, as [`INSIDE`](crate::store::INSIDE) has it; and if there may
//! be another attempt, the path of a pipe that wants the process id of a copy of it, which it leaves at the gate; or `snapshot`
//! if it is to write what its shell is to that path, and to run nothing. The end
//! of the pipe without a text means that it is not to run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use crate::process::ProcessIdentity;

/// A shell function's task, which waits at its gate.
#[derive(Debug)]
pub struct Gated {
    pid: u32,
    gate: File,
    skip: usize,
    /// The shell that called, the parent of this process.
    shell: Pid,
    /// Where the ids of those come from that wait for another attempt.
    spares: Option<(PipeReader, PipeWriter)>,
    /// The script whose end is to be the task's too.
    ends_with: Option<ProcessIdentity>,
}

impl Gated {
    /// The task that has that process id and waits at `gate`; `skip` of its words are not its command. The shell that called is
    /// this process's parent, in the script whose `$$` is `script`.
    ///
    /// It is an error (`ECHILD`) if it is no child of this process, which would wait for ever for its end.
    pub fn new(pid: u32, gate: File, skip: usize, script: Option<u32>) -> io::Result<Self> {
        must_be_child(pid)?;
        let parent = getppid();
        // It is gone already if this is process 1's child, unless that is the script.
        let is_orphan = parent == Pid::from_raw(1) && script != Some(1);
        Ok(Self { pid, gate, skip, shell: if is_orphan { getpid() } else { parent }, spares: None, ends_with: None })
    }

    /// The same, to be cancelled when that script is gone.
    #[must_use]
    pub fn ends_with(self, script: Option<ProcessIdentity>) -> Self {
        Self { ends_with: script, ..self }
    }

    /// What its shell says of itself, in place of running it: see `_async_task` of the functions. It is an error if the process is
    /// gone before it has said that.
    pub fn take_snapshot(&mut self) -> io::Result<Vec<u8>> {
        let mut said = File::from(memfd_create(c"snapshot", MFdFlags::MFD_CLOEXEC)?);
        let order = format!("..{}\0{}\0\0snapshot\0", self.skip, path_of(&said)?);
        self.open(order.as_bytes())?;
        // Whatever its status is: what it has said says whether that is whole.
        waitpid(Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX)), None)?;
        let mut text = Vec::new();
        said.rewind()?;
        said.read_to_end(&mut text)?;
        text.strip_suffix(b"whole\0").map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The script whose end is to be the task's too.
    pub(super) fn script(&self) -> Option<ProcessIdentity> {
        self.ends_with.clone()
    }

    /// The shell that called.
    pub(super) fn shell(&self) -> Pid {
        self.shell
    }

    /// The pipe that the task waits at.
    pub(super) fn pipe(&self) -> RawFd {
        self.gate.as_raw_fd()
    }

    /// The process of the first attempt.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// What the task is to be told: to run, and first to leave a spare of itself if there may be `more` attempts. `parent` is
    /// what its programs are told of where they run.
    pub(super) fn order(&mut self, log: &File, more: bool, parent: &OsStr) -> io::Result<Vec<u8>> {
        if more && self.spares.is_none() {
            let (reader, writer) = io::pipe()?;
            fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            self.spares = Some((reader, writer));
        }
        let spare = match &self.spares {
            Some((_, writer)) if more => path_of(writer)?,
            _ => String::new(),
        };
        let mut told = format!("..{}\0{}\0", self.skip, path_of(log)?).into_bytes();
        told.extend_from_slice(parent.as_bytes());
        told.extend_from_slice(format!("\0{spare}\0").as_bytes());
        Ok(told)
    }

    /// Tells it that.
    pub(super) fn open(&mut self, order: &[u8]) -> io::Result<()> {
        // In one piece, so that whoever has the first text has all.
        self.gate.write_all(order)
    }

    /// The process that the last attempt has left for another one. The error is `ESRCH` if it was killed before it could leave
    /// one.
    pub(super) fn take_spare(&mut self) -> io::Result<u32> {
        let mut text = [0; 32];
        let length = self.spares.as_mut().map_or(Ok(0), |(reader, _)| reader.read(&mut text));
        let pid = length.ok().and_then(|length| std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok());
        let pid = pid.ok_or(Errno::ESRCH)?;
        // Whoever has the task's descriptors may have written it.
        must_be_child(pid).map_err(|_| Errno::ESRCH)?;
        Ok(pid)
    }
}

/// The error is `ECHILD` if that process is no child of this one.
fn must_be_child(pid: u32) -> io::Result<()> {
    let id = Id::Pid(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
    waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)?;
    Ok(())
}

/// By which another process opens what this one has open, whatever its name is.
fn path_of(file: &impl AsRawFd) -> io::Result<String> {
    // This process as the task sees it: in another pid namespace than that of `/proc` its own id says nothing there.
    let this = fs::read_link("/proc/self")?;
    Ok(format!("/proc/{}/fd/{}", this.display(), file.as_raw_fd()))
}
