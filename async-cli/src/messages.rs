//! The lines that scripts and their users know from the original, and where they go.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};
use async_core::interruption::again;
use async_core::{Begun, Cause, End, Entry, FutureName, Outcome, Paused, Record, Store, process, text};

use crate::cli::{Context, Profile};
use crate::escapes::Filter;
use crate::failure::{Failure, warn};
use crate::kernel_copy::copy_what_goes;
use crate::standard_output;
use crate::wait::panel::{self, Panel};

/// `[Async NAME:PID]: TEXT`, with a newline. The pid is empty if it is unknown.
pub(crate) fn line(name: &FutureName, pid: Option<&str>, text: &str) -> String {
    format!("[Async {name}:{}]: {text}\n", text::printable(pid.unwrap_or_default().as_ref()))
}

/// The same for a future with that record.
pub(crate) fn record_line(name: &FutureName, record: &Record, text: &str) -> String {
    line(name, record.process_or_job().as_deref(), text)
}

/// A cleanup's message about a future that nobody waited for.
pub(crate) fn uncollected(name: &FutureName) -> String {
    format!("WARNING: uncollected async future {name}\n")
}

/// The command of a record, made printable in case something else wrote the record.
pub(crate) fn command(record: &Record) -> String {
    text::printable(record.command.as_ref())
}

/// ` (killed by signal 9, SIGKILL)` or ` (cancelled)` if there is such a reason for a status, else nothing.
pub(crate) fn why(signal: Option<i32>, cause: Option<Cause>) -> String {
    let killed = signal.map(|n| format!("killed by {}", process::signal_name(n)));
    let cause = cause.map(|cause| match cause {
        Cause::Cancelled => "cancelled".to_owned(),
        Cause::Timeout => "its time was up".to_owned(),
        Cause::Skipped => "never started: a future that it depends on did not succeed".to_owned(),
        Cause::Unstartable => "never started".to_owned(),
        Cause::Memory => "out of memory".to_owned(),
        Cause::Node => "its node failed".to_owned(),
        Cause::Preempted => "it had to make room for another job".to_owned(),
        Cause::Silent => "its job is over, and has not said how it ended".to_owned(),
    });
    let reasons: Vec<String> = killed.into_iter().chain(cause).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

/// The text after `result` in an outcome's line.
pub(crate) fn result(outcome: &Outcome) -> String {
    let time = outcome.run_time.map(|ms| format!(" in {} seconds", ms / 1000)).unwrap_or_default();
    match outcome.rc {
        Some(rc) => format!("{rc}{time}{}", why(outcome.signal, outcome.cause)),
        None => format!("unknown{time} (lost)"),
    }
}

/// Reports how the task ended. The result is already recorded, so it does not matter if this fails.
pub(crate) fn announce(lines: Lines, name: &FutureName, pid: &str, end: &End) {
    let text = match (end.rc, end.cause) {
        (0, _) => "finished successfully".to_owned(),
        // Somebody asked for that.
        (rc, Some(Cause::Cancelled)) => format!("cancelled, with rc {rc}"),
        (rc, cause) => format!("FAILED with rc {rc}{}", why(end.signal, cause)),
    };
    let line = self::line(name, Some(pid), &text);
    lines.mention(About::end(Some(end.rc)), &line);
}

/// How a future failed, for a text that begins with its name.
pub(crate) fn failed(outcome: &Outcome) -> String {
    match outcome.rc {
        Some(rc) => format!("with status {rc}{}", why(outcome.signal, outcome.cause)),
        None => "was lost".to_owned(),
    }
}

/// How long to wait for a killed process to be gone, in ms.
const DEATH_TIMEOUT: u32 = 200;

/// The message about a future that left no result.
pub(crate) fn lost(record: &Record) -> String {
    let is_alive = |&pid: &u32| process::is_alive_since(pid, record.start_boot);
    let survivor = record.task.filter(is_alive).filter(|pid| {
        // If it was killed together with its supervisor, it is about to go.
        let _ = process::wait_at_most(*pid, DEATH_TIMEOUT);
        is_alive(pid)
    });
    match survivor {
        Some(pid) => format!("its process is gone and left no result; process {pid} of its task still runs"),
        None => "its process is gone and left no result".to_owned(),
    }
}

/// The help of `--quiet`.
pub(crate) const QUIET_HELP: &str =
    "Say nothing about what succeeds; logs are still printed [default: $ASYNC_QUIET, else no]";

/// Where the lines about futures go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// To the same place as the logs, as in the original.
    AmongLogs,
    /// To standard error, so that standard output contains only the output of the tasks. If `quiet`, only lines about
    /// failures.
    Apart {
        /// Whether to say nothing about successes.
        quiet: bool,
        /// Whether waits may show a panel in the same place.
        has_panels: bool,
    },
    /// Nowhere.
    Nowhere,
}

/// The subject of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A success, or progress as far as known.
    Progress,
    /// A future that has failed.
    Failure,
}

impl About {
    /// The end of a future with that status.
    pub(crate) fn end(rc: Option<i32>) -> Self {
        if rc == Some(0) { Self::Progress } else { Self::Failure }
    }
}

impl Lines {
    /// The lines of the calling functions; `quiet` if an option says so.
    pub(crate) fn of(context: &Context, quiet: bool) -> Result<Self, Failure> {
        Ok(match context.profile() {
            Profile::Devstack => Self::AmongLogs,
            Profile::Standalone => {
                Self::Apart { quiet: context.is_quiet()? || quiet, has_panels: Panel::is_wanted(context)? }
            }
        })
    }

    /// Whether lines on that subject are printed.
    pub(crate) fn are_heard(self, about: About) -> bool {
        match self {
            Self::AmongLogs => true,
            Self::Apart { quiet, .. } => !quiet || about == About::Failure,
            Self::Nowhere => false,
        }
    }

    /// Prints a line that is not next to a log. Only fails for standard output: standard error may be closed or full,
    /// and nobody has to read it.
    pub(crate) fn say(self, about: About, line: &str) -> Result<(), Failure> {
        match self {
            Self::AmongLogs => Output::stdout()?.print(line)?,
            Self::Apart { has_panels, .. } if self.are_heard(about) => {
                let line = if has_panels { panel::beside(line) } else { line.into() };
                let _ = io::stderr().write_all(line.as_bytes());
            }
            Self::Apart { .. } | Self::Nowhere => {}
        }
        Ok(())
    }

    /// Prints a line about something that is true whether or not the line gets out.
    pub(crate) fn mention(self, about: About, line: &str) {
        if let Err(failure) = self.say(about, line) {
            warn(&failure.to_string());
        }
    }

    /// Prints a line among the logs on that output.
    pub(crate) fn say_beside(self, logs: &mut Output, about: About, line: &str) -> Result<(), Failure> {
        if self == Self::AmongLogs { logs.print(line) } else { self.say(about, line) }
    }
}

/// How much of a log to pass on at a time, in bytes, if the kernel can't copy it.
const PIECE: usize = 1 << 17;

/// An output that gets each message in one write.
pub(crate) struct Output {
    file: File,
}

impl Output {
    pub(crate) fn stdout() -> Result<Self, Failure> {
        let file = if standard_output::was_closed() {
            // A write to it fails as it would have, and writing nothing succeeds.
            File::open("/dev/null")
        } else {
            io::stdout().as_fd().try_clone_to_owned().map(File::from)
        };
        Ok(Self { file: file.map_err(Failure::Output)? })
    }

    pub(crate) fn descriptor(fd: i32) -> Result<Self, Failure> {
        let file = async_core::descriptor::duplicate(fd).map_err(Failure::Output)?;
        Ok(Self { file })
    }

    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.write_all(text.as_bytes()).map_err(Failure::Output)
    }

    /// Its width in columns, if it is a terminal.
    pub(crate) fn columns(&self) -> Option<u16> {
        // A terminal that does not tell gets the usual width.
        let size = rustix::termios::tcgetwinsize(&self.file).ok()?;
        Some(if size.ws_col == 0 { 80 } else { size.ws_col })
    }

    /// Whether to use colours: it is a terminal that has them, and no variable forbids it.
    pub(crate) fn has_colors(&self) -> bool {
        AutoStream::choice(&self.file) != ColorChoice::Never
    }

    /// Passes on a file from its position to its end.
    pub(crate) fn pass_on(&mut self, mut file: &File) -> io::Result<()> {
        let length = file.metadata()?.len();
        let is_long = |length| length > PIECE as u64;
        // In a pipe, each piece that the kernel puts there takes up a whole page: short texts would soon fill it.
        if is_long(length) && is_long(length.saturating_sub(file.stream_position()?)) {
            copy_what_goes(file, &self.file);
        }
        // Most logs are shorter, and a large buffer costs more than the rest of a call.
        let length = usize::try_from(length).unwrap_or(PIECE);
        let mut piece = vec![0; length.clamp(1 << 12, PIECE)];
        loop {
            match again(|| file.read(&mut piece))? {
                0 => return Ok(()),
                length => self.write_all(&piece[..length])?,
            }
        }
    }

    /// The same for what is left of the file by that filter.
    pub(crate) fn pass_on_through(&mut self, filter: &mut Filter, mut file: &File) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            match again(|| file.read(&mut piece))? {
                0 => return Ok(()),
                length => self.write_all(&filter.pass(&piece[..length]))?,
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        again(|| self.file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The message about a future that has begun.
pub(crate) fn begun(store: &Store, name: &FutureName, begun: Begun) -> &'static str {
    match begun {
        Begun::Runs => "running",
        Begun::Never => "not started",
        Begun::Queued => match store.live_entry(name) {
            Ok(Some(Entry { paused: Some(Paused::Queue), .. })) => "queued, as the queue is paused",
            _ => "queued",
        },
    }
}
