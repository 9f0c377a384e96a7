//! Sleeping until the first of many futures may be over: more than can each have a descriptor and a thread.
//!
//! The store reports changes. This module looks for everything else: a released lock, which comes right after the
//! record was closed; the end of a shell that ran a task itself; and changes when nothing can listen, or on another
//! machine.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use async_core::clock::Millis;
use async_core::store::Change;
use async_core::{FutureName, State, Store};

use crate::failure::Failure;
use crate::wait::sleeper::{Sleeper, Woken};

/// How long after a change to look first. Each further look is twice as late, up to [`LOOK_AGAIN`].
const SOON: Duration = Duration::from_millis(10);

/// How often to look at all futures if the store does not report everything; less often if that takes too much of the
/// time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const PART: u32 = 20;

/// How often to look at all futures if the store reports everything, as far as anybody knows.
const SELDOM: Duration = Duration::from_secs(10);

/// Futures to wait for until the first ends.
pub(crate) struct Many<'a> {
    store: &'a Store,
    /// Futures that may not be over, each with its start in ms since the epoch.
    left: Vec<(FutureName, Millis)>,
    changes: Receiver<Vec<Change>>,
    /// Keeps the channel open if nothing can listen.
    sender: Sender<Vec<Change>>,
    is_listening: bool,
    /// The futures to look at next; none for all.
    doubtful: Option<HashSet<FutureName>>,
    pause: Duration,
    /// How long after a look at all futures the next one follows.
    rest: Duration,
}

/// A future that may be over.
pub(crate) struct Candidate {
    pub(crate) name: FutureName,
    /// Its start, in ms since the epoch.
    pub(crate) started: Millis,
    /// When it ended; unknown if it left no result.
    ended: Millis,
}

impl<'a> Many<'a> {
    /// These futures, each with its start in ms since the epoch.
    pub(crate) fn new(store: &'a Store, left: Vec<(FutureName, Millis)>) -> Self {
        let (sender, changes) = channel();
        let (doubtful, pause, rest) = (None, SOON, LOOK_AGAIN);
        Self { store, left, changes, sender, is_listening: false, doubtful, pause, rest }
    }

    /// The doubtful futures that are over or gone, earliest end first. They are not looked at again.
    pub(crate) fn over(&mut self) -> Result<Vec<Candidate>, Failure> {
        let (begin, doubtful) = (Instant::now(), self.doubtful.as_ref());
        let is_doubtful = |name: &FutureName| doubtful.is_none_or(|doubtful| doubtful.contains(name));
        let (mut over, mut in_shells) = (Vec::new(), false);
        for (name, started) in self.left.iter().filter(|(name, _)| is_doubtful(name)) {
            let ended = match self.store.look(name)? {
                Some((record, State::Running | State::Queued)) if record.start_time == *started => {
                    in_shells |= record.life.is_some() || record.other_host().is_some();
                    continue;
                }
                Some((record, _)) if record.start_time == *started => record.end_time,
                _ => None,
            };
            over.push(Candidate { name: name.clone(), started: *started, ended: ended.unwrap_or(Millis::MAX) });
        }
        if doubtful.is_none() {
            // The end of a shell does not change the store.
            self.rest = if in_shells { LOOK_AGAIN } else { self.rest }.max(begin.elapsed() * PART);
            self.doubtful = Some(HashSet::new());
        }
        let gone: HashSet<&FutureName> = over.iter().map(|candidate| &candidate.name).collect();
        self.left.retain(|(name, _)| !gone.contains(name));
        over.sort_by_key(|candidate| candidate.ended);
        Ok(over)
    }

    /// Whether all are over.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Sleeps until there is a future to look at.
    pub(crate) fn sleep(&mut self, sleeper: &Sleeper) -> Woken {
        if !self.is_listening {
            self.is_listening = true;
            self.rest = if listen(self.store, self.sender.clone()) { SELDOM } else { LOOK_AGAIN };
            // Anything may have happened before.
            self.doubtful = None;
            return Woken::Over;
        }
        let names: Vec<FutureName> =
            if sleeper.has_panel() { self.left.iter().map(|(name, _)| name.clone()).collect() } else { Vec::new() };
        let until = Instant::now() + self.pause.min(self.rest);
        match sleeper.sleep_on(&self.changes, Some(until), self.store, &names) {
            Err(woken) => return woken,
            Ok(Some(changes)) => self.note(changes),
            Ok(None) if self.pause >= self.rest => self.doubtful = None,
            Ok(None) => self.pause *= 2,
        }
        Woken::Over
    }

    fn note(&mut self, changes: Vec<Change>) {
        let more = std::iter::from_fn(|| self.changes.try_recv().ok()).flatten();
        for change in changes.into_iter().chain(more) {
            match (change, &mut self.doubtful) {
                (Change::Record(file), Some(doubtful)) => {
                    doubtful.insert(file.name().clone());
                    self.pause = SOON;
                }
                (Change::Anything, doubtful) => *doubtful = None,
                _ => {}
            }
        }
    }
}

/// Makes the store report changes until this process ends. False if nothing can listen, for example because too many
/// do.
fn listen(store: &Store, sender: Sender<Vec<Change>>) -> bool {
    let Ok(mut changes) = store.changes(false) else {
        return false;
    };
    let tell = move || while changes.wait().is_ok_and(|found| sender.send(found).is_ok()) {};
    thread::Builder::new().spawn(tell).is_ok()
}
