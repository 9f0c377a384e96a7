//! Stopping a future from outside.

use std::time::Duration;

use super::files::{append, open_regular, read_record};
use super::{Store, is_alive, wait_for_end};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process;
use crate::record::{Record, State};
use crate::tree::{self, Ended};

/// How long a supervisor has to get to know of a request, in ms, before it is told once more.
const ASK_AGAIN: u32 = 200;

/// How long a supervisor may take to end a tree, beside the grace period, in ms.
const PATIENCE: Millis = 25_000;

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

impl Store {
    /// Stops the whole process tree of a future: SIGTERM, and SIGKILL for what is left `grace` ms later. Returns when it is
    /// over; the future can then be collected.
    ///
    /// The request stands in the record, and its supervisor, which can see all of the tree, carries it out.
    pub fn cancel(&self, name: &FutureName, grace: Option<Millis>) -> Result<Cancelled> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Ok(Cancelled::Unknown);
        };
        let record = read_record(&file, &path)?;
        let grace_ms = grace.unwrap_or_else(|| record.plan.clone().unwrap_or_default().grace());
        match Self::state_of(&file, &path, &record)? {
            State::Finished | State::Collected => return Ok(Cancelled::Over(record)),
            State::Lost => return self.stop_survivors(record, grace_ms),
            State::Running | State::Queued => {}
        }
        if let Some(life) = &record.life {
            return Ok(Cancelled::InShell(life.pid()));
        }
        let mut request = String::new();
        if let Some(grace) = grace {
            request = format!("cancel_grace = {grace}\n");
        }
        append(&file, &record, &format!("{request}cancel_time = {}\n", clock::wall()))
            .map_err(Error::io("write the request to", &path))?;
        let deadline = clock::since_boot().saturating_add(grace_ms).saturating_add(PATIENCE);
        let mut record = record;
        while is_alive(&file, &path, &record)? {
            if clock::since_boot() > deadline {
                return self.stop_survivors(record, 0);
            }
            // It hears nothing before it is up, so it is told until it acts.
            let parent_of_task = || record.task.and_then(process::parent_of).map(|(parent, _)| parent);
            match record.supervisor().or_else(parent_of_task) {
                Some(pid) => {
                    process::poke(pid);
                    process::wait_at_most(pid, ASK_AGAIN).map_err(Error::io("wait for", &path))?;
                }
                // The shell that started it is about to say so.
                None => std::thread::sleep(Duration::from_millis(10)),
            }
            record = read_record(&file, &path)?;
        }
        wait_for_end(&file, &path)?;
        let record = read_record(&file, &path)?;
        match (record.rc, record.cause) {
            (None, _) => self.stop_survivors(record, grace_ms),
            // It ended by itself before the request was seen.
            (Some(_), None) => Ok(Cancelled::Over(record)),
            (Some(_), Some(_)) => Ok(Cancelled::Stopped(record)),
        }
    }

    /// Stops what still runs of a future whose supervisor is no help.
    fn stop_survivors(&self, record: Record, grace: Millis) -> Result<Cancelled> {
        let roots = [record.supervisor(), record.task];
        let mut all = Ended::default();
        for root in roots.into_iter().flatten() {
            if process::is_alive_since(root, record.start_boot) {
                let ended = tree::end(root, true, grace).map_err(Error::io("stop the processes of", &self.dir))?;
                all.terminated += ended.terminated;
                all.killed += ended.killed;
            }
        }
        Ok(Cancelled::StoppedHere(record, all))
    }
}
