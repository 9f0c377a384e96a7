//! Why the program could not do something: the message and the exit status.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::script_option::with_future;
use async_core::Entry;

use crate::exit_code::{FAILED, NOT_EXECUTABLE, NOT_FOUND, PRESENT, TIME_UP, USAGE};
use crate::suggestion::name_meant;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store refused or failed.
    #[error("{0}")]
    Store(#[from] async_core::Error),
    /// The output could not be written, so nothing was handed over.
    #[error("can't write the output: {0}")]
    Output(#[source] io::Error),
    /// The shim's calling function can't be answered.
    #[error("can't answer the shell: {0}: are the functions of another version?")]
    Answer(#[source] io::Error),
    /// The functions and the program do not fit together.
    #[error(
        "the functions are version {functions}, but the program is version {program}: source them again with `async shim`, or \
         set ASYNC_BIN to a program of their version"
    )]
    OtherSeries {
        /// The version of the functions.
        functions: String,
        /// The version of the program.
        program: &'static str,
    },
    /// Somebody else has taken the result of a future that the script started.
    #[error(
        "the result of `{name}`, which this script has started, is gone: {how}; `async log --list-runs {name}` may have it"
    )]
    Taken {
        /// The future.
        name: String,
        /// Who took it.
        how: String,
    },
    /// A future has failed, and a later one took its name before the script waited for it.
    #[error("`{name}` ended {how}, and a later future has its name; see `async log --list-runs {name}`")]
    Superseded {
        /// The future.
        name: String,
        /// How it ended.
        how: String,
        /// Its exit status; none if nobody knows.
        rc: Option<i32>,
    },
    /// The script waits for a future that it could not start.
    #[error("`{}` was not started, so there is nothing to wait for", async_core::text::printable(.0))]
    NotStarted(OsString),
    /// A future that should only start if absent is queued or running.
    #[error(
        "`{}` is {} already{}, so nothing was started", .0.name, .0.state,
        .0.record.process_or_job().map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Present(Box<Entry>),
    /// The process of a future is one of another host.
    #[error("`{name}` runs on the host {host}, so its process id means nothing here")]
    OnAnotherHost {
        /// The future.
        name: String,
        /// The host.
        host: String,
    },
    /// The keyboard can't be read.
    #[error("can't read the keyboard: {0}")]
    Keyboard(#[source] io::Error),
    /// A log could not be read or passed on.
    #[error("can't pass on the log of `{name}`: {source}; it can still be collected")]
    Log {
        /// The future.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// A log could not be read or passed on to a command that does not collect.
    #[error("can't pass on the log of `{name}`: {source}")]
    PassOn {
        /// The future.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// No future of that name is known, not even an earlier one.
    #[error("no runs are kept of a future `{name}` in {}: it was never started, or too long ago", .dir.display())]
    NothingKept {
        /// The name.
        name: String,
        /// The store.
        dir: PathBuf,
    },
    /// No script of that name has left anything.
    #[error("there are no runs of a script `{name}`{instead}")]
    NoScript {
        /// The name, made printable.
        name: String,
        /// What the user may have meant, or what exists.
        instead: String,
    },
    /// There are fewer runs of that name.
    #[error("there is no run {number} of `{name}`, only {count}: see `async log --list-runs`")]
    NoSuchRun {
        /// The future.
        name: String,
        /// The requested number.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// The wait timed out; these are not over yet.
    #[error("the time was up before the end of {}: wait again, or longer", quoted(.0))]
    TimeUp(Vec<String>),
    /// Somebody else has collected everything that the wait was for.
    #[error("somebody else has collected all that was waited for")]
    NothingLeft,
    /// Waiting for the task's process failed.
    #[error("can't wait for the task: {0}")]
    Task(#[source] io::Error),
    /// There is no such program.
    #[error("there is no program `{}`: {what_to_type}", async_core::text::printable(.program))]
    NoProgram {
        /// The program, as given.
        program: OsString,
        /// What the user may have meant.
        what_to_type: String,
    },
    /// The shell has no function, builtin or program of that name.
    #[error(
        "`{name}` was not started: there is no function, builtin or program `{}`: {what_to_type}",
        async_core::text::printable(.command)
    )]
    NoCommand {
        /// The future that should have started.
        name: String,
        /// The command, as given.
        command: OsString,
        /// What the user may have meant.
        what_to_type: String,
    },
    /// A wrong call in a script, and its location.
    #[error("{place}: {failure}")]
    At {
        /// The script's file and line.
        place: String,
        /// What is wrong.
        failure: Box<Failure>,
    },
    /// The program can't be executed.
    #[error("can't execute `{}`: {why}", async_core::text::printable(.program))]
    NotExecutable {
        /// The program, as given.
        program: OsString,
        /// The system's error.
        why: String,
    },
    /// A directory can't be used.
    #[error("can't use the directory {}: {source}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The task's input can't be read.
    #[error("can't read the input {}: {source}", .path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A future that had to succeed first did not.
    #[error("`{name}` was not started: {why}")]
    Skipped {
        /// The future that should have started.
        name: String,
        /// What happened to the other one.
        why: String,
    },
    /// The supervisor did not say whether it started the task.
    #[error("its supervisor did not say whether the task was started: {0}; see `async status`")]
    Unheard(#[source] io::Error),
    /// The supervisor failed before it started the task.
    #[error("the task was not started: its supervisor failed: {0}")]
    Supervisor(String),
    /// The engine refused the task.
    #[error("the task was not started: {0}")]
    NotSubmitted(String),
    /// The program could not be put on another host.
    #[error("can't put the program on {host}: {why}")]
    Setup {
        /// The host.
        host: String,
        /// What went wrong there or on the way.
        why: String,
    },
    /// The records of a run make no sense together.
    #[error("the records of this run contradict each other: {0}")]
    Contradiction(String),
    /// A run could not be exported.
    #[error("can't write the {what} to {}: {source}", .path.display())]
    Export {
        /// The kind of file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The command line is wrong in a way that clap can't see.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Tells the user and returns the exit status.
    pub(crate) fn report(&self) -> u8 {
        self.report_of("`async log --script", true)
    }

    /// The same for a command with an option `--script`.
    pub(crate) fn report_with_script(&self) -> u8 {
        self.report_of("`--script", false)
    }

    fn report_of(&self, option: &str, with_name: bool) -> u8 {
        warn(&format!("{self}{}", self.suggestion(option, with_name)));
        self.status()
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Store(error) if error.is_usage() => USAGE,
            Self::Usage(_) => USAGE,
            Self::Present(_) => PRESENT,
            Self::TimeUp(_) => TIME_UP,
            Self::NoProgram { .. } | Self::NoCommand { .. } => NOT_FOUND,
            Self::At { failure, .. } => failure.status(),
            Self::Superseded { rc: Some(rc), .. } => u8::try_from(*rc).unwrap_or(FAILED),
            Self::NotExecutable { .. } => NOT_EXECUTABLE,
            _ => FAILED,
        }
    }

    /// The failure for a future whose record is gone.
    pub(crate) fn removed(name: &async_core::FutureName, store: &async_core::Store) -> Self {
        let how = format!("somebody has removed its record from {}", store.dir().display());
        Self::Taken { name: name.to_string(), how }
    }

    /// Whether the call itself is wrong, wherever and whenever it is made.
    pub(crate) fn is_of_the_call(&self) -> bool {
        self.status() == USAGE || matches!(self, Self::NoCommand { .. })
    }

    /// Whether it concerns one future, and the wait for others can go on.
    pub(crate) fn is_about_one(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Taken { .. } | Self::NotStarted(_))
    }

    /// What the user may have meant, for the end of the message.
    fn suggestion(&self, option: &str, with_name: bool) -> String {
        let (Self::Store(async_core::Error::Unknown { name, dir }) | Self::NothingKept { name, dir }) = self else {
            return String::new();
        };
        if let Some(script) = with_future(name, dir) {
            let name = if with_name { format!(" {name}") } else { String::new() };
            return format!("; the script `{script}` has one: {option} {script}{name}`");
        }
        name_meant(name, dir).map_or_else(String::new, |meant| format!("; {meant}"))
    }
}

/// A list of names for a sentence.
pub(crate) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Prints a message on one line, without anything that a terminal acts on, even in the paths and records that it
/// quotes.
pub(crate) fn warn(text: &str) {
    let text = async_core::text::printable(text.as_ref());
    // One write, so that lines of several programs don't mix. Without a standard error there is nobody left to tell.
    let _ = io::stderr().write_all(format!("async: {text}\n").as_bytes());
}
