//! Each command of the program on a prepared store, and what must be true of that store afterwards, however the command
//! ended.
//!
//! The prepared futures are `other`, finished and none of the command's business unless it takes all; `busy`, which is
//! running; and `t`, which the command is about.

mod checks;
mod subjects;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{PipeReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub use checks::Outcomes;
pub use subjects::{Host, Input, Kind, SUBJECTS, Subject, Target};

use async_core::{Permissions, Request, Start, Store};
use nix::fcntl::OFlag;
use regex::{Captures, Regex};

use crate::shell::{Finished, Sandbox, bashes, binary_dir};
use crate::strace::{self, Call};
use crate::wait_until;

/// How often to run a command without a fault until its task is short.
const TRIES: usize = 10;

/// The contents of the log of `t`.
const LOG: &str = "one of t\ntwo of t\nthree of t\n";
/// The contents of the log of `other`.
const OTHER_LOG: &str = "one of other\n";
/// What a task that waits at a gate adds to the log of `t`.
const TASK_LOG: &str = "the task of t\n";

/// The result of a command.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status and outputs.
    pub finished: Finished,
    /// What `collect` reported.
    pub report: String,
    /// The answer to the shell.
    pub answer: String,
    /// The processes that ran the task of `t`, of those that waited at a gate.
    pub tasks: Vec<u32>,
    /// Its system calls.
    pub calls: Vec<Call>,
    /// The store's files, with numbers replaced.
    store: BTreeMap<String, String>,
}

/// A store that is prepared for a command.
pub struct Sweep {
    sandbox: Sandbox,
    bash: PathBuf,
    subject: Subject,
    held: Vec<File>,
    record: Option<File>,
    process: Option<Child>,
    /// The gate at which the program waits.
    gate: Option<File>,
    /// Where the shell reads its answer.
    answer: File,
    before: BTreeMap<String, String>,
}

/// Starts a task that waits at a gate, as the shim's background subshell does, and turns into the program, which
/// answers on descriptor 9. The task ends once its supervisor sleeps, so that each run makes the same calls; or, if it
/// should stay, with its supervisor. If its supervisor is gone the task goes on forever, in its own process group, so
/// that only the intended process ends it: see [`checks`].
const GATED: &str = r#"
folder=$0
# Nothing of whoever runs the tests, and a pipe that a reader waits for.
for fd in /proc/self/fd/*; do ((${fd##*/} < 3)) || eval "exec ${fd##*/}>&-"; done
exec 5<>"$folder/gate" 6<"$folder/gate" 8<>"$folder/life" 9>"$folder/answer" 4>"$folder/life"
exec 5>"$folder/gate"
function _async_hear {
    local first
    read -r -d "" -u 6 first && mapfile -t -d "" -n "$(($1 - 1))" -u 6 _async_answer &&
        _async_answer=("$first" "${_async_answer[@]}")
}
function _async_task {
    local stat=""
    _async_hear 4 && eval "${_async_answer[3]}" || exit 125
    exec 7>>"${_async_answer[1]}" || exit 125
    echo "$BASHPID" >>"$folder/ran"
    echo 'the task of t' >&7
    if [[ -n $ROOM ]]; then
        prlimit --pid "$$" --fsize="$(($(stat -c %s "$folder/dest/async/t.ini") + ROOM))"
    fi
    if [[ -n $STAYS ]]; then
        read -r -u 6
    fi
    while [[ ${stat##*) } != S* ]]; do
        read -r stat </proc/$$/stat && [[ ${stat##*) } != Z* ]] || linger
    done
    exit 3
}
function linger {
    echo "$BASHPID" >>"$folder/lingering"
    exec 8>&-
    exec sleep 1000
}
function begin {
    echo >&3
    exec 3>&-
    _async_task
}
# The program looks at the task once, as it finds it at the gate.
exec 3<>"$folder/ready"
set -m
begin 5>&- 9>&- 0</dev/null 2>/dev/null &
set +m
read -r -u 3
exec 3>&-
exec "${@/#PID/$!}" 6<&- 8>&-
"#;

/// Runs a command with an answer.
const CALLER: &str = r#"exec "$@" 9>"$0/answer""#;

/// Runs a command with an answer, and ends after the task that waits at the gate, or once the task goes on without its
/// supervisor. Prints nothing itself, for example about a killed command.
const CALLER_OF_TASK: &str = r#"
exec 7<>"$0/life" 8>"$0/life"
exec 7<"$0/life"
exec 3>&2 2>/dev/null
"$@" 2>&3 3>&- 7<&- 9>"$0/answer"
status=$?
exec 8>&-
read -r -u 7
exit "$status"
"#;

impl Drop for Sweep {
    fn drop(&mut self) {
        self.release();
    }
}

/// A subject under one version of bash.
pub struct Trial {
    /// The subject.
    pub subject: Subject,
    /// The bash that runs it, if one does.
    pub bash: PathBuf,
    /// Its index among the versions, and how many versions run the subject.
    turn: (usize, usize),
}

impl Trial {
    /// This version's share of the cases. The program makes the same calls under each version, so they take turns.
    pub fn share<T>(&self, cases: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let (first, versions) = self.turn;
        cases.into_iter().skip(first).step_by(versions)
    }
}

/// Each subject; one that a shell runs, under each available bash.
#[must_use]
pub fn trials() -> Vec<Trial> {
    let bashes: Vec<PathBuf> = bashes().into_iter().map(|bash| bash.path).collect();
    let versions = |subject: &Subject| match subject.host {
        Host::Program | Host::Supervisor => 1,
        Host::ProgramForShell => bashes.len(),
    };
    let of = |subject: &Subject| {
        let (subject, versions) = (*subject, versions(subject));
        (0..versions).zip(&bashes).map(move |(which, bash)| Trial {
            subject,
            bash: bash.clone(),
            turn: (which, versions),
        })
    };
    SUBJECTS.iter().flat_map(of).collect()
}

impl Sweep {
    /// Prepares the store, and runs the command without any fault; again if its task took so long, on a busy machine, that
    /// its supervisor took a sample: the calls for that need not come again.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn run_well(subject: Subject, bash: &Path) -> (Self, Ran) {
        let mut tries = 0;
        loop {
            let stage = Self::set(subject, bash);
            let ran = stage.run(None);
            tries += 1;
            if tries == TRIES || !ran.calls.iter().any(Call::is_of_a_sample) {
                return (stage, ran);
            }
        }
    }

    /// Prepares the store.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn set(subject: Subject, bash: &Path) -> Self {
        let sandbox = Sandbox::default();
        for name in ["answer", "gate", "life", "ready"] {
            nix::unistd::mkfifo(&sandbox.path(name), nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
        }
        let mut reading = OpenOptions::new();
        reading.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let answer = reading.open(sandbox.path("answer")).expect("the fifo");
        let mut stage = Self {
            sandbox,
            bash: bash.to_owned(),
            subject,
            held: Vec::new(),
            record: None,
            process: None,
            gate: None,
            answer,
            before: BTreeMap::new(),
        };
        if subject.args.contains(&"PID") && subject.host == Host::Program || subject.target == Target::RunsInProcess {
            stage.process = Some(stage.sandbox.command("sleep").arg("1000").spawn().expect("sleep runs"));
        }
        if subject.target != Target::NoStore {
            stage.make_store();
        }
        stage.before = stage.snapshot();
        stage
    }

    fn make_store(&mut self) {
        for folder in [".collected", ".starting"] {
            fs::create_dir_all(self.store().join(folder)).expect("a folder");
        }
        self.write(
            ".collected/old.1700000000000.ini",
            &text("x", "run_time = 5\nrc = 0\nwait_start = 1\nwait_end = 2\n"),
        );
        self.write("other.ini", &text("make other", "pid = 4240\nend_time = 1700000009000\nrun_time = 7000\nrc = 7\n"));
        self.write("other.log", OTHER_LOG);
        if self.subject.busy {
            self.write("busy.ini", &text("make busy", "pid = 4241\n"));
            self.write("busy.log", "");
            let busy = self.hold("busy.ini");
            self.held.push(busy);
        }
        if self.subject.target != Target::Absent {
            self.write("t.log", LOG);
        }
        match self.subject.target {
            Target::NoStore | Target::Absent => {}
            Target::Running => {
                self.write("t.ini", &text("make t", "pid = 4242\n"));
                self.record = Some(self.hold("t.ini"));
            }
            Target::Queued => {
                self.write("t.ini", &text("make t", "plan = {\"jobs\":1}\npid = 4242\n"));
                self.record = Some(self.hold("t.ini"));
            }
            Target::Supervised => {
                let mut supervisor = self.sandbox.command("bash");
                supervisor.env("ROOM", "").env("STAYS", "yes").args(["-c", GATED]).arg(self.folder());
                supervisor.arg(binary_dir().join("async")).args(["supervise", "--dir"]).arg(self.store());
                supervisor.args(["--answer", "9", "--gate", "5", "--task", "PID", "--", "t", "make"]);
                let child = supervisor.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                self.process = Some(child.expect("bash runs"));
                let log = self.store().join("t.log");
                wait_until("the task", || fs::read_to_string(&log).is_ok_and(|log| log == TASK_LOG));
                self.write("t.log", LOG);
            }
            Target::RunsInProcess => {
                let shell = self.process.as_ref().expect("a process").id();
                let store = Store::open(&self.store(), Permissions::Private).expect("a store");
                let name = "t".parse().expect("a name");
                store.begin(&name, &Request::new(&["make".into()]), Start::InProcess(shell)).expect("it begins");
            }
            Target::Lost => self.write("t.ini", &text("make t", "pid = 4242\n")),
            Target::Finished => {
                self.write("t.ini", &text("make t", "pid = 4242\nend_time = 1700000004000\nrun_time = 4000\nrc = 3\n"));
            }
        }
        if self.subject.kind == Kind::Runs {
            let path = self.sandbox.path("dest/gate");
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
            self.gate = Some(OpenOptions::new().read(true).write(true).open(path).expect("the fifo"));
        }
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.store().join(name);
        fs::write(&path, content).expect("a file of the store");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// Opens a record as its supervisor does, with the lock that is its life.
    fn hold(&self, name: &str) -> File {
        let file = OpenOptions::new().read(true).append(true).open(self.store().join(name)).expect("the record");
        file.lock().expect("a lock");
        file
    }

    fn pid(&self) -> String {
        self.process.as_ref().map(|child| child.id().to_string()).unwrap_or_default()
    }

    fn store(&self) -> PathBuf {
        self.sandbox.store()
    }

    /// The folder with everything that concerns the command.
    ///
    /// # Panics
    /// Never: the store is in it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.store().parent().and_then(Path::parent).expect("a folder").to_owned()
    }

    fn program(&self, command: &mut Command, args: &[&str]) -> Finished {
        let pid = self.pid();
        // What only scripts call is known by its first argument.
        let (name, args) = args.split_first().expect("a command");
        command
            .arg(name)
            .arg("--dir")
            .arg(self.store())
            .args(args.iter().map(|arg| if *arg == "PID" && !pid.is_empty() { &pid } else { *arg }));
        // Another directory, so that a call is known by its path.
        self.sandbox.finish(command.current_dir("/"))
    }

    fn call(&self, args: &[&str]) -> Finished {
        self.program(&mut self.sandbox.command(binary_dir().join("async")), args)
    }

    /// Runs the command under strace, with that injection.
    ///
    /// # Panics
    /// If it can't be run, or hangs.
    #[must_use]
    pub fn run(&self, inject: Option<&str>) -> Ran {
        let log = self.sandbox.path("strace");
        let inject: Vec<String> = self.subject.lacks.iter().copied().chain(inject).map(str::to_owned).collect();
        let mut command = self.sandbox.command("bash");
        let caller = if self.subject.host == Host::ProgramForShell { CALLER_OF_TASK } else { CALLER };
        command.args(["-c", caller]).arg(self.folder()).arg("strace").args(strace::arguments(&log, &inject));
        let room = self.subject.room.map(|room| room.to_string()).unwrap_or_default();
        match self.subject.host {
            Host::ProgramForShell => {
                command.env("ROOM", room).env("STAYS", "").arg(&self.bash).args(["-c", GATED]).arg(self.folder());
            }
            _ if self.subject.room.is_some() => {
                let length = fs::metadata(self.store().join("t.ini")).expect("a record").len();
                let room = self.subject.room.unwrap_or_default();
                command.args(["prlimit".to_owned(), format!("--fsize={}", length + room)]);
            }
            _ => {}
        }
        let program = if self.subject.host == Host::Supervisor { "supervise" } else { "async" };
        command.arg(binary_dir().join(program));
        let reported = self.sandbox.path("report");
        let mut pipe: Option<PipeReader> = None;
        match self.subject.input {
            Input::Nothing => {}
            Input::Record => {
                let record = self.record.as_ref().expect("a record").try_clone();
                command.stdin(record.expect("another descriptor"));
            }
            Input::ReportFile => {
                command.stdin(File::create(&reported).expect("a file"));
            }
            Input::ReportPipe => {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                pipe = Some(reader);
                command.stdin(Stdio::from(writer));
            }
        }
        let mut finished = self.ending_meanwhile(|| self.program(&mut command, self.subject.args));
        // Each sandbox has another one.
        finished.stdout = finished.stdout.replace(&*self.store().to_string_lossy(), "STORE");
        // Information about the whole machine differs each time.
        finished.stderr = without_dump(&finished.stderr);
        // This closes its end of the pipe.
        drop(command);
        let report = if let Some(mut pipe) = pipe {
            let mut report = String::new();
            pipe.read_to_string(&mut report).expect("the report");
            report
        } else {
            fs::read_to_string(reported).unwrap_or_default()
        };
        Ran {
            finished,
            report,
            answer: self.answered(),
            tasks: self.noted("ran"),
            calls: strace::calls(&log),
            store: self.snapshot(),
        }
    }

    /// The processes that have recorded themselves in that file.
    fn noted(&self, file: &str) -> Vec<u32> {
        let pids = fs::read_to_string(self.sandbox.path(file)).unwrap_or_default();
        pids.lines().map(|pid| pid.parse().expect("a process id")).collect()
    }

    /// What the shell can read of its answer.
    fn answered(&self) -> String {
        let mut answer = Vec::new();
        // An error means that a process could still write, but none has.
        let _ = (&self.answer).read_to_end(&mut answer);
        // It skips leading newlines.
        String::from_utf8(answer).expect("text").trim_start_matches('\n').to_owned()
    }

    /// Runs the command, and ends the task of `t` or `busy` once the command sleeps until then.
    fn ending_meanwhile(&self, run: impl FnOnce() -> Finished) -> Finished {
        let Some(record) = self.record.as_ref().or(self.held.first()).filter(|_| self.subject.sleeps) else {
            return run();
        };
        let inode = record.metadata().expect("the record").ino();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && sleepers(inode) == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                record.unlock().expect("the lock is let go of");
            });
            let finished = run();
            over.store(true, Ordering::Relaxed);
            finished
        })
    }

    /// The store's files with their modes and contents, numbers replaced.
    fn snapshot(&self) -> BTreeMap<String, String> {
        let entries = |folder: &str| {
            let entries = fs::read_dir(self.store().join(folder)).into_iter().flatten();
            entries.map(|entry| entry.expect("a file").path()).collect::<Vec<_>>()
        };
        let runs = entries(".runs").into_iter().flat_map(|run| entries(run.to_str().expect("UTF-8")));
        let mut paths: Vec<_> =
            entries("").into_iter().chain(entries(".collected")).chain(entries(".starting")).chain(runs).collect();
        // Other checks cover these.
        paths.retain(|path| !path.ends_with(".count") && !path.ends_with(".slots"));
        paths.sort();
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for path in paths {
            let metadata = fs::symlink_metadata(&path).expect("a file");
            let mode = metadata.permissions().mode();
            let content = if metadata.is_file() { read(&path) } else { String::new() };
            let name = path.strip_prefix(self.store()).expect("a file of the store").to_string_lossy().into_owned();
            // Each sandbox has another folder; several may differ only in numbers. A future whose obstacle can't be
            // read is not held back by it, and a host that does not know itself is not named. A task that takes long on
            // a busy machine has samples.
            let is_kept = |line: &&str| {
                *line != "at_once = true\n" && !line.starts_with("host = ") && !line.starts_with("samples = ")
            };
            let content: String = content.split_inclusive('\n').filter(is_kept).collect();
            let content = content.replace(&*self.folder().to_string_lossy(), "FOLDER");
            let content = figures_apart(&content);
            let _ = write!(files.entry(figures_apart(&name)).or_default(), "{mode:o}\n{content}");
        }
        files
    }

    /// Ends the tasks without recording results.
    fn release(&mut self) {
        for file in self.held.drain(..).chain(self.record.take()) {
            // Not by closing it: a child that another thread is just starting has a copy.
            let _ = file.unlock();
        }
        if let Some(mut gate) = self.gate.take() {
            gate.write_all(b"\n").expect("it is open for reading too");
            // It has been opened by then, or never will be.
            self.held.push(gate);
        }
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How many processes sleep until a lock on the file with that inode is free: see `/proc/locks` in proc(5).
///
/// # Panics
/// If that can't be read.
#[must_use]
pub fn sleepers(inode: u64) -> usize {
    let locks = fs::read_to_string("/proc/locks").expect("the locks");
    let inode = format!(":{inode} ");
    locks.lines().filter(|lock| lock.contains("-> FLOCK") && lock.contains(&inode)).count()
}

/// A record whose first lines are those that `begin` writes.
fn text(command: &str, more: &str) -> String {
    // Long enough that messages fit where a record has no more room.
    let long = "x".repeat(500);
    format!("[job]\ncommand = {command}\nstart_time = 1700000000000\nargv = [\"{long}\"]\nstart_boot = 1000\n{more}")
}

fn told(what: &str, finished: &Finished) -> String {
    let Finished { stdout, stderr, status } = finished;
    format!("{what}: status {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a file of the store")).into_owned()
}

/// The output without the dumps of failed waits.
fn without_dump(text: &str) -> String {
    let mut is_dump = false;
    let is_kept = |line: &&str| {
        is_dump |= line.starts_with("=== Wait failure dump: ");
        !(is_dump && std::mem::replace(&mut is_dump, !line.starts_with("=== End of the dump")))
    };
    text.split_inclusive('\n').filter(is_kept).collect()
}

/// Replaces numbers that differ from run to run, but not statuses.
fn figures_apart(text: &str) -> String {
    static FIGURES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:\b(?:rc = |rc |result |finished\t)\d+)|(\d+(?:\.\d+)*)").expect("a regular expression")
    });
    let replaced = |found: &Captures<'_>| if found.get(1).is_some() { "N".to_owned() } else { found[0].to_owned() };
    FIGURES.replace_all(text, replaced).into_owned()
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = told("it", &self.finished);
        let _ = write!(text, "\n--- report\n{}\n--- answer {:?}, tasks {:?}", self.report, self.answer, self.tasks);
        f.write_str(&text)
    }
}
