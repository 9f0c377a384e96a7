//! Stopping a future from outside.

use std::ffi::OsString;
use std::fs::File;
use std::time::Duration;

use super::files::{append, read_record};
use super::{INSIDE, Store, is_alive, wait_for_end};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process;
use crate::record::{Cause, Line, Record, State};
use crate::tree::{self, Ended};

/// How long a supervisor has to get to know of a request, in ms, before it is told once more.
const ASK_AGAIN: u32 = 200;

/// How long a supervisor may take to end a tree, beside the grace period, in ms.
const PATIENCE: Millis = 25_000;

/// How many futures one may be inside of. Records that are wrong may go round in a circle.
const DEEPEST: usize = 1000;

/// What became of a request to cancel a future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// No live future has that name.
    Unknown,
    /// It was over before.
    Over(Record),
    /// It runs in the shell with this process id itself.
    InShell(u32),
    /// It was stopped, by its supervisor; the record says how.
    Stopped(Record),
    /// Its supervisor was gone, or did not answer, so what was left of it was stopped from here.
    StoppedHere(Record, Ended),
}

/// What came of a request.
enum Asked {
    Answered(Cancelled),
    Pending(Pending),
}

/// A future that is to be seen to its end. It is not held open: there may be more of them than descriptors.
struct Pending {
    record: Record,
    grace: Millis,
    /// When not to wait for its supervisor any more, in ms since boot.
    deadline: Millis,
    /// Whether its supervisor knows, or will; else there is none, or it can't be told.
    is_asked: bool,
}

impl Store {
    /// Stops the whole process tree of a future: SIGTERM, and SIGKILL for what is left `grace` ms later. Returns when it is
    /// over; the future can then be collected.
    ///
    /// The request stands in the record, and its supervisor, which can see all of the tree, carries it out. Where it can't be
    /// written, the tree is stopped from here.
    pub fn cancel(&self, name: &FutureName, grace: Option<Millis>) -> Result<Cancelled> {
        self.see_to_end(name, self.ask_to_end(name, grace)?)
    }

    /// The same for several at once: all are asked before one is waited for, so that their grace periods do not add up.
    #[allow(clippy::must_use_candidate, reason = "it is made for what it does")]
    pub fn cancel_all(&self, names: Vec<FutureName>, grace: Option<Millis>) -> Vec<(FutureName, Result<Cancelled>)> {
        let asked: Vec<_> = names.into_iter().map(|name| (self.ask_to_end(&name, grace), name)).collect();
        let end = |(asked, name): (Result<Asked>, FutureName)| {
            let ended = asked.and_then(|asked| self.see_to_end(&name, asked));
            (name, ended)
        };
        asked.into_iter().map(end).collect()
    }

    fn ask_to_end(&self, name: &FutureName, grace: Option<Millis>) -> Result<Asked> {
        let named = self.record_file(name);
        let Some(file) = named.open_to_append()? else {
            return Ok(Asked::Answered(Cancelled::Unknown));
        };
        let path = named.path();
        let record = read_record(&file, path)?;
        let grace_ms = grace.unwrap_or_else(|| record.plan.clone().unwrap_or_default().grace());
        let pending = |record, is_asked| {
            let deadline = clock::since_boot().saturating_add(grace_ms).saturating_add(PATIENCE);
            Ok(Asked::Pending(Pending { record, grace: grace_ms, deadline, is_asked }))
        };
        match Self::state_of(&file, path, &record)? {
            State::Finished | State::Collected => return Ok(Asked::Answered(Cancelled::Over(record))),
            State::Lost => {
                // It may have ended between the two looks.
                let record = read_record(&file, path)?;
                return match record.rc {
                    Some(_) => Ok(Asked::Answered(Cancelled::Over(record))),
                    None => pending(record, false),
                };
            }
            State::Running | State::Queued => {}
        }
        if let Some(life) = &record.life {
            return Ok(Asked::Answered(Cancelled::InShell(life.pid())));
        }
        let request: Vec<Line> =
            grace.map(Line::CancelGrace).into_iter().chain([Line::CancelTime(clock::wall())]).collect();
        let is_asked = append(&file, &record, &request).is_ok();
        if is_asked {
            record.wake_supervisor(&file).map_err(Error::io("tell the supervisor of", path))?;
        }
        pending(record, is_asked)
    }

    fn see_to_end(&self, name: &FutureName, asked: Asked) -> Result<Cancelled> {
        let Pending { mut record, grace, deadline, is_asked } = match asked {
            Asked::Answered(answer) => return Ok(answer),
            Asked::Pending(pending) => pending,
        };
        let named = self.record_file(name);
        let path = named.path();
        let (started, file) = (record.start_time, named.open_to_append()?);
        let file = match file.map(|file| Ok::<_, Error>((read_record(&file, path)?.start_time, file))).transpose()? {
            Some((now, file)) if now == started => file,
            // It has been collected meanwhile.
            _ => {
                return Ok(match self.last_kept(name, Some(started))? {
                    Some(kept) if kept.cause == Some(Cause::Cancelled) => Cancelled::Stopped(kept),
                    Some(kept) => Cancelled::Over(kept),
                    None => Cancelled::Unknown,
                });
            }
        };
        if !is_asked {
            return self.stop_survivors(name, &file, record, grace);
        }
        while is_alive(&file, path, &record)? {
            if clock::since_boot() > deadline {
                return self.stop_survivors(name, &file, record, 0);
            }
            // It hears nothing before it is up, so it is told until it acts.
            match record.supervisor() {
                Some(pid) => {
                    process::wait_at_most(pid, ASK_AGAIN).map_err(Error::io("wait for", path))?;
                    record.wake_supervisor(&file).map_err(Error::io("tell the supervisor of", path))?;
                }
                // `async run` has begun it, and its supervisor is about to say so.
                None => std::thread::sleep(Duration::from_millis(10)),
            }
            record = read_record(&file, path)?;
        }
        wait_for_end(&file, path)?;
        let record = read_record(&file, path)?;
        match (record.rc, record.cause) {
            (None, _) => self.stop_survivors(name, &file, record, grace),
            // It ended by itself before the request was seen.
            (Some(_), None) => Ok(Cancelled::Over(record)),
            (Some(_), Some(_)) => Ok(Cancelled::Stopped(record)),
        }
    }

    /// Whether a future was cancelled, or is just being so, inside whose task that one was started, or one around that; as
    /// far as the live ones tell.
    pub(crate) fn is_cancelled_around(&self, record: &Record) -> bool {
        let around = |inner: &Record| {
            let name: FutureName = inner.parent.as_ref()?.parse().ok()?;
            // One that was started later has but the same name.
            self.read(&name).ok()?.filter(|around| around.start_time <= inner.start_time)
        };
        let is_cancelled = |record: Record| match record.rc {
            None => record.cancel_time.is_some(),
            Some(_) => record.cause == Some(Cause::Cancelled),
        };
        std::iter::successors(around(record), around).take(DEEPEST).any(is_cancelled)
    }

    /// Stops what still runs of a future whose supervisor is no help.
    fn stop_survivors(&self, name: &FutureName, file: &File, record: Record, grace: Millis) -> Result<Cancelled> {
        let of_record = file.metadata().ok();
        let log = self.log_file(name).open().ok().flatten().filter(|_| record.has_log);
        let log = log.and_then(|log| log.metadata().ok());
        // A later future makes its log after its record, so if the record is still there the log is no later one's.
        let log = log.filter(|_| self.record_file(name).is_open_as(file).unwrap_or(false));
        let mut told = OsString::from(INSIDE);
        told.push("=");
        told.push(self.place_of(name));
        let survivors = || {
            let writes = |pid: &u32| log.as_ref().is_some_and(|log| process::writes_to(*pid, log));
            let mut found: Vec<u32> = process::all()?.into_iter().filter(writes).collect();
            // These ids may be others' by now.
            let holds = |pid: &u32| of_record.as_ref().is_some_and(|record| process::writes_to(*pid, record));
            found.extend(record.supervisor().filter(holds));
            let is_this =
                |pid: &u32| process::is_alive_since(*pid, record.start_boot) && process::was_told(*pid, &told);
            found.extend(record.task.filter(is_this));
            Ok(found)
        };
        let ended = tree::end(&survivors, grace).map_err(Error::io("stop the processes of", self.dir()))?;
        Ok(Cancelled::StoppedHere(record, ended))
    }
}
