//! The store: a directory of futures.
//!
//! | file | is |
//! | --- | --- |
//! | `NAME.ini` | the record of a live future |
//! | `NAME.log` | what the newest task of that name printed |
//! | `.collected/NAME.START.ini` | the record of a collected future; START is its start in ms since the epoch |
//! | `.collected/NAME.START.log` | its log, once the name was used again |
//! | `.new.*`, `.gate.*` | a record that is being made, and what its task waits on until it is watched |

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, OFlag, RenameFlags, fcntl, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use crate::clock::{self, Millis};
use crate::descriptor::duplicate;
use crate::error::{Error, Result};
use crate::lock;
use crate::name::FutureName;
use crate::process::{self, ProcessIdentity};
use crate::record::{self, Argument, MAX_RECORD_BYTES, Outcome, Record, State, TORN, Wait};
use crate::text::{command_line, printable};

/// The subdirectory of the collected futures. Its presence marks a directory as a store.
pub const COLLECTED: &str = ".collected";

/// The beginnings of the names of the files that a future has while it is being started.
const NEW: &str = ".new";
const GATE: &str = ".gate";

/// How long a collector waits for the program that recorded the end to say so, in ms. It has nothing else left to do;
/// the bound is for one that is stopped, or whose output is.
const LAST_WORDS: u32 = 2000;

/// A directory of futures, found fit to be used.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    permissions: Permissions,
}

/// Who may read what is made in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permissions {
    /// Only the user: a log may hold a script's trace, and a trace may hold passwords.
    #[default]
    Private,
    /// Whoever the umask lets, as with the original script.
    Umask,
}

/// Who holds a new future's life.
#[derive(Debug)]
pub enum Start<'a> {
    /// Whoever shares the open descriptor `fd`: the new and still empty file `.new` + `id` in the store's directory. A
    /// fifo `.gate` + `id` is made beside it, on which the task waits for its watcher.
    OnDescriptor {
        /// The descriptor's number in this process.
        fd: RawFd,
        /// What the files' names end with.
        id: &'a OsStr,
    },
    /// The process with this id, which is alive: a shell that runs the task itself.
    InProcess(u32),
}

/// A future that has begun.
#[derive(Debug, PartialEq, Eq)]
pub struct Started {
    /// The command on one printable line.
    pub command: String,
    /// An earlier future of that name that nobody had collected; its record and log were kept among the collected.
    pub superseded: Option<State>,
}

/// What [`Store::init`] met.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Futures of an earlier run whose tasks still run; they were left alone.
    pub running: Vec<FutureName>,
}

/// What [`Store::claim`] found.
#[derive(Debug)]
pub enum Claim<'a> {
    /// No live future has that name.
    Unknown,
    /// Its task runs.
    Running(Record),
    /// It is over, and this process is the one that hands it over.
    Ready(Ready<'a>),
}

/// A future that is over, locked against everybody else who would collect it.
#[derive(Debug)]
pub struct Ready<'a> {
    store: &'a Store,
    name: FutureName,
    record: Record,
    file: File,
}

impl Store {
    /// Makes the directory a store without futures, keeping what still runs in it.
    ///
    /// Only what a store has is removed, and only from a directory that is empty, a store, or the original's.
    pub fn init(dir: &Path, permissions: Permissions) -> Result<(Self, Leftovers)> {
        match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mode = if permissions == Permissions::Private { 0o700 } else { 0o777 };
                DirBuilder::new()
                    .recursive(true)
                    .mode(mode)
                    .create(dir)
                    .map_err(Error::io("make the directory", dir))?;
            }
            _ => {}
        }
        let store = Self::open(dir, permissions)?;
        let collected = store.collected_dir();
        if !collected.try_exists().map_err(Error::io("look at", &collected))? {
            store.refuse_a_strangers_directory()?;
        }
        let leftovers = store.clear()?;
        store.make_collected_dir()?;
        Ok((store, leftovers))
    }

    /// Opens a store, after a look at whose it is.
    pub fn open(dir: &Path, permissions: Permissions) -> Result<Self> {
        let look = |result: io::Result<Metadata>| match result {
            Ok(metadata) => Ok(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoStore(dir.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Error::NotADirectory(dir.to_owned())),
            Err(error) => Err(Error::io("look at", dir)(error)),
        };
        let user = geteuid().as_raw();
        let mut metadata = look(fs::symlink_metadata(dir))?;
        if metadata.is_symlink() && metadata.uid() == user {
            metadata = look(fs::metadata(dir))?;
        }
        if metadata.uid() != user {
            return Err(Error::ForeignStore { dir: dir.to_owned(), owner: metadata.uid(), user });
        }
        if !metadata.is_dir() {
            return Err(Error::NotADirectory(dir.to_owned()));
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(Error::OpenStore(dir.to_owned()));
        }
        Ok(Self { dir: dir.to_owned(), permissions })
    }

    /// The store's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the log of that name is.
    #[must_use]
    pub fn log_path(&self, name: &FutureName) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    fn record_path(&self, name: &FutureName) -> PathBuf {
        self.dir.join(format!("{name}.ini"))
    }

    fn collected_dir(&self) -> PathBuf {
        self.dir.join(COLLECTED)
    }

    fn file_mode(&self) -> u32 {
        if self.permissions == Permissions::Private { 0o600 } else { 0o666 }
    }

    /// Starts a future: when this returns its record is there, its life has begun, and its log is there and empty. The log
    /// is left out where a shell runs the task itself, because then nothing is kept from that shell's output.
    ///
    /// `shortened` says that `argv` is not all of the command, so that it is kept to be shown, and not as what was run.
    /// A running future of that name is an error; one that is over and uncollected is kept among the collected.
    pub fn begin(&self, name: &FutureName, argv: &[OsString], shortened: bool, start: &Start<'_>) -> Result<Started> {
        let (new, made) = match start {
            Start::OnDescriptor { fd, id } => self.adopt(*fd, id)?,
            Start::InProcess(pid) => self.make_record(*pid)?,
        };
        let started = self.begin_as(name, argv, shortened, start, &new, &made);
        if started.is_err() {
            let _ = fs::remove_file(&new);
        }
        started
    }

    fn begin_as(
        &self,
        name: &FutureName,
        argv: &[OsString],
        shortened: bool,
        start: &Start<'_>,
        new: &Path,
        mut made: &File,
    ) -> Result<Started> {
        let holder = match start {
            Start::OnDescriptor { .. } => None,
            Start::InProcess(pid) => Some(*pid),
        };
        let record = Record {
            command: command_line(argv, shortened),
            argv: (!shortened).then(|| argv.iter().map(|arg| Argument::from(arg.as_os_str())).collect()),
            start_time: clock::wall(),
            start_boot: Some(clock::since_boot()),
            pid: holder.map(|_| "self".to_owned()),
            life: holder.map(ProcessIdentity::of).transpose().map_err(Error::io("look at the process of", new))?,
            ..Record::default()
        };
        made.write_all(record.opening().as_bytes()).map_err(Error::io("write the record", new))?;

        let path = self.record_path(name);
        let mut superseded = None;
        while !rename_new(new, &path).map_err(Error::io("make the record", &path))? {
            match self.claim(name)? {
                Claim::Unknown => {}
                Claim::Running(other) => {
                    return Err(Error::AlreadyRunning { name: name.to_string(), pid: other.pid });
                }
                Claim::Ready(ready) => {
                    superseded = Some(if ready.record.rc.is_some() { State::Finished } else { State::Lost });
                    ready.archive_uncollected()?;
                }
            }
        }
        let own_log = || {
            self.make_log(name)?;
            append(made, false, record::OWN_LOG).map_err(Error::io("write the record", &path))
        };
        if holder.is_none()
            && let Err(error) = own_log()
        {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Started { command: record.command, superseded })
    }

    /// Removes the files of a future that is being started. Those that are not there any more are no error.
    pub fn forget_beginning(&self, id: &OsStr) {
        for prefix in [NEW, GATE] {
            let _ = fs::remove_file(self.beginning(prefix, id));
        }
    }

    fn beginning(&self, prefix: &str, id: &OsStr) -> PathBuf {
        let mut name = OsString::from(prefix);
        name.push(id);
        self.dir.join(name)
    }

    /// Says why no record can be made in the store, if none can.
    pub fn probe(&self) -> Result<()> {
        let (path, _) = self.make_record(std::process::id())?;
        fs::remove_file(&path).map_err(Error::io("remove", &path))
    }

    /// Takes the shell's new file for a record: checks that it is the one, and takes the lock that is its life.
    fn adopt(&self, fd: RawFd, id: &OsStr) -> Result<(PathBuf, File)> {
        let path = self.beginning(NEW, id);
        let wrong = || Error::WrongDescriptor { fd, path: path.clone() };
        let opened = duplicate(fd).map_err(|_| wrong())?;
        let (ours, theirs) = (opened.metadata(), fs::symlink_metadata(&path));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs))
                if ours.is_file() && ours.len() == 0 && (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()) => {}
            _ => return Err(wrong()),
        }
        self.lock_life(&opened, &path)?;
        // Private or not, we read it again ourselves, whatever the script's umask is.
        let mode = opened.metadata().map_err(Error::io("look at", &path))?.mode() & 0o777;
        let wanted = if self.permissions == Permissions::Private { 0o600 } else { mode | 0o600 };
        if mode != wanted {
            opened.set_permissions(fs::Permissions::from_mode(wanted)).map_err(Error::io("protect", &path))?;
        }
        let gate = self.beginning(GATE, id);
        mkfifo(&gate, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|e| Error::io("make the fifo", &gate)(e.into()))?;
        Ok((path, opened))
    }

    /// Takes the lock for whoever shares the open file, and has each of them write at its end.
    fn lock_life(&self, made: &File, path: &Path) -> Result<()> {
        lock::take_life(made).map_err(|error| match error.raw_os_error() {
            Some(number) if lock::means_no_locks(number) => Error::NoLocks(self.dir.clone()),
            _ => Error::io("lock", path)(error),
        })?;
        fcntl(made.as_fd(), FcntlArg::F_SETFL(OFlag::O_APPEND)).map_err(|e| Error::io("append to", path)(e.into()))?;
        Ok(())
    }

    /// A new record's file for a future whose life is the process `pid`.
    fn make_record(&self, pid: u32) -> Result<(PathBuf, File)> {
        for attempt in 0.. {
            let path = self.dir.join(format!("{NEW}.{pid}.self.{attempt}"));
            match self.create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|file| (path.clone(), file)).map_err(Error::io("make the record", &path)),
            }
        }
        unreachable!("the numbers have no end")
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(self.file_mode())
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
    }

    /// An empty log for a new future. An earlier one stays with whoever still writes to it.
    fn make_log(&self, name: &FutureName) -> Result<()> {
        let path = self.log_path(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) => {
                refuse_unless_regular(&metadata, &path)?;
                fs::remove_file(&path).map_err(Error::io("replace the log", &path))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("look at the log", &path)(error)),
        }
        self.create(&path).map(drop).map_err(Error::io("make the log", &path))
    }

    /// Adds the end of a task to the record of its future, which has the descriptor `fd`.
    pub fn finish_on_descriptor(&self, fd: RawFd, rc: i32) -> Result<Record> {
        let here = Path::new("/proc/self/fd").join(fd.to_string());
        let path = fs::read_link(&here).unwrap_or(here);
        let file = duplicate(fd).map_err(Error::io("use the record", &path))?;
        if file.metadata().map_err(Error::io("look at", &path))?.nlink() == 0 {
            return Err(Error::RecordRemoved(path));
        }
        // The shared descriptor may be open for writing only; reading takes another one.
        let again = OpenOptions::new().read(true).open(format!("/proc/self/fd/{fd}"));
        let record = read_record(&again.map_err(Error::io("read the record", &path))?, &path)?;
        self.add_end(&file, &path, record, rc)
    }

    /// Adds the end of a task to the record of the live future of that name.
    pub fn finish(&self, name: &FutureName, rc: i32) -> Result<Record> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Err(self.unknown(name));
        };
        let record = read_record(&file, &path)?;
        self.add_end(&file, &path, record, rc)
    }

    #[allow(clippy::unused_self, reason = "a write to the store")]
    fn add_end(&self, file: &File, path: &Path, record: Record, rc: i32) -> Result<Record> {
        let end_time = clock::wall();
        let run_time = match record.start_boot {
            Some(start) => clock::since_boot().saturating_sub(start),
            None => end_time.saturating_sub(record.start_time),
        };
        let run_time = run_time.max(0);
        append(file, record.torn, &format!("end_time = {end_time}\nrun_time = {run_time}\nrc = {rc}\n"))
            .map_err(Error::io("write the result to", path))?;
        Ok(Record { end_time: Some(end_time), run_time: Some(run_time), rc: Some(rc), ..record })
    }

    /// The error for a name that no live future has.
    #[must_use]
    pub fn unknown(&self, name: &FutureName) -> Error {
        Error::Unknown { name: name.to_string(), dir: self.dir.clone() }
    }

    /// Reads the record of a live future; none if there is none.
    pub fn read(&self, name: &FutureName) -> Result<Option<Record>> {
        let path = self.record_path(name);
        open_regular(&path)?.map(|file| read_record(&file, &path)).transpose()
    }

    /// Where a live future stands; none if there is none.
    pub fn look(&self, name: &FutureName) -> Result<Option<(Record, State)>> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Ok(None);
        };
        let record = read_record(&file, &path)?;
        if record.rc.is_some() {
            return Ok(Some((record, State::Finished)));
        }
        if is_alive(&file, &path, &record)? {
            return Ok(Some((record, State::Running)));
        }
        // It may have ended between the two looks.
        let record = read_record(&file, &path)?;
        let state = if record.rc.is_some() { State::Finished } else { State::Lost };
        Ok(Some((record, state)))
    }

    /// Takes hold of a future in order to collect it.
    ///
    /// Returns at once if its task runs. If it is over, waits for whoever else is just collecting it, and for the last
    /// words of the program that recorded its end.
    pub fn claim(&self, name: &FutureName) -> Result<Claim<'_>> {
        self.claim_for(name, None)
    }

    /// The same for the shell with that process id, which does not wait for itself: what it was to run itself is over
    /// when it asks.
    pub fn claim_for(&self, name: &FutureName, shell: Option<u32>) -> Result<Claim<'_>> {
        let path = self.record_path(name);
        let is_own = |record: &Record| shell.is_some() && record.life.as_ref().map(ProcessIdentity::pid) == shell;
        loop {
            let Some(file) = open_regular(&path)? else {
                return Ok(Claim::Unknown);
            };
            let record = read_record(&file, &path)?;
            if record.rc.is_none() && !is_own(&record) && is_alive(&file, &path, &record)? {
                return Ok(Claim::Running(record));
            }
            lock::for_collecting(&file).map_err(Error::io("lock", &path))?;
            // Whoever had the lock before may have collected it, and the name may have been used again.
            if is_same_file(&file, &path) {
                let record = read_record(&file, &path)?;
                if is_alive(&file, &path, &record)?
                    && let Some(pid) = record.pid.as_ref().and_then(|pid| pid.parse().ok())
                {
                    let _ = process::wait_at_most(pid, LAST_WORDS);
                }
                return Ok(Claim::Ready(Ready { store: self, name: name.clone(), record, file }));
            }
        }
    }

    /// Sleeps until the future's task is over, or at once if there is no such future.
    pub fn block(&self, name: &FutureName) -> Result<()> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Ok(());
        };
        match read_record(&file, &path)?.life {
            Some(life) => life.wait().map_err(Error::io("wait for the process of", &path)),
            None => lock::wait_for_release(&file).map_err(Error::io("wait for", &path)),
        }
    }

    /// The names of all live futures, in the order of the names.
    pub fn names(&self) -> Result<Vec<FutureName>> {
        let mut names: Vec<FutureName> =
            self.files("ini")?.into_iter().filter_map(|stem| FutureName::from_arg(&stem).ok()).collect();
        names.sort();
        Ok(names)
    }

    /// The records of the futures collected since the store was made, in the order of their starts.
    pub fn collected(&self) -> Result<Vec<(FutureName, Record)>> {
        let dir = self.collected_dir();
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let path = entry.map_err(Error::io("list", &dir))?.path();
            if path.extension() != Some(OsStr::new("ini")) {
                continue;
            }
            // NAME.START.ini, where NAME may have dots of its own.
            let name = path.file_stem().and_then(|stem| Path::new(stem).file_stem()).map(FutureName::from_arg);
            if let (Some(Ok(name)), Some(file)) = (name, open_for_reading(&path)?) {
                found.push((name, read_record(&file, &path)?));
            }
        }
        found.sort_by(|(a, x), (b, y)| (x.start_time, a).cmp(&(y.start_time, b)));
        Ok(found)
    }

    /// How many live futures there are.
    pub fn live_count(&self) -> Result<usize> {
        Ok(self.files("ini")?.len())
    }

    /// The stems of the store's visible files with that extension.
    fn files(&self, extension: &str) -> Result<Vec<OsString>> {
        let mut stems = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(Error::io("list", &self.dir))? {
            let name = entry.map_err(Error::io("list", &self.dir))?.file_name();
            let path = Path::new(&name);
            if let (Some(stem), true) = (path.file_stem(), path.extension() == Some(OsStr::new(extension)))
                && !name.as_encoded_bytes().starts_with(b".")
            {
                stems.push(stem.to_owned());
            }
        }
        Ok(stems)
    }

    /// A directory is taken over if all that is in it could be the original's, or what an init that was cut short left.
    fn refuse_a_strangers_directory(&self) -> Result<()> {
        for entry in fs::read_dir(&self.dir).map_err(Error::io("list", &self.dir))? {
            let name = entry.map_err(Error::io("list", &self.dir))?.file_name();
            let extension = Path::new(&name).extension().and_then(OsStr::to_str);
            if !(is_beginning(&name) || matches!(extension, Some("ini" | "log" | "fifo"))) {
                return Err(Error::NotAStore { dir: self.dir.clone(), example: printable(&name) });
            }
        }
        Ok(())
    }

    /// Removes what is of earlier runs, but not what still runs.
    fn clear(&self) -> Result<Leftovers> {
        let mut leftovers = Leftovers::default();
        for name in self.names()? {
            match self.look(&name) {
                Ok(Some((_, State::Running))) => leftovers.running.push(name),
                Ok(_) | Err(Error::BadRecord { .. } | Error::Planted { .. }) => {}
                // It may run, so nothing is removed.
                Err(error) => return Err(error),
            }
        }
        let collected = self.collected_dir();
        match fs::remove_dir_all(&collected) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove the collected futures in", &collected)(error));
            }
            _ => {}
        }
        self.clear_beginnings()?;
        for extension in ["ini", "log", "fifo"] {
            for stem in self.files(extension)? {
                if leftovers.running.iter().any(|name| stem == OsStr::new(name.as_str())) {
                    continue;
                }
                let mut file = stem;
                file.push(format!(".{extension}"));
                let path = self.dir.join(file);
                remove_if_there(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(leftovers)
    }

    /// Removes what shells and programs that were killed halfway left. One that is at work would fail with an error.
    fn clear_beginnings(&self) -> Result<()> {
        for entry in fs::read_dir(&self.dir).map_err(Error::io("list", &self.dir))? {
            let entry = entry.map_err(Error::io("list", &self.dir))?;
            let name = entry.file_name();
            if is_beginning(&name) {
                remove_if_there(&entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    fn make_collected_dir(&self) -> Result<()> {
        let path = self.collected_dir();
        let mode = if self.permissions == Permissions::Private { 0o700 } else { 0o777 };
        match DirBuilder::new().mode(mode).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(Error::io("make the directory", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Moves the record or the log of a future to the collected ones, under a name that is not taken.
    fn move_to_collected(&self, name: &FutureName, start: Millis, extension: &str) -> Result<()> {
        let from = self.dir.join(format!("{name}.{extension}"));
        for attempt in 0.. {
            let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
            let to = self.collected_dir().join(format!("{name}.{start}{suffix}.{extension}"));
            match rename_new(&from, &to) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.collected_dir().exists() => {
                    self.make_collected_dir()?;
                }
                Err(error) => return Err(Error::io("move to the collected futures", &from)(error)),
            }
        }
        unreachable!("the numbers have no end")
    }

    /// Where the log of an uncollected future is kept when its name is used again.
    fn kept_log_path(&self, name: &FutureName, start: Millis) -> PathBuf {
        self.collected_dir().join(format!("{name}.{start}.log"))
    }
}

impl Ready<'_> {
    /// What is known of it.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether its process went away without leaving a result.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.record.rc.is_none()
    }

    /// How it ended. `shell_status` is what the shell's own wait for it saw, if there was one.
    #[must_use]
    pub fn outcome(&self, shell_status: Option<i32>) -> Outcome {
        self.record.outcome(shell_status, clock::wall())
    }

    /// The log, to be read from its start; none if it is gone, or was never made.
    pub fn log(&self) -> Result<Option<File>> {
        if !self.record.has_log {
            return Ok(None);
        }
        match open_for_reading(&self.store.log_path(&self.name))? {
            None => open_for_reading(&self.store.kept_log_path(&self.name, self.record.start_time)),
            log => Ok(log),
        }
    }

    /// Takes the future out of the live ones, once it has been handed over. Its log stays where it is.
    pub fn archive(self, wait: Wait, outcome: &Outcome) -> Result<()> {
        let path = self.store.record_path(&self.name);
        let mut lines = format!("wait_start = {}\nwait_end = {}\n", wait.start, wait.end);
        if self.record.run_time.is_none() {
            lines.insert_str(0, &format!("run_time = {}\n", outcome.run_time));
        }
        if self.record.end_time.is_none() {
            lines.insert_str(0, &format!("end_time = {}\n", outcome.end_time));
        }
        append(&self.file, self.record.torn, &lines).map_err(Error::io("write the times of the wait to", &path))?;
        self.store.move_to_collected(&self.name, self.record.start_time, "ini")
    }

    /// Makes room for another future of that name: the log and the record of this one go to the collected ones.
    ///
    /// The log goes first: as long as the record is there the future is live, and [`Ready::log`] finds the log at both
    /// places. The other way round, a log whose record is gone would be replaced by the next one of that name.
    fn archive_uncollected(self) -> Result<()> {
        let start = self.record.start_time;
        if self.record.has_log {
            match self.store.move_to_collected(&self.name, start, "log") {
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        self.store.move_to_collected(&self.name, start, "ini")
    }
}

/// Whether somebody holds the life of a future.
fn is_alive(file: &File, path: &Path, record: &Record) -> Result<bool> {
    match &record.life {
        Some(life) => life.is_alive().map_err(Error::io("look at the process of", path)),
        None => lock::is_held(file).map_err(Error::io("look at the lock of", path)),
    }
}

/// Renames, unless the new name is taken: then false.
fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => finish_move(from, to),
        // A file system without that flag: link(2) refuses a taken name just as surely.
        Err(Errno::EINVAL | Errno::ENOSYS) => link_new(from, to),
        Err(errno) => Err(errno.into()),
    }
}

fn is_beginning(name: &OsStr) -> bool {
    [NEW, GATE].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

fn link_new(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return finish_move(from, to),
        Err(error) => return Err(error),
    }
    let removed = remove_if_there(from);
    if removed.is_err() && are_same_file(from, to).unwrap_or(false) {
        // Not under two names.
        let _ = fs::remove_file(to);
    }
    removed.map(|()| true)
}

/// If the taken name is the file's own, because somebody was stopped between the link and the removal, removes the old
/// one. Otherwise false.
fn finish_move(from: &Path, to: &Path) -> io::Result<bool> {
    if are_same_file(from, to)? { remove_if_there(from).map(|()| true) } else { Ok(false) }
}

/// Whether both names are one file's; not if one of them is gone.
fn are_same_file(a: &Path, b: &Path) -> io::Result<bool> {
    let identity = |path| match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (a, b) = (identity(a)?, identity(b)?);
    Ok(a.is_some() && a == b)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn refuse_unless_regular(metadata: &Metadata, path: &Path) -> Result<()> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_symlink() {
        "a symlink"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a fifo"
    } else {
        "a special file"
    };
    Err(Error::Planted { path: path.to_owned(), what })
}

/// Opens a file of the store to read and to append; none if there is none.
fn open_regular(path: &Path) -> Result<Option<File>> {
    open_checked(OpenOptions::new().read(true).append(true), path)
}

fn open_for_reading(path: &Path) -> Result<Option<File>> {
    open_checked(OpenOptions::new().read(true), path)
}

fn open_checked(options: &mut OpenOptions, path: &Path) -> Result<Option<File>> {
    // Without O_NONBLOCK, opening a planted fifo would wait for its other end.
    match options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path) {
        Ok(file) => {
            refuse_unless_regular(&file.metadata().map_err(Error::io("look at", path))?, path)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            if let Ok(metadata) = fs::symlink_metadata(path) {
                refuse_unless_regular(&metadata, path)?;
            }
            Err(Error::io("open", path)(error))
        }
    }
}

fn read_record(mut file: &File, path: &Path) -> Result<Record> {
    let bad = |why: String| Error::BadRecord { path: path.to_owned(), why };
    let length = file.metadata().map_err(Error::io("look at", path))?.len();
    if length > MAX_RECORD_BYTES {
        return Err(bad(format!("it has {length} bytes, and a record has {MAX_RECORD_BYTES} at most")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 256);
    io::Seek::rewind(&mut file).map_err(Error::io("read", path))?;
    file.take(MAX_RECORD_BYTES).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    record::parse(&bytes).map_err(bad)
}

/// Adds whole lines with one write, after a torn one if there is one; if only a part fits, takes it back.
fn append(mut file: &File, torn: bool, lines: &str) -> io::Result<()> {
    let lines = if torn { format!("{TORN}{lines}") } else { lines.to_owned() };
    let before = file.metadata()?.len();
    let written = loop {
        match file.write(lines.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if written == lines.len() {
        return Ok(());
    }
    if file.metadata()?.len() == before + written as u64 {
        file.set_len(before)?;
    }
    Err(Errno::ENOSPC.into())
}

fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}
