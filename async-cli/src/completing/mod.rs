//! Completion at a prompt: what can follow the typed text, in the form that each shell expects.
//!
//! The shells' scripts only pass on the typed text. `clap_complete`'s engine works out the matching words from the
//! definition of the command line, and the names of futures come from the store.

mod candidates;
mod programs;
mod typed;

pub(crate) use candidates::{Candidate, candidates};
pub(crate) use typed::Typed;

use clap::ValueEnum;

/// A shell that supports completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// The script to source.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("async.bash"),
            Self::Zsh => include_str!("async.zsh"),
            Self::Fish => include_str!("async.fish"),
        }
    }
}
