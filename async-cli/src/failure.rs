//! What the program says, and how it exits, when it can't do what it was asked to.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::of_script::with_future;
use async_core::Entry;

use crate::exit_code::{FAILED, NOT_EXECUTABLE, NOT_FOUND, PRESENT, TIME_UP, USAGE};
use crate::suggestion::name_like;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store refused or failed.
    #[error("{0}")]
    Store(#[from] async_core::Error),
    /// What was to be printed could not be, so it was not handed over.
    #[error("can't write the output: {0}")]
    Output(#[source] io::Error),
    /// The function of the shim that asked can't be answered.
    #[error("can't answer the shell: {0}: are the functions of another version?")]
    Answer(#[source] io::Error),
    /// The functions and the program do not belong together.
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
    /// What the script has started is somebody else's by now.
    #[error(
        "the result of `{name}`, which this script has started, is gone: {how}; `async log --list-runs {name}` may have it"
    )]
    Taken {
        /// The future.
        name: String,
        /// Who took it.
        how: String,
    },
    /// A future has failed, and a later one has taken its name before the script waited for it.
    #[error("`{name}` ended {how}, and a later future has its name; see `async log --list-runs {name}`")]
    Superseded {
        /// The future.
        name: String,
        /// How it ended.
        how: String,
        /// Its exit status; none if nobody knows.
        rc: Option<i32>,
    },
    /// What is waited for is a future that the script could not start.
    #[error("`{}` was not started, so there is nothing to wait for", async_core::text::printable(.0))]
    NotStarted(OsString),
    /// What was to be started only if it is absent is queued or running.
    #[error(
        "`{}` is {} already{}, so nothing was started", .0.name, .0.state,
        .0.record.pid.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Present(Box<Entry>),
    /// The user's keys can't be read.
    #[error("can't read the keyboard: {0}")]
    Keyboard(#[source] io::Error),
    /// A log could not be read or passed on.
    #[error("can't pass on the log of `{name}`: {source}; it can still be collected")]
    Log {
        /// The future.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A log could not be read or passed on to somebody who only looks.
    #[error("can't pass on the log of `{name}`: {source}")]
    PassOn {
        /// The future.
        name: String,
        /// What the system said.
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
        /// The name, printable.
        name: String,
        /// What may have been meant, or what there is.
        instead: String,
    },
    /// There are fewer runs of that name.
    #[error("there is no run {number} of `{name}`, only {count}: see `async log --list-runs`")]
    NoSuchRun {
        /// The future.
        name: String,
        /// The number asked for.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// The time is up; these are still not over.
    #[error("the time was up before the end of {}: wait again, or longer", quoted(.0))]
    TimeUp(Vec<String>),
    /// Somebody else has collected all that was waited for.
    #[error("somebody else has collected all that was waited for")]
    NothingLeft,
    /// The task's process can't be waited for.
    #[error("can't wait for the task: {0}")]
    Task(#[source] io::Error),
    /// There is no such program.
    #[error("there is no program `{}`: {what_to_type}", async_core::text::printable(.program))]
    NoProgram {
        /// The program, as given.
        program: OsString,
        /// What may have been meant.
        what_to_type: String,
    },
    /// The shell has no function, builtin or program of that name.
    #[error(
        "`{name}` was not started: there is no function, builtin or program `{}`: {what_to_type}",
        async_core::text::printable(.command)
    )]
    NoCommand {
        /// The future that was to be started.
        name: String,
        /// The command, as given.
        command: OsString,
        /// What may have been meant.
        what_to_type: String,
    },
    /// What a script has called wrongly, and where.
    #[error("{place}: {failure}")]
    At {
        /// The script's file and line.
        place: String,
        /// What is wrong with it.
        failure: Box<Failure>,
    },
    /// The program can't be executed.
    #[error("can't execute `{}`: {why}", async_core::text::printable(.program))]
    NotExecutable {
        /// The program, as given.
        program: OsString,
        /// What the system said.
        why: String,
    },
    /// A directory can't be used.
    #[error("can't use the directory {}: {source}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The task's input can't be read.
    #[error("can't read the input {}: {source}", .path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A future that was to come first did not succeed.
    #[error("`{name}` was not started: {why}")]
    Skipped {
        /// The future that was to be started.
        name: String,
        /// What became of the other one.
        why: String,
    },
    /// The process that was to start the task did not say whether it did.
    #[error("its supervisor did not say whether the task was started: {0}; see `async status`")]
    Unheard(#[source] io::Error),
    /// The process that was to start the task failed before it did.
    #[error("the task was not started: its supervisor failed: {0}")]
    Supervisor(String),
    /// What is to run the task does not take it.
    #[error("the task was not started: {0}")]
    NotSubmitted(String),
    /// The records of a run make no sense together.
    #[error("the records of this run contradict each other: {0}")]
    Contradiction(String),
    /// A run could not be written in some form.
    #[error("can't write the {what} to {}: {source}", .path.display())]
    Export {
        /// What it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The command line is wrong in a way that clap can't see.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Tells the user, and gives the exit status.
    pub(crate) fn report(&self) -> u8 {
        self.report_of("`async log --script", true)
    }

    /// The same, of a command that has an option `--script`.
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

    /// That of a future whose record is gone.
    pub(crate) fn removed(name: &async_core::FutureName, store: &async_core::Store) -> Self {
        let how = format!("somebody has removed its record from {}", store.dir().display());
        Self::Taken { name: name.to_string(), how }
    }

    /// Whether what was called can't be right, wherever and whenever that is.
    pub(crate) fn is_of_the_call(&self) -> bool {
        self.status() == USAGE || matches!(self, Self::NoCommand { .. })
    }

    /// Whether it is about one future, and others may be waited for all the same.
    pub(crate) fn is_about_one(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Taken { .. } | Self::NotStarted(_))
    }

    /// What the user may have meant, as the end of the message.
    fn suggestion(&self, option: &str, with_name: bool) -> String {
        let (Self::Store(async_core::Error::Unknown { name, dir }) | Self::NothingKept { name, dir }) = self else {
            return String::new();
        };
        if let Some(script) = with_future(name, dir) {
            let name = if with_name { format!(" {name}") } else { String::new() };
            return format!("; the script `{script}` has one: {option} {script}{name}`");
        }
        name_like(name, dir).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
    }
}

/// Names in a sentence.
pub(crate) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Prints a remark, on one line and with nothing in it that a terminal acts on, whatever paths and records it quotes.
pub(crate) fn warn(text: &str) {
    let text = async_core::text::printable(text.as_ref());
    // In one write, so that lines of several programs don't mix. With standard error gone, nobody is left to tell.
    let _ = io::stderr().write_all(format!("async: {text}\n").as_bytes());
}
