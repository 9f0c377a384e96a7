//! Processes that are known by a mark in their environment, whatever has become of their parents and sessions.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that holds the mark. A shell's subshells have it in what the shell itself was started with.
const VARIABLE: &str = "ASYNC_TEST_MARK";

/// A mark that no other process has.
#[derive(Clone, Debug)]
pub struct Mark(String);

impl Mark {
    /// One for that folder, which no other test has.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.display().to_string())
    }

    /// Puts it on whatever that command starts.
    pub fn put_on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(VARIABLE, &self.0)
    }

    /// The processes that have it and run, but for that one, with their command lines.
    ///
    /// # Panics
    /// If `/proc` can't be read.
    #[must_use]
    pub fn others(&self, but: u32) -> Vec<String> {
        let described = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid}: {}", String::from_utf8_lossy(&words).replace('\0', " "))
        };
        self.pids().iter().filter(|&&pid| pid != but).map(described).collect()
    }

    /// Kills all of them.
    ///
    /// # Panics
    /// If `/proc` can't be read.
    pub fn kill(&self) {
        for pid in self.pids() {
            // It may be gone by now.
            let _ = kill(Pid::from_raw(pid.try_into().expect("a process id")), Signal::SIGKILL);
        }
    }

    fn pids(&self) -> Vec<u32> {
        let variable = format!("{VARIABLE}={}", self.0).into_bytes();
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
