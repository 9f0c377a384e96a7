//! The commands, and the stores that they start from.

/// What the command does with the futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Makes the store, or clears it.
    Inits,
    /// Begins `t`, whose task a shell runs.
    Begins,
    /// Starts the task of `t`, which waits at a gate, and records its end.
    Tasks,
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

/// The initial state of `t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// There is no store.
    NoStore,
    /// Unknown.
    Absent,
    /// Running; its life is a lock on its record.
    Running,
    /// Held back by a limit; its life is a lock on its record.
    Queued,
    /// Running under a supervisor.
    Supervised,
    /// Running; its life is a process.
    RunsInProcess,
    /// Ended without a result.
    Lost,
    /// Ended with status 3.
    Finished,
}

/// The command's descriptor 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The null device.
    Nothing,
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
    /// Only the supervisor that `async run` leaves behind.
    Supervisor,
    /// The program, in place of a shell that has started the task of `t`, which is the process `PID` and waits at a
    /// gate.
    ProgramForShell,
}

/// A command and the store that it starts from.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name in complaints.
    pub title: &'static str,
    /// Its arguments; `PID` stands for a process that lives as long as the sandbox, or for the task's process. The
    /// answer to the shell goes to descriptor 9.
    pub args: &'static [&'static str],
    /// What it does.
    pub kind: Kind,
    /// What it does that to.
    pub target: Target,
    /// Whether a future `busy` is running too.
    pub busy: bool,
    /// Its descriptor 0.
    pub input: Input,
    /// What fails or is faked in every run of it, for example because a file system lacks something.
    pub lacks: &'static [&'static str],
    /// How many bytes the record of `t` may still grow by, if there is a limit; counted from the opening of the gate if
    /// the task waits at one.
    pub room: Option<u64>,
    /// What runs it.
    pub host: Host,
    /// Whether the task of `t`, or of `busy` if there is no `t` yet, ends without a result once the command sleeps
    /// until it does.
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
    /// Whether it may work with fewer calls than before: how often a cancel or a queued task looks again, and how many
    /// processes a dump looks at, depends on the machine.
    #[must_use]
    pub fn may_make_fewer_calls(&self) -> bool {
        self.kind == Kind::Cancels || self.sleeps || self.args.contains(&"devstack")
    }

    /// Whether the task's output is a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        self.args.contains(&"--pty")
    }

    /// Whether it fails even if no call does.
    #[must_use]
    pub fn is_to_fail(&self) -> bool {
        self.room.is_some() || self.kind == Kind::Tasks && self.target == Target::Running
    }

    const fn with(self, input: Input) -> Self {
        Self { input, ..self }
    }

    const fn alone(self) -> Self {
        Self { busy: false, ..self }
    }

    const fn sleeping(self) -> Self {
        Self { sleeps: true, ..self }
    }

    const fn without_noreplace(self, title: &'static str) -> Self {
        Self { title, lacks: &["renameat2:error=EINVAL"], ..self }
    }

    const fn without_links(self, title: &'static str) -> Self {
        Self { title, lacks: &["linkat:error=EPERM"], ..self }
    }
}

const INIT: Subject = subject("init, a store", &["init"], Kind::Inits, Target::Finished);
/// Starts the task of `t`, with options of `async_run`.
macro_rules! supervise {
    ($title:expr $(, $option:expr)*) => {
        Subject {
            host: Host::ProgramForShell,
            ..subject(
                $title,
                &["supervise", "--answer", "9", "--gate", "5", "--task", "PID", "--", $($option,)* "t", "make", "docs"],
                Kind::Tasks,
                Target::Absent,
            )
        }
    };
}

const SUPERVISE: Subject = supervise!("supervise");
const BEGIN_HERE: Subject = subject(
    "begin-here",
    &["begin-here", "--answer", "9", "--shell", "PID", "--", "t", "make"],
    Kind::Begins,
    Target::Absent,
);
/// A program that ends once its supervisor sleeps. If the supervisor is gone and another process is its parent, it goes
/// on forever.
const ENDS: &str = r#"
while read -r stat </proc/$PPID/stat; do
    case ${stat#* } in
        '(async supervise) S'*) exit 3 ;;
        '(async supervise) Z'*) break ;;
        '(async supervise) '*) ;;
        *) break ;;
    esac
done 2>/dev/null
echo $$ >>"$TMPDIR/lingering"
exec sleep 1000"#;

const PROGRAM: Subject = Subject {
    host: Host::Supervisor,
    ..subject(
        "the supervisor of a program",
        // In its own process group: the rest of the command's group is killed after it.
        &["t", "/usr/bin/setsid", "sh", "-c", ENDS],
        Kind::Supervises,
        Target::Running,
    )
    .with(Input::Record)
};
const RUN: Subject =
    subject("run", &["run", "t", "--", "sh", "-c", "read -r line <\"$DEST/gate\"; exit 3"], Kind::Runs, Target::Absent);
const COLLECT: Subject = subject(
    "collect, finished",
    &["collect", "--answer", "9", "--report", "0", "--shell", "1", "--", "t"],
    Kind::Collects(&["t"]),
    Target::Finished,
)
.with(Input::ReportFile);
const CLEANUP: Subject = Subject {
    title: "collect --cleanup",
    args: &["collect", "--answer", "9", "--report", "0", "--shell", "1", "--cleanup"],
    kind: Kind::Collects(&["other", "t"]),
    ..COLLECT
}
.alone();

/// The word of a wait that is at `t` (with that rank) and has dealt with others up to that one, with that score.
macro_rules! word {
    ($rank:expr, $last:expr, $score:expr) => {
        concat!(
            r#"{"c":{"r":"#,
            $rank,
            r#","m":"t","s":1700000000000,"t":1700000000000},"l":"#,
            $last,
            r#","s":"#,
            $score,
            "}"
        )
    };
}

/// The words with which a wait for `t` alone, and a cleanup at `t`, continue; and the first of them as devstack's waits
/// write it.
const WORD: &str = word!("{}", "null", "{}");
const WORD_OF_CLEANUP: &str =
    word!(r#"{"n":1700000000000,"m":"t"}"#, r#"{"n":1700000000000,"m":"other"}"#, r#"{"n":1,"r":7}"#);
const WORD_IN_ORDER: &str = "0.0.1700000000000/1700000000000";

/// As the shell asks again, once its own wait is over.
const COLLECT_LOST: Subject = Subject {
    title: "collect, lost",
    args: &["collect", "--answer", "9", "--report", "0", "--shell", "1", "--resume", WORD, "--", "t"],
    target: Target::Lost,
    ..COLLECT
};

/// As another process of the shell waits for it.
const BLOCK: Subject =
    subject("collect --block", &["collect", "--block", "--resume", WORD, "--", "t"], Kind::Looks, Target::Lost);

/// All commands that use a store, each in the states that make a difference to it.
pub const SUBJECTS: &[Subject] = &[
    subject("init, no store", &["init"], Kind::Inits, Target::NoStore).alone(),
    INIT,
    INIT.without_links("init, a store, no links"),
    BEGIN_HERE,
    Subject { title: "begin-here, uncollected before", target: Target::Finished, ..BEGIN_HERE },
    BEGIN_HERE.without_noreplace("begin-here, no RENAME_NOREPLACE"),
    SUPERVISE,
    Subject { title: "supervise, uncollected before", target: Target::Finished, ..SUPERVISE },
    SUPERVISE.without_noreplace("supervise, no RENAME_NOREPLACE"),
    Subject { target: Target::Finished, ..SUPERVISE.without_links("supervise, uncollected before, no links") },
    supervise!("supervise, limited", "--jobs", "1"),
    supervise!("supervise, after another", "--after-any", "other"),
    supervise!("supervise, after another that failed", "--after", "other"),
    supervise!("supervise, held back", "--after-any", "busy").sleeping(),
    supervise!("supervise, twice", "--retry", "1"),
    supervise!("supervise, with a terminal", "--pty"),
    // Room only for a wrong number: `end_time = 17`.
    Subject { title: "supervise, no room", room: Some(13), ..SUPERVISE },
    // The same with the second attempt's `task = 12`.
    Subject { room: Some(9), ..supervise!("supervise, twice, no room", "--retry", "1") },
    Subject { title: "supervise, while it runs", target: Target::Running, ..SUPERVISE },
    RUN,
    PROGRAM,
    Subject {
        title: "the supervisor of a program that is held back",
        args: &["--planned", "t", "/usr/bin/setsid", "sh", "-c", ENDS],
        target: Target::Queued,
        ..PROGRAM
    },
    subject("cancel", &["cancel", "t"], Kind::Cancels, Target::Supervised),
    subject("end-here", &["end-here", "--rc", "3", "--", "t"], Kind::Ends, Target::RunsInProcess),
    COLLECT,
    Subject { title: "collect, finished, to a pipe", input: Input::ReportPipe, ..COLLECT },
    COLLECT_LOST,
    Subject { title: "collect, running", target: Target::Running, kind: Kind::Looks, ..COLLECT },
    Subject { title: "collect, a process runs it", target: Target::RunsInProcess, kind: Kind::Looks, ..COLLECT },
    Subject { title: "collect, finished, no room", room: Some(13), ..COLLECT },
    Subject { title: "collect, lost, no room", room: Some(13), ..COLLECT_LOST },
    COLLECT.without_noreplace("collect, finished, no RENAME_NOREPLACE"),
    COLLECT.without_links("collect, finished, no links"),
    CLEANUP,
    Subject { title: "collect --cleanup, to a pipe", input: Input::ReportPipe, ..CLEANUP },
    Subject { title: "collect --cleanup, no room", room: Some(13), ..CLEANUP },
    Subject {
        title: "collect --cleanup, once more",
        args: &["collect", "--answer", "9", "--report", "0", "--shell", "1", "--resume", WORD_OF_CLEANUP, "--cleanup"],
        ..COLLECT_LOST
    },
    Subject {
        title: "collect, in devstack",
        args: &["collect", "--for", "devstack", "--answer", "9", "--report", "0", "--shell", "1", "--", "t"],
        ..COLLECT
    },
    Subject {
        title: "collect, lost, in devstack",
        args: &[
            "collect",
            "--for",
            "devstack",
            "--answer",
            "9",
            "--report",
            "0",
            "--shell",
            "1",
            "--resume",
            WORD_IN_ORDER,
            "--",
            "t",
        ],
        ..COLLECT_LOST
    },
    subject("wait, finished", &["wait", "t"], Kind::Collects(&["t"]), Target::Finished),
    subject("wait, lost", &["wait", "t"], Kind::Collects(&["t"]), Target::Lost),
    subject("wait, to keep", &["wait", "--keep", "t"], Kind::Looks, Target::Finished),
    subject("wait, for any", &["wait", "--any", "busy", "t"], Kind::Collects(&["t"]), Target::Finished),
    subject("wait, for all", &["wait", "--all"], Kind::Collects(&["other", "t"]), Target::Finished).alone(),
    subject("cleanup", &["cleanup"], Kind::Collects(&["other", "t"]), Target::Finished).alone(),
    subject("wait, in JSON", &["wait", "--json", "t", "other"], Kind::Collects(&["other", "t"]), Target::Finished),
    subject("wait, in JSON, to keep", &["wait", "--json", "--keep", "t"], Kind::Looks, Target::Finished),
    subject("wait, in JSON, for any", &["wait", "--json", "--any", "busy", "t"], Kind::Collects(&["t"]), Target::Lost),
    subject("cleanup, in JSON", &["cleanup", "--json"], Kind::Collects(&["other", "t"]), Target::Finished).alone(),
    subject("status", &["status"], Kind::Looks, Target::RunsInProcess),
    subject("status --json", &["status", "--all", "--json"], Kind::Looks, Target::Finished),
    subject("wait, running", &["wait", "t"], Kind::Collects(&["t"]), Target::Running).sleeping(),
    Subject { title: "collect --block, running", target: Target::Running, ..BLOCK }.sleeping(),
    Subject {
        title: "collect --block, running, of a cleanup",
        args: &["collect", "--block", "--resume", WORD_OF_CLEANUP, "--cleanup"],
        target: Target::Running,
        ..BLOCK
    }
    .sleeping(),
    subject("log", &["log", "t"], Kind::Looks, Target::Finished),
    subject("log, the last lines of two", &["log", "-n", "2", "--prefix", "t", "other"], Kind::Looks, Target::Running),
    subject("log, the runs", &["log", "--list-runs", "t", "old"], Kind::Looks, Target::Finished),
    subject("message", &["message", "--", "t", "it is %command"], Kind::Looks, Target::Running),
    subject("pid", &["pid", "t"], Kind::Looks, Target::Running),
    BLOCK,
    subject("timing", &["timing"], Kind::Looks, Target::Finished),
    subject(
        "timing, from the shell",
        &["timing", "--background", "9000", "--waited", "2000", "--begin", "1"],
        Kind::Looks,
        Target::Finished,
    ),
];
