//! Processes: identities that outlive the reuse of process ids, and exit statuses.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::str::FromStr;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::unistd::{ForkResult, SysconfVar, sysconf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::clock::Millis;
use crate::interruption::again;

/// One process of one boot of one machine.
///
/// Linux hands out process ids again, so an id alone says nothing about the past. Together with the process's start
/// (field 22 of `/proc/PID/stat`, in clock ticks since boot; see proc(5)) and the boot's own id it names one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    pid: u32,
    start_ticks: u64,
    boot: String,
}

impl ProcessIdentity {
    /// The identity of a process that is alive now.
    ///
    /// The error is `Unsupported` where `/proc` is of another pid namespace, which knows that process by another id.
    pub fn of(pid: u32) -> io::Result<Self> {
        // Cheaper than to be certain, and good enough where nothing is signalled.
        if fs::read_link("/proc/self")?.to_str() != Some(&std::process::id().to_string()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let stat = stat_line(pid)?;
        let start_ticks = start_ticks(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { pid, start_ticks, boot: boot_id()? })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether that very process is still there. A zombie counts as gone: it runs nothing any more.
    ///
    /// It is an error if that can't be found out, as when no descriptor is free, or where `/proc` is not of this process's own
    /// pid namespace.
    pub fn is_alive(&self) -> io::Result<bool> {
        require_own_proc()?;
        let Some(stat) = unless_gone(stat_line(self.pid))? else {
            return Ok(false);
        };
        let same = start_ticks(&stat) == Some(self.start_ticks) && runs(&stat);
        Ok(same && boot_id()? == self.boot)
    }

    /// Sleeps until that process is gone, or there is something to read from `other`, or it is time to look again.
    pub(crate) fn wait_or(&self, other: BorrowedFd<'_>) -> io::Result<()> {
        let handle = Handle::open(self.pid)?;
        if handle.is_none() || !self.is_alive()? {
            return Ok(());
        }
        let pidfd = handle.as_ref().and_then(Handle::pidfd);
        let mut fds = vec![PollFd::from_borrowed_fd(other, PollFlags::IN)];
        fds.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        match poll(&mut fds, pidfd.is_none().then_some(&LOOK_AGAIN)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sleeps until that process is gone; returns at once if it is.
    pub fn wait(&self) -> io::Result<()> {
        match Handle::open(self.pid)? {
            // Only now does the descriptor pin the process, so only now is the look at its start worth something.
            Some(Handle::Pidfd(pidfd)) if self.is_alive()? => wait_on(&pidfd, None),
            Some(Handle::Refused) => {
                while self.is_alive()? {
                    sleep(PAUSE);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A process, to be told when it is gone.
#[derive(Debug)]
pub(crate) struct Watched {
    identity: ProcessIdentity,
    /// None where the kernel gives none, or none is free.
    pidfd: Option<OwnedFd>,
}

impl Watched {
    /// That process; none if it is gone.
    pub(crate) fn of(identity: ProcessIdentity) -> Option<Self> {
        let pidfd = match Handle::open(identity.pid) {
            Ok(None) => return None,
            Ok(Some(Handle::Pidfd(pidfd))) => Some(pidfd),
            Ok(Some(Handle::Refused)) | Err(_) => None,
        };
        // Only now does the descriptor pin it.
        let watched = Self { identity, pidfd };
        watched.seems_alive().then_some(watched)
    }

    /// What can be read from once it is gone.
    pub(crate) fn pidfd(&self) -> Option<&OwnedFd> {
        self.pidfd.as_ref()
    }

    /// One of which that can't be found out is taken for alive.
    pub(crate) fn seems_alive(&self) -> bool {
        self.identity.is_alive().unwrap_or(true)
    }
}

/// How long to sleep between two looks where the kernel gives no descriptors of processes.
const PAUSE: Duration = Duration::from_millis(50);
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The error is `Unsupported` unless `/proc` is there, and of this process's own pid namespace: what it shows of another
/// one's processes says nothing of those that have the same ids here.
pub(crate) fn require_own_proc() -> io::Result<()> {
    static IS_OWN: OnceLock<bool> = OnceLock::new();
    let is_own = match IS_OWN.get() {
        Some(is_own) => *is_own,
        None => match fs::read_to_string("/proc/self/status") {
            // The ids of this process in each namespace from that of the mount to its own.
            Ok(status) => *IS_OWN.get_or_init(|| {
                let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
                ids.is_some_and(|ids| ids.trim() == std::process::id().to_string())
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => *IS_OWN.get_or_init(|| false),
            Err(error) => return Err(error),
        },
    };
    if is_own {
        return Ok(());
    }
    let what = "/proc is not there, or of another pid namespace, so no process can be told from another";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// Has a write past the limit on the size of files (`ulimit -f`) fail, where it would kill this process.
pub fn outlive_file_size_limit() -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    Ok(signals.thread_block()?)
}

/// Has the process table show these words in place of this process's arguments, which may be secrets: every user may see
/// them for as long as it lives.
///
/// They are overwritten where the kernel reads them, between fields 48 and 49 of `/proc/self/stat` (see proc(5)); `shown`
/// is cut where it is longer than they are.
pub fn hide_arguments(shown: &[&OsStr]) -> io::Result<()> {
    let line = read_line("/proc/self/stat")?;
    // The fields after the name begin with field 3.
    let mut fields = fields_after_name(&line).into_iter().flatten().skip(45);
    let mut next = || fields.next().and_then(|field| field.parse::<u64>().ok()).ok_or(io::ErrorKind::InvalidData);
    let (start, end) = (next()?, next()?);
    let length = usize::try_from(end.saturating_sub(start)).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut words: Vec<u8> = shown.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
    words.resize(length, 0);
    if let Some(last) = words.last_mut() {
        // Else the kernel takes it for a title that goes on in the environment.
        *last = 0;
    }
    File::options().write(true).open("/proc/self/mem")?.write_all_at(&words, start)
}

/// Makes a process or a thread, and tries again while there is none to be had, for as long as bash does: four times, after 1, 2, 4 and 8
/// seconds.
pub(crate) fn with_patience<T>(mut make: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for seconds in [1, 2, 4, 8] {
        match make() {
            Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) => sleep(Duration::from_secs(seconds)),
            done => return done,
        }
    }
    make()
}

/// Which of the two processes a fork has come back in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The new one.
    Child,
    /// That of before, whose child has this process id.
    Parent(u32),
}

/// Makes this process two. The error is `EBUSY` if it has other threads: in the child they would be gone, and what they had
/// locked would stay so.
#[allow(unsafe_code)]
pub fn fork() -> io::Result<Side> {
    match read_line("/proc/self/stat") {
        // Field 20 of the line is the 18th after the name.
        Ok(stat) if fields_after_name(&stat).and_then(|mut fields| fields.nth(17)) != Some("1") => {
            return Err(Errno::EBUSY.into());
        }
        // Without a /proc, or with another one, it can't be seen, and no caller has started any.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // SAFETY: there is no other thread that could have been in the middle of something.
    match with_patience(|| Ok(unsafe { nix::unistd::fork() }?))? {
        ForkResult::Child => Ok(Side::Child),
        ForkResult::Parent { child } => Ok(Side::Parent(child.as_raw().unsigned_abs())),
    }
}

/// Has the kernel keep what became of this process's children, even if whoever started it did not want to know that of
/// its own.
#[allow(unsafe_code)]
pub(crate) fn reset_sigchld() -> io::Result<()> {
    // SAFETY: no handler is set.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}

/// Has a program start with nothing of its starter's signals: none is blocked, and none is ignored.
#[allow(unsafe_code)]
pub(crate) fn start_without_inherited_signals(command: &mut Command) {
    let forget = || {
        for number in 1..=libc::SIGRTMAX() {
            // SAFETY: no handler is set. It fails for signals that can't be ignored in the first place.
            unsafe { libc::signal(number, libc::SIG_DFL) };
        }
        Ok(SigSet::empty().thread_set_mask()?)
    };
    // SAFETY: between fork and exec it makes system calls and touches no memory but its own.
    unsafe { command.pre_exec(forget) };
}

/// Has the supervisor that has this record open, and that process id, look at it again, by SIGCONT. It is an error if that
/// can't be told from other processes; nothing happens if it is gone.
pub(crate) fn wake_supervisor(pid: u32, record: &Metadata) -> io::Result<()> {
    signal_if(pid, Signal::SIGCONT, || writes_to(pid, record))
}

/// Sends a signal to the process that has that id and was started then, in clock ticks since boot, if it is still there.
pub(crate) fn signal_process(pid: u32, start_ticks: u64, signal: Signal) -> io::Result<()> {
    signal_if(pid, signal, || look(pid).is_some_and(|process| process.start_ticks == start_ticks))
}

/// Sends a signal to the process with that id if it is the right one, which is found out when it can't become another any more.
fn signal_if(pid: u32, signal: Signal, is_it: impl Fn() -> bool) -> io::Result<()> {
    require_own_proc()?;
    let Some(handle) = Handle::open(pid)? else {
        return Ok(());
    };
    if !is_it() {
        return Ok(());
    }
    let sent = match &handle {
        Handle::Pidfd(pidfd) => {
            let signal = rustix::process::Signal::from_named_raw(signal as i32);
            signal.map_or(Ok(()), |signal| pidfd_send_signal(pidfd, signal)).map_err(io::Error::from)
        }
        Handle::Refused => {
            let pid = i32::try_from(pid).map_err(|_| Errno::ESRCH)?;
            kill(nix::unistd::Pid::from_raw(pid), signal).map_err(io::Error::from)
        }
    };
    match sent {
        // It may be gone by now.
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
        sent => sent,
    }
}

/// How long a function's task may have been there before its future began, in ms.
const FORKED_BEFORE: Millis = 60_000;

/// Whether the process with that id is there and may be of a future that began at `since`, in ms since boot: it was not
/// started more than a minute before.
#[must_use]
pub fn is_alive_since(pid: u32, since: Option<Millis>) -> bool {
    let (Some(since), Ok(stat)) = (since, stat_line(pid)) else {
        return false;
    };
    let tick_ms = match sysconf(SysconfVar::CLK_TCK) {
        Ok(Some(per_second)) if per_second > 0 => 1000 / per_second,
        _ => 10,
    };
    let started = start_ticks(&stat).and_then(|ticks| Millis::try_from(ticks).ok());
    // The kernel cuts the start to whole ticks.
    started.is_some_and(|ticks| (ticks + 1) * tick_ms + FORKED_BEFORE >= since) && runs(&stat)
}

/// What is to be seen of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessEntry {
    pub(crate) parent: u32,
    /// When it was started, in clock ticks since boot.
    pub(crate) start_ticks: u64,
    /// Whether it runs: a zombie does not.
    pub(crate) runs: bool,
}

/// A look at that process; none if it is gone.
pub(crate) fn look(pid: u32) -> Option<ProcessEntry> {
    parse_look(&stat_line(pid).ok()?)
}

/// The same; that it can't be looked at is an error.
pub(crate) fn try_look(pid: u32) -> io::Result<Option<ProcessEntry>> {
    let stat = unless_gone(stat_line(pid))?;
    stat.map(|stat| parse_look(&stat).ok_or_else(|| io::ErrorKind::InvalidData.into())).transpose()
}

fn parse_look(stat: &str) -> Option<ProcessEntry> {
    // Field 4 of the line is the second after the name.
    let parent = fields_after_name(stat)?.nth(1)?.parse().ok()?;
    Some(ProcessEntry { parent, start_ticks: start_ticks(stat)?, runs: runs(stat) })
}

/// The children of that process, or of this one, of all its threads; none if it is gone. Of those that end meanwhile, and of their
/// siblings, some may be missing: see `/proc/PID/task/TID/children` in proc(5).
///
/// The error is `Unsupported` if the kernel has no such lists (`CONFIG_PROC_CHILDREN`).
pub(crate) fn children(pid: Option<u32>) -> io::Result<Option<Vec<u32>>> {
    let threads = pid.map_or_else(|| "/proc/self/task".to_owned(), |pid| format!("/proc/{pid}/task"));
    let Some(entries) = unless_gone(fs::read_dir(threads).and_then(Iterator::collect::<io::Result<Vec<_>>>))? else {
        return Ok(None);
    };
    let mut children = Vec::new();
    for entry in entries {
        let list = entry.path().join("children");
        match unless_gone(fs::read_to_string(list))? {
            Some(list) => children.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok())),
            None if entry.path().join("stat").try_exists()? => return Err(io::ErrorKind::Unsupported.into()),
            None => {}
        }
    }
    Ok(Some(children))
}

/// None where a process was gone when it was looked for, or between that and the look.
fn unless_gone<T>(seen: io::Result<T>) -> io::Result<Option<T>> {
    match seen {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        seen => seen.map(Some),
    }
}

/// Whether this process descends from that one, or is it.
pub(crate) fn descends_from(ancestor: &ProcessIdentity) -> bool {
    let parent = |pid: &u32| look(*pid).map(|process| process.parent).filter(|&pid| pid != 0);
    let mut line = std::iter::successors(Some(std::process::id()), parent);
    line.any(|pid| pid == ancestor.pid) && ancestor.is_alive().unwrap_or(false)
}

/// Whether there is a process with that id, whichever it is.
pub(crate) fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|&pid| pid > 0);
    pid.is_some_and(|pid| kill(nix::unistd::Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}

/// The ids of all processes.
pub(crate) fn all() -> io::Result<Vec<u32>> {
    require_own_proc()?;
    let entries = fs::read_dir("/proc")?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Whether that process has the file open for writing. Not if this user may not know.
pub(crate) fn writes_to(pid: u32, file: &Metadata) -> bool {
    written_by(pid).any(|it| it == (file.dev(), file.ino()))
}

/// The files that that process has open for writing, by device and inode. None if this user may not know.
pub(crate) fn written_by(pid: u32) -> impl Iterator<Item = (u64, u64)> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.map(|entry| entry.path()).filter_map(|path| {
        // The link's own mode tells what the file was opened for.
        let for_writing = fs::symlink_metadata(&path).is_ok_and(|link| link.mode() & 0o200 != 0);
        fs::metadata(&path).ok().filter(|_| for_writing).map(|it| (it.dev(), it.ino()))
    })
}

/// Whether that process was started with that entry, such as `NAME=VALUE`, in its environment.
pub(crate) fn has_env_entry(pid: u32, entry: &OsStr) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|it| it == entry.as_bytes())
}

/// Sleeps until the process with that id, whichever it is, is gone, but no longer than `limit` ms.
pub fn wait_at_most(pid: u32, limit: u32) -> io::Result<()> {
    match Handle::open(pid)? {
        Some(Handle::Pidfd(pidfd)) => wait_on(&pidfd, Some(limit)),
        Some(Handle::Refused) => {
            let start = Instant::now();
            let limit = Duration::from_millis(limit.into());
            // A zombie is there to kill(2).
            while exists(pid) && look(pid).is_none_or(|process| process.runs) && start.elapsed() < limit {
                sleep(PAUSE.min(limit));
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// Sleeps until one of those processes is gone, or until it is time to ask again.
pub(crate) fn wait_for_any(pids: &[u32]) -> io::Result<()> {
    let mut open_ones = Vec::new();
    let mut limit = None;
    for &pid in pids {
        match Handle::open(pid) {
            Ok(Some(Handle::Pidfd(pidfd))) => open_ones.push(pidfd),
            Ok(Some(Handle::Refused)) => limit = Some(LOOK_AGAIN),
            Ok(None) => return Ok(()),
            // There are more of them than there may be descriptors.
            Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32) => {
                limit = Some(Timespec { tv_sec: 0, tv_nsec: 100_000_000 });
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let mut watched: Vec<PollFd<'_>> = open_ones.iter().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)).collect();
    match poll(&mut watched, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What there is to hold on to a process by.
enum Handle {
    /// A descriptor, as long as which is open the process's id is nobody else's.
    Pidfd(OwnedFd),
    /// There is such a process, and the kernel (before Linux 5.3), or a sandbox, gives no descriptor of it.
    Refused,
}

impl Handle {
    /// That of the process with that id; none if there is none.
    fn open(pid: u32) -> io::Result<Option<Self>> {
        let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        match pidfd_open(id, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Some(Self::Pidfd(pidfd))),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => {
                Ok(exists(pid).then_some(Self::Refused))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn pidfd(&self) -> Option<&OwnedFd> {
        match self {
            Self::Pidfd(pidfd) => Some(pidfd),
            Self::Refused => None,
        }
    }
}

fn wait_on(pidfd: &OwnedFd, limit_ms: Option<u32>) -> io::Result<()> {
    let limit = limit_ms.map(|ms| Timespec { tv_sec: i64::from(ms / 1000), tv_nsec: i64::from(ms % 1000) * 1_000_000 });
    loop {
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], limit.as_ref()) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// `/proc/PID/stat`. The process's name in it may be any bytes.
fn stat_line(pid: u32) -> io::Result<String> {
    read_line(&format!("/proc/{pid}/stat"))
}

/// A short file of the kernel's, which one read gives whole.
fn read_line(path: &str) -> io::Result<String> {
    let mut text = [0; 4096];
    let mut file = File::open(path)?;
    let length = again(|| file.read(&mut text))?;
    Ok(String::from_utf8_lossy(&text[..length]).into_owned())
}

/// The part of `/proc/PID/stat` after the process's name, which may itself hold blanks and parentheses.
fn fields_after_name(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

fn state(stat: &str) -> Option<&str> {
    fields_after_name(stat)?.next()
}

/// Whether it runs anything: a zombie does not any more.
fn runs(stat: &str) -> bool {
    !matches!(state(stat), Some("Z" | "X"))
}

fn start_ticks(stat: &str) -> Option<u64> {
    // Field 22 of the line is the 20th after the name, which is field 2.
    fields_after_name(stat)?.nth(19)?.parse().ok()
}

fn boot_id() -> io::Result<String> {
    Ok(read_line("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.start_ticks, self.boot)
    }
}

/// The text is not what [`ProcessIdentity`]'s `Display` writes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a process identity")]
pub struct ParseIdentityError;

impl FromStr for ProcessIdentity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let mut parts = text.split(' ');
        match [(); 4].map(|()| parts.next()) {
            [Some(pid), Some(ticks), Some(boot), None] if !boot.is_empty() => Ok(Self {
                pid: pid.parse().map_err(|_| ParseIdentityError)?,
                start_ticks: ticks.parse().map_err(|_| ParseIdentityError)?,
                boot: boot.to_owned(),
            }),
            _ => Err(ParseIdentityError),
        }
    }
}

/// The number of the signal that an exit status stands for by the shells' convention (128 + N), if it does.
#[must_use]
pub fn signal_of_status(rc: i32) -> Option<i32> {
    let number = rc - 128;
    (1..=64).contains(&number).then_some(number)
}

/// A signal as people write it: `signal 9, SIGKILL`, or the number alone where it has no name.
#[must_use]
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| format!("signal {number}, {s}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1000";
        assert_eq!(start_ticks(stat), Some(777));
        assert_eq!(state(stat), Some("S"));
    }

    #[test]
    fn this_process_is_alive_and_a_later_one_with_its_id_would_not_be_taken_for_it() {
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(me.is_alive().unwrap());
        assert_eq!(me.to_string().parse::<ProcessIdentity>().unwrap(), me);
        let reused = ProcessIdentity { start_ticks: me.start_ticks + 1, ..me.clone() };
        assert!(!reused.is_alive().unwrap());
        reused.wait().unwrap();
        let rebooted = ProcessIdentity { boot: "another".into(), ..me };
        assert!(!rebooted.is_alive().unwrap());
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        for text in ["", "1", "1 2", "1 2 ", "1 2  b", "1 2 b c", "1 2 b ", " 1 2 b", "x 2 b", "1 -2 b"] {
            assert!(text.parse::<ProcessIdentity>().is_err(), "`{text}`");
        }
    }

    #[test]
    fn waiting_for_a_process_ends_with_it() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        assert!(identity.is_alive().unwrap());
        drop(child.stdin.take());
        identity.wait().unwrap();
        assert!(!identity.is_alive().unwrap(), "a zombie counts as gone");
        child.wait().unwrap();
    }

    #[test]
    fn a_process_is_told_from_an_earlier_one_by_its_start() {
        let me = std::process::id();
        assert!(is_alive_since(me, Some(0)));
        assert!(!is_alive_since(me, Some(crate::clock::since_boot() + 2 * FORKED_BEFORE)));
        assert!(!is_alive_since(me, None));
    }

    #[test]
    fn statuses_above_128_stand_for_signals() {
        assert_eq!(signal_of_status(137), Some(9));
        assert_eq!(signal_name(9), "signal 9, SIGKILL");
        assert_eq!(signal_name(63), "signal 63");
        for rc in [0, 1, 127, 128, 193, 255] {
            assert_eq!(signal_of_status(rc), None);
        }
    }
}
