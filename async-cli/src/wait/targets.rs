//! The futures that a wait is for.

use std::collections::BTreeSet;
use std::ffi::OsString;

use async_core::clock::Millis;
use async_core::process::ProcessIdentity;
use async_core::{Caller, Error, FutureName, Record, Store, text};

use serde::{Deserialize, Serialize};

use crate::cli::Context;
use crate::commands;
use crate::failure::Failure;

/// The rank of a target: its index if names were given, else its start, in ms since the epoch, and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Rank {
    #[serde(rename = "n", default, skip_serializing_if = "is_usual")]
    pub(crate) number: Millis,
    #[serde(rename = "m", default, skip_serializing_if = "is_usual")]
    pub(crate) name: String,
}

/// Whether a word can leave it out: bash reads words byte by byte.
pub(crate) fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A future to wait for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) rank: Rank,
    /// Its name, or the word given as one.
    pub(crate) text: OsString,
}

impl Target {
    /// Whether somebody named it, as opposed to finding it among others.
    pub(crate) fn is_named(&self) -> bool {
        self.rank.name.is_empty()
    }
}

/// The targets with these names.
pub(crate) fn named(names: &[OsString]) -> Vec<Target> {
    let target = |(number, text): (usize, &OsString)| {
        let number = Millis::try_from(number).unwrap_or(Millis::MAX);
        Target { rank: Rank { number, name: String::new() }, text: text.clone() }
    };
    names.iter().enumerate().map(target).collect()
}

/// A message does not repeat more names than this.
const MANY: usize = 10;

/// The notice when a wait for these names, or for all, is interrupted: the awaited futures go on.
pub(crate) fn go_on(context: &Context, names: &[OsString]) -> String {
    let dir = context.dir_of_the_command_line().map_or_else(Vec::new, |dir| vec!["--dir".into(), dir.into()]);
    let command = text::shell_line(&[vec![OsString::from("async")], dir].concat());
    let names = match names {
        [] => "--all".to_owned(),
        names if names.len() > MANY => "NAME…".to_owned(),
        names => text::shell_line(names),
    };
    format!(
        "interrupted; what was waited for goes on: `{command} wait {names}` waits again, `{command} cancel {names}` stops it"
    )
}

/// The futures to take if none was named.
pub(crate) enum Scope<'a> {
    /// What this script has started, or in a task what that task has started.
    Script(Option<&'a ProcessIdentity>),
    /// The whole store, except what other running scripts have started.
    Store,
}

/// The live futures in that scope, in the order of their starts, and those left alone because they belong to others. A
/// task waits neither for itself nor for its parents: these are the `ancestors`, innermost first. With `keep` the
/// futures of others are in the scope too, as the wait takes nothing from them.
pub(crate) fn found(
    store: &Store,
    caller: &Caller,
    scope: &Scope<'_>,
    ancestors: &[FutureName],
    keep: bool,
) -> Result<(Vec<Target>, Vec<FutureName>), Failure> {
    let (mut targets, mut others) = (Vec::new(), Vec::new());
    let parent = ancestors.first().map(FutureName::as_str);
    for name in store.names()? {
        if ancestors.contains(&name) {
            continue;
        }
        let record = match (store.read(&name), scope) {
            (Ok(Some(record)), _) => Some(record),
            // A future with an unreadable record comes first, so that it is reported at once.
            (Err(Error::BadRecord { .. } | Error::Planted { .. }), Scope::Store) => None,
            (Ok(None) | Err(Error::BadRecord { .. } | Error::Planted { .. }), _) => continue,
            (Err(error), _) => return Err(error.into()),
        };
        let number = record.as_ref().map_or(0, |record| record.start_time);
        let is_in = match (scope, &record) {
            (Scope::Script(script), Some(record)) => {
                record.script.as_ref() == *script && record.parent.as_deref() == parent
            }
            _ => true,
        };
        let is_others = !keep && record.as_ref().is_some_and(|record| caller.other_script(record).is_some());
        match (is_in, is_others) {
            (false, _) => {}
            (true, true) => others.push(name),
            (true, false) => {
                let rank = Rank { number, name: name.to_string() };
                targets.push(Target { rank, text: name.as_str().into() });
            }
        }
    }
    targets.sort_unstable_by(|one, other| one.rank.cmp(&other.rank));
    Ok((targets, others))
}

/// The parents of this process, innermost first.
pub(crate) fn ancestors(store: &Store, parent: Option<FutureName>) -> Vec<FutureName> {
    let mut found: Vec<FutureName> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = parent;
    while let Some(name) = next.filter(|name| seen.insert(name.clone())) {
        let parent = store.read(&name).ok().flatten().and_then(|record: Record| record.parent);
        next = parent.and_then(|parent| parent.parse().ok());
        found.push(name);
    }
    found
}

/// Says that these futures were left alone.
pub(crate) fn tell_of_others(store: &Store, caller: &Caller, others: &[FutureName]) {
    for name in others {
        let _ = commands::may_take(caller, store, name);
    }
}
