//! Futures that are no longer live: those of this run and of earlier runs.
//!
//! A **run** is everything that happens in a store between one init and the next.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};

use super::directory::Directory;
use super::files::{StoreFile, read_record};
use super::scripts::{ScriptTimes, runs_before};
use super::{COLLECTED, Entry, Permissions, Store};
use crate::caller::Caller;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::parallel;
use crate::process::ProcessIdentity;
use crate::record::{Record, State};
use crate::timing::median;

/// The subdirectory of the earlier runs.
pub const RUNS: &str = ".runs";

/// How many earlier runs an init keeps by default.
pub const KEPT_RUNS: usize = 5;

/// How many earlier runs of a future tell how long it usually takes: the newest say most.
const USUAL: usize = 20;

/// How far back to look.
#[derive(Clone, Copy)]
enum Back {
    /// Through the runs of this store.
    Store,
    /// Through the stores of the same script too, if it is a script's store.
    Script,
}

/// A start in ms since the epoch, and a number that distinguishes futures with the same name and start.
pub(super) type Stamp = (Millis, u32);

/// An earlier run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// The start of its first future, in ms since the epoch.
    pub started: Millis,
    /// When the script ran, if this was its only run.
    pub script: Option<ScriptTimes>,
    /// Where its records and logs are. Not held open: there may be more runs than descriptors.
    directory: Directory,
    /// The store that it has to itself, if it has one.
    own: Option<Directory>,
}

impl Run {
    /// The store of the script whose only run it was, which has what nobody has collected too. None if it is not, or that is gone.
    pub(crate) fn store(&self) -> Result<Option<Store>> {
        let Some(dir) = &self.own else { return Ok(None) };
        match dir.hold() {
            Ok(dir) => Ok(Some(Store { dir, permissions: Permissions::Private })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", dir.path())(error)),
        }
    }

    /// The records of its futures, in the order of their starts.
    pub fn futures(&self) -> Result<Vec<(FutureName, Record)>> {
        Ok(records_in(&self.directory)?.into_iter().map(|(name, record, _)| (name, record)).collect())
    }
}

impl Store {
    /// The records of the futures collected since the store was made, in the order of their starts.
    pub fn collected(&self) -> Result<Vec<(FutureName, Record)>> {
        Ok(records_in(&self.collected_dir())?.into_iter().map(|(name, record, _)| (name, record)).collect())
    }

    /// The same, each with its log if that is there.
    pub(crate) fn collected_with_logs(&self) -> Result<Vec<(FutureName, Record, Option<StoreFile>)>> {
        let with_log = |(name, record, file): (FutureName, Record, StoreFile)| {
            let log = kept_log(&file, &record);
            (name, record, log)
        };
        Ok(records_in(&self.collected_dir())?.into_iter().map(with_log).collect())
    }

    /// The earlier runs, newest first; for a script's store, the runs of that script.
    pub fn past_runs(&self) -> Result<Vec<Run>> {
        let mut runs = self.own_past_runs()?;
        for (started, dir) in runs_before(&self.dir)? {
            let script = ScriptTimes::of(&dir);
            let before = runs_in(&dir)?;
            runs.push(Run { started, script, directory: dir.subdirectory(COLLECTED), own: Some(dir) });
            runs.extend(before);
        }
        Ok(runs)
    }

    /// The same for this store alone.
    fn own_past_runs(&self) -> Result<Vec<Run>> {
        runs_in(&self.dir)
    }

    /// The futures of that name that are no longer live, newest first, from this run and the earlier ones.
    pub fn earlier(&self, name: &FutureName) -> Result<Vec<Entry>> {
        let mut found = self.kept(name, usize::MAX, Back::Script, |named, record| {
            let log = kept_log(named, &record);
            Some(Entry {
                name: name.clone(),
                record: record.into(),
                state: State::Collected,
                paused: None,
                usage_now: None,
                log,
            })
        })?;
        // If the file system has no links, the newest log exists only in its first place.
        if let Some(Entry { log: log @ None, .. }) = found.iter_mut().find(|entry| entry.record.has_log)
            && !self.record_file(name).is_there()?
        {
            *log = Some(self.log_file(name)).filter(|log| log.is_there().unwrap_or(false));
        }
        Ok(found)
    }

    /// The record of the last future of that name that the script started and that is no longer live; if there is none,
    /// of the last one whose result the script took.
    pub fn last_of(&self, script: &ProcessIdentity, name: &FutureName) -> Result<Option<Record>> {
        match self.find_kept(name, |record| record.script.as_ref() == Some(script))? {
            None => self.find_kept(name, |record| record.taken_by.as_ref() == Some(script)),
            started => Ok(started),
        }
    }

    /// The record of the last future of that name that is no longer live; of the one with that start (ms since the
    /// epoch), if given.
    pub fn last_kept(&self, name: &FutureName, started: Option<Millis>) -> Result<Option<Record>> {
        self.find_kept(name, |record| started.is_none_or(|started| record.start_time == started))
    }

    fn find_kept(&self, name: &FutureName, is_it: impl Fn(&Record) -> bool) -> Result<Option<Record>> {
        Ok(self.kept(name, 1, Back::Store, |_, record| is_it(&record).then_some(record))?.pop())
    }

    /// Maps `pick` over the records of the futures of that name that are no longer live, newest first, and returns up
    /// to `most` results.
    fn kept<T>(
        &self,
        name: &FutureName,
        most: usize,
        back: Back,
        pick: impl Fn(&StoreFile, Record) -> Option<T>,
    ) -> Result<Vec<T>> {
        'again: loop {
            let mut found = Vec::new();
            for named in self.records_back(name, back)? {
                // An init has just moved it to an earlier run, or removed it.
                let Some(file) = named.open()? else {
                    continue 'again;
                };
                found.extend(pick(&named, read_record(&file, named.path())?));
                if found.len() == most {
                    break;
                }
            }
            return Ok(found);
        }
    }

    /// How long a future of that name usually runs, in ms: the median of its newest successful runs. None if there are
    /// none, or that can't be found out.
    #[must_use]
    pub fn usual_run_time(&self, name: &FutureName) -> Option<Millis> {
        let read = |named: &StoreFile| read_record(&named.open().ok()??, named.path()).ok();
        let newest = self.records_back(name, Back::Script).ok()?.into_iter().take(USUAL);
        let successful = newest.filter_map(|named| read(&named).filter(|record| record.rc == Some(0)));
        median(successful.filter_map(|record| record.run_time).collect())
    }

    /// Turns the collected futures into an earlier run, and removes all but the newest `keep`. A run with a future that
    /// somebody took from a running script stays until that script has learned of it.
    pub(super) fn end_run(&self, keep: usize, caller: &Caller) -> Result<()> {
        // Not while another process has moved a log there and not yet its record: both belong to one run.
        self.changing(|_| self.move_collected())?;
        let is_missed = |record: &Record| record.taken_by != record.script && caller.not_this_script(record).is_some();
        for run in self.own_past_runs()?.iter().skip(keep) {
            // An unreadable record can't tell anything to anybody.
            if !run.futures().is_ok_and(|futures| futures.iter().any(|(_, record)| is_missed(record))) {
                remove_all(&run.directory)?;
            }
        }
        Ok(())
    }

    fn move_collected(&self) -> Result<()> {
        let collected = self.collected_dir();
        let starts = stems_in(&collected)?;
        if let Some(started) = starts.iter().map(|(_, (start, _), _)| *start).min() {
            return self.move_to_runs(&collected, started);
        }
        // Only what was seen: a process that was stopped for long may add a record at any time.
        for file in collected.names_if_there()?.iter().map(|name| collected.file(name)) {
            file.remove_if_there().map(drop).or_else(unless_directory).map_err(Error::io("remove", file.path()))?;
        }
        Ok(())
    }

    fn move_to_runs(&self, collected: &Directory, started: Millis) -> Result<()> {
        let runs = self.runs_dir();
        let mut number = 0;
        loop {
            match collected.as_file().rename(&runs.file(stamp(started, number))) {
                Ok(()) => return Ok(()),
                // Renaming a directory does not replace one with contents.
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {
                    number += 1;
                }
                Err(error) if error.kind() == ErrorKind::NotFound && !runs.as_file().is_there()? => {
                    runs.make(self.permissions.of_directories())?;
                }
                // Another init has done it.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(Error::io("keep the collected futures in", collected.path())(error)),
            }
        }
    }

    /// The names of all kept futures that are no longer live.
    pub(super) fn kept_names(&self) -> Result<HashSet<FutureName>> {
        let mut names: HashSet<_> = stems_in(&self.collected_dir())?.into_iter().map(|(name, ..)| name).collect();
        for run in self.own_past_runs()? {
            names.extend(stems_in(&run.directory)?.into_iter().map(|(name, ..)| name));
        }
        Ok(names)
    }

    pub(super) fn runs_dir(&self) -> Directory {
        self.dir.subdirectory(RUNS)
    }

    /// The records of the futures of that name in this store that are no longer live, newest first.
    pub(super) fn records_of(&self, name: &FutureName) -> Result<Vec<StoreFile>> {
        self.records_back(name, Back::Store)
    }

    fn records_back(&self, name: &FutureName, back: Back) -> Result<Vec<StoreFile>> {
        let in_dir = |dir: &Directory| Ok::<_, Error>(stems_in(dir)?.into_iter().filter(|(of, ..)| of == name));
        // In this order, none is missed if an init moves it meanwhile.
        let mut found: Vec<_> = in_dir(&self.collected_dir())?.collect();
        let runs = match back {
            Back::Store => self.own_past_runs()?,
            Back::Script => self.past_runs()?,
        };
        for run in runs {
            found.extend(in_dir(&run.directory)?);
        }
        found.sort_by_key(|(_, stamp, _)| std::cmp::Reverse(*stamp));
        Ok(found.into_iter().map(|(.., named)| named).collect())
    }
}

/// The earlier runs in that store directory, newest first.
pub(super) fn runs_in(store: &Directory) -> Result<Vec<Run>> {
    let dir = store.subdirectory(RUNS).held_if_fit();
    let mut runs: Vec<(Stamp, OsString)> =
        dir.names_if_there()?.into_iter().filter_map(|file| Some((parse_stamp(file.to_str()?)?, file))).collect();
    runs.sort();
    let run = |((started, _), name): (Stamp, OsString)| Run {
        started,
        script: None,
        directory: dir.subdirectory(name),
        own: None,
    };
    Ok(runs.into_iter().rev().map(run).collect())
}

/// The file stem of a kept future: `NAME.START`, or `NAME.START-NUMBER` if that was taken.
pub(super) fn stem(name: &FutureName, start: Millis, number: u32) -> String {
    format!("{name}.{}", stamp(start, number))
}

fn stamp(start: Millis, number: u32) -> String {
    if number == 0 { start.to_string() } else { format!("{start}-{number}") }
}

fn parse_stamp(text: &str) -> Option<Stamp> {
    if let Ok(start) = text.parse() {
        return Some((start, 0));
    }
    let (start, number) = text.rsplit_once('-')?;
    Some((start.parse().ok()?, number.parse().ok()?))
}

/// Parses the file name of a record that is no longer live: `NAME.START.ini`, where the name may contain dots.
pub(super) fn parse_record_name(file: &OsStr) -> Option<(FutureName, Stamp)> {
    let (name, stamp) = file.to_str()?.strip_suffix(".ini")?.rsplit_once('.')?;
    Some((name.parse().ok()?, parse_stamp(stamp)?))
}

/// The log that is kept beside a record.
fn kept_log(named: &StoreFile, record: &Record) -> Option<StoreFile> {
    let kept = named.with_extension("log");
    (record.has_log && kept.is_there().unwrap_or(false)).then_some(kept)
}

/// The records in a directory of futures that are no longer live; none if there is no such directory.
fn stems_in(dir: &Directory) -> Result<Vec<(FutureName, Stamp, StoreFile)>> {
    let parse = |file: OsString| {
        let (name, stamp) = parse_record_name(&file)?;
        Some((name, stamp, dir.file(file)))
    };
    Ok(dir.names_if_there()?.into_iter().filter_map(parse).collect())
}

fn records_in(dir: &Directory) -> Result<Vec<(FutureName, Record, StoreFile)>> {
    let dir = dir.clone().held_if_fit();
    let read = |named: &StoreFile| named.open()?.map(|file| read_record(&file, named.path())).transpose();
    let stems = stems_in(&dir)?;
    let mut found = Vec::new();
    for (record, (name, _, named)) in parallel::map(&stems, |(.., named)| read(named)).into_iter().zip(stems) {
        found.extend(record?.map(|record| (name, record, named)));
    }
    found.sort_by(|(a, x, _), (b, y, _)| (x.start_time, a).cmp(&(y.start_time, b)));
    Ok(found)
}

/// A directory does not belong to the store and stays there.
fn unless_directory(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::IsADirectory { Ok(()) } else { Err(error) }
}

fn remove_all(dir: &Directory) -> Result<()> {
    dir.remove_all().map_err(Error::io("remove the collected futures in", dir.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_whatever_the_clock_said() {
        for it in [(1_795_503_105_123, 0), (1_795_503_105_123, 12), (0, 1), (-5, 0), (-5, 3)] {
            assert_eq!(parse_stamp(&stamp(it.0, it.1)), Some(it));
        }
        for text in ["", "-", "x", "5-", "5-x", "5-1-1", "5.1"] {
            assert_eq!(parse_stamp(text), None, "{text}");
        }
    }
}
