//! Statistics of a row's samples.

use serde::Serialize;

/// The median of some samples, and their spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// The quartiles: half of the samples lie between them.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// None for no samples.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_owned();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let at = |quarters| quantile(&sorted, quarters);
        Some(Self { median: at(2), low: at(1), high: at(3), min, max })
    }
}

/// The quantile at that many quarters of the sorted samples, interpolated if it falls between two.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    let steps = (sorted.len() - 1) * quarters;
    let (below, rest) = (steps / 4, steps % 4);
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    let part = [0.0, 0.25, 0.5, 0.75][rest];
    sorted[below] + (above - sorted[below]) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_half_lies_between_the_quartiles() {
        let of = |samples: &[f64]| Summary::of(samples).map(|s| [s.min, s.low, s.median, s.high, s.max]);
        assert_eq!(of(&[5.0, 1.0, 3.0, 2.0, 4.0]), Some([1.0, 2.0, 3.0, 4.0, 5.0]));
        assert_eq!(of(&[4.0, 2.0]), Some([2.0, 2.5, 3.0, 3.5, 4.0]));
        assert_eq!(of(&[7.0]), Some([7.0; 5]));
        assert_eq!(of(&[]), None);
    }
}
