//! Records: what is known about one future, as an ini file that devstack's `iniget` can read.
//!
//! ```text
//! [job]
//! command = make -j4 docs
//! start_time = 1795503105123
//! argv = ["make","-j4","docs"]
//! cwd = "/home/me/project"
//! start_boot = 918273
//! host = 6f1ed8a4-…@build1
//! log = none
//! log = own
//! script = 4100 91827 6f1ed8a4-…@build1
//! pid = 4242
//! task = 4243
//! end_time = 1795503107123
//! run_time = 2000
//! rc = 0
//! wait_start = 1795503106000
//! wait_end = 1795503107125
//! ```
//!
//! A record may also have `parent`, `plan`, `pty`, `run_start`, `attempts`, `cancel_time`, `signal`, `cause`,
//! `terminated`, `killed`, `usage`, `samples`, `unlogged` and `log_cut`, and for a task on an engine `job`, `node` and
//! `reason`; [`Record`] explains each. The other keys:
//!
//! | key | value |
//! | --- | --- |
//! | `at_once` | `true` if nothing held the task back although its plan could have |
//! | `cancel_grace` | the time between SIGTERM and SIGKILL from a request to cancel, in ms |
//! | `dependency` | a future that the plan names, as found at the start: its start in ms since the epoch, and its name |
//! | `gone` | when the engine was found not to know the job any more, in ms since the epoch |
//! | `launch` | the job's folder, and its token on the engine |
//! | `lender` | a process that waits for this future, and the future that it waits in, which donates its slot |
//! | `lent_by` | the name of the future whose slot the task uses |
//! | `life` | the process that runs the task itself: its life is the future's |
//! | `on` | which of the hosts that its plan names was chosen |
//! | `queue` | the future that this one is behind in the queue, or `first` |
//! | `run_boot` | when the task was allowed to run, in ms since boot |
//! | `start_cpu` | the processor time that the script and its children had used at the start, in ms |
//! | `submission` | the last attempt that was submitted to the engine, and where its output begins in the log, in bytes |
//! | `taken_by` | the script that collected it |
//! | `task_process` | the process of a task that writes to a terminal, and so has not its log open |
//! | `wait_cpu` | as `start_cpu`, of the script that collected it, by then |
//! | `waits_for` | a process of the task that waits, and the future that it waits for |
//!
//! `host` is the kernel's random id of the boot, and the host's name. A process is its id, its start in clock ticks since
//! boot, and its host. Keys with `_time` are in ms since the epoch, `start_boot` is in ms since boot, and `run_time` is a duration in ms.
//! `log` is `own` once the future has made its log; until then, a log of that name belongs to an earlier future. Values
//! are raw, without quoting or escapes. Other sections belong to other programs; lines added after one begin with
//! `[job]` again. A line without its newline is torn and does not count; the next writer ends it with a control
//! character (CAN), which marks it for good.

mod argument;
mod codec;
mod outcome;
mod references;
mod samples;
mod state;
mod usage;

use std::fs::File;
use std::io;

use serde::Serialize;

use crate::clock::{self, Millis};
use crate::launch::{Launch, Submission};
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process::{self, Boot, ProcessIdentity};
use crate::text::at_most;

#[cfg(feature = "fuzzing")]
pub(crate) use codec::text;
pub(crate) use codec::{Line, LogOf, parse};
pub(crate) use references::{Donor, FutureId, QueuePlace, WaitsFor};
pub(crate) use samples::max_resident;

pub use argument::Argument;
pub use outcome::{Outcome, Wait};
pub use samples::{MOST_INTERVALS, Samples};
pub use state::{Cause, State};
pub use usage::Usage;

/// The largest record that is read, in bytes.
pub const MAX_RECORD_BYTES: u64 = 1 << 20;

/// How much of that the header may take, in bytes; later lines get the rest.
const MAX_HEADER_BYTES: usize = 1 << 19;

/// How much of a command to keep if it does not fit, in bytes.
const MAX_CUT_COMMAND_BYTES: usize = 100_000;

/// What is known about one future.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "things that are so or not")]
pub struct Record {
    /// The command on one printable line.
    pub command: String,
    /// The exact arguments, beginning with the command's name. Absent in the original script's records, and if they are
    /// too long for a program or a record.
    pub argv: Option<Vec<Argument>>,
    /// The command's working directory.
    pub cwd: Option<Argument>,
    /// When the task was started, in ms since the epoch.
    pub start_time: Millis,
    /// When the task was started, in ms since boot.
    pub start_boot: Option<Millis>,
    /// The host that it was started on. Its locks and process ids may mean nothing on another.
    #[serde(skip)]
    pub host: Option<Boot>,
    /// Whether the log of that name belongs to this future. In the original script's records it does.
    #[serde(skip)]
    pub has_log: bool,
    /// The process id of the background subshell; `self` if the task ran in the calling shell.
    pub pid: Option<String>,
    /// The process id of the task's own subshell.
    pub task: Option<u32>,
    /// The same without doubt, for a task that writes to a pseudo-terminal: it does not show by an open log.
    #[serde(skip)]
    pub task_process: Option<ProcessIdentity>,
    /// The script that started it: the shell that `$$` names there.
    #[serde(skip)]
    pub script: Option<ProcessIdentity>,
    /// The processor time that this script and those of its children that it had waited for had used at the start, in ms.
    #[serde(skip)]
    pub start_cpu: Option<Millis>,
    /// The script that collected it, if one of its shells did.
    #[serde(skip)]
    pub taken_by: Option<ProcessIdentity>,
    /// The processor time that the script that collected it had used by then, likewise.
    #[serde(skip)]
    pub wait_cpu: Option<Millis>,
    /// The process whose life is the future's, if that is not a lock on the record.
    #[serde(skip)]
    pub life: Option<ProcessIdentity>,
    /// When the task ended, in ms since the epoch.
    pub end_time: Option<Millis>,
    /// How long the task ran, in ms, by a clock that never steps.
    pub run_time: Option<Millis>,
    /// The task's exit status, 0 to 255.
    pub rc: Option<i32>,
    /// The number of the signal that ended the task's process, if one did. A shell function can return a status that
    /// looks like a signal without one.
    pub signal: Option<i32>,
    /// When the wait that collected it began, in ms since the epoch.
    pub wait_start: Option<Millis>,
    /// When that wait ended, in ms since the epoch.
    pub wait_end: Option<Millis>,
    /// The parent: the future in whose task this one was started, if any.
    pub parent: Option<String>,
    /// How to run it, if not once and right away.
    pub plan: Option<Plan>,
    /// Whether the output of its task is a pseudo-terminal.
    pub pty: bool,
    /// When the task itself was allowed to run, in ms since the epoch, if its plan could have held it back. Otherwise
    /// `start_time` is that moment.
    pub run_start: Option<Millis>,
    /// Whether it started right away although its plan could have held it back.
    #[serde(skip)]
    pub at_once: bool,
    /// How many times the task ran, if its plan allowed retries.
    pub attempts: Option<u32>,
    /// When somebody asked for it to be cancelled, in ms since the epoch.
    pub cancel_time: Option<Millis>,
    /// Why it ended or never started, if the task itself did not decide that.
    pub cause: Option<Cause>,
    /// How many processes got SIGTERM when it was cancelled or timed out.
    pub terminated: Option<u32>,
    /// How many of them then got SIGKILL.
    pub killed: Option<u32>,
    /// Its resource usage, if it ran here in the background and is over.
    pub usage: Option<Usage>,
    /// What it used over time, if it ran here in the background, and for long enough to be sampled.
    pub samples: Option<Samples>,
    /// How much of what the task wrote to its pseudo-terminal could not be written to the log, in bytes.
    pub unlogged: Option<u64>,
    /// How long its log was, in bytes, before something made it shorter; none if no sample has seen that.
    pub log_cut: Option<u64>,
    /// The id of its job on the engine, if it runs on one.
    pub job: Option<String>,
    /// The node that runs it, or ran it.
    pub node: Option<String>,
    /// Why the engine has not started it yet, in the engine's words.
    pub reason: Option<String>,
    /// How to find its job.
    #[serde(skip)]
    pub(crate) launch: Option<Launch>,
    /// The last attempt that was, or may have been, submitted to the engine.
    #[serde(skip)]
    pub(crate) submission: Option<Submission>,
    /// When the engine was found not to know its job any more, in ms since the epoch.
    #[serde(skip)]
    pub(crate) gone: Option<Millis>,
    /// The time between SIGTERM and SIGKILL from the request to cancel, in ms.
    #[serde(skip)]
    pub(crate) cancel_grace: Option<Millis>,
    /// When the task itself was let go, in ms since boot.
    #[serde(skip)]
    pub(crate) run_boot: Option<Millis>,
    /// Its place in the queue, if a limit holds it back.
    #[serde(skip)]
    pub(crate) queue: Option<QueuePlace>,
    /// The futures that its plan names, as found at its start.
    #[serde(skip)]
    pub(crate) dependencies: Vec<FutureId>,
    /// Futures that wait for it and donate their slot.
    #[serde(skip)]
    pub(crate) donors: Vec<Donor>,
    /// The futures that its task waits for, or has waited for.
    #[serde(skip)]
    pub(crate) waits_for: Vec<WaitsFor>,
    /// The future whose slot it uses.
    #[serde(skip)]
    pub(crate) donated_by: Option<FutureName>,
    /// Whether the last line is torn.
    #[serde(skip)]
    pub(crate) torn: bool,
    /// Whether the last section is a foreign one.
    #[serde(skip)]
    pub(crate) in_foreign_section: bool,
}

impl Record {
    /// Whether the task ran in the calling shell, not in the background.
    #[must_use]
    pub fn is_synchronous(&self) -> bool {
        self.pid.as_deref() == Some("self")
    }

    /// The process id, with the host if that is another one, as `HOST:PID`; or the job of a task on an engine:
    /// `slurm:42`.
    #[must_use]
    pub fn process_or_job(&self) -> Option<String> {
        let on = self.plan.as_ref().and_then(|plan| plan.on.as_ref());
        let job = on.and_then(|on| Some(format!("{on}:{}", self.job.as_ref()?)));
        let pid = || match self.other_host() {
            Some(host) => Some(format!("{host}:{}", self.pid.as_ref()?)),
            None => self.pid.clone(),
        };
        job.or_else(pid)
    }

    /// Whether times since boot in the record are of this boot, as far as known.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.host.as_ref().is_none_or(|host| host.is_this().unwrap_or(false))
    }

    /// The other host that alone can tell whether it is lost, and end it. A job is attended from any host.
    pub(crate) fn only_on(&self) -> Option<&str> {
        self.other_host().filter(|_| self.submission.is_none())
    }

    /// The host that it was started on, if that is not this one.
    #[must_use]
    pub fn other_host(&self) -> Option<&str> {
        self.host.as_ref()?.other_host()
    }

    /// The most memory that its task had resident, in KiB: all of its processes together if it was sampled, else any single
    /// one. None if that is not known.
    #[must_use]
    pub fn max_resident(&self) -> Option<u64> {
        max_resident(self.samples.as_ref(), self.usage)
    }

    /// The process that supervises the task, if there is one.
    #[must_use]
    pub fn supervisor(&self) -> Option<u32> {
        self.pid.as_ref()?.parse().ok()
    }

    /// Distinguishes this future from others of the same name.
    pub(crate) fn id(&self, name: &FutureName) -> FutureId {
        FutureId { started: self.start_time, name: name.clone() }
    }

    /// Makes the supervisor read the record again. `file` is the open record.
    pub(crate) fn wake_supervisor(&self, file: &File) -> io::Result<()> {
        self.supervisor().map_or(Ok(()), |pid| process::wake_supervisor(pid, &file.metadata()?))
    }

    /// Whether its task still waits to start, here or on its engine, provided that the future is alive.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        let may_queue = |plan: &Plan| plan.may_queue() || plan.on.is_some();
        self.run_start.is_none() && !self.is_synchronous() && self.plan.as_ref().is_some_and(may_queue)
    }

    /// Whether the engine has the task, so that it continues without any process here.
    pub(crate) fn goes_on_elsewhere(&self) -> bool {
        self.submission.is_some() && self.rc.is_none() && self.gone.is_none()
    }

    /// How long its task has been running so far, or has been held back, in ms.
    #[must_use]
    pub fn elapsed(&self) -> Millis {
        let since_start = match self.start_boot {
            Some(start) if self.is_of_this_boot() => clock::since_boot().saturating_sub(start),
            _ => clock::wall().saturating_sub(self.start_time),
        };
        let held_back = self.run_start.map_or(0, |start| start.saturating_sub(self.start_time).max(0));
        since_start.saturating_sub(held_back).max(0)
    }

    /// The text that adds those lines.
    pub(crate) fn addition(&self, lines: &[Line]) -> String {
        codec::separator(self) + &codec::text(lines)
    }

    /// The record, without its arguments and with a shorter command if its header would leave too little room.
    pub(crate) fn truncated(self) -> Self {
        if self.header().len() <= MAX_HEADER_BYTES {
            return self;
        }
        Self { command: at_most(&self.command, MAX_CUT_COMMAND_BYTES), argv: None, ..self }
    }

    /// The record's first text: everything known before the task starts.
    pub(crate) fn header(&self) -> String {
        let known = [
            Some(Line::Command(self.command.clone())),
            Some(Line::StartTime(self.start_time)),
            self.argv.clone().map(Line::Argv),
            self.cwd.clone().map(Line::Cwd),
            self.start_boot.map(Line::StartBoot),
            self.host.clone().map(Line::Host),
            (!self.has_log).then_some(Line::Log(LogOf::Another)),
            self.pid.clone().map(Line::Pid),
            self.task.map(Line::Task),
            self.task_process.clone().map(Line::TaskProcess),
            self.script.clone().map(Line::Script),
            self.start_cpu.map(Line::StartCpu),
            self.life.clone().map(Line::Life),
            self.parent.as_ref().and_then(|name| name.parse().ok()).map(Line::Parent),
            self.plan.clone().map(Line::Plan),
            self.pty.then_some(Line::Pty(true)),
        ];
        let dependencies = self.dependencies.iter().cloned().map(Line::Dependency);
        codec::header(&known.into_iter().flatten().chain(dependencies).collect::<Vec<_>>())
    }

    /// How it ended, given the status that the shell's own wait saw. `now` (ms since the epoch) is the latest moment at
    /// which it can have ended.
    #[must_use]
    pub fn outcome(&self, shell_status: Option<i32>, now: Millis) -> Outcome {
        let recorded = || Some(self.end_time?.saturating_sub(self.start_time));
        // The shell waited for the program that should have recorded the result, not for the task. Its status can only
        // tell that the program was killed.
        let killed = shell_status.filter(|_| self.rc.is_none()).and_then(process::signal_of_status);
        Outcome {
            rc: self.rc.or(killed.map(|signal| 128 + signal)),
            signal: self.signal.or(killed),
            lost: self.rc.is_none(),
            cause: self.cause,
            end_time: self.end_time.unwrap_or(now),
            run_time: self.run_time.or_else(recorded).map(|ms| ms.max(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use super::codec::TORN;
    use super::*;

    /// As devstack's `iniset` leaves it: a blank line first, new options directly under the section.
    const ORIGINAL: &str = "\n[job]\npid = 4242\nstart_time = 1795503105123\ncommand = say hello # & \\\n";

    #[test]
    fn a_record_of_the_original_is_read() {
        let record = parse(ORIGINAL.as_bytes()).unwrap();
        assert_eq!(record.command, "say hello # & \\");
        assert_eq!(record.start_time, 1_795_503_105_123);
        assert_eq!(record.pid.as_deref(), Some("4242"));
        assert_eq!((record.rc, record.end_time), (None, None));
    }

    #[test]
    fn what_is_opened_is_read_back() {
        let odd = OsString::from_vec(b"\xff\n".to_vec());
        let record = Record {
            command: r#"x "q" 'r' \ ; # = : [job] \"#.into(),
            argv: Some(vec![Argument::from(OsStr::new("a\nb")), Argument::from(odd.as_os_str())]),
            cwd: Some(Argument::from(OsStr::from_bytes(b"/a \n\xff\\"))),
            start_time: 5,
            start_boot: Some(7),
            pid: Some("self".into()),
            life: Some(ProcessIdentity::of(std::process::id()).unwrap()),
            ..Record::default()
        };
        let text = record.header();
        assert_eq!(parse(text.as_bytes()).unwrap(), record, "{text}");
        let [_, second] = record.argv.unwrap().try_into().unwrap();
        assert_eq!(OsString::from(second), odd);
    }

    #[test]
    fn blanks_at_the_ends_of_a_name_are_a_part_of_it() {
        for name in [" a", "a ", " ", "\u{a0}a\u{3000}"].map(|name| name.parse::<FutureName>().unwrap()) {
            let id = FutureId { started: 5, name: name.clone() };
            let waiter = ProcessIdentity::of(std::process::id()).unwrap();
            let record = Record {
                command: "x".into(),
                parent: Some(name.to_string()),
                dependencies: vec![id.clone()],
                ..Record::default()
            };
            let donor = Donor { waiter, name: name.clone() };
            let wait = WaitsFor { waiter: donor.waiter.clone(), of: id.clone() };
            let place = QueuePlace { behind: Some(id) };
            let lines = [
                Line::Queue(place.clone()),
                Line::Donor(donor.clone()),
                Line::WaitsFor(wait.clone()),
                Line::DonatedBy(name.clone()),
            ];
            let text = record.header() + &record.addition(&lines);
            let waits_for = vec![wait];
            let expected =
                Record { queue: Some(place), donors: vec![donor], waits_for, donated_by: Some(name), ..record };
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_torn_last_line_does_not_count() {
        let record = parse(format!("{ORIGINAL}end_time = 9\nrc = 1").as_bytes()).unwrap();
        assert_eq!((record.end_time, record.rc, record.torn), (Some(9), None, true));
        let record = parse(format!("{ORIGINAL}rc = 1{TORN}end_time = 9\n").as_bytes()).unwrap();
        assert_eq!((record.end_time, record.rc, record.torn), (Some(9), None, false));
    }

    #[test]
    fn a_carriage_return_in_a_value_is_not_the_end_of_a_line() {
        let record = parse(b"[job]\r\ncommand = printf a\rrc = 0\nstart_time = 1\r\n").unwrap();
        assert_eq!((record.command.as_str(), record.start_time, record.rc), (r"printf a\rrc = 0", 1, None));
    }

    #[test]
    fn a_line_with_a_section_has_nothing_else() {
        let record = parse(format!("{ORIGINAL}[job] rc = 1\n[a] [job] pid = 7\nrc = 2\n").as_bytes()).unwrap();
        assert_eq!((record.rc, record.pid.as_deref()), (None, Some("4242")));
    }

    #[test]
    fn what_is_no_record_is_refused_with_a_reason() {
        for (bytes, why) in [
            (&b""[..], "it is empty"),
            (b"\n\n", "it is empty"),
            (b"[job]", "it is empty"),
            (b"\x7fELF\xff\n", "it is not text"),
            (b"[other]\ncommand = x\nstart_time = 1\n", "it has no section [job] with `command` and `start_time`"),
            (b"[job]\ncommand = x\nstart_time = soon\n", "line 3: `start_time` can't be `soon`"),
        ] {
            assert_eq!(parse(bytes).unwrap_err(), why);
        }
        assert!(parse(b"[job]\nnonsense\n").unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn no_time_is_negative_and_the_recorded_status_wins() {
        let record = Record { start_time: 1000, ..Record::default() };
        let outcome = record.outcome(Some(137), 400);
        assert_eq!(
            outcome,
            Outcome { rc: Some(137), signal: Some(9), lost: true, cause: None, end_time: 400, run_time: None }
        );
        assert_eq!(outcome.signal, Some(9));
        let record = Record { rc: Some(3), end_time: Some(900), run_time: Some(50), ..record };
        assert_eq!(
            record.outcome(Some(127), 5000),
            Outcome { rc: Some(3), signal: None, lost: false, cause: None, end_time: 900, run_time: Some(50) }
        );
    }
}
