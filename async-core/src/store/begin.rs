//! The start of a future.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::directory::Directory;
use super::files::{FileIdentity, StoreFile, append, identity, refuse_unless_regular};
use super::{Claim, Entry, STARTING, Store};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::lock;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process::{self, Boot, ProcessIdentity};
use crate::record::{Argument, FutureId, Line, LogOf, Record};
use crate::text::{command_line, shell_line};

/// The prefix of the name of a record in the making. The process id of its maker, or of the shell it is made for, comes
/// next.
const NEW: &str = "new.";

/// What holds a new future's life.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// The live process with this id: a shell that runs the task itself.
    InProcess(u32),
    /// Every process that shares the open file [`Started::record`].
    OnRecord,
    /// This process, which holds that file open and is the parent of the task's process, which has this id.
    Supervised(u32),
}

/// What to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The command: a program or function, and its arguments.
    pub argv: &'a [OsString],
    /// Whether the command is a program, shown as a shell command line. A function's words are shown as they are.
    pub program: bool,
    /// Whether `argv` is only a part of the command, which the record then keeps for display but not as the exact
    /// arguments. A command too long for a record is treated the same way, once cut.
    pub shortened: bool,
    /// How to run it, if not once and right away.
    pub plan: Option<Plan>,
    /// Whether the output of the task is a pseudo-terminal.
    pub pty: bool,
    /// The parent future, in whose task this happens.
    pub parent: Option<FutureName>,
    /// The script that starts it: the shell that `$$` names there.
    pub script: Option<ProcessIdentity>,
    /// The command's working directory, if known.
    pub cwd: Option<PathBuf>,
}

impl<'a> Request<'a> {
    /// A command to run right away.
    #[must_use]
    pub fn new(argv: &'a [OsString]) -> Self {
        Self { argv, ..Self::default() }
    }
}

/// The result of a start that must not happen if the future already exists.
#[derive(Debug)]
pub enum IfAbsent {
    /// There was none, so it was started.
    Started(Started),
    /// It exists and is queued or running. Nothing was started.
    Present(Box<Entry>),
}

/// Distinguishes a record from every other of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId(pub(super) FileIdentity);

impl RecordId {
    /// The id of an open record.
    pub fn of(record: &File) -> io::Result<Self> {
        Ok(Self(identity(&record.metadata()?)))
    }
}

/// A future that has begun.
#[derive(Debug)]
pub struct Started {
    /// The record's id, for a caller that gives the future up.
    pub id: RecordId,
    /// The record, open for reading and appending. It is close-on-exec.
    pub record: File,
    /// The log, likewise, if the future has one of its own.
    pub log: Option<File>,
    /// When it began, in ms since the epoch.
    pub start_time: Millis,
    /// The command on one printable line.
    pub command: String,
    /// An earlier, uncollected future of that name. Its record and log were moved to the collected ones.
    pub superseded: Option<Box<Record>>,
    /// Whether it has a plan: its own, or only to wait because the queue is paused.
    pub planned: bool,
}

impl Store {
    /// Starts a future: on return its record exists, its life has begun, and its log exists and is empty. There is no
    /// log if a shell runs the task itself, because the shell's output is not captured.
    ///
    /// Fails if a future of that name is running. Moves an earlier one that is over but uncollected to the collected
    /// ones.
    pub fn begin(&self, name: &FutureName, request: &Request<'_>, start: Start) -> Result<Started> {
        let held;
        let request = match start {
            // What a running task starts belongs to that task, and a task in the shell itself can't be queued.
            Start::OnRecord | Start::Supervised(_) if request.parent.is_none() && self.paused_since()?.is_some() => {
                let plan = Plan { held: true, ..request.plan.clone().unwrap_or_default() };
                held = Request { plan: Some(plan), ..request.clone() };
                &held
            }
            _ => request,
        };
        let dependencies = request.plan.as_ref().map_or_else(|| Ok(Vec::new()), |plan| self.find_dependencies(plan))?;
        let (new, made) = match start {
            Start::InProcess(pid) => self.make_record(pid)?,
            Start::OnRecord | Start::Supervised(_) => {
                let (new, made) = self.make_record(std::process::id())?;
                self.lock_life(&made, new.path())?;
                (new, made)
            }
        };
        let started = self.begin_as(name, request, dependencies, start, &new, made);
        if started.is_err() {
            let _ = new.remove();
        }
        started
    }

    /// Like [`Store::begin`], but only if no future of that name is queued or running, even if others ask at the same
    /// time. A future that is over but uncollected does not count.
    pub fn begin_if_absent(&self, name: &FutureName, request: &Request<'_>, start: Start) -> Result<IfAbsent> {
        loop {
            if let Some(entry) = self.live_entry(name)?.filter(|entry| !entry.state.is_over()) {
                return Ok(IfAbsent::Present(Box::new(entry)));
            }
            match self.begin(name, request, start) {
                // Another process was faster. Its future may be over by now.
                Err(Error::AlreadyRunning { .. }) => {}
                begun => return begun.map(IfAbsent::Started),
            }
        }
    }

    fn begin_as(
        &self,
        name: &FutureName,
        request: &Request<'_>,
        dependencies: Vec<FutureId>,
        start: Start,
        new: &StoreFile,
        mut made: File,
    ) -> Result<Started> {
        let holder = match start {
            Start::OnRecord | Start::Supervised(_) => None,
            Start::InProcess(pid) => Some(pid),
        };
        let (pid, task) = match start {
            Start::InProcess(_) => (Some("self".to_owned()), None),
            Start::OnRecord => (None, None),
            Start::Supervised(task) => (Some(std::process::id().to_string()), Some(task)),
        };
        let Request { argv, shortened, .. } = *request;
        let record = Record {
            command: if request.program { shell_line(argv) } else { command_line(argv, shortened) },
            argv: (!shortened).then(|| argv.iter().map(|arg| Argument::from(arg.as_os_str())).collect()),
            start_time: clock::wall(),
            start_boot: Some(clock::since_boot()),
            host: Boot::current().ok().cloned(),
            pid,
            task,
            task_process: task
                .filter(|_| request.pty)
                .map_or(Ok(None), ProcessIdentity::if_tellable)
                .map_err(Error::io("look at the task's process of", new.path()))?,
            script: request.script.clone(),
            start_cpu: request.script.as_ref().and_then(|script| process::cpu_time(script.pid())),
            life: holder
                .map(ProcessIdentity::of)
                .transpose()
                .map_err(Error::io("look at the process of", new.path()))?,
            parent: request.parent.as_ref().map(FutureName::to_string),
            cwd: request.cwd.as_deref().map(|cwd| Argument::from(cwd.as_os_str())),
            plan: request.plan.clone(),
            pty: request.pty,
            dependencies,
            ..Record::default()
        }
        .truncated();
        made.write_all(record.header().as_bytes()).map_err(Error::io("write the record", new.path()))?;
        let id = RecordId::of(&made).map_err(Error::io("look at", new.path()))?;

        let (mut superseded, mut log) = (None, None);
        while !self.publish(new, name, holder.is_none().then_some(&mut log))? {
            match self.claim(name)? {
                Claim::Unknown => {}
                Claim::Running(other) => {
                    return Err(Error::AlreadyRunning { name: name.to_string(), pid: other.process_or_job() });
                }
                Claim::BeingCollected(_) => return Err(Error::BeingCollected(name.to_string())),
                Claim::Ready(ready) => {
                    superseded = Some(Box::new(ready.record().clone()));
                    ready.archive_uncollected()?;
                }
            }
        }
        let own_log = || {
            append(&made, &record, &[Line::Log(LogOf::This)])
                .map_err(Error::io("write the record", self.record_file(name).path()))?;
            match &record.plan {
                // The queue keeps the order of the calls, unless the future has to wait for something else first.
                Some(plan) if plan.jobs.is_some() && !plan.has_dependencies() => {
                    self.enter_queue(name, &made, &record).map(drop)
                }
                _ => Ok(()),
            }
        };
        if holder.is_none()
            && let Err(error) = own_log()
        {
            self.abandon(name, id);
            return Err(error);
        }
        let planned = record.plan.is_some();
        Ok(Started {
            id,
            record: made,
            log,
            start_time: record.start_time,
            command: record.command,
            superseded,
            planned,
        })
    }

    /// Gives a new record its name, and makes `log` if it should have one; false if the name is taken.
    fn publish(&self, new: &StoreFile, name: &FutureName, log: Option<&mut Option<File>>) -> Result<bool> {
        let record = self.record_file(name);
        self.changing(|live| {
            if !new.rename_new(&record).map_err(Error::io("make the record", record.path()))? {
                return Ok(false);
            }
            *live += 1;
            if let Some(log) = log {
                *log = Some(self.make_log(name).inspect_err(|_| {
                    let _ = record.remove();
                })?);
            }
            Ok(true)
        })
    }

    pub(super) fn starting_dir(&self) -> Directory {
        self.dir.subdirectory(STARTING)
    }

    /// Takes the lock for every process that shares the open file.
    fn lock_life(&self, made: &File, path: &Path) -> Result<()> {
        lock::take_life(made).map_err(|error| match error.raw_os_error() {
            Some(number) if lock::means_no_locks(number) => Error::NoLocks(self.dir().to_owned()),
            _ => Error::io("lock", path)(error),
        })
    }

    /// Makes the file of a new record for a future whose life is the process `pid`.
    fn make_record(&self, pid: u32) -> Result<(StoreFile, File)> {
        let starting = match self.starting_dir().hold() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Fails if the store is gone.
                self.make_starting_dir()?;
                self.starting_dir().hold()
            }
            held => held,
        };
        let starting = starting.map_err(Error::io("open", self.starting_dir().path()))?;
        for attempt in 0.. {
            let new = starting.file(format!("{NEW}{pid}.{attempt}"));
            match self.create(&new) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map_err(Error::io("make the record", new.path())).map(|made| (new, made)),
            }
        }
        unreachable!("the numbers have no end")
    }

    fn create(&self, file: &StoreFile) -> io::Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_EXCL;
        file.open_as_is(flags, self.permissions.of_files()).and_then(readable_by_us)
    }

    /// Makes an empty log for a new future. Processes that still write to an earlier log keep that one.
    fn make_log(&self, name: &FutureName) -> Result<File> {
        let log = self.log_file(name);
        let path = log.path();
        let made = match self.create(&log) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if let Some(found) = log.stat().map_err(Error::io("look at the log", path))? {
                    refuse_unless_regular(found.st_mode, path)?;
                    log.remove().map_err(Error::io("replace the log", path))?;
                }
                self.create(&log)
            }
            made => made,
        };
        made.map_err(Error::io("make the log", path))
    }
}

/// The process that makes the record of that name, or that it is made for.
pub(super) fn maker(file: &OsStr) -> Option<u32> {
    file.to_str()?.strip_prefix(NEW)?.split('.').next()?.parse().ok()
}

/// Makes sure that this user can open the file again, whatever the umask.
fn readable_by_us(file: File) -> io::Result<File> {
    let mode = file.metadata()?.mode();
    if mode & 0o600 != 0o600 {
        file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o600))?;
    }
    Ok(file)
}
