//! Completion at a prompt: what may follow what was typed, and how each shell wants to be told.
//!
//! The shells' own scripts only pass on what was typed. Which words fit is worked out by `clap_complete`'s engine from the
//! definition of the command line, and the names of futures come from the store.

mod candidates;
mod programs;
mod typed;

pub(crate) use candidates::{Candidate, candidates};
pub(crate) use typed::Typed;

use clap::ValueEnum;

/// A shell that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// The script to be sourced.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("async.bash"),
            Self::Zsh => include_str!("async.zsh"),
            Self::Fish => include_str!("async.fish"),
        }
    }
}
