//! The summary: what running things in the background saved, in the original's arithmetic.

use crate::clock::Millis;

/// The figures of a run's summary.
///
/// One task after another, all background time would have come on top of the elapsed time. The time spent in waits is
/// already a part of the elapsed time, and nothing useful was done in it. So the run would have taken `elapsed +
/// (background - waits)`. Divisions round towards zero, as in bash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The total run time of all collected futures, in ms.
    pub background_ms: Millis,
    /// The time spent in waits, in ms.
    pub waited_ms: Millis,
    /// The length of the whole run, in whole seconds.
    pub elapsed_s: i64,
}

impl Summary {
    /// Background time minus waits, in whole seconds. Negative when the waits cost more than the tasks.
    #[must_use]
    pub fn background_minus_waits_s(&self) -> i64 {
        self.background_ms.saturating_sub(self.waited_ms) / 1000
    }

    /// How long the run would have taken one task after another, in whole seconds.
    #[must_use]
    pub fn serial_s(&self) -> i64 {
        self.elapsed_s.saturating_add(self.background_minus_waits_s())
    }

    /// Serial over elapsed time; none if no time has passed.
    #[must_use]
    pub fn speedup(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
        (self.elapsed_s != 0).then(|| self.serial_s() as f64 / self.elapsed_s as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_cuts_towards_zero_as_bash_does() {
        let summary = Summary { background_ms: 5999, waited_ms: 2000, elapsed_s: 10 };
        assert_eq!((summary.background_minus_waits_s(), summary.serial_s()), (3, 13));
        assert_eq!(summary.speedup(), Some(1.3));
        let negative = Summary { background_ms: 0, waited_ms: 1999, elapsed_s: 4 };
        assert_eq!((negative.background_minus_waits_s(), negative.serial_s()), (-1, 3));
        assert_eq!(Summary { elapsed_s: 0, ..summary }.speedup(), None);
    }
}
