//! The commands, and the stages they are set on.

use super::ID;

/// What the command does with the futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Makes the store, or clears it.
    Inits,
    /// Starts `t`.
    Begins,
    /// Makes the shell two, of which one runs `t` and the other records its end.
    Forks,
    /// Notes which process runs `t`.
    Launches,
    /// Records the end of `t`.
    Ends,
    /// Hands over `t`, or all.
    Collects(&'static [&'static str]),
    /// Starts a program as `t`.
    Runs,
    /// Starts the program of `t`, and records its end.
    Supervises,
    /// Stops `t`.
    Cancels,
    /// Changes nothing.
    Looks,
}

/// What `t` is at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// There is no store at all.
    NoStore,
    /// Unknown.
    Absent,
    /// Runs, its life a lock on its record.
    Running,
    /// Runs, and nobody knows yet in which process; its life a lock on its record.
    Launched,
    /// Is held back by a limit, its life a lock on its record.
    Queued,
    /// Runs under a supervisor.
    Supervised,
    /// Runs, its life a process.
    RunsInProcess,
    /// Ended without a result.
    Lost,
    /// Ended with status 3.
    Finished,
}

/// What the command has as its descriptor 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The null device.
    Nothing,
    /// A new record for `begin`.
    NewRecord,
    /// The record of `t`.
    Record,
    /// A file for the report of `collect`.
    ReportFile,
    /// A pipe for the report of `collect`.
    ReportPipe,
}

/// What runs the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The program.
    Program,
    /// None but the supervisor that `async run` leaves behind, alone.
    Supervisor,
    /// The program, in the place of a shell that has started the task of `t`, which is the process `PID`.
    ProgramForShell,
    /// A shell, with the builtin. It has the log of `t`, if there is one, as its descriptor 11.
    Shell,
}

/// A command on a stage.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// What it is called in complaints.
    pub title: &'static str,
    /// Its arguments; `PID` stands for a process that lives as long as the stage.
    pub args: &'static [&'static str],
    /// What it does.
    pub kind: Kind,
    /// What it does it to.
    pub target: Target,
    /// Whether a future `busy` runs beside it.
    pub busy: bool,
    /// Its descriptor 0.
    pub input: Input,
    /// What fails or is made up in every run of it, as when a file system lacks something.
    pub lacks: &'static [&'static str],
    /// How many bytes more the record of `t` may have, where there is a limit.
    pub room: Option<u64>,
    /// What runs it.
    pub host: Host,
    /// Whether the task of `t` ends, without a word, once the command sleeps until it does.
    pub sleeps: bool,
}

const fn subject(title: &'static str, args: &'static [&'static str], kind: Kind, target: Target) -> Subject {
    Subject {
        title,
        args,
        kind,
        target,
        busy: true,
        input: Input::Nothing,
        lacks: &[],
        room: None,
        host: Host::Program,
        sleeps: false,
    }
}

impl Subject {
    const fn with(self, input: Input) -> Self {
        Self { input, ..self }
    }

    const fn alone(self) -> Self {
        Self { busy: false, ..self }
    }

    const fn sleeping(self) -> Self {
        Self { sleeps: true, ..self }
    }

    const fn in_shell(self) -> Self {
        Self { host: Host::Shell, ..self }
    }

    const fn without_noreplace(self, title: &'static str) -> Self {
        Self { title, lacks: &["renameat2:error=EINVAL"], ..self }
    }

    const fn without_links(self, title: &'static str) -> Self {
        Self { title, lacks: &["linkat:error=EPERM"], ..self }
    }
}

const INIT: Subject = subject("init, a store", &["init"], Kind::Inits, Target::Finished);
const BEGIN_FD: Subject =
    subject("begin --fd", &["begin", "--fd", "0", "--id", ID, "--", "t", "make", "docs"], Kind::Begins, Target::Absent)
        .with(Input::NewRecord);
const BEGIN_PROCESS: Subject =
    subject("begin --process", &["begin", "--process", "PID", "--", "t", "make"], Kind::Begins, Target::Absent);
const WATCH: Subject = Subject {
    host: Host::ProgramForShell,
    ..subject(
        "watch",
        &["watch", "--fd", "0", "--gate", "5", "--id", ID, "--task", "PID", "--", "t"],
        Kind::Ends,
        Target::Running,
    )
    .with(Input::Record)
};
const BEGIN_OPEN: Subject =
    subject("begin --open", &["begin", "--open", "--", "t", "make", "docs"], Kind::Begins, Target::Absent).in_shell();
const FORK: Subject = Subject {
    // Only a subshell may fork so, and strace follows none. By the second look at its process id, the shell is no more
    // what it was by the first.
    lacks: &["getpid:retval=1:when=2+"],
    ..subject("fork", &["fork", "--record", "0", "--log", "11", "--", "t"], Kind::Forks, Target::Launched)
        .with(Input::Record)
        .in_shell()
};
const LAUNCHED: Subject = subject(
    "launched",
    &["launched", "--record", "0", "--log", "11", "--pid", "4242", "--", "t", "make docs"],
    Kind::Launches,
    Target::Launched,
)
.with(Input::Record)
.in_shell();
const PROGRAM: Subject = Subject {
    host: Host::Supervisor,
    ..subject("the supervisor of a program", &["t", "/bin/sh", "-c", "exit 3"], Kind::Supervises, Target::Running)
        .with(Input::Record)
};
const RUN: Subject =
    subject("run", &["run", "t", "--", "sh", "-c", "read -r line <\"$DEST/gate\"; exit 3"], Kind::Runs, Target::Absent);
const COLLECT: Subject = subject(
    "collect, finished",
    &["collect", "--report", "0", "--shell", "1", "--", "t"],
    Kind::Collects(&["t"]),
    Target::Finished,
)
.with(Input::ReportFile);

/// As the shell asks again, once its own wait is over.
const COLLECT_LOST: Subject = Subject {
    title: "collect, lost",
    args: &["collect", "--report", "0", "--shell", "1", "--since", "1700000000000", "--", "t"],
    target: Target::Lost,
    ..COLLECT
};

/// All commands that have to do with a store, each in the states that make a difference to it.
pub const SUBJECTS: &[Subject] = &[
    subject("init, no store", &["init"], Kind::Inits, Target::NoStore).alone(),
    INIT,
    INIT.without_links("init, a store, no links"),
    BEGIN_FD,
    Subject { title: "begin --fd, uncollected before", target: Target::Finished, ..BEGIN_FD },
    BEGIN_FD.without_noreplace("begin --fd, no RENAME_NOREPLACE"),
    Subject { target: Target::Finished, ..BEGIN_FD.without_links("begin --fd, uncollected before, no links") },
    BEGIN_PROCESS,
    Subject { title: "begin --process, uncollected before", target: Target::Finished, ..BEGIN_PROCESS },
    Subject {
        title: "begin --fd, limited",
        args: &["begin", "--jobs", "1", "--fd", "0", "--id", ID, "--", "t", "make", "docs"],
        ..BEGIN_FD
    },
    Subject {
        title: "begin --fd, after another",
        args: &["begin", "--after", "other", "--fd", "0", "--id", ID, "--", "t", "make", "docs"],
        ..BEGIN_FD
    },
    BEGIN_OPEN,
    Subject { title: "begin --open, uncollected before", target: Target::Finished, ..BEGIN_OPEN },
    FORK,
    // Up to figures that would be wrong, as in `task = 12`.
    Subject { title: "fork, no room", room: Some(9), ..FORK },
    LAUNCHED,
    Subject { title: "launched, no room", room: Some(8), ..LAUNCHED },
    RUN,
    PROGRAM,
    Subject {
        title: "the supervisor of a program that is held back",
        args: &["--planned", "t", "/bin/sh", "-c", "exit 3"],
        target: Target::Queued,
        ..PROGRAM
    },
    subject("cancel", &["cancel", "t"], Kind::Cancels, Target::Supervised),
    WATCH,
    // Up to a figure that would be wrong: `end_time = 17`.
    Subject { title: "watch, no room", room: Some(13), ..WATCH },
    subject("end", &["end", "--rc", "3", "--pid", "4242", "--", "t"], Kind::Ends, Target::RunsInProcess),
    COLLECT,
    Subject { title: "collect, finished, to a pipe", input: Input::ReportPipe, ..COLLECT },
    COLLECT_LOST,
    Subject { title: "collect, running", target: Target::Running, kind: Kind::Looks, ..COLLECT },
    Subject { title: "collect, a process runs it", target: Target::RunsInProcess, kind: Kind::Looks, ..COLLECT },
    Subject { title: "collect, finished, no room", room: Some(13), ..COLLECT },
    Subject { title: "collect, lost, no room", room: Some(13), ..COLLECT_LOST },
    COLLECT.without_noreplace("collect, finished, no RENAME_NOREPLACE"),
    COLLECT.without_links("collect, finished, no links"),
    subject("wait, finished", &["wait", "t"], Kind::Collects(&["t"]), Target::Finished),
    subject("wait, lost", &["wait", "t"], Kind::Collects(&["t"]), Target::Lost),
    subject("wait, to keep", &["wait", "--keep", "t"], Kind::Looks, Target::Finished),
    subject("wait, for any", &["wait", "--any", "busy", "t"], Kind::Collects(&["t"]), Target::Finished),
    subject("wait, for all", &["wait", "--all"], Kind::Collects(&["other", "t"]), Target::Finished).alone(),
    subject("cleanup", &["cleanup"], Kind::Collects(&["other", "t"]), Target::Finished).alone(),
    subject("wait, in JSON", &["wait", "--json", "t", "other"], Kind::Collects(&["t"]), Target::Finished),
    subject("wait, in JSON, to keep", &["wait", "--json", "--keep", "t"], Kind::Looks, Target::Finished),
    subject("wait, in JSON, for any", &["wait", "--json", "--any", "busy", "t"], Kind::Collects(&["t"]), Target::Lost),
    subject("cleanup, in JSON", &["cleanup", "--json"], Kind::Collects(&["other", "t"]), Target::Finished).alone(),
    subject("status", &["status"], Kind::Looks, Target::RunsInProcess),
    subject("status --json", &["status", "--all", "--json"], Kind::Looks, Target::Finished),
    subject("wait, running", &["wait", "t"], Kind::Collects(&["t"]), Target::Running).sleeping(),
    subject("block, running", &["block", "--", "t"], Kind::Looks, Target::Running).sleeping(),
    subject("live", &["live"], Kind::Looks, Target::Finished),
    subject("log", &["log", "t"], Kind::Looks, Target::Finished),
    subject("log, the last lines of two", &["log", "-n", "2", "--prefix", "t", "other"], Kind::Looks, Target::Running),
    subject("log, the runs", &["log", "--list-runs", "t", "old"], Kind::Looks, Target::Finished),
    subject("message", &["message", "--", "t", "it is %command"], Kind::Looks, Target::Running),
    subject("pid", &["pid", "t"], Kind::Looks, Target::Running),
    subject("block", &["block", "--", "t"], Kind::Looks, Target::Lost),
    subject("timing", &["timing"], Kind::Looks, Target::Finished),
    subject(
        "timing, from the shell",
        &["timing", "--background", "9000", "--waited", "2000", "--begin", "1"],
        Kind::Looks,
        Target::Finished,
    ),
];
