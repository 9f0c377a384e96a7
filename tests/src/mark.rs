//! Processes that are found by a mark in their environment, whatever has become of their parents and sessions.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A mark that no other process has: a variable and its value. A shell's subshells have it from the environment in
/// which the shell was started.
#[derive(Clone, Debug)]
pub struct Mark(&'static str, PathBuf);

impl Mark {
    /// A mark for that folder, which belongs to one test.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self("ASYNC_TEST_MARK", folder.to_owned())
    }

    /// The mark of all processes that have that folder for their temporary files.
    #[must_use]
    pub fn of_users(folder: &Path) -> Self {
        Self("TMPDIR", folder.to_owned())
    }

    /// Puts it on everything that the command starts.
    pub fn put_on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(self.0, &self.1)
    }

    /// The running processes with this mark, other than `but`, as command lines. A dying process does not count.
    ///
    /// # Panics
    /// If `/proc` can't be read.
    #[must_use]
    pub fn others(&self, but: u32) -> Vec<String> {
        let described = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid}: {}", String::from_utf8_lossy(&words).replace('\0', " "))
        };
        self.running().iter().filter(|&&pid| pid != but).map(described).collect()
    }

    /// The process ids of the running processes with this mark.
    ///
    /// # Panics
    /// If `/proc` can't be read.
    #[must_use]
    pub fn running(&self) -> Vec<u32> {
        self.pids().into_iter().filter(|&pid| !is_dying(pid)).collect()
    }

    /// Kills all of them, and everything that they start meanwhile.
    ///
    /// # Panics
    /// If `/proc` can't be read.
    pub fn kill(&self) {
        let mut killed = BTreeSet::new();
        loop {
            let new: Vec<u32> = self.pids().into_iter().filter(|&pid| killed.insert(pid)).collect();
            for pid in &new {
                // It may be gone by now.
                let _ = kill(Pid::from_raw((*pid).try_into().expect("a process id")), Signal::SIGKILL);
            }
            if new.is_empty() {
                break;
            }
        }
    }

    fn pids(&self) -> Vec<u32> {
        let variable = [self.0.as_bytes(), b"=", self.1.as_os_str().as_bytes()].concat();
        // A zombie has no environment any more.
        let has_it = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| entry == variable)
        };
        let entries = fs::read_dir("/proc").expect("/proc");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(has_it).collect()
    }
}

/// Whether it is a zombie or about to be one: then its end only depends on the machine's load and on its parent.
fn is_dying(pid: u32) -> bool {
    /// See `PF_EXITING` in the kernel's `include/linux/sched.h`.
    const EXITING: u32 = 0x4;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After its name come its state, five numbers and its flags.
    let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let state = fields.next().unwrap_or_default();
    let flags: Option<u32> = fields.nth(5).and_then(|flags| flags.parse().ok());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = ["SigPnd:", "ShdPnd:"].iter().any(|key| {
        let signals = status.lines().find_map(|line| line.strip_prefix(key));
        let signals = signals.and_then(|signals| u64::from_str_radix(signals.trim(), 16).ok());
        signals.is_some_and(|signals| signals & 1 << (Signal::SIGKILL as u32 - 1) != 0)
    });
    matches!(state, "" | "Z" | "X") || flags.is_some_and(|flags| flags & EXITING != 0) || pending
}
