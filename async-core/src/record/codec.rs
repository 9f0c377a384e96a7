//! The text of a record: which keys there are, and how they are written and read.

use std::fmt;

use ini::{Ini, ParseOption};

use super::{Argument, Cause, Donor, FutureId, QueuePlace, Record, Samples, Usage, WaitsFor};
use crate::clock::Millis;
use crate::launch::{Launch, Submission, Target};
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process::{Boot, ProcessIdentity};
use crate::text::at_most;

/// How much of a value to show in an error, in bytes.
const MAX_QUOTED_BYTES: usize = 200;

/// The end of a torn line once another line follows: a control character, which none of our values contains.
pub(super) const TORN: &str = "\u{18}\n";

/// The section of a record.
const SECTION: &str = "job";

/// A value in a record: text on one line.
trait Value: Sized {
    /// Whether blanks at its ends belong to it, as in a future's name.
    const WITH_BLANKS: bool = false;

    fn write(&self) -> String;
    /// None for a value that this version does not know.
    fn read(text: &str) -> Result<Option<Self>, ()>;
}

/// Values that are written as they are.
macro_rules! plain_values {
    ($with_blanks:literal: $($type:ty),*) => {
        $(impl Value for $type {
            const WITH_BLANKS: bool = $with_blanks;

            fn write(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Result<Option<Self>, ()> {
                text.parse().map(Some).map_err(|_| ())
            }
        })*
    };
}

plain_values!(false: String, Millis, u64, u32, u8, bool, Boot, ProcessIdentity, Target);
plain_values!(true: FutureName, FutureId, QueuePlace, Donor, WaitsFor, Usage, Samples);

/// Values that are written as JSON.
macro_rules! json_values {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn write(&self) -> String {
                // All of these can be written as JSON.
                serde_json::to_string(self).unwrap_or_default()
            }

            fn read(text: &str) -> Result<Option<Self>, ()> {
                serde_json::from_str(text).map(Some).map_err(|_| ())
            }
        })*
    };
}

json_values!(Argument, Vec<Argument>, Plan, Launch, Submission);

impl Value for Cause {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn read(text: &str) -> Result<Option<Self>, ()> {
        // A later version may have others.
        Ok(Self::from_word(text))
    }
}

/// Which future owns the log of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogOf {
    /// An earlier future: this one has not made its log.
    Another,
    /// This future.
    This,
}

impl Value for LogOf {
    fn write(&self) -> String {
        match self {
            Self::Another => "none".to_owned(),
            Self::This => "own".to_owned(),
        }
    }

    fn read(text: &str) -> Result<Option<Self>, ()> {
        Ok(Some(if text == "own" { Self::This } else { Self::Another }))
    }
}

/// The keys: what a line of a record can say, and how it changes the record.
macro_rules! lines {
    ($($(#[$doc:meta])* $line:ident($type:ty) = $key:literal => |$record:ident, $value:ident| $set:expr,)*) => {
        /// A line of a record.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) enum Line {
            $($(#[$doc])* $line($type),)*
        }

        impl fmt::Display for Line {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$line(value) => writeln!(f, concat!($key, " = {}"), value.write()),)*
                }
            }
        }

        impl Record {
            /// Applies a line; `with_blanks` is its value with the blanks at its ends. Unknown keys belong to a later
            /// version.
            fn set(&mut self, key: &str, text: &str, with_blanks: &str) -> Result<(), ()> {
                match key {
                    $($key => {
                        let text = if <$type as Value>::WITH_BLANKS { with_blanks } else { text };
                        if let Some($value) = <$type as Value>::read(text)? {
                            let $record = self;
                            $set;
                        }
                    })*
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

lines! {
    Command(String) = "command" => |record, value| record.command = value,
    StartTime(Millis) = "start_time" => |record, value| record.start_time = value,
    Argv(Vec<Argument>) = "argv" => |record, value| record.argv = Some(value),
    Cwd(Argument) = "cwd" => |record, value| record.cwd = Some(value),
    StartBoot(Millis) = "start_boot" => |record, value| record.start_boot = Some(value),
    Host(Boot) = "host" => |record, value| record.host = Some(value),
    Log(LogOf) = "log" => |record, value| record.has_log = value == LogOf::This,
    Pid(String) = "pid" => |record, value| record.pid = Some(value),
    Task(u32) = "task" => |record, value| record.task = Some(value),
    TaskProcess(ProcessIdentity) = "task_process" => |record, value| record.task_process = Some(value),
    Script(ProcessIdentity) = "script" => |record, value| record.script = Some(value),
    StartCpu(Millis) = "start_cpu" => |record, value| record.start_cpu = Some(value),
    Life(ProcessIdentity) = "life" => |record, value| record.life = Some(value),
    Parent(FutureName) = "parent" => |record, value| record.parent = Some(value.to_string()),
    /// The dependencies follow this line. A plan that replaces another starts a new list of them.
    Plan(Plan) = "plan" => |record, value| {
        record.plan = Some(value);
        record.dependencies.clear();
    },
    Pty(bool) = "pty" => |record, value| record.pty = value,
    Dependency(FutureId) = "dependency" => |record, value| record.dependencies.push(value),
    Queue(QueuePlace) = "queue" => |record, value| record.queue = Some(value),
    Donor(Donor) = "lender" => |record, value| record.donors.push(value),
    WaitsFor(WaitsFor) = "waits_for" => |record, value| record.waits_for.push(value),
    DonatedBy(FutureName) = "lent_by" => |record, value| record.donated_by = Some(value),
    AtOnce(bool) = "at_once" => |record, value| record.at_once = value,
    RunStart(Millis) = "run_start" => |record, value| record.run_start = Some(value),
    RunBoot(Millis) = "run_boot" => |record, value| record.run_boot = Some(value),
    /// Which of the hosts in its plan.
    On(Target) = "on" => |record, value| {
        record.plan.get_or_insert_default().on = Some(value);
    },
    Launch(Launch) = "launch" => |record, value| record.launch = Some(value),
    /// The facts about a job belong to the last submission.
    Submission(Submission) = "submission" => |record, value| {
        record.submission = Some(value);
        (record.job, record.node, record.reason) = (None, None, None);
    },
    Job(String) = "job" => |record, value| record.job = Some(value),
    Node(String) = "node" => |record, value| record.node = Some(value),
    Reason(String) = "reason" => |record, value| record.reason = Some(value),
    Gone(Millis) = "gone" => |record, value| record.gone = Some(value),
    CancelGrace(Millis) = "cancel_grace" => |record, value| record.cancel_grace = Some(value),
    CancelTime(Millis) = "cancel_time" => |record, value| record.cancel_time = Some(value),
    EndTime(Millis) = "end_time" => |record, value| record.end_time = Some(value),
    /// Never negative.
    RunTime(Millis) = "run_time" => |record, value| record.run_time = Some(if value < 0 { return Err(()) } else { value }),
    Attempts(u32) = "attempts" => |record, value| record.attempts = Some(value),
    Terminated(u32) = "terminated" => |record, value| record.terminated = Some(value),
    Killed(u32) = "killed" => |record, value| record.killed = Some(value),
    /// 1 to 64.
    Signal(u8) = "signal" => |record, value| record.signal = Some(value.into()).filter(|number| (1..=64).contains(number)),
    Cause(Cause) = "cause" => |record, value| record.cause = Some(value),
    Usage(Usage) = "usage" => |record, value| record.usage = Some(value),
    Samples(Samples) = "samples" => |record, value| record.samples = Some(value),
    Unlogged(u64) = "unlogged" => |record, value| record.unlogged = Some(value),
    LogCut(u64) = "log_cut" => |record, value| record.log_cut = Some(value),
    Rc(u8) = "rc" => |record, value| record.rc = Some(value.into()),
    TakenBy(ProcessIdentity) = "taken_by" => |record, value| record.taken_by = Some(value),
    WaitStart(Millis) = "wait_start" => |record, value| record.wait_start = Some(value),
    WaitEnd(Millis) = "wait_end" => |record, value| record.wait_end = Some(value),
    WaitCpu(Millis) = "wait_cpu" => |record, value| record.wait_cpu = Some(value),
}

/// The text of lines.
pub(crate) fn text(lines: &[Line]) -> String {
    lines.iter().map(Line::to_string).collect()
}

/// The text of a record with these lines.
pub(super) fn header(lines: &[Line]) -> String {
    format!("[{SECTION}]\n") + &text(lines)
}

/// The text that must come before lines that are added to a record.
pub(super) fn separator(record: &Record) -> String {
    let end = if record.torn { TORN } else { "" };
    let section = if record.in_foreign_section { format!("[{SECTION}]\n") } else { String::new() };
    end.to_owned() + &section
}

/// Reads a record's text; the error is a readable reason.
pub(crate) fn parse(bytes: &[u8]) -> Result<Record, String> {
    // A writer that was stopped halfway leaves a line without its newline, and maybe without all of its text.
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |last| last + 1);
    let lines = &bytes[..whole];
    if lines.trim_ascii().is_empty() {
        return Err("it is empty".into());
    }
    let mut record = Record { torn: whole < bytes.len(), has_log: true, ..Record::default() };
    let mut is_ours = false;
    let (mut has_command, mut has_start) = (false, false);
    for (number, line) in (1..).zip(lines.split_inclusive(|&b| b == b'\n')) {
        if line.ends_with(TORN.as_bytes()) {
            // It may have been torn in the middle of a character.
            continue;
        }
        let line = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?.trim_end_matches(['\r', '\n']);
        let mut take = |key: &str, value: &str, with_blanks: &str| {
            has_command |= key == "command";
            has_start |= key == "start_time";
            let refused = |()| format!("line {number}: `{key}` can't be `{}`", at_most(value, MAX_QUOTED_BYTES));
            record.set(key, value, with_blanks).map_err(refused)
        };
        let ini = read_line(line).map_err(|why| format!("line {number}: {why}"))?;
        if let Some(name) = ini.sections().flatten().next() {
            is_ours = name == SECTION;
            continue;
        }
        for (key, value) in ini.iter().flat_map(|(_, properties)| properties).filter(|_| is_ours) {
            // The ini reader drops blanks at the ends. They only count in a line written as we write it.
            let with_blanks = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(" = ")).unwrap_or(value);
            take(key, value, with_blanks)?;
        }
    }
    record.in_foreign_section = !is_ours;
    if !(has_command && has_start) {
        return Err(format!("it has no section [{SECTION}] with `command` and `start_time`"));
    }
    Ok(record)
}

/// Reads one line at a time, because rust-ini takes a backslash at the end of a line for a continuation, even with
/// escapes off, while values here are raw. To rust-ini a carriage return would end the line, so it is escaped.
fn read_line(line: &str) -> Result<Ini, String> {
    let raw = ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    Ini::load_from_str_opt(&line.replace('\r', r"\r"), raw).map_err(|error| error.msg.into_owned())
}
