//! Stopping a future from the outside.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::slice;
use std::time::Duration;

use super::files::{FileIdentity, append, identity, read_record};
use super::{INSIDE, Store, attended, is_alive, wait_for_end};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process;
use crate::record::{Cause, Line, Record, State};
use crate::tree::{self, Ended, Root};

/// How long a supervisor has to notice a request, in ms, before it gets another signal.
const ASK_AGAIN: u32 = 200;

/// How long a supervisor may take to end a tree, on top of the grace period, in ms.
const PATIENCE: Millis = 25_000;

/// The longest chain of parents to follow. Damaged records may form a circle.
const DEEPEST: usize = 1000;

/// What became of a request to cancel a future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// No live future has that name.
    Unknown,
    /// It was already over.
    Over(Record),
    /// The shell with this process id runs it itself.
    InShell(u32),
    /// Its supervisor stopped it; the record says how.
    Stopped(Record),
    /// Its supervisor was gone or did not answer, so this process stopped what was left of it.
    StoppedHere(Record, Ended),
}

/// The result of a request.
enum Asked {
    Answered(Cancelled),
    Requested(Requested),
    Orphan(Orphan),
}

/// A future to wait for. It is not held open: there may be more futures than descriptors.
struct Requested {
    record: Record,
    grace: Millis,
    /// When to stop waiting for its supervisor, in ms since boot.
    deadline: Millis,
}

/// A future whose supervisor is of no help. It is not held open either.
struct Orphan {
    record: Record,
    grace: Millis,
    /// The file of its record, and of its log if it has one.
    file: Option<FileIdentity>,
    log: Option<FileIdentity>,
}

impl Store {
    /// Stops the whole process tree of a future: sends SIGTERM, and SIGKILL to what is left `grace` ms later. Returns
    /// when it is over; the future can then be collected.
    ///
    /// The request goes into the record. The future's supervisor, which can see the whole tree, carries it out. If the
    /// request can't be written, this process stops the tree itself.
    pub fn cancel(&self, name: &FutureName, grace: Option<Millis>) -> Result<Cancelled> {
        let all = self.cancel_all(vec![name.clone()], grace);
        all.into_iter().next().map_or(Ok(Cancelled::Unknown), |(_, cancelled)| cancelled)
    }

    /// The same for several at once. All get the request before the wait for the first, so their grace periods do not
    /// add up.
    #[allow(clippy::must_use_candidate, reason = "it is made for what it does")]
    pub fn cancel_all(&self, names: Vec<FutureName>, grace: Option<Millis>) -> Vec<(FutureName, Result<Cancelled>)> {
        let mut asked: Vec<_> = names.into_iter().map(|name| (self.ask_to_end(&name, grace), name)).collect();
        self.stop_orphans(&mut asked);
        for (asked, name) in &mut asked {
            if let Ok(Asked::Requested(pending)) = asked {
                *asked = self.see_to_end(name, pending);
            }
        }
        self.stop_orphans(&mut asked);
        let answer = |asked| match asked {
            Asked::Answered(cancelled) => cancelled,
            Asked::Requested(_) | Asked::Orphan(_) => unreachable!("all have been seen to their end"),
        };
        asked.into_iter().map(|(asked, name)| (name, asked.map(answer))).collect()
    }

    fn ask_to_end(&self, name: &FutureName, grace: Option<Millis>) -> Result<Asked> {
        let named = self.record_file(name);
        let Some(file) = named.open_to_append()? else {
            return Ok(Asked::Answered(Cancelled::Unknown));
        };
        let path = named.path();
        let record = attended(&file, path, read_record(&file, path)?)?;
        let grace_ms = grace.unwrap_or_else(|| record.plan.clone().unwrap_or_default().grace());
        match Self::state_of(&file, path, &record)? {
            State::Finished | State::Collected => return Ok(Asked::Answered(Cancelled::Over(record))),
            State::Lost => {
                // It may have ended in between.
                let record = read_record(&file, path)?;
                return match record.rc {
                    Some(_) => Ok(Asked::Answered(Cancelled::Over(record))),
                    None => Ok(Asked::Orphan(self.orphan(name, &file, record, grace_ms))),
                };
            }
            State::Running | State::Queued => {}
        }
        if let Some(host) = record.only_on() {
            let (name, host) = (name.to_string(), host.to_owned());
            return Err(Error::OnAnotherHost { name, host, path: path.to_owned() });
        }
        if let Some(life) = &record.life {
            return Ok(Asked::Answered(Cancelled::InShell(life.pid())));
        }
        let request: Vec<Line> =
            grace.map(Line::CancelGrace).into_iter().chain([Line::CancelTime(clock::wall())]).collect();
        let written = append(&file, &record, &request);
        if record.goes_on_elsewhere() {
            written.as_ref().map_err(|error| Error::io("write to", path)(io::Error::from(error.kind())))?;
        }
        if written.is_err() {
            return Ok(Asked::Orphan(self.orphan(name, &file, record, grace_ms)));
        }
        record.wake_supervisor(&file).map_err(Error::io("tell the supervisor of", path))?;
        let deadline = clock::since_boot().saturating_add(grace_ms).saturating_add(PATIENCE);
        Ok(Asked::Requested(Requested { record, grace: grace_ms, deadline }))
    }

    fn see_to_end(&self, name: &FutureName, pending: &Requested) -> Result<Asked> {
        let &Requested { ref record, grace, deadline } = pending;
        let named = self.record_file(name);
        let path = named.path();
        let (started, file) = (record.start_time, named.open_to_append()?);
        let file = file.map(|file| Ok::<_, Error>((read_record(&file, path)?, file))).transpose()?;
        let Some((mut record, file)) = file.filter(|(now, _)| now.start_time == started) else {
            // Somebody has collected it in the meantime.
            return Ok(Asked::Answered(match self.last_kept(name, Some(started))? {
                Some(kept) if kept.cause == Some(Cause::Cancelled) => Cancelled::Stopped(kept),
                Some(kept) => Cancelled::Over(kept),
                None => Cancelled::Unknown,
            }));
        };
        while is_alive(&file, path, &record)? {
            record = attended(&file, path, record)?;
            if record.goes_on_elsewhere() {
                // The record has the request, and the attendant carries it out. The job has no process on this host.
                if clock::since_boot() > deadline {
                    return Err(Error::Unanswered { name: name.to_string(), path: path.to_owned() });
                }
                record.wake_supervisor(&file).map_err(Error::io("tell the supervisor of", path))?;
                std::thread::sleep(Duration::from_millis(50));
                record = read_record(&file, path)?;
                continue;
            }
            if clock::since_boot() > deadline {
                return Ok(Asked::Orphan(self.orphan(name, &file, record, 0)));
            }
            // The supervisor can miss a signal while it is still starting, so signal it again until it acts.
            match record.supervisor() {
                Some(pid) => {
                    process::wait_at_most(pid, ASK_AGAIN).map_err(Error::io("wait for", path))?;
                    record.wake_supervisor(&file).map_err(Error::io("tell the supervisor of", path))?;
                }
                // `async run` has begun it, and its supervisor is about to record its id.
                None => std::thread::sleep(Duration::from_millis(10)),
            }
            record = read_record(&file, path)?;
        }
        wait_for_end(&file, path)?;
        let record = read_record(&file, path)?;
        Ok(match (record.rc, record.cause) {
            (None, _) => Asked::Orphan(self.orphan(name, &file, record, grace)),
            // It ended by itself before its supervisor saw the request.
            (Some(_), None) => Asked::Answered(Cancelled::Over(record)),
            (Some(_), Some(_)) => Asked::Answered(Cancelled::Stopped(record)),
        })
    }

    /// Whether the parent of this future, or a parent of that one, has been cancelled or is being cancelled, as far as
    /// the live records show.
    pub(crate) fn is_cancelled_around(&self, record: &Record) -> bool {
        let around = |inner: &Record| {
            let name: FutureName = inner.parent.as_ref()?.parse().ok()?;
            // A future that started later only has the same name.
            self.read(&name).ok()?.filter(|around| around.start_time <= inner.start_time)
        };
        let is_cancelled = |record: Record| match record.rc {
            None => record.cancel_time.is_some(),
            Some(_) => record.cause == Some(Cause::Cancelled),
        };
        std::iter::successors(around(record), around).take(DEEPEST).any(is_cancelled)
    }

    fn orphan(&self, name: &FutureName, file: &File, record: Record, grace: Millis) -> Orphan {
        let log = self.log_file(name).open_identified().ok().flatten().filter(|_| record.has_log);
        // A later future makes its log after its record. So if this record still exists, the log belongs to it.
        let log = log.filter(|_| self.record_file(name).is_open_as(file).unwrap_or(false));
        let file = file.metadata().ok().map(|metadata| identity(&metadata));
        Orphan { record, grace, file, log: log.map(|(_, log)| log) }
    }

    /// Stops what still runs of the futures whose supervisors are of no help.
    fn stop_orphans(&self, asked: &mut [(Result<Asked>, FutureName)]) {
        let mut orphans = Vec::new();
        for (asked, name) in &*asked {
            if let Ok(Asked::Orphan(orphan)) = asked {
                orphans.push((name, orphan));
            }
        }
        let stopped: Vec<_> = self
            .stop_survivors(&orphans)
            .into_iter()
            .zip(&orphans)
            .map(|(stopped, (name, orphan))| {
                // It may run where this process can't see it, as in another container.
                let is_held = stopped.is_ok() && self.is_still_alive(name, orphan)?;
                if is_held { Err(Error::NotConfirmed(name.to_string())) } else { stopped }
            })
            .collect();
        let orphans = asked.iter_mut().map(|(asked, _)| asked).filter(|asked| matches!(asked, Ok(Asked::Orphan(_))));
        for (orphan, stopped) in orphans.zip(stopped) {
            *orphan = stopped.map(Asked::Answered);
        }
    }

    fn is_still_alive(&self, name: &FutureName, orphan: &Orphan) -> Result<bool> {
        let named = self.record_file(name);
        let Some((file, _)) = named.open_identified()?.filter(|(_, identity)| Some(*identity) == orphan.file) else {
            return Ok(false);
        };
        is_alive(&file, named.path(), &read_record(&file, named.path())?)
    }

    fn stop_survivors(&self, orphans: &[(&FutureName, &Orphan)]) -> Vec<Result<Cancelled>> {
        if orphans.is_empty() {
            return Vec::new();
        }
        let graces: Vec<Millis> = orphans.iter().map(|(_, orphan)| orphan.grace).collect();
        match tree::end(&|| self.survivors(orphans), &graces) {
            Ok(ended) => {
                let stopped =
                    |((_, orphan), ended): (&(_, &Orphan), _)| Cancelled::StoppedHere(orphan.record.clone(), ended);
                orphans.iter().zip(ended).map(|it| Ok(stopped(it))).collect()
            }
            Err(error) if orphans.len() == 1 => vec![Err(Error::io("stop the processes of", self.dir())(error))],
            // Each one alone, so that each gets its own error.
            Err(_) => orphans.iter().flat_map(|orphan| self.stop_survivors(slice::from_ref(orphan))).collect(),
        }
    }

    /// Finds what is left of those futures without going through parents, in one pass over all processes.
    fn survivors(&self, orphans: &[(&FutureName, &Orphan)]) -> io::Result<Vec<Root>> {
        let mut roots = Vec::new();
        let mut logs = HashMap::new();
        let mut told_by_variable = Vec::new();
        for (tree, (name, orphan)) in orphans.iter().enumerate() {
            let Orphan { record, file, log, .. } = orphan;
            // Once the file is gone, its identity may belong to another file.
            let log = log.filter(|log| self.log_file(name).is(*log).unwrap_or(false));
            logs.extend(log.map(|log| (log, tree)));
            let mut told = OsString::from(INSIDE);
            told.push("=");
            told.push(self.place_of(name));
            // Other processes may have these ids by now.
            let holds = |pid: &u32| process::written_by(*pid).any(|it| Some(it) == *file);
            let is_told =
                move |pid: u32| process::is_alive_since(pid, record.start_boot) && process::has_env_entry(pid, &told);
            let is_this = |pid: &u32| match &record.task_process {
                Some(process) => process.pid() == *pid && process.is_alive().unwrap_or(false),
                None => is_told(*pid),
            };
            let ids = record.supervisor().filter(holds).into_iter().chain(record.task.filter(is_this));
            roots.extend(ids.map(|pid| Root { pid, tree }));
            // It writes to a terminal, which may be another's by now.
            told_by_variable.extend(record.pty.then_some((is_told, tree)));
        }
        for pid in process::all()? {
            let by_log = process::written_by(pid).find_map(|file| logs.get(&file).copied());
            let by_variable = || told_by_variable.iter().find(|(is_told, _)| is_told(pid)).map(|(_, tree)| *tree);
            let tree = by_log.or_else(by_variable);
            roots.extend(tree.map(|tree| Root { pid, tree }));
        }
        Ok(roots)
    }
}
