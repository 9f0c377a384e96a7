//! What a run has left in its store, read without the code under test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::plan::Token;
use super::report::token;

/// A record in the store.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) path: PathBuf,
    /// The future's name.
    pub(crate) name: String,
    pub(crate) token: Token,
    pub(crate) place: Place,
    /// The task's exit status; none if it was lost.
    pub(crate) rc: Option<i32>,
    /// Whether somebody has asked to cancel it, and whether its record says that it was cancelled.
    pub(crate) asked_to_cancel: bool,
    pub(crate) cancelled: bool,
    /// How long the task ran, in ms.
    pub(crate) run_time: Option<i64>,
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among the live ones; `held` says whether a process still holds its life.
    Live { held: bool },
    /// Among the collected ones, by a wait.
    Collected,
    /// Among the collected ones, because its name was used again.
    Superseded,
}

/// All records of a store by their tokens, and the names of files that are neither record nor log.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) records: BTreeMap<Token, Vec<Remains>>,
    /// The logs, with the names of their futures.
    pub(crate) logs: Vec<(String, PathBuf)>,
    /// Files of futures that were being started, with their tokens if they have them already.
    pub(crate) unfinished: Vec<(PathBuf, Option<Token>)>,
    /// Everything else.
    pub(crate) strays: Vec<PathBuf>,
}

impl Store {
    pub(crate) fn read(dir: &Path) -> Result<Self, String> {
        let mut store = Self::default();
        store.read_dir(dir, false).map_err(|error| format!("can't read {}: {error}", dir.display()))?;
        Ok(store)
    }

    fn read_dir(&mut self, dir: &Path, collected: bool) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if [".collected", ".runs"].contains(&file) || collected && path.is_dir() {
                self.read_dir(&path, true)?;
            } else if file == ".starting" {
                self.read_dir(&path, false)?;
            } else if [".count", ".queue", ".slots"].contains(&file) {
                // Another check covers it.
            } else if file.starts_with("new.") || file.starts_with("gate.") {
                // Opening a fifo without a writer would hang.
                let text = if file.starts_with("new.") { values(&path)? } else { BTreeMap::new() };
                let token = text.get("command").and_then(|command| token(command));
                self.unfinished.push((path, token));
            } else if let Some(stem) = file.strip_suffix(".log") {
                self.logs.push((future(stem, collected), path));
            } else if let Some(final_state) = file.strip_suffix(".ini").and_then(|stem| record(&path, stem, collected))
            {
                self.records.entry(final_state.token).or_default().push(final_state);
            } else {
                self.strays.push(path);
            }
        }
        Ok(())
    }
}

/// The future's name in the stem of a file; in a collected one the start follows the name.
fn future(stem: &str, collected: bool) -> String {
    if collected { stem.rsplit_once('.').map_or(stem, |(name, _)| name).to_owned() } else { stem.to_owned() }
}

fn record(path: &Path, stem: &str, collected: bool) -> Option<Remains> {
    let values = values(path).ok()?;
    let number = |key: &str| values.get(key)?.parse().ok();
    let place = match (collected, values.contains_key("wait_end")) {
        (false, _) => Place::Live { held: File::open(path).is_ok_and(|file| file.try_lock_shared().is_err()) },
        (true, true) => Place::Collected,
        (true, false) => Place::Superseded,
    };
    Some(Remains {
        path: path.to_owned(),
        name: future(stem, collected),
        token: token(values.get("command")?)?,
        place,
        rc: values.get("rc").and_then(|rc| rc.parse().ok()),
        asked_to_cancel: values.contains_key("cancel_time"),
        cancelled: values.get("cause").is_some_and(|cause| cause == "cancelled"),
        run_time: number("run_time"),
    })
}

fn values(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path)?;
    let pairs = text.lines().filter_map(|line| line.split_once(" = "));
    Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
