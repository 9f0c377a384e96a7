//! Waits that could never end: of a task for itself, or for one that waits for it.
//!
//! A task that waits for another future says so in its own record, with the process that waits. So whoever is about to wait can
//! follow who waits for whom, and what is queued behind whom, and sees whether that leads back to where it began.

use std::collections::HashSet;

use super::Store;
use super::files::{append, read_record};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::process::ProcessIdentity;
use crate::record::{FutureId, Line, State, WaitsFor};

/// How many waits a record may tell of: it has a limit, and a task may wait for any number of futures.
const MAX_NOTED: usize = 1000;

impl Store {
    /// That a future's task does not wait for itself.
    ///
    /// # Errors
    ///
    /// [`Error::OwnWait`] if it would.
    pub fn refuse_own_wait(&self, waiting: &FutureName, wanted: &FutureName) -> Result<()> {
        if waiting == wanted { Err(Error::OwnWait(wanted.to_string())) } else { Ok(()) }
    }

    /// Notes that the task of the future `waiting` waits for another one until that ends; `waiter` is the process that does.
    ///
    /// # Errors
    ///
    /// [`Error::OwnWait`] and [`Error::CircularWait`] if the other one would never end, as it waits for this one.
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
        // One after the other, so that of two that are about to wait for each other the second sees the first.
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

    /// Whether a future ends only after another one, as far as anybody has said.
    pub(super) fn leads_to(&self, from: &FutureId, to: &FutureId) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![from.clone()];
        while let Some(id) = next.pop() {
            if id == *to {
                return true;
            }
            // What can't be read waits for nobody.
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
