//! The summary: what running things in the background saved, in the original's arithmetic.

use std::fmt;

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
    pub fn speedup(&self) -> Option<Speedup> {
        #[allow(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
        (self.elapsed_s != 0).then(|| Speedup(self.serial_s() as f64 / self.elapsed_s as f64))
    }
}

/// A ratio, displayed like awk's `print` displays a number: an integer as it is, any other with `%.6g`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speedup(pub f64);

impl fmt::Display for Speedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: usize = 6;
        let Self(value) = *self;
        if value.fract() == 0.0 && value.abs() < 1e15 {
            return write!(f, "{value:.0}");
        }
        // C's %g rounds to six digits first; the exponent after that decides the form.
        let scientific = format!("{value:.*e}", DIGITS - 1);
        let Some((mantissa, exponent)) = scientific.split_once('e') else {
            return f.write_str(&scientific);
        };
        let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
        let trim = |digits: &str| digits.trim_end_matches('0').trim_end_matches('.').to_owned();
        if (-4..6).contains(&exponent) {
            let decimals = usize::try_from(5 - exponent).unwrap_or(0);
            f.write_str(&trim(&format!("{value:.decimals$}")))
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{}e{sign}{:02}", trim(mantissa), exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_cuts_towards_zero_as_bash_does() {
        let summary = Summary { background_ms: 5999, waited_ms: 2000, elapsed_s: 10 };
        assert_eq!((summary.background_minus_waits_s(), summary.serial_s()), (3, 13));
        assert_eq!(summary.speedup().unwrap().to_string(), "1.3");
        let negative = Summary { background_ms: 0, waited_ms: 1999, elapsed_s: 4 };
        assert_eq!((negative.background_minus_waits_s(), negative.serial_s()), (-1, 3));
        assert_eq!(Summary { elapsed_s: 0, ..summary }.speedup(), None);
    }

    /// Expected texts are what mawk 1.3.4 and gawk 5.2 print.
    #[test]
    fn speedups_look_as_awk_prints_them() {
        for (value, text) in [
            (1.0, "1"),
            (3.0, "3"),
            (0.0, "0"),
            (4.0 / 3.0, "1.33333"),
            (0.5, "0.5"),
            (2.0 / 30_000.0, "6.66667e-05"),
            (1.0 / 3.0, "0.333333"),
            (1e6, "1000000"),
            (1_234_567.5, "1.23457e+06"),
            (999_999.9, "1e+06"),
            (-2.25, "-2.25"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(Speedup(value).to_string(), text);
        }
    }
}
