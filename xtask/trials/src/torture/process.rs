//! The processes of a run, found through /proc by the mark in their environment.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::script::{MARK, SHELL, STEP};

/// The role of a process for its future or its shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A shell of the plan.
    Shell,
    /// A process that holds the life of a future.
    Background,
    /// A process that writes to a log: a task, or what it left behind.
    Task,
    /// Any other process that a shell has forked.
    Subshell,
    /// The program under test, with the command that it was given.
    Begin,
    End,
    Collect,
    Block,
    Wait,
    Cancel,
    Other,
}

/// A process with an open handle, so that its id can't pass to another.
pub(crate) struct Process {
    pub(crate) pid: i32,
    handle: OwnedFd,
    pub(crate) kind: Kind,
    /// The index of the shell that it descends from.
    pub(crate) shell: usize,
    /// The index of the shell's step that it belongs to; none for a shell between two steps.
    pub(crate) step: Option<usize>,
}

impl Process {
    /// Sends SIGKILL; false if it was gone already.
    pub(crate) fn kill(&self) -> bool {
        pidfd_send_signal(&self.handle, Signal::KILL).is_ok()
    }

    /// Its state, for a person.
    pub(crate) fn describe(&self) -> String {
        let read = |name| fs::read(entry(self.pid, name)).unwrap_or_default();
        let wchan = String::from_utf8_lossy(&read("wchan")).into_owned();
        let cmdline = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        let step = self.step.map_or_else(|| "-".to_owned(), |step| step.to_string());
        format!("pid {} ({:?} of shell {}, step {step}) in {wchan}: {cmdline}", self.pid, self.kind, self.shell)
    }
}

/// All processes of the run with that mark. `shells` tells whether a process id belongs to a shell.
pub(crate) fn all(mark: &str, shells: impl Fn(i32) -> bool) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| look(pid, mark, &shells)).collect()
}

fn look(pid: i32, mark: &str, shells: &impl Fn(i32) -> bool) -> Option<Process> {
    // Most processes are not ours; seeing that is cheaper than opening a handle.
    environment(pid, MARK).filter(|found| found == mark)?;
    let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    // Only what is read from here on certainly concerns the process behind the handle.
    environment(pid, MARK).filter(|found| found == mark)?;
    let shell = environment(pid, SHELL)?.parse().ok()?;
    let step = target(pid, "9").and_then(|path| path.file_name()?.to_str()?.parse().ok());
    // A supervisor closes it once its shell is gone.
    let step = step.or_else(|| environment(pid, STEP)?.parse().ok());
    let kind = if shells(pid) { Kind::Shell } else { kind(pid)? };
    Some(Process { pid, handle, kind, shell, step })
}

fn kind(pid: i32) -> Option<Kind> {
    let cmdline = fs::read(entry(pid, "cmdline")).ok()?;
    let mut words = cmdline.split(|&byte| byte == 0);
    let program = words.next().map(|word| Path::new(OsStr::from_bytes(word)))?;
    if program.file_name() == Some(OsStr::new("async")) {
        return Some(match words.next()? {
            b"supervise" if !holds_record(pid) => Kind::Begin,
            b"begin-here" => Kind::Begin,
            b"supervise" | b"end-here" => Kind::End,
            b"collect" if cmdline.split(|&byte| byte == 0).any(|word| word == b"--block") => Kind::Block,
            b"collect" => Kind::Collect,
            b"wait" => Kind::Wait,
            b"cancel" => Kind::Cancel,
            _ => Kind::Other,
        });
    }
    if target(pid, "1").is_some_and(|path| path.extension() == Some(OsStr::new("log"))) {
        return Some(Kind::Task);
    }
    Some(Kind::Subshell)
}

/// Whether it has a record open, as a supervisor does once its future has begun.
fn holds_record(pid: i32) -> bool {
    let open = fs::read_dir(entry(pid, "fd")).into_iter().flatten().flatten();
    let is_record = |path: PathBuf| path.extension() == Some(OsStr::new("ini"));
    open.map(|fd| fs::read_link(fd.path())).any(|path| path.is_ok_and(is_record))
}

fn entry(pid: i32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// The target of a process's descriptor.
fn target(pid: i32, fd: &str) -> Option<PathBuf> {
    fs::read_link(entry(pid, "fd").join(fd)).ok()
}

/// A variable of the environment with which a process started. None for a zombie, which has no memory any more.
fn environment(pid: i32, name: &str) -> Option<String> {
    let variables = fs::read(entry(pid, "environ")).ok()?;
    variables
        .split(|&byte| byte == 0)
        .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .and_then(|value| String::from_utf8(value.to_owned()).ok())
}
