//! The futures of another script.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use async_core::text::printable;
use async_core::{FutureName, ScriptKey, ScriptRun, Scripts, Store};
use clap::Args;

use crate::cli::Context;
use crate::failure::{Failure, quoted};
use crate::suggestion::most_alike;

/// Of which script they are to be.
#[derive(Args, Debug)]
pub(crate) struct ScriptOption {
    /// Use the newest run of that script: the name of its file, or the value of its `ASYNC_SCRIPT`
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    script: Option<OsString>,
}

impl ScriptOption {
    pub(crate) fn is_given(&self) -> bool {
        self.script.is_some()
    }

    /// The context of these futures.
    pub(crate) fn place<'a>(&self, context: &'a Context) -> Result<Cow<'a, Context>, Failure> {
        let Some(name) = &self.script else {
            return Ok(Cow::Borrowed(context));
        };
        let run = newest(&Scripts::beside(context.prompt()?), name)?;
        Ok(Cow::Owned(context.at(Some(run.dir().to_owned()))))
    }
}

/// The names of the scripts that have left something, newest first.
pub(crate) fn names(context: &Context) -> Vec<String> {
    let runs = context.prompt().ok().and_then(|dir| Scripts::beside(dir).runs().ok());
    names_of(&runs.unwrap_or_default())
}

fn names_of(runs: &[ScriptRun]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = newest_of_each(runs.iter()).into_iter().map(|run| run.key.name().to_owned());
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// How many scripts to name to a user who has named none of them.
const MOST_NAMED: usize = 5;

/// What to type instead of the name of a script that has left nothing.
fn instead(there: &[String], like: Option<String>) -> String {
    match (like, there) {
        (Some(like), _) => format!("; did you mean `{like}`?"),
        (None, []) => ": no script has run with `source <(async shim)` yet".to_owned(),
        (None, _) => {
            let newest = &there[..there.len().min(MOST_NAMED)];
            let and_more = if there.len() > MOST_NAMED { ", …" } else { "" };
            format!("; there are runs of {}{and_more}", quoted(newest))
        }
    }
}

/// The store of the newest run of that script.
pub(crate) fn store(context: &Context, script: &str) -> Result<Store, Failure> {
    let run = newest(&Scripts::beside(context.prompt()?), script.as_ref())?;
    context.at(Some(run.dir().to_owned())).store()
}

/// The newest run of the script with that name or file path.
fn newest(scripts: &Scripts, name: &OsStr) -> Result<ScriptRun, Failure> {
    let runs = scripts.runs()?;
    let path = Path::new(name).canonicalize().ok().map(|path| ScriptKey::of_path(&path));
    let is_whole = |run: &&ScriptRun| run.key.as_str() == name || Some(&run.key) == path.as_ref();
    let of_that_name = || newest_of_each(runs.iter().filter(|run| run.key.name() == name));
    let found = runs.iter().find(is_whole).map_or_else(of_that_name, |run| vec![run]);
    match found[..] {
        [run] => Ok(run.clone()),
        [] => {
            let name = printable(name);
            let there = names_of(&runs);
            let like = most_alike(&name, there.iter().map(String::as_str));
            Err(Failure::NoScript { name, instead: instead(&there, like) })
        }
        _ => {
            let mut keys: Vec<String> = found.iter().map(|run| run.key.as_str().to_owned()).collect();
            keys.sort();
            let name = printable(name);
            Err(Failure::Usage(format!("several scripts are called `{name}`: give --script one of {}", quoted(&keys))))
        }
    }
}

/// The newest run of each script, newest first.
fn newest_of_each<'a>(runs: impl Iterator<Item = &'a ScriptRun>) -> Vec<&'a ScriptRun> {
    let mut seen = BTreeSet::new();
    runs.filter(|run| seen.insert(&run.key)).collect()
}

/// The script beside the prompt's store in that directory whose newest run has a future of that name, if there is one.
pub(crate) fn with_future(name: &str, dir: &Path) -> Option<String> {
    let name: FutureName = name.parse().ok()?;
    let runs = Scripts::beside(dir.to_owned()).runs().ok()?;
    let runs = newest_of_each(runs.iter());
    let has = |run: &&ScriptRun| {
        run.store().is_ok_and(|store| {
            store.record_files(true).is_ok_and(|files| files.iter().any(|file| *file.name() == name))
        })
    };
    runs.into_iter().find(has).map(|run| run.key.name().to_owned())
}
