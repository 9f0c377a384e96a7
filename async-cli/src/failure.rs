//! What the program says, and how it exits, when it can't do what it was asked to.

use std::io::{self, Write};

use crate::io::Io;
use crate::messages::Output;

/// The exit status for a request that can never work, as clap's own for wrong usage.
const USAGE: u8 = 2;
/// The exit status when the program itself failed.
const FAILED: u8 = 125;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store refused or failed.
    #[error("{0}")]
    Store(#[from] async_core::Error),
    /// What was to be printed could not be, so it was not handed over.
    #[error("can't write the output: {0}")]
    Output(#[source] io::Error),
    /// A log could not be read or passed on.
    #[error("can't pass on the log of `{name}`: {source}; it can still be collected")]
    Log {
        /// The future.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The task's process can't be waited for.
    #[error("can't wait for the task: {0}")]
    Task(#[source] io::Error),
    /// The shell failed at what this program can do.
    #[error(
        "the shell could not open a new record in the store, though there is nothing wrong with the store: too many open files (ulimit -n)?"
    )]
    Shell,
    /// The command line is wrong in a way that clap can't see.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Tells the user, and gives the exit status.
    pub(crate) fn report(&self) -> u8 {
        warn(&self.to_string());
        let usage = match self {
            Self::Store(error) => error.is_usage(),
            Self::Usage(_) => true,
            Self::Output(_) | Self::Log { .. } | Self::Task(_) | Self::Shell => false,
        };
        if usage { USAGE } else { FAILED }
    }
}

/// Prints what clap says of a command line, which may be its help, and gives the exit status.
pub(crate) fn report_usage(error: &clap::Error, io: &Io) -> u8 {
    let text = error.render().to_string();
    if error.use_stderr() {
        let _ = io::stderr().write_all(text.as_bytes());
    } else if let Err(failure) = Output::stdout(io).and_then(|mut output| output.print(&text)) {
        return failure.report();
    }
    if error.exit_code() == 0 { 0 } else { USAGE }
}

/// Prints a remark, on one line and with nothing in it that a terminal acts on, whatever paths and records it quotes.
pub fn warn(text: &str) {
    let text = async_core::text::printable(text.as_ref());
    // In one write, so that lines of several programs don't mix. With standard error gone, nobody is left to tell.
    let _ = io::stderr().write_all(format!("async: {text}\n").as_bytes());
}
