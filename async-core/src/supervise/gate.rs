//! The gate in front of a shell function's task: the shell forks the task before its future begins, and the task waits
//! at a pipe until it may run.
//!
//! The order that it reads there consists of two dots, which may get lost, and four texts, each followed by a NUL
//! character: the number of its words that are not part of its command; the path by which it opens its log, or the
//! terminal that is copied there; its value of [`INSIDE`](crate::store::INSIDE); and commands in bash that it runs before all
//! that. If the pipe ends without a text, the task must not run.
//!
//! The commands are read while the script's aliases hold, so they begin with a backslash.

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

/// Prints the shell's settings, its variables, its functions and the task's words, for a copy of it that is to run the task
/// elsewhere. What can't be printed for want of a process is empty.
const SNAPSHOT: &str = r#"\builtin printf '%s\0' "$(\builtin shopt -p && \builtin alias -p)" \
    "$(\builtin declare -p && \builtin declare -Fx)" "$(\builtin declare -f && \builtin set +o)" \
    "${@:_async_answer+1}" whole >>"${_async_answer[1]}"
\builtin exit"#;

/// A shell function's task that waits at its gate.
#[derive(Debug)]
pub struct Gated {
    pid: u32,
    gate: File,
    skip: usize,
    /// The number of the pipe on which the calling shell hears from this process.
    answer: RawFd,
    /// The calling shell, the parent of this process.
    shell: Pid,
    /// A pipe for the process ids of the spares, which wait for another attempt.
    spares: Option<(PipeReader, PipeWriter)>,
    /// The script that the task must not outlive.
    ends_with: Option<ProcessIdentity>,
}

impl Gated {
    /// The task with that process id, which waits at `gate`; the first `skip` of its words are not part of its command.
    /// The calling shell is this process's parent, reads what is written to `answer`, and belongs to the script whose `$$`
    /// is `script`.
    ///
    /// Fails with `ECHILD` if the task is no child of this process, which would then wait forever for its end.
    pub fn new(pid: u32, gate: File, answer: RawFd, skip: usize, script: Option<u32>) -> io::Result<Self> {
        must_be_child(pid)?;
        let parent = getppid();
        // If process 1 is the parent, the shell is gone, unless process 1 is the script.
        let is_orphan = parent == Pid::from_raw(1) && script != Some(1);
        Ok(Self {
            pid,
            gate,
            answer,
            skip,
            shell: if is_orphan { getpid() } else { parent },
            spares: None,
            ends_with: None,
        })
    }

    /// Cancels the task when that script is gone.
    #[must_use]
    pub fn ends_with(self, script: Option<ProcessIdentity>) -> Self {
        Self { ends_with: script, ..self }
    }

    /// Takes a snapshot of the shell instead of running the task: see `SNAPSHOT`. Fails if the
    /// process is gone before it has sent the snapshot.
    pub fn take_snapshot(&mut self) -> io::Result<Vec<u8>> {
        let mut said = File::from(memfd_create(c"snapshot", MFdFlags::MFD_CLOEXEC)?);
        let order = self.order_to(&path_of(&said)?, OsStr::new(""), SNAPSHOT);
        self.open(&order)?;
        // The status does not matter: the snapshot itself shows whether it is complete.
        waitpid(Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX)), None)?;
        let mut text = Vec::new();
        said.rewind()?;
        said.read_to_end(&mut text)?;
        text.strip_suffix(b"whole\0").map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The script that the task must not outlive.
    pub(super) fn script(&self) -> Option<ProcessIdentity> {
        self.ends_with.clone()
    }

    /// The calling shell.
    pub(super) fn shell(&self) -> Pid {
        self.shell
    }

    /// The pipe at which the task waits.
    pub(super) fn gate(&self) -> &File {
        &self.gate
    }

    /// The number of the pipe on which the calling shell hears from this process.
    pub(super) fn answer(&self) -> RawFd {
        self.answer
    }

    /// The process of the first attempt.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Has the task run a command, and wait for its order.
    pub(super) fn prepare(&mut self, command: &str) -> io::Result<()> {
        let commands = format!("{command} && \\_async_hear 4 && \\builtin eval \"${{_async_answer[3]}}\"");
        let order = self.order_to("", OsStr::new(""), &commands);
        self.open(&order)
    }

    /// The order to run the task, which prints to `output`, after these commands. If `more` attempts may follow, the task
    /// first leaves a spare of itself. `parent` is the value of `INSIDE` for its programs.
    pub(super) fn order(&mut self, output: &File, more: bool, parent: &OsStr, commands: &str) -> io::Result<Vec<u8>> {
        if more && self.spares.is_none() {
            self.spares = Some(pipe()?);
        }
        let commands = match &self.spares {
            Some((_, writer)) if more => {
                let spares = path_of(writer)?;
                &format!("{commands}\n( \\_async_task \"$@\" <&0 &\n\\builtin printf '%s\\n' \"$!\" >>{spares} )")
            }
            _ => commands,
        };
        Ok(self.order_to(&path_of(output)?, parent, commands))
    }

    fn order_to(&self, output: &str, parent: &OsStr, commands: &str) -> Vec<u8> {
        let skip = self.skip.to_string();
        let texts = [skip.as_bytes(), output.as_bytes(), parent.as_bytes(), commands.as_bytes(), b""];
        [&b".."[..], &texts.join(&0)].concat()
    }

    /// Sends the order.
    pub(super) fn open(&mut self, order: &[u8]) -> io::Result<()> {
        // In one piece: a reader of the first text has them all.
        self.gate.write_all(order)
    }

    /// The spare process that the last attempt left for the next one. Fails with `ESRCH` if the attempt was killed
    /// before it could leave one.
    pub(super) fn take_spare(&mut self) -> io::Result<u32> {
        let mut text = [0; 32];
        let length = self.spares.as_mut().map_or(Ok(0), |(reader, _)| reader.read(&mut text));
        let pid = length.ok().and_then(|length| std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok());
        let pid = pid.ok_or(Errno::ESRCH)?;
        // Any process with the task's descriptors may have written this.
        must_be_child(pid).map_err(|_| Errno::ESRCH)?;
        Ok(pid)
    }
}

/// Fails with `ECHILD` if that process is no child of this one.
fn must_be_child(pid: u32) -> io::Result<()> {
    let id = Id::Pid(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
    waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)?;
    Ok(())
}

/// A pipe that the task is to write to. Reading from it does not wait.
pub(super) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((reader, writer))
}

/// A path by which another process opens the same file, whatever its name.
pub(super) fn path_of(file: &impl AsRawFd) -> io::Result<String> {
    // This process as the task sees it: if `/proc` belongs to another pid namespace, this process's own id is
    // meaningless there.
    let this = fs::read_link("/proc/self")?;
    Ok(format!("/proc/{}/fd/{}", this.display(), file.as_raw_fd()))
}
