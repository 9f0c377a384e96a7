//! System calls made to fail, and programs killed between two of them, by strace.
//!
//! A command is first traced in a run without faults. The system calls of that run are numbered separately for each
//! kind, as strace's `when=` counts them; a later run, on a store that is prepared the same way, makes the same calls
//! with the same numbers.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A system call of a traced run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its number among the calls of that name, from 1.
    pub number: usize,
    /// What strace printed after the name, with descriptors as paths.
    pub text: String,
}

/// The arguments of strace, up to the command to run under it. `inject` contains expressions such as
/// `write:error=EIO:when=2`.
#[must_use]
pub fn arguments(log: &Path, inject: &[String]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["-y", "-qq", "-s", "0", "-o"].map(OsString::from).into();
    arguments.push(log.into());
    for expression in inject {
        arguments.extend(["-e".into(), format!("inject={expression}").into()]);
    }
    arguments
}

/// The calls of the program in that output file of strace. The program is what the process executed last; earlier
/// calls, such as a shell's, only count for the numbers. Other processes and threads are not traced.
///
/// # Panics
/// If the file can't be read.
#[must_use]
pub fn calls(log: &Path) -> Vec<Call> {
    let mut found: Vec<Call> = Vec::new();
    let mut program = 0;
    for line in String::from_utf8_lossy(&fs::read(log).expect("what strace wrote")).lines() {
        // NAME(ARGUMENTS) = RESULT
        let Some((name, text)) = line.split_once('(') else {
            continue;
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let number = 1 + found.iter().filter(|call| call.name == name).count();
        let runs = name == "execve" && text.ends_with("= 0");
        found.push(Call { name: name.to_owned(), number, text: text.to_owned() });
        if runs {
            program = found.len();
        }
    }
    found.split_off(program)
}

impl Call {
    /// Whether it concerns a file below that folder, other than standard error, or a process that a record names.
    ///
    /// # Panics
    /// If the folder's path is not UTF-8.
    #[must_use]
    pub fn concerns(&self, folder: &Path) -> bool {
        let folder = folder.to_str().expect("UTF-8");
        let other = ["pipe:[", "/proc/self/fd/"].iter().any(|text| self.text.contains(text)) || self.is_on_a_process();
        (self.text.contains(folder) || other) && !self.is_on_errors()
    }

    /// Whether it is on standard error.
    #[must_use]
    pub fn is_on_errors(&self) -> bool {
        self.text.contains("/stderr>")
    }

    /// Whether it begins or ends a sample of a task.
    #[must_use]
    pub fn is_of_a_sample(&self) -> bool {
        self.name == "clock_gettime" && self.text.starts_with("CLOCK_THREAD_CPUTIME_ID")
    }

    /// Whether it is on what the kernel says of a process.
    #[must_use]
    pub fn is_on_a_process(&self) -> bool {
        self.text.contains("/random/boot_id")
            || self.text.split_once("/proc/").is_some_and(|(_, rest)| {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                digits > 0 && rest[digits..].starts_with("/stat")
            })
    }

    /// The errors to try that the kernel can give for this call.
    ///
    /// Left out are
    /// * `ENOSPC` for calls that store nothing new;
    /// * `EACCES` for calls on an open descriptor: the kernel checks permissions when it follows a path. The exception
    ///   is a lock by `fcntl(2)`, which POSIX allows to fail in this way;
    /// * `EINTR` for calls that neither sleep nor transfer data;
    /// * all four for `fcntl(2)` on descriptors themselves, which fails if none is free (`EMFILE`), and for `lseek(2)`
    ///   and `F_GETFD`/`F_SETFL`, which touch no disk and need nothing.
    #[must_use]
    pub fn errors(&self) -> &'static [&'static str] {
        match self.name.as_str() {
            "open" | "openat" if self.text.contains("O_CREAT") => &["ENOSPC", "EIO", "EINTR", "EACCES", "EMFILE"],
            "open" | "openat" => &["EIO", "EINTR", "EACCES", "EMFILE"],
            "write" | "pwrite64" | "copy_file_range" | "sendfile" | "splice" | "fsync" | "fdatasync" | "ftruncate" => {
                &["ENOSPC", "EIO", "EINTR"]
            }
            "read" | "pread64" | "flock" => &["EIO", "EINTR"],
            // A copy-on-write file system may need space even to remove something, or to change its mode.
            "rename" | "renameat" | "renameat2" | "link" | "linkat" | "mkdir" | "mkdirat" | "mknod" | "mknodat"
            | "unlink" | "unlinkat" | "rmdir" => &["ENOSPC", "EIO", "EACCES"],
            "fchmod" | "fchmodat" => &["ENOSPC", "EIO"],
            "fcntl" if self.text.contains("F_DUPFD") => &["EMFILE"],
            "fcntl" if self.text.contains("SETLK") => &["EIO", "EINTR", "EACCES"],
            "statx" | "newfstatat" | "lstat" | "stat" | "readlink" | "readlinkat"
                if !self.text.contains("AT_EMPTY_PATH") =>
            {
                &["EIO", "EACCES"]
            }
            "statx" | "newfstatat" | "fstat" | "getdents64" => &["EIO"],
            _ => &[],
        }
    }

    /// Whether it can change the store or the output.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self.name.as_str() {
            "open" | "openat" => self.text.contains("O_CREAT"),
            "write" | "pwrite64" | "copy_file_range" | "sendfile" | "splice" | "ftruncate" | "rename" | "renameat"
            | "renameat2" | "link" | "linkat" | "mkdir" | "mkdirat" | "mknod" | "mknodat" | "unlink" | "unlinkat"
            | "rmdir" | "fchmod" | "fchmodat" | "flock" => true,
            "fcntl" => self.text.contains("SETLK"),
            _ => false,
        }
    }
}

/// Runs the checks on all threads, and returns their complaints, in the order of the cases.
///
/// # Panics
/// If a check panics.
pub fn in_parallel<T: Sync>(cases: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(2, |count| count.get() + 1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    if let Err(complaint) = check(case) {
                        complaints.lock().expect("no check panics").push((index, complaint));
                    }
                }
            });
        }
    });
    let mut complaints = complaints.into_inner().expect("no check panics");
    complaints.sort();
    complaints.into_iter().map(|(_, complaint)| complaint).collect()
}
