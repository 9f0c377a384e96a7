//! Samples of what a task uses, taken while its supervisor waits.

use std::fs;
use std::hint::black_box;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread::available_parallelism;

use crate::clock::{self, Millis};
use crate::record::{Samples, Usage};
use crate::tree;

/// The distance between the first samples, in ms. A task that is shorter costs nothing.
const INTERVAL: Millis = 100;

/// Which part of an interval a sample may take, as 1 / N, before the intervals become longer.
const MOST_WORK: Millis = 50;

/// How much memory to have free for a sample, in bytes.
const ROOM: usize = 1 << 20;

/// Takes the samples of a task.
pub(super) struct Sampler {
    /// When the task was allowed to run, in ms since boot.
    start: Millis,
    /// When the next sample is due, in ms since boot; never, if this is the last moment.
    next: Millis,
    samples: Option<Samples>,
    /// How much processor time is in the samples, in ms.
    counted: Millis,
    log: WatchedLog,
}

/// One that takes none.
impl Default for Sampler {
    fn default() -> Self {
        Self { start: 0, next: Millis::MAX, samples: None, counted: 0, log: WatchedLog::default() }
    }
}

impl Sampler {
    /// For a task that was allowed to run then, in ms since boot, and writes to that log.
    pub(super) fn from(start: Millis, log: PathBuf) -> Self {
        let log = WatchedLog { path: log, ..WatchedLog::default() };
        Self { start, next: start.saturating_add(INTERVAL), log, ..Self::default() }
    }

    /// How long the log was, in bytes, before something made it shorter. This is told once.
    pub(super) fn cut(&mut self) -> Option<u64> {
        self.log.cut.take()
    }

    /// Takes a sample if one is due. Returns when the next one is, in ms since boot; never, if that is the last moment.
    pub(super) fn take_if_due(&mut self) -> Millis {
        if self.next < Millis::MAX && clock::since_boot() >= self.next {
            self.take();
        }
        self.next
    }

    fn take(&mut self) {
        let before = clock::of_this_thread();
        self.log.look();
        let used = if has_room() { tree::below(std::process::id()) } else { Err(ErrorKind::OutOfMemory.into()) };
        let cores = if used.is_ok() && self.samples.is_none() { cores() } else { 0 };
        let work = clock::of_this_thread().saturating_sub(before);
        let elapsed = clock::since_boot().saturating_sub(self.start);
        let used = match used {
            Ok(used) => used,
            Err(error) => {
                let interval = self.samples.as_ref().map_or(INTERVAL, |samples| samples.interval);
                // Whatever is short now may be there at the next one.
                let next = (elapsed / interval + 1).saturating_mul(interval);
                let is_hopeless = error.kind() == ErrorKind::Unsupported;
                self.next = if is_hopeless { Millis::MAX } else { self.start.saturating_add(next) };
                return;
            }
        };
        let samples = self.samples.get_or_insert_with(|| Samples {
            interval: INTERVAL,
            cpu: Vec::new(),
            max_tree_resident: 0,
            cores,
        });
        if work > samples.interval / MOST_WORK {
            samples.halve();
        }
        samples.max_tree_resident = samples.max_tree_resident.max(used.resident);
        // A process that nobody waits for takes its time with it.
        let new = used.cpu.saturating_sub(self.counted).max(0);
        self.counted = self.counted.saturating_add(new);
        self.next = self.start.saturating_add(samples.add(elapsed, new));
    }

    /// The samples of a task that is over and used that in all; none if none was taken. Also what [`Self::cut`] says.
    pub(super) fn finish(mut self, usage: Option<Usage>) -> (Option<Samples>, Option<u64>) {
        let Some(mut samples) = self.samples.take() else { return (None, self.cut()) };
        self.log.look();
        let left = usage.map_or(0, |usage| usage.cpu().saturating_sub(self.counted));
        samples.finish(clock::since_boot().saturating_sub(self.start), left.max(0));
        (Some(samples), self.cut())
    }
}

/// A log that only grows, unless somebody opens it and cuts it, as `>/dev/stderr` in a task does.
#[derive(Default)]
struct WatchedLog {
    path: PathBuf,
    /// Its length when it was last looked at, in bytes.
    length: u64,
    was_cut: bool,
    cut: Option<u64>,
}

impl WatchedLog {
    fn look(&mut self) {
        let Ok(metadata) = fs::metadata(&self.path) else { return };
        if metadata.len() < self.length && !self.was_cut {
            (self.was_cut, self.cut) = (true, Some(self.length));
        }
        self.length = metadata.len();
    }
}

/// How many cores the task may use, as it may use those of this process.
fn cores() -> u32 {
    available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

/// Whether there is memory for a sample. Where it is limited, a failing allocation would end this process.
fn has_room() -> bool {
    let mut room: Vec<u8> = Vec::new();
    let is_there = room.try_reserve_exact(ROOM).is_ok();
    // Or the compiler would leave the question out.
    black_box(&room);
    is_there
}
