//! The words that can go where the cursor is.

use std::ffi::OsString;

use async_core::{FutureName, Store, text};
use clap::Arg;
use clap::builder::Str;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};

use super::{Typed, programs};
use crate::messages;

/// A word to offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The whole word, without quotes.
    pub(crate) value: String,
    /// What it means, on one line; may be empty.
    pub(crate) help: String,
}

/// The words that begin with what was typed and make sense there.
///
/// The names of futures come from `store`, those of scripts from `scripts`.
pub(crate) fn candidates(typed: &Typed, store: Option<&Store>, scripts: &[String]) -> Vec<Candidate> {
    let mut command = crate::command().mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        // Of a name and its aliases, the engine would only offer the alphabetically first.
        command.visible_alias(None).mut_args(|arg| match store {
            _ if name == "run" && arg.is_trailing_var_arg_set() => {
                let typed = typed.clone();
                arg.add(ArgValueCandidates::new(move || started(&typed)))
            }
            _ if arg.get_id() == "script" => {
                let scripts = scripts.to_owned();
                arg.add(ArgValueCandidates::new(move || scripts.iter().map(CompletionCandidate::new).collect()))
            }
            Some(store) if name == "timing" && arg.get_id() == "what_if" => {
                let store = store.clone();
                arg.add(ArgValueCandidates::new(move || changes(&store)))
            }
            // A new future's name does not exist yet.
            Some(store) if is_name(&arg) && !(name == "run" && arg.is_positional()) => {
                let (store, typed) = (store.clone(), typed.clone());
                let which = match name.as_str() {
                    "log" | "timing" => Which::KeptToo,
                    // Others can't be paused and moved, but others can come first.
                    "pause" | "resume" => Which::Queued,
                    "queue" if !arg.get_id().as_str().starts_with("after") => Which::Queued,
                    _ => Which::Live,
                };
                arg.add(ArgValueCandidates::new(move || futures(&store, &typed, which)))
            }
            _ => arg,
        })
    });
    let names = crate::command();
    let without_alias = |word: &String| names.find_subcommand(word).map_or(&**word, clap::Command::get_name).into();
    let mut words: Vec<OsString> = typed.words.iter().map(without_alias).collect();
    words.push(OsString::from(&typed.current));
    let here = std::env::current_dir().ok();
    let mut found = complete(&mut command, words, typed.words.len(), here.as_deref()).unwrap_or_default();
    // Hidden options and commands have an id; hidden files have none.
    found.retain(|candidate| candidate.get_id().is_none() || !candidate.is_hide_set());
    let is_option = |candidate: &CompletionCandidate| candidate.get_value().as_encoded_bytes().starts_with(b"-");
    if !typed.current.starts_with('-') && !found.iter().all(is_option) {
        found.retain(|candidate| !is_option(candidate));
    }
    found.iter().filter_map(offered).collect()
}

/// Whether the argument stands for futures, judging by its name in the help.
fn is_name(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| matches!(names.first().map(Str::as_str), Some("NAME" | "NAMES")))
}

/// A candidate as one line for the shells; none if it does not fit on one.
fn offered(candidate: &CompletionCandidate) -> Option<Candidate> {
    let value = candidate.get_value().to_str().filter(|value| !value.contains(char::is_control))?.to_owned();
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    Some(Candidate { value, help: text::printable(help.lines().next().unwrap_or_default().as_ref()) })
}

/// The programs that `async run` could start, if the next word is the program and not a path. For anything else the
/// shell's own completion knows what to do.
fn started(typed: &Typed) -> Vec<CompletionCandidate> {
    if typed.words.last().is_none_or(|word| word != "--") || typed.current.contains('/') {
        return Vec::new();
    }
    programs::on_path(&typed.current).into_iter().map(CompletionCandidate::new).collect()
}

/// The changes for `async timing --what-if`, up to the value.
fn changes(store: &Store) -> Vec<CompletionCandidate> {
    let of_each = names(store, Which::KeptToo).into_iter().flat_map(|name| {
        [format!("start:{name}="), format!("wait:{name}="), format!("run:{name}="), format!("parallel:{name}")]
    });
    ["jobs=".to_owned(), "parallel".to_owned()].into_iter().chain(of_each).map(CompletionCandidate::new).collect()
}

/// Which futures make sense.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Live,
    KeptToo,
    Queued,
}

/// The futures that are not named yet, with their states and commands.
fn futures(store: &Store, typed: &Typed, which: Which) -> Vec<CompletionCandidate> {
    let may_have_dash = typed.words.iter().any(|word| word == "--");
    let is_wanted =
        |name: &str| (may_have_dash || !name.starts_with('-')) && !typed.words.iter().skip(2).any(|word| word == name);
    names(store, which)
        .iter()
        .filter(|name| is_wanted(name.as_str()))
        .map(|name| {
            let help = match store.look(name) {
                Ok(Some((record, state))) => Some(format!("{state}: {}", messages::command(&record)).into()),
                Ok(None) => Some("collected".into()),
                Err(_) => None,
            };
            CompletionCandidate::new(name.as_str()).help(help)
        })
        .collect()
}

fn names(store: &Store, which: Which) -> Vec<FutureName> {
    let mut names = if which == Which::Queued { store.queue() } else { store.names() }.unwrap_or_default();
    if which == Which::KeptToo {
        names.extend(store.collected().unwrap_or_default().into_iter().map(|(name, _)| name));
        names.sort();
        names.dedup();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(words: &[&str], current: &str) -> Vec<String> {
        let words: Vec<_> = words.iter().chain([&current]).map(ToString::to_string).collect();
        candidates(&Typed::from_words(&words), None, &["backup.sh".to_owned()])
            .into_iter()
            .map(|candidate| candidate.value)
            .collect()
    }

    #[test]
    fn commands_are_offered_and_options_only_once_a_dash_is_there() {
        let all = values(&["async"], "");
        assert!(all.contains(&"wait".into()) && all.contains(&"shim".into()), "{all:?}");
        assert!(!all.iter().any(|value| value.starts_with('-') || value == "collect"), "{all:?}");
        // Everything that the help lists, including what has an alias.
        let command = crate::command();
        let listed = command.get_subcommands().filter(|command| !command.is_hide_set());
        for name in listed.map(clap::Command::get_name) {
            assert!(all.iter().any(|value| value == name), "{name} is not among {all:?}");
        }
        assert_eq!(values(&["async", "log", "--script"], ""), ["backup.sh"]);
        assert_eq!(values(&["async", "status"], "--script=b"), ["--script=backup.sh"]);
        assert_eq!(values(&["async"], "sh"), ["shim"]);
        assert_eq!(values(&["async"], "coll"), [""; 0]);
        assert_eq!(values(&["async", "shim"], "--prof"), ["--profile"]);
        assert_eq!(values(&["async", "shim", "--profile"], ""), ["devstack", "standalone"]);
        assert_eq!(values(&["async", "shim"], "--profile=d"), ["--profile=devstack"]);
        assert_eq!(values(&["async", "shim"], "--perm"), [""; 0]);
    }
}
