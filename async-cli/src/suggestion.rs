//! What the user may have meant by a word that means nothing.

use std::ffi::OsString;
use std::path::Path;

use async_core::{FutureName, Permissions, Store};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, Error};

/// From where on two names are alike, as Jaro and Winkler measure it: 0 for nothing in common, 1 for the same.
const ALIKE: f64 = 0.8;

/// The live future of that store whose name is most like this one.
pub(crate) fn name_like(name: &str, dir: &Path) -> Option<String> {
    let names = Store::open(dir, Permissions::default()).ok()?.names().ok()?;
    most_alike(name, names.iter().map(FutureName::as_str))
}

/// The one that is most like this name, if one is.
pub(crate) fn most_alike<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<String> {
    others
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|&(alike, _)| alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other.to_owned())
}

/// What is said of a command line of `async run` without a name.
pub(crate) const NAME_MISSING: &str = "is the name missing? It goes first: async run [OPTIONS] NAME -- COMMAND";

/// What is said of one with something else that is no option.
const ORDER: &str = "options and the name go first, the command behind `--`: async run [OPTIONS] NAME -- COMMAND";

/// Has clap's error for that command line suggest what helps, and nothing else.
pub(crate) fn improve(mut error: Error, command: &Command, args: &[OsString]) -> Error {
    hide_the_hidden(&mut error, command);
    // All that there are stand before it.
    error.remove(ContextKind::SuggestedValue);
    let parsed = command.clone().ignore_errors(true).try_get_matches_from(args);
    if let Ok(Some(("run", matches))) = parsed.as_ref().map(ArgMatches::subcommand) {
        let tip = match error.kind() {
            ErrorKind::UnknownArgument => ORDER,
            // Without a word, all is missing, and clap has said so.
            ErrorKind::MissingRequiredArgument if matches.contains_id("name") => NAME_MISSING,
            _ => return error,
        };
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Takes the commands that are hidden in the help out of what clap suggests.
fn hide_the_hidden(error: &mut Error, command: &Command) {
    let is_hidden = |name: &String| command.find_subcommand(name).is_some_and(Command::is_hide_set);
    if let Some(ContextValue::Strings(names)) = error.remove(ContextKind::SuggestedSubcommand) {
        let names: Vec<_> = names.into_iter().filter(|name| !is_hidden(name)).collect();
        if !names.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(names));
        }
    }
}
