//! A batch of futures that a wait reports together when it is over.
//!
//! No future leaves the live ones before it has been reported: if the wait is stopped or fails before that, the future
//! can be waited for again.

use std::collections::BTreeMap;

use async_core::clock::{self, Millis};
use async_core::{Caller, Claim, Entry, FutureName, Outcome, Ready, State, Store, Wait};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::Failure;

/// How many files are open for other purposes, or will be.
const OTHER_FILES: usize = 32;

/// The result of a wait so far.
#[derive(Debug, Default)]
pub(crate) struct PendingBatch {
    over: Vec<(FutureName, Over)>,
    not_there: Vec<FutureName>,
}

#[derive(Clone, Copy, Debug)]
struct Over {
    started: Millis,
    wait: Wait,
}

/// Futures that are over, locked against all other collectors.
pub(crate) struct ClaimedBatch<'a> {
    store: &'a Store,
    held: Vec<Held<'a>>,
    /// The names without a future.
    pub(crate) not_there: Vec<FutureName>,
}

struct Held<'a> {
    /// None if there are more futures than may be open: then another process may collect it, and report it too.
    ready: Option<Ready<'a>>,
    wait: Wait,
    outcome: Outcome,
    /// Its state once it has been handed over.
    entry: Entry,
}

impl PendingBatch {
    /// The wait for that future, which began at `since` (ms since the epoch), has just ended.
    pub(crate) fn over(&mut self, name: &FutureName, started: Millis, since: Millis) {
        let wait = Wait { start: since, end: clock::wall().max(since) };
        self.over.push((name.clone(), Over { started, wait }));
    }

    /// There is no such future any more.
    pub(crate) fn not_there(&mut self, name: &FutureName) {
        self.not_there.push(name.clone());
    }

    /// Locks the futures that are over for reporting; after that they stay live if `stay`, or are collected.
    pub(crate) fn claim(self, store: &Store, stay: bool) -> Result<ClaimedBatch<'_>, Failure> {
        let most = most_open_files();
        let Self { over, mut not_there } = self;
        // Ordered by name: otherwise two processes that do this at once could wait for each other.
        let by_name: BTreeMap<_, _> = over.iter().map(|(name, over)| (name, over)).collect();
        let mut held = BTreeMap::new();
        for (name, &Over { started, wait }) in by_name {
            match store.claim(name)? {
                Claim::Ready(ready) if ready.record().start_time == started => {
                    let (outcome, mut entry) = (ready.outcome(None), store.entry_of(name, ready.record())?);
                    if !stay {
                        entry.state = State::Collected;
                        entry.record.wait_start = Some(wait.start);
                        entry.record.wait_end = Some(wait.end);
                    }
                    let ready = (held.len() < most).then(|| ready.without_log());
                    held.insert(name, Held { ready, wait, outcome, entry });
                }
                Claim::BeingCollected(_) => return Err(async_core::Error::BeingCollected(name.to_string()).into()),
                // Somebody else has collected it.
                _ => not_there.push(name.clone()),
            }
        }
        Ok(ClaimedBatch { store, held: over.iter().filter_map(|(name, _)| held.remove(name)).collect(), not_there })
    }
}

impl ClaimedBatch<'_> {
    /// Their states once they have been handed over, in the order of the wait.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.held.iter().map(|held| &held.entry)
    }

    /// Moves those that do not stay out of the live ones, now that they have been reported.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { store, held, .. } = self;
        let collected = held.into_iter().filter(|held| held.entry.state == State::Collected);
        // While waiting for one more future, this process must not hold any that another may wait for.
        let (open, others): (Vec<_>, Vec<_>) = collected.partition(|held| held.ready.is_some());
        for Held { ready, wait, outcome, entry } in open.into_iter().chain(others) {
            let ready = match ready {
                Some(ready) => ready,
                None => match store.claim(&entry.name)? {
                    Claim::Ready(ready) if ready.record().start_time == entry.record.start_time => ready,
                    _ => continue,
                },
            };
            ready.archive(&Caller::Program, wait, &outcome)?;
        }
        Ok(())
    }
}

/// How many files this may open, after raising the limit as far as possible: at first it is usually about a thousand.
fn most_open_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Otherwise the present limit has to do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let most = getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok());
    most.unwrap_or(usize::MAX).saturating_sub(OTHER_FILES)
}
