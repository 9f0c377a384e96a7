//! Durations as people write them.

use async_core::clock::Millis;

/// The form of a duration, for help and errors.
const EXAMPLES: &str = "write it as 90s, 5m, 1h30m or 500ms; a number alone means seconds";

/// The longest duration, in ms: 100 years. The kernel's timers count ns in 64 bits.
const LONGEST: Millis = 100 * 365 * 24 * 60 * 60 * 1000;

/// Parses a duration into ms: `90s`, `5m`, `1h 30m`, `500ms`, or a number of seconds.
pub(crate) fn parse(text: &str) -> Result<Millis, String> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let unit = if is_number { "s" } else { "" };
    let duration = humantime::parse_duration(&format!("{text}{unit}")).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => format!("it is too long or too precise; {EXAMPLES}"),
        _ => EXAMPLES.to_owned(),
    })?;
    let ms = Millis::try_from(duration.as_millis()).ok().filter(|ms| *ms <= LONGEST);
    ms.ok_or_else(|| format!("it is too long: the most is 100 years; {EXAMPLES}"))
}

/// The same for a limit on a task's run time, which can't be zero.
pub(crate) fn parse_limit(text: &str) -> Result<Millis, String> {
    match parse(text)? {
        0 => Err(format!("the task would be stopped at once: {EXAMPLES}; for no limit leave --timeout out")),
        ms => Ok(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_in_seconds_and_units_add_up() {
        for (text, ms) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("2 min", 120_000),
            ("1.5s", 1500),
            ("1.5", 1500),
            ("7", 7000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", " ", "soon", "s", "-5", "5 5", "5x", ".", "1.2.3", "1e3", "∞"] {
            assert!(parse(text).unwrap_err().contains("90s"), "{text}");
        }
        for text in ["0", "0s", "0.0001"] {
            assert!(parse_limit(text).unwrap_err().contains("stopped at once"), "{text}");
        }
        assert_eq!(parse_limit("1ms"), Ok(1));
        assert_eq!(parse("876000h"), Ok(LONGEST));
        let too_long = ["876000h 1ms", "99999999999h", "292y", "300000000y"];
        for text in too_long.into_iter().chain(["99999999999999999999", "18446744073709551615", "500000000000 years"]) {
            assert!(parse(text).unwrap_err().contains("too long"), "{text}");
        }
    }
}
