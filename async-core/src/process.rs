//! Processes: identities that outlive the reuse of process ids, and exit statuses.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::utsname::uname;
use nix::unistd::{ForkResult, SysconfVar, sysconf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::interruption::again;
use crate::store::{FileIdentity, identity};

/// One boot of one machine.
///
/// The kernel makes a random id for each boot. The machine's name tells a machine that has rebooted from another one
/// that uses the same store.
#[derive(Clone, Debug)]
pub struct Boot {
    id: String,
    /// Unknown in records of earlier versions.
    host: Option<String>,
    /// A digest of /etc/machine-id (see machine-id(5)), which stays when the machine gets another name.
    machine: Option<String>,
}

/// The machine may be given another name.
impl PartialEq for Boot {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Boot {}

impl Boot {
    /// The boot of this machine.
    ///
    /// Fails if `/proc` is missing.
    pub fn current() -> io::Result<&'static Self> {
        static CURRENT: OnceLock<Boot> = OnceLock::new();
        if let Some(current) = CURRENT.get() {
            return Ok(current);
        }
        let id = boot_id()?.to_owned();
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '#';
        let name = uname()?.nodename().to_string_lossy().replace(is_odd, "_");
        let machine = read_line("/etc/machine-id").ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        // The machine's id itself is for nobody else to know.
        let digest =
            |id: String| Sha256::digest(format!("async {id}")).first_chunk().map(|part| u64::from_be_bytes(*part));
        let machine = machine.and_then(digest).map(|digest| format!("{digest:016x}"));
        let host = Some(name).filter(|name| !name.is_empty());
        Ok(CURRENT.get_or_init(|| Self { id, host, machine }))
    }

    /// Whether it is the present boot of this machine.
    ///
    /// Fails if `/proc` is missing.
    pub fn is_this(&self) -> io::Result<bool> {
        Ok(boot_id()? == self.id)
    }

    /// The name of the machine.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The name of the machine, if it is known to be another one than this. If this machine can't be told, none.
    ///
    /// Machines differ if their ids do. Where one has none, as many containers, they differ if their names do.
    #[must_use]
    pub fn other_host(&self) -> Option<&str> {
        // Nearly always it is this boot, and nothing else has to be found out.
        let host = self.host().filter(|_| !self.is_this().unwrap_or(true))?;
        let here = Self::current().ok()?;
        let is_other = match (&self.machine, &here.machine) {
            (Some(machine), Some(own)) => machine != own,
            _ => here.host().is_some_and(|own| own != host),
        };
        is_other.then_some(host)
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.host.as_ref().map_or(Ok(()), |host| write!(f, "@{host}"))?;
        self.machine.as_ref().map_or(Ok(()), |machine| write!(f, "#{machine}"))
    }
}

impl FromStr for Boot {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let part =
            |text, mark| str::split_once(text, mark).map_or((text, None), |(text, part)| (text, Some(part.to_owned())));
        let (text, machine) = part(text, '#');
        let (id, host) = part(text, '@');
        let is_word = !id.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_word { Ok(Self { id: id.to_owned(), host, machine }) } else { Err(ParseIdentityError) }
    }
}

/// One process of one boot of one machine.
///
/// Linux reuses process ids, so an id alone says nothing about the past. Together with the process's start (field 22 of
/// `/proc/PID/stat`, in clock ticks since boot; see proc(5)) and the boot id it names exactly one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    pid: u32,
    start_ticks: u64,
    boot: Boot,
}

impl ProcessIdentity {
    /// The identity of a live process.
    ///
    /// Fails with `Unsupported` if `/proc` belongs to another pid namespace, where that process has another id.
    pub fn of(pid: u32) -> io::Result<Self> {
        // Cheaper than certainty, and good enough as long as nothing sends a signal.
        if fs::read_link("/proc/self")?.to_str() != Some(&std::process::id().to_string()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let stat = stat_line(pid)?;
        let start_ticks = start_ticks(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { pid, start_ticks, boot: Boot::current()?.clone() })
    }

    /// The same, or none where that can't be told, as there is no `/proc` of this process's own pid namespace.
    pub(crate) fn if_tellable(pid: u32) -> io::Result<Option<Self>> {
        match Self::of(pid) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::NotFound) => Ok(None),
            identity => identity.map(Some),
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether that very process still exists. A zombie counts as gone, since it runs nothing any more.
    ///
    /// Fails if that can't be found out, for example when no descriptor is free, `/proc` does not belong to this
    /// process's own pid namespace, or it is a process of another host.
    pub fn is_alive(&self) -> io::Result<bool> {
        if let Some(host) = self.boot.other_host() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, format!("it is on the host {host}")));
        }
        require_own_proc()?;
        let Some(stat) = unless_gone(stat_line(self.pid))? else {
            return Ok(false);
        };
        let same = start_ticks(&stat) == Some(self.start_ticks) && runs(&stat);
        Ok(same && self.boot.is_this()?)
    }

    /// Sleeps until the process is gone, `other` has something to read, or it is time to look again.
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

    /// Sleeps until the process is gone; returns at once if it already is.
    pub fn wait(&self) -> io::Result<()> {
        match Handle::open(self.pid)? {
            // The descriptor now pins the process, so only this look at its start is reliable.
            Some(Handle::Pidfd(pidfd)) if self.is_alive()? => wait_on(&pidfd, None).map(drop),
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

/// A process to watch for its end.
#[derive(Debug)]
pub(crate) struct Watched {
    identity: ProcessIdentity,
    /// None if the kernel does not support pidfds, or no descriptor is free.
    pidfd: Option<OwnedFd>,
}

impl Watched {
    /// Watches that process; none if it is gone.
    pub(crate) fn of(identity: ProcessIdentity) -> Option<Self> {
        let pidfd = match Handle::open(identity.pid) {
            Ok(None) => return None,
            Ok(Some(Handle::Pidfd(pidfd))) => Some(pidfd),
            Ok(Some(Handle::Refused)) | Err(_) => None,
        };
        // Only now does the descriptor pin the process.
        let watched = Self { identity, pidfd };
        watched.seems_alive().then_some(watched)
    }

    /// Becomes readable once the process is gone.
    pub(crate) fn pidfd(&self) -> Option<&OwnedFd> {
        self.pidfd.as_ref()
    }

    /// Counts a process as alive unless it is certainly gone.
    pub(crate) fn seems_alive(&self) -> bool {
        self.identity.is_alive().unwrap_or(true)
    }
}

/// The pause between two looks if the kernel has no pidfds.
const PAUSE: Duration = Duration::from_millis(50);
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How long to sleep on processes that may be another host's, and on one that is not here.
const ON_ANY: Duration = Duration::from_secs(1);
const ON_NONE: Duration = Duration::from_millis(20);

/// Fails with `Unsupported` unless `/proc` exists and belongs to this process's own pid namespace: in another
/// namespace, the same ids belong to other processes.
pub(crate) fn require_own_proc() -> io::Result<()> {
    static IS_OWN: OnceLock<bool> = OnceLock::new();
    let is_own = match IS_OWN.get() {
        Some(is_own) => *is_own,
        None => match fs::read_to_string("/proc/self/status") {
            // `NSpid` lists the ids of this process in each namespace, from the mount's to its own.
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

/// Makes a write beyond the file size limit (`ulimit -f`) fail instead of killing this process.
pub fn outlive_file_size_limit() -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    Ok(signals.thread_block()?)
}

/// Replaces this process's arguments in the process table with `shown`. Every user can read them there for as long as
/// the process lives, and they may contain secrets.
///
/// Overwrites the arguments where the kernel reads them, between fields 48 and 49 of `/proc/self/stat` (see proc(5)),
/// and cuts `shown` to the room there.
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
        // Without this zero the kernel takes it for a title that continues in the environment.
        *last = 0;
    }
    File::options().write(true).open("/proc/self/mem")?.write_all_at(&words, start)
}

/// Makes a process or a thread. While the system has none to give it tries again, as often as bash does: four times,
/// after 1, 2, 4 and 8 seconds.
pub(crate) fn with_patience<T>(mut make: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for seconds in [1, 2, 4, 8] {
        match make() {
            Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) => sleep(Duration::from_secs(seconds)),
            done => return done,
        }
    }
    make()
}

/// The process in which a fork returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The new one.
    Child,
    /// The old one; its child has this process id.
    Parent(u32),
}

/// Forks this process. Fails with `EBUSY` if it has other threads: the child would lose them, and their locks would
/// stay locked.
#[allow(unsafe_code)]
pub fn fork() -> io::Result<Side> {
    match read_line("/proc/self/stat") {
        // Field 20 of the line is the 18th after the name.
        Ok(stat) if fields_after_name(&stat).and_then(|mut fields| fields.nth(17)) != Some("1") => {
            return Err(Errno::EBUSY.into());
        }
        // Without a usable /proc this can't be checked; no caller has started any threads.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // SAFETY: no other thread exists that the fork could interrupt.
    match with_patience(|| Ok(unsafe { nix::unistd::fork() }?))? {
        ForkResult::Child => Ok(Side::Child),
        ForkResult::Parent { child } => Ok(Side::Parent(child.as_raw().unsigned_abs())),
    }
}

/// Makes the kernel keep the exit status of this process's children, even if its own parent ignores SIGCHLD.
#[allow(unsafe_code)]
pub(crate) fn reset_sigchld() -> io::Result<()> {
    // SAFETY: no handler is set.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}

/// Starts a program without any blocked or ignored signals of its parent.
#[allow(unsafe_code)]
pub(crate) fn start_without_inherited_signals(command: &mut Command) {
    let forget = || {
        for number in 1..=libc::SIGRTMAX() {
            // SAFETY: this sets no handler. It fails for signals that can't be ignored in the first place.
            unsafe { libc::signal(number, libc::SIG_DFL) };
        }
        Ok(SigSet::empty().thread_set_mask()?)
    };
    // SAFETY: between fork and exec it only makes system calls and touches no memory but its own.
    unsafe { command.pre_exec(forget) };
}

/// Makes the supervisor look at its record again, by SIGCONT. The supervisor is the process with that id that has the
/// record open. Fails if it can't be told from other processes; does nothing if it is gone.
pub(crate) fn wake_supervisor(pid: u32, record: &Metadata) -> io::Result<()> {
    signal_if(pid, Signal::SIGCONT, || writes_to(pid, record))
}

/// Sends a signal to the process with that id and start time (clock ticks since boot), if it still exists.
pub(crate) fn signal_process(pid: u32, start_ticks: u64, signal: Signal) -> io::Result<()> {
    signal_if(pid, signal, || look(pid).is_some_and(|process| process.start_ticks == start_ticks))
}

/// Sends a signal to the process with that id if `is_it` holds. Checks only after pinning the process, so that the id
/// can't change hands in between.
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

/// How long before its future's start the process of a function may have been forked, in ms.
const FORKED_BEFORE: Millis = 60_000;

/// Whether the process with that id exists and may belong to a future that began at `since` (ms since boot): it started
/// no more than a minute before.
#[must_use]
pub fn is_alive_since(pid: u32, since: Option<Millis>) -> bool {
    let (Some(since), Ok(stat)) = (since, stat_line(pid)) else {
        return false;
    };
    let tick_ms = 1000 / ticks_per_second();
    let started = start_ticks(&stat).and_then(|ticks| Millis::try_from(ticks).ok());
    // The kernel rounds the start down to whole ticks.
    started.is_some_and(|ticks| (ticks + 1) * tick_ms + FORKED_BEFORE >= since) && runs(&stat)
}

/// The processor time that a process and those of its children that it has waited for have used so far, in user mode and
/// in the kernel, in ms; none if it can't be told.
pub(crate) fn cpu_time(pid: u32) -> Option<Millis> {
    let usage = try_usage(pid).ok()??;
    Some(ticks_in_ms(usage.ticks.saturating_add(usage.ticks_of_children)))
}

fn ticks_per_second() -> Millis {
    sysconf(SysconfVar::CLK_TCK).ok().flatten().filter(|&ticks| ticks > 0).unwrap_or(100)
}

/// A snapshot of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessEntry {
    pub(crate) parent: u32,
    /// When it was started, in clock ticks since boot.
    pub(crate) start_ticks: u64,
    /// Whether it runs: a zombie does not.
    pub(crate) runs: bool,
}

/// Looks at that process; none if it is gone.
pub(crate) fn look(pid: u32) -> Option<ProcessEntry> {
    parse_look(&stat_line(pid).ok()?)
}

/// Like [`look`], but fails if the process can't be looked at.
pub(crate) fn try_look(pid: u32) -> io::Result<Option<ProcessEntry>> {
    let stat = unless_gone(stat_line(pid))?;
    stat.map(|stat| parse_look(&stat).ok_or_else(|| io::ErrorKind::InvalidData.into())).transpose()
}

fn parse_look(stat: &str) -> Option<ProcessEntry> {
    // Field 4 of the line is the second after the name.
    let parent = fields_after_name(stat)?.nth(1)?.parse().ok()?;
    Some(ProcessEntry { parent, start_ticks: start_ticks(stat)?, runs: runs(stat) })
}

/// What a process has used so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// Its name in the process table.
    pub(crate) name: String,
    /// Whether it runs: a zombie does not.
    pub(crate) runs: bool,
    /// Its processor time, in clock ticks, in user mode and in the kernel. A zombie still has it.
    pub(crate) ticks: u64,
    /// That of the children that it has waited for, and of those that they had waited for.
    pub(crate) ticks_of_children: u64,
    /// Its resident memory, in KiB.
    pub(crate) resident: u64,
    /// How many threads it has.
    pub(crate) threads: u32,
}

/// Looks at what that process has used; none if it is gone.
pub(crate) fn try_usage(pid: u32) -> io::Result<Option<ProcessUsage>> {
    let stat = unless_gone(stat_line(pid))?;
    stat.map(|stat| parse_usage(&stat).ok_or_else(|| io::ErrorKind::InvalidData.into())).transpose()
}

fn parse_usage(stat: &str) -> Option<ProcessUsage> {
    let name = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
    // The fields after the name begin with field 3.
    let mut fields = fields_after_name(stat)?.skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (ticks, ticks_of_children) = (next()? + next()?, next()? + next()?);
    let mut fields = fields.skip(2);
    let threads = fields.next()?.parse().ok()?;
    let pages: u64 = fields.nth(3)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok());
    let resident = pages.saturating_mul(page.unwrap_or(4096)) / 1024;
    Some(ProcessUsage { name, runs: runs(stat), ticks, ticks_of_children, resident, threads })
}

/// So many clock ticks, in ms.
pub(crate) fn ticks_in_ms(ticks: u64) -> Millis {
    Millis::try_from(ticks).unwrap_or(Millis::MAX).saturating_mul(1000) / ticks_per_second()
}

/// The children of that process, or of this one, across all of its threads; none if the process is gone. If some of the
/// children end meanwhile, siblings may be missing: see `/proc/PID/task/TID/children` in proc(5).
///
/// Fails with `Unsupported` if the kernel has no such lists (`CONFIG_PROC_CHILDREN`).
pub(crate) fn children(pid: Option<u32>) -> io::Result<Option<Vec<u32>>> {
    let threads = pid.map_or_else(|| "/proc/self/task".to_owned(), |pid| format!("/proc/{pid}/task"));
    let Some(entries) = unless_gone(fs::read_dir(threads).and_then(Iterator::collect::<io::Result<Vec<_>>>))? else {
        return Ok(None);
    };
    let lists = entries.iter().map(|entry| children_of_thread(&entry.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(Some(lists.concat()))
}

/// The same for a process that has one thread, which takes fewer calls; empty if the process is gone.
pub(crate) fn children_of_single_thread(pid: u32) -> io::Result<Vec<u32>> {
    children_of_thread(Path::new(&format!("/proc/{pid}/task/{pid}")))
}

fn children_of_thread(thread: &Path) -> io::Result<Vec<u32>> {
    match unless_gone(fs::read_to_string(thread.join("children")))? {
        Some(list) => Ok(list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()),
        None if thread.join("stat").try_exists()? => Err(io::ErrorKind::Unsupported.into()),
        None => Ok(Vec::new()),
    }
}

/// None if the process was gone before or during the look.
fn unless_gone<T>(seen: io::Result<T>) -> io::Result<Option<T>> {
    match seen {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        seen => seen.map(Some),
    }
}

/// Whether this process is that one or descends from it.
pub(crate) fn descends_from(ancestor: &ProcessIdentity) -> bool {
    let parent = |pid: &u32| look(*pid).map(|process| process.parent).filter(|&pid| pid != 0);
    let mut line = std::iter::successors(Some(std::process::id()), parent);
    line.any(|pid| pid == ancestor.pid) && ancestor.is_alive().unwrap_or(false)
}

/// Whether any process has that id.
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

/// Whether that process has the file open for writing. False if this user may not look.
pub(crate) fn writes_to(pid: u32, file: &Metadata) -> bool {
    written_by(pid).any(|it| it == identity(file))
}

/// The files that the process has open for writing, by device and inode. Empty if this user may not look.
pub(crate) fn written_by(pid: u32) -> impl Iterator<Item = FileIdentity> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.map(|entry| entry.path()).filter_map(|path| {
        // The mode of the link itself shows how the file was opened.
        let for_writing = fs::symlink_metadata(&path).is_ok_and(|link| link.mode() & 0o200 != 0);
        fs::metadata(&path).ok().filter(|_| for_writing).map(|it| identity(&it))
    })
}

/// Whether the process started with that entry, such as `NAME=VALUE`, in its environment.
pub(crate) fn has_env_entry(pid: u32, entry: &OsStr) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|it| it == entry.as_bytes())
}

/// Sleeps until no process has that id, but no longer than `limit` ms. Returns whether none has.
pub fn wait_at_most(pid: u32, limit: u32) -> io::Result<bool> {
    match Handle::open(pid)? {
        Some(Handle::Pidfd(pidfd)) => wait_on(&pidfd, Some(limit)),
        Some(Handle::Refused) => {
            let start = Instant::now();
            let limit = Duration::from_millis(limit.into());
            // To kill(2) a zombie still exists.
            loop {
                if !exists(pid) || look(pid).is_some_and(|process| !process.runs) {
                    return Ok(true);
                }
                if start.elapsed() >= limit {
                    return Ok(false);
                }
                sleep(PAUSE.min(limit));
            }
        }
        None => Ok(true),
    }
}

/// Sleeps until one of those processes is gone, or until it is time to ask again: they may be processes of another host,
/// whose ids are those of others here, or of nobody.
pub(crate) fn wait_for_any(pids: &[u32]) -> io::Result<()> {
    let mut open_ones = Vec::new();
    let mut limit = ON_ANY;
    for &pid in pids {
        match Handle::open(pid) {
            Ok(Some(Handle::Pidfd(pidfd))) => open_ones.push(pidfd),
            Ok(Some(Handle::Refused)) => limit = limit.min(PAUSE),
            Ok(None) => limit = limit.min(ON_NONE),
            // There are more processes than free descriptors.
            Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32) => {
                limit = limit.min(PAUSE);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let mut watched: Vec<PollFd<'_>> = open_ones.iter().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)).collect();
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    match poll(&mut watched, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A way to hold on to a process.
enum Handle {
    /// A descriptor. While it is open, no other process gets the same id.
    Pidfd(OwnedFd),
    /// The process exists, but the kernel (before Linux 5.3) or a sandbox refuses the descriptor.
    Refused,
}

impl Handle {
    /// Opens the process with that id; none if there is none.
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

/// Returns whether the process is gone.
fn wait_on(pidfd: &OwnedFd, limit_ms: Option<u32>) -> io::Result<bool> {
    let limit = limit_ms.map(|ms| Timespec { tv_sec: i64::from(ms / 1000), tv_nsec: i64::from(ms % 1000) * 1_000_000 });
    loop {
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], limit.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// `/proc/PID/stat`. The process's name in it may contain any bytes.
fn stat_line(pid: u32) -> io::Result<String> {
    read_line(&format!("/proc/{pid}/stat"))
}

/// Reads a short kernel file, which takes only one read.
fn read_line(path: &str) -> io::Result<String> {
    let mut text = [0; 4096];
    let mut file = File::open(path)?;
    let length = again(|| file.read(&mut text))?;
    Ok(String::from_utf8_lossy(&text[..length]).into_owned())
}

/// The part of `/proc/PID/stat` after the process's name, which may itself contain blanks and parentheses.
fn fields_after_name(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

fn state(stat: &str) -> Option<&str> {
    fields_after_name(stat)?.next()
}

/// Whether the process runs anything. A zombie does not.
fn runs(stat: &str) -> bool {
    !matches!(state(stat), Some("Z" | "X"))
}

fn start_ticks(stat: &str) -> Option<u64> {
    // Field 22 of the line is the 20th after the name, which is field 2.
    fields_after_name(stat)?.nth(19)?.parse().ok()
}

fn boot_id() -> io::Result<&'static str> {
    static ID: OnceLock<String> = OnceLock::new();
    if let Some(id) = ID.get() {
        return Ok(id);
    }
    let id = read_line("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(ID.get_or_init(|| id))
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
            [Some(pid), Some(ticks), Some(boot), None] => Ok(Self {
                pid: pid.parse().map_err(|_| ParseIdentityError)?,
                start_ticks: ticks.parse().map_err(|_| ParseIdentityError)?,
                boot: boot.parse()?,
            }),
            _ => Err(ParseIdentityError),
        }
    }
}

/// The number of the signal behind an exit status, by the shells' convention (128 + N).
#[must_use]
pub fn signal_of_status(rc: i32) -> Option<i32> {
    let number = rc - 128;
    (1..=64).contains(&number).then_some(number)
}

/// A signal as people write it: `signal 9, SIGKILL`, or just the number if it has no name.
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
    fn what_a_process_has_used_is_in_its_line() {
        let stat = "42 (a) b (c) Z 1 42 42 0 -1 4194560 1 0 0 0 30 4 500 6 20 0 3 0 777 1000 25 0";
        let used = parse_usage(stat).unwrap();
        assert_eq!((used.name.as_str(), used.runs, used.ticks, used.ticks_of_children), ("a) b (c", false, 34, 506));
        assert_eq!((used.threads, used.resident % 25), (3, 0), "{used:?}");
        assert!(used.resident >= 100, "{used:?}");
        let me = try_usage(std::process::id()).unwrap().unwrap();
        assert!(me.runs && me.resident > 0 && me.threads > 0, "{me:?}");
    }

    #[test]
    fn this_process_is_alive_and_a_later_one_with_its_id_would_not_be_taken_for_it() {
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(me.is_alive().unwrap());
        assert_eq!(me.to_string().parse::<ProcessIdentity>().unwrap(), me);
        let reused = ProcessIdentity { start_ticks: me.start_ticks + 1, ..me.clone() };
        assert!(!reused.is_alive().unwrap());
        reused.wait().unwrap();
        let rebooted = |boot: &str| ProcessIdentity { boot: boot.parse().unwrap(), ..me.clone() };
        assert!(!rebooted("another").is_alive().unwrap());
        let here = uname().unwrap().nodename().to_str().unwrap().to_owned();
        assert!(!rebooted(&format!("another@{here}")).is_alive().unwrap());
        assert!(rebooted("another@not-here").is_alive().is_err(), "that is for its own host to say");
        assert!(rebooted("another@not-here#0").is_alive().is_err());
        let text = Boot::current().unwrap().to_string();
        if let Some((_, machine)) = text.split_once('#') {
            assert!(!rebooted(&format!("another@renamed#{machine}")).is_alive().unwrap());
            assert!(rebooted(&format!("another@{here}#0")).is_alive().is_err());
        }
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
