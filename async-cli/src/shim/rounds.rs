//! `async_wait` and `async_cleanup` of the standalone functions: a wait in rounds, between which the shell itself
//! waits.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use async_core::Store;
use async_core::clock::{self, Millis};
use async_core::text;
use clap::{Args, FromArgMatches};
use nix::unistd::{Pid, getpgid, getpgrp};
use serde::{Deserialize, Serialize};

use super::call::refused;
use crate::cli::Context;
use crate::commands::run::planning;
use crate::commands::wait::{Wanted, nothing_to_wait_for};
use crate::failure::Failure;
use crate::wait::collecting::Collecting;
use crate::wait::panel::Panel;
use crate::wait::sleeper::Sleeper;
use crate::wait::started::Started;
use crate::wait::targets::{self, Scope, Target, is_usual};
use crate::wait::{self, Next, WaitMode, WaitState, Waiting};

/// A parsed call.
pub(super) struct Asked {
    wanted: Wanted,
    cleanup: bool,
}

/// The process that the shell should wait for, if it knows it, before it asks again with the word.
pub(super) struct Answer {
    pub(super) pid: Option<String>,
    /// What the shell remembers of that future.
    pub(super) started: String,
    pub(super) word: Word,
}

/// Where to continue a wait. The shell passes it on unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    /// The deadline, in ms since boot.
    #[serde(rename = "e", default, skip_serializing_if = "is_usual")]
    deadline: Option<Millis>,
    #[serde(rename = "w", default, skip_serializing_if = "is_usual")]
    what: What,
    #[serde(flatten)]
    state: WaitState,
}

/// What to do before the next round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    /// Wait for the end of the current future.
    #[default]
    One,
    /// Wait for the end of any future.
    Any,
    /// Cancel the rest.
    Cancel,
}

impl Asked {
    /// Parses the words of `async_wait`. A cleanup has none.
    pub(super) fn read(words: &[OsString], cleanup: bool) -> Result<Self, Failure> {
        if let (true, Some(word)) = (cleanup, words.first()) {
            let word = text::printable(word);
            return Err(Failure::Usage(format!(
                "async_cleanup takes no arguments, and '{word}' is one; for some futures type `async_wait NAME...`"
            )));
        }
        let parser = clap::Command::new("async_wait").no_binary_name(true).disable_help_flag(true);
        let parser = Wanted::augment_args(parser);
        let parsed = parser.clone().try_get_matches_from(words);
        let wanted = parsed.and_then(|matches| Wanted::from_arg_matches(&matches));
        let wanted = wanted
            .map_err(|error| refused("async_wait", &parser, &error, "type `async_wait [OPTION...] [NAME...]`"))?;
        Ok(Self { wanted, cleanup })
    }

    /// Whether it waits for everything that the script has started, or for more.
    pub(super) fn is_for_all(&self) -> bool {
        self.cleanup || self.wanted.names.is_empty()
    }

    /// Whether nothing is left afterwards.
    pub(super) fn takes_all(&self) -> bool {
        self.is_for_all() && !self.wanted.any && !self.wanted.keep
    }

    fn how(&self) -> WaitMode {
        if self.cleanup { WaitMode::CleanUp } else { self.wanted.how() }
    }

    fn targets(&self, context: &Context, store: &Store, is_first: bool) -> Result<Vec<Target>, Failure> {
        let Wanted { names, all, keep, .. } = &self.wanted;
        if !names.is_empty() {
            return Ok(targets::named(names));
        }
        let (caller, script) = (context.caller(), context.script());
        let scope = if *all || self.cleanup { Scope::Store } else { Scope::Script(script.as_ref()) };
        let ancestors = targets::ancestors(store, planning::parent(store));
        let (found, others) = targets::found(store, &caller, &scope, &ancestors, *keep)?;
        if is_first {
            targets::tell_of_others(store, &caller, &others);
        }
        Ok(found)
    }

    fn waiting<'a>(
        &self,
        context: &Context,
        collecting: Collecting<'a>,
        word: Option<&Word>,
    ) -> Result<Waiting<'a>, Failure> {
        let targets = self.targets(context, collecting.store, word.is_none())?;
        if self.wanted.any && targets.is_empty() && word.is_none() {
            return Err(nothing_to_wait_for(collecting.store));
        }
        let mut waiting = Waiting::new(collecting, targets, self.how());
        if let Some(word) = word {
            waiting.go_on_from(word.state.clone());
        }
        Ok(waiting)
    }

    /// Hands over what is over. Returns the status once everything is done, else the process to wait for. `status`
    /// comes from the shell's own wait.
    pub(super) fn round(
        &self,
        context: &Context,
        collecting: &mut Collecting<'_>,
        word: Option<&Word>,
        status: Option<i32>,
    ) -> Result<Result<Answer, u8>, Failure> {
        collecting.options = self.wanted.options(context)?;
        let has_panel = Panel::is_wanted(context)? && shares_terminal(collecting.shell);
        let deadline = match word {
            Some(word) => word.deadline,
            None => self.wanted.timeout.map(|timeout| clock::since_boot().saturating_add(timeout)),
        };
        collecting.has_limit = deadline.is_some();
        let mut waiting = self.waiting(context, collecting.reborrow(), word)?;
        waiting.shell_status = status;
        let pending = waiting.round();
        let done = |waiting: &mut Waiting<'_>| -> Result<u8, Failure> {
            let status = waiting.status();
            if let Some(name) = waiting.first.take().filter(|_| self.wanted.any) {
                waiting.collecting.output.print(&format!("{name}\n"))?;
            }
            Ok(status)
        };
        let answer = match pending {
            Err(failure) => Err(failure),
            Ok(None) => done(&mut waiting).map(Err),
            Ok(Some(pending)) => answer(&mut waiting, pending, deadline, has_panel).map(Ok),
        };
        let Waiting { collecting: Collecting { summary, collected, .. }, .. } = waiting;
        (collecting.summary, collecting.collected) = (summary, collected);
        answer
    }

    /// Sleeps or cancels before the next round, in a process of its own, so that the shell's traps can run meanwhile.
    pub(super) fn block(
        &self,
        context: &Context,
        collecting: Collecting<'_>,
        word: &Word,
        panel: Option<Panel>,
    ) -> Result<(), Failure> {
        let store = collecting.store;
        let mut waiting = self.waiting(context, collecting, Some(word))?;
        let sleeper = Sleeper::of_shell(word.deadline, panel);
        match (word.what, &word.state.current) {
            (What::Cancel, _) => wait::cancel(store, waiting.names_left()),
            (What::Any, _) => waiting.only_sleep(&sleeper)?,
            (What::One, Some(current)) => {
                if !sleeper.only_sleeps() {
                    waiting.sleep(&Next::One { pid: None, is_over: false }, &sleeper)?;
                }
                // After the deadline nobody waits for it.
                if word.deadline.is_none_or(|deadline| clock::since_boot() < deadline) {
                    store.block(&current.name)?;
                }
            }
            (What::One, None) => {}
        }
        Ok(())
    }
}

/// Whether a process that the shell starts in the background may draw on its terminal: with job control, each has a
/// process group of its own.
fn shares_terminal(shell: Option<u32>) -> bool {
    let shell = shell.map(|pid| Pid::from_raw(pid.cast_signed()));
    getpgid(shell).is_ok_and(|group| group == getpgrp())
}

fn answer(waiting: &mut Waiting<'_>, next: Next, deadline: Option<Millis>, has_panel: bool) -> Result<Answer, Failure> {
    let is_up = deadline.is_some_and(|deadline| deadline <= clock::since_boot());
    let (what, pid, is_over) = match next {
        Next::One { pid, is_over } => (What::One, pid, is_over),
        Next::Any => (What::Any, None, false),
        Next::Cancel(_) => (What::Cancel, None, true),
    };
    if is_up && !is_over {
        return Err(waiting.time_is_up()?);
    }
    // The shell's own wait has no time limit, and shows nothing.
    let is_asked = (deadline.is_none() && !has_panel) || is_over;
    let pid = pid.filter(|_| is_asked);
    if let Some(current) = &mut waiting.state.current {
        current.untold = !is_asked;
    }
    let state = waiting.state.clone();
    let started = state.current.as_ref();
    let started = started.map_or_else(String::new, |current| Started::to_text(current.started, &current.name));
    Ok(Answer { pid, started, word: Word { deadline, what, state } })
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Word {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::targets::Rank;
    use crate::wait::{Current, Score};

    #[test]
    fn a_word_is_read_as_it_was_written() {
        let rank = |number, name: &str| Rank { number, name: name.into() };
        let current =
            Current { rank: rank(17, "a b"), name: "a b".parse().unwrap(), started: 17, since: 18, untold: true };
        let failures = vec!["`a` with status 3".to_owned(), "`ü` was lost".to_owned()];
        let score = Score { count: 4, rc: Some(3), unsure: true, failures, more: 7 };
        let done = [rank(0, ""), rank(2, "x")].into();
        let state =
            WaitState { began: Some(16), current: Some(current), last: Some(rank(1, "")), done, stopping: true, score };
        for state in [state, WaitState::default()] {
            for (what, deadline) in [(What::One, None), (What::Any, Some(5)), (What::Cancel, Some(0))] {
                let word = Word { deadline, what, state: state.clone() };
                assert_eq!(word.to_string().parse::<Word>().unwrap(), word);
                assert!(!word.to_string().contains('\n'));
            }
        }
        for text in ["", "0.0.17/18", "1"] {
            assert!(text.parse::<Word>().is_err(), "{text}");
        }
    }
}
