//! Futures whose tasks are the test itself: it prints to their logs and ends them when it wants to.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use async_core::{FutureName, Permissions, Request, Start, Store};
use wait_timeout::ChildExt;

use crate::shell::{Finished, Sandbox};
use crate::stage::sleepers;
use crate::{LIMIT, wait_until};

/// A store, and commands that use it.
pub struct Held {
    /// Where the commands run.
    pub sandbox: Sandbox,
    /// The store.
    pub store: Store,
}

/// The program, running.
pub struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

/// A future that runs until it is told to end.
pub struct Task {
    store: Store,
    name: FutureName,
    record: File,
    log: File,
}

impl Default for Held {
    fn default() -> Self {
        let sandbox = Sandbox::default();
        let (store, _) = Store::init(&sandbox.store(), Permissions::Private).expect("a store");
        Self { sandbox, store }
    }
}

impl Held {
    /// Begins a future of that name, which runs `make`.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn begin(&self, name: &str) -> Task {
        let name: FutureName = name.parse().expect("a name");
        let started = self.store.begin(&name, &Request::new(&["make".into()]), Start::OnRecord);
        let record = started.expect("it begins").record;
        let log = OpenOptions::new().append(true).open(self.store.log_path(&name)).expect("its log");
        Task { store: self.store.clone(), name, record, log }
    }

    /// Begins one that this process runs itself, as a shell does. It ends with [`Store::finish`].
    ///
    /// # Panics
    /// If that fails.
    pub fn begin_in_process(&self, name: &str) {
        let start = Start::InProcess(std::process::id());
        self.store.begin(&name.parse().expect("a name"), &Request::new(&["make".into()]), start).expect("it begins");
    }

    /// Starts the program with these arguments.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with("async", args)
    }

    /// Starts another program, such as a shell that becomes this one.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(&self, program: &str, args: &[&str]) -> Running {
        let mut command = self.sandbox.command(program);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("async runs");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Running { child, output }
    }

    /// The file of that name in the store.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.store.dir().join(file)
    }
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many threads it has.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.pid())).expect("its threads").count()
    }

    /// Sleeps until it waits for a process.
    ///
    /// # Panics
    /// If there is nothing to be found out.
    pub fn wait_for_pidfd(&self) {
        self.wait_for_descriptor("pidfd");
    }

    /// Sleeps until it listens for changes of a store.
    ///
    /// # Panics
    /// If there is nothing to be found out.
    pub fn wait_for_inotify(&self) {
        self.wait_for_descriptor("inotify");
    }

    fn wait_for_descriptor(&self, kind: &str) {
        let has_one = || {
            let entries = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("its descriptors").flatten();
            entries.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|to| to.to_string_lossy().contains(kind))
        };
        wait_until(kind, has_one);
    }

    /// The next line that it prints, once it is there; none if it is over.
    ///
    /// # Panics
    /// If that is not UTF-8.
    #[must_use]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        line
    }

    /// Waits until it ends. Standard output is what has not been read yet.
    ///
    /// # Panics
    /// If it hangs.
    #[must_use]
    pub fn rest(mut self) -> Finished {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.output.read_to_string(&mut stdout).expect("UTF-8");
        self.child.stderr.take().expect("its errors").read_to_string(&mut stderr).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Finished { stdout, stderr, status }
    }

    /// Waits until it ends, though nobody reads what it prints.
    ///
    /// # Panics
    /// If it hangs.
    #[must_use]
    pub fn leave(self) -> Option<i32> {
        let Self { mut child, output } = self;
        drop(output);
        child.wait_timeout(LIMIT).expect("a child").expect("it ends").code()
    }
}

impl Task {
    /// Adds to its log.
    ///
    /// # Panics
    /// If that can't be written.
    pub fn print(&mut self, text: &str) {
        self.log.write_all(text.as_bytes()).expect("a log");
    }

    /// Ends with that status.
    ///
    /// # Panics
    /// If that can't be recorded.
    pub fn finish(self, rc: i32) {
        self.store.finish(&self.name, rc).expect("its record");
        self.end();
    }

    /// Ends without a word.
    ///
    /// # Panics
    /// If the lock can't be let go of.
    pub fn end(self) {
        // Not by closing it: a child that another thread is just starting has a copy.
        self.record.unlock().expect("its lock");
    }

    /// Sleeps until somebody sleeps until it ends.
    ///
    /// # Panics
    /// If there is nothing to be found out.
    pub fn wait_for_waiter(&self) {
        self.wait_for_waiters(1);
    }

    /// Sleeps until that many do.
    ///
    /// # Panics
    /// If there is nothing to be found out.
    pub fn wait_for_waiters(&self, count: usize) {
        let inode = self.record.metadata().expect("its record").ino();
        wait_until("waiters", || sleepers(inode) >= count);
    }
}
