//! Numbers for people.

use async_core::clock::Millis;

/// Seconds with one decimal.
pub(super) fn tenths(ms: Millis) -> String {
    fixed(ms, Millis::MAX)
}

/// Seconds, with as many decimals as make sense next to a run of that length in ms.
pub(super) fn fixed(ms: Millis, beside: Millis) -> String {
    let (unit, decimals) = match beside {
        ..10_000 => (1, 3),
        10_000..100_000 => (10, 2),
        100_000.. => (100, 1),
    };
    let rounded = (ms.abs() + unit / 2) / unit;
    let per_second = 1000 / unit;
    let sign = if ms < 0 && rounded > 0 { "-" } else { "" };
    format!("{sign}{}.{:0decimals$}", rounded / per_second, rounded % per_second)
}

/// The same with its unit.
pub(crate) fn seconds(ms: Millis, beside: Millis) -> String {
    fixed(ms, beside) + " s"
}

/// A share in whole percent.
pub(crate) fn percent(part: Millis, whole: Millis) -> Millis {
    if whole == 0 { 0 } else { part.signum() * ((part.abs() * 100 + whole / 2) / whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_to_what_is_worth_reading() {
        assert_eq!([fixed(0, 0), fixed(1234, 9999), fixed(-5, 9999)], ["0.000", "1.234", "-0.005"]);
        assert_eq!([fixed(1235, 10_000), fixed(9999, 99_999), fixed(-4, 10_000)], ["1.24", "10.00", "0.00"]);
        assert_eq!([fixed(1249, 100_000), fixed(3_599_950, 3_600_000)], ["1.2", "3600.0"]);
        assert_eq!([percent(1, 3), percent(2, 3), percent(5, 0)], [33, 67, 0]);
    }
}
