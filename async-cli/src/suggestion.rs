//! What the user may have meant by a word that means nothing.

use std::path::Path;

use async_core::{Permissions, Store};
use clap::error::{ContextKind, ContextValue};
use clap::{Command, Error};

/// From where on two names are alike, as Jaro and Winkler measure it: 0 for nothing in common, 1 for the same.
const ALIKE: f64 = 0.8;

/// The live future of that store whose name is most like this one.
pub(crate) fn name_like(name: &str, dir: &Path) -> Option<String> {
    let names = Store::open(dir, Permissions::default()).ok()?.names().ok()?;
    let alike = |other: &str| strsim::jaro_winkler(name, other);
    names
        .iter()
        .map(|other| (alike(other.as_str()), other))
        .filter(|&(alike, _)| alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other.to_string())
}

/// Takes the commands that are hidden in the help out of what clap suggests.
pub(crate) fn without_hidden(mut error: Error, command: &Command) -> Error {
    let is_hidden = |name: &String| command.find_subcommand(name).is_some_and(Command::is_hide_set);
    if let Some(ContextValue::Strings(names)) = error.remove(ContextKind::SuggestedSubcommand) {
        let names: Vec<_> = names.into_iter().filter(|name| !is_hidden(name)).collect();
        if !names.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(names));
        }
    }
    error
}
