//! The clocks: the wall clock, for people and for the original's keys, and one that never steps.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A moment or a duration in whole milliseconds.
pub type Millis = i64;

/// Converts to a [`Duration`]; a negative number gives zero.
#[must_use]
pub fn length(ms: Millis) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn read(clock: ClockId) -> Millis {
    // Neither clock can fail on Linux. If one did, a zero would still give no negative durations.
    clock_gettime(clock).map_or(0, |t| t.tv_sec() * 1000 + t.tv_nsec() / 1_000_000)
}

/// Milliseconds since the epoch, as `date +%s%3N` prints them. May step when the clock is set.
#[must_use]
pub fn wall() -> Millis {
    read(ClockId::CLOCK_REALTIME)
}

/// The processor time of this thread so far, in ms.
pub(crate) fn of_this_thread() -> Millis {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Milliseconds since the machine booted, including time asleep (`CLOCK_BOOTTIME`). Never steps back. Every duration
/// that this project reports is the difference of two readings within one boot.
#[must_use]
pub fn since_boot() -> Millis {
    read(ClockId::CLOCK_BOOTTIME)
}
