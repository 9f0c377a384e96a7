//! Waits that could never end: a task that waits for itself, or for a task that waits for it.
//!
//! A task that waits for another future notes that in its own record, with the process that waits. Before a wait, the
//! waiter follows these notes and the queue's dependencies and checks whether they lead back to itself.

use std::collections::HashSet;

use super::Store;
use super::files::{append, read_record};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process::ProcessIdentity;
use crate::record::{FutureId, Line, State, WaitsFor};

/// How many waits a record may note: a record has a size limit, while a task may wait for any number of futures.
const MAX_NOTED: usize = 1000;

impl Store {
    /// Checks that a future's task does not wait for itself.
    ///
    /// # Errors
    ///
    /// [`Error::OwnWait`] if it does.
    pub fn refuse_own_wait(&self, waiting: &FutureName, wanted: &FutureName) -> Result<()> {
        if waiting == wanted { Err(Error::OwnWait(wanted.to_string())) } else { Ok(()) }
    }

    /// Notes that the process `waiter`, in the task of the future `waiting`, waits for the end of another future.
    ///
    /// # Errors
    ///
    /// [`Error::OwnWait`] and [`Error::CircularWait`] if the other future could never end, because it waits for this
    /// one.
    pub fn note_wait(&self, waiting: &FutureName, wanted: &FutureName, waiter: u32) -> Result<()> {
        self.refuse_own_wait(waiting, wanted)?;
        let named = self.record_file(waiting);
        let Some(file) = named.open_to_append()? else {
            return Ok(());
        };
        let Some(of) = self.read(wanted)?.map(|record| record.id(wanted)) else {
            return Ok(());
        };
        let waiter =
            ProcessIdentity::of(waiter).map_err(Error::io("look at the process that waits in", named.path()))?;
        // One at a time: if two tasks are about to wait for each other, the second sees the first.
        self.changing(|_| {
            let record = read_record(&file, named.path())?;
            if self.leads_to(&of, &record.id(waiting)) {
                return Err(Error::CircularWait { name: waiting.to_string(), other: wanted.to_string() });
            }
            let wait = WaitsFor { waiter, of };
            if record.waits_for.len() >= MAX_NOTED || record.waits_for.contains(&wait) {
                return Ok(());
            }
            append(&file, &record, &[Line::WaitsFor(wait)]).map_err(Error::io("note a wait in", named.path()))
        })
    }

    /// Whether a future can only end after another one, as far as the records say.
    pub(super) fn leads_to(&self, from: &FutureId, to: &FutureId) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![from.clone()];
        while let Some(id) = next.pop() {
            if id == *to {
                return true;
            }
            // An unreadable record waits for nothing.
            let Ok(Some((record, state))) = self.look(&id.name) else { continue };
            if record.start_time != id.started || !seen.insert(id) {
                continue;
            }
            match state {
                State::Queued => next.extend(record.dependencies),
                State::Running => {
                    let is_on = |wait: &WaitsFor| wait.waiter.is_alive().unwrap_or(false);
                    next.extend(record.waits_for.into_iter().filter(is_on).map(|wait| wait.of));
                }
                State::Finished | State::Lost | State::Collected => {}
            }
        }
        false
    }
}
