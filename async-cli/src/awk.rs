//! Numbers as awk prints them, which the original's summary is made with.

use std::fmt::Write;

/// What awk's `print` makes of a number: an integer is printed as it is, any other with `%.6g`.
#[must_use]
pub fn number(value: f64) -> String {
    const DIGITS: usize = 6;
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    // C's %g rounds to six digits first; the exponent after that decides the form.
    let scientific = format!("{value:.*e}", DIGITS - 1);
    let parts =
        scientific.split_once('e').and_then(|(mantissa, exponent)| Some((mantissa, exponent.parse::<i32>().ok()?)));
    let Some((mantissa, exponent)) = parts else { return scientific };
    let trim = |digits: &str| digits.trim_end_matches('0').trim_end_matches('.').to_owned();
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trim(&format!("{value:.decimals$}"));
    }
    let mut text = trim(mantissa);
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "e{sign}{:02}", exponent.abs());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected texts are what mawk 1.3.4 and gawk 5.2 print.
    #[test]
    fn numbers_look_as_awk_prints_them() {
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
            assert_eq!(number(value), text);
        }
    }
}
