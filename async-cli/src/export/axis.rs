//! Times for people: durations, and the ticks of an axis.

use async_core::clock::Millis;

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// The possible distances between two ticks, in ms, shortest first: 1, 2 or 5 times a power of ten, except where clocks
/// count differently. The page's script gets them too.
pub(crate) fn steps() -> impl Iterator<Item = Millis> {
    let clock = [SECOND, MINUTE].into_iter().flat_map(|unit| [1, 2, 5, 10, 15, 30].map(|count| count * unit));
    decimal_steps(1, 3).chain(clock).chain([1, 2, 3, 6, 12].map(|hours| hours * HOUR)).chain(decimal_steps(DAY, 6))
}

/// 1, 2 and 5 times the first `powers` powers of ten.
fn decimal_steps(unit: Millis, powers: u32) -> impl Iterator<Item = Millis> {
    (0..powers).flat_map(move |power| [1, 2, 5].map(|count| count * 10_i64.pow(power) * unit))
}

/// A mark on the axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    /// In ms from the start.
    pub(crate) at: Millis,
    pub(crate) text: String,
}

/// Ticks for an axis of that length in ms: no more than `most`, and one at its start.
pub(crate) fn ticks(length: Millis, most: Millis) -> Vec<Tick> {
    let least = length / most + 1;
    let step = steps().find(|&step| step >= least).unwrap_or(least);
    (0..=length / step).map(|number| Tick { at: number * step, text: moment(number * step, step) }).collect()
}

/// A moment on an axis with that step between its ticks, both in ms: `1 min 30 s`.
fn moment(ms: Millis, step: Millis) -> String {
    if ms == 0 {
        return "0".into();
    }
    if step >= SECOND || ms < SECOND {
        return words(ms);
    }
    let seconds = decimal(ms % MINUTE, if step >= 100 { 1 } else { 3 });
    format!("{} {seconds} s", words(ms - ms % MINUTE)).trim_start().to_owned()
}

/// A duration in ms, rounded to about three digits: `412 ms`, `8.2 s`, `1 min 30 s`, `2 h 5 min`.
pub(crate) fn duration(ms: Millis) -> String {
    let to = |unit: Millis| (ms.saturating_add(unit / 2)) / unit * unit;
    match ms {
        ..SECOND => format!("{ms} ms"),
        SECOND..MINUTE if to(SECOND / 10) < MINUTE => format!("{} s", decimal(to(SECOND / 10), 1)),
        SECOND..HOUR => words(to(SECOND)),
        HOUR..DAY => words(to(MINUTE)),
        DAY.. => words(to(HOUR)),
    }
}

/// A time in ms, exactly.
fn words(ms: Millis) -> String {
    let mut rest = ms;
    let mut words = Vec::new();
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1, "ms")] {
        if rest >= unit {
            words.push(format!("{} {name}", rest / unit));
            rest %= unit;
        }
    }
    words.join(" ")
}

/// Seconds, truncated to that many decimals.
fn decimal(ms: Millis, digits: usize) -> String {
    let text = format!("{}.{:03}", ms / SECOND, ms % SECOND);
    text[..text.len() - 3 + digits].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(length: Millis, most: Millis) -> String {
        ticks(length, most).into_iter().map(|tick| tick.text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn ticks_are_where_clocks_have_them_and_never_too_many() {
        assert_eq!(texts(0, 5), "0");
        assert_eq!(texts(3, 5), "0, 1 ms, 2 ms, 3 ms");
        assert_eq!(texts(1700, 5), "0, 500 ms, 1.0 s, 1.5 s");
        assert_eq!(texts(8900, 5), "0, 2 s, 4 s, 6 s, 8 s");
        assert_eq!(texts(100_000, 5), "0, 30 s, 1 min, 1 min 30 s");
        assert_eq!(texts(3 * HOUR, 5), "0, 1 h, 2 h, 3 h");
        assert_eq!(texts(30 * DAY, 5), "0, 10 d, 20 d, 30 d");
        for power in 0..44 {
            let count = ticks(1 << power, 8).len();
            assert!((4..=9).contains(&count) || power < 3, "{count} for 2^{power}");
        }
    }

    #[test]
    fn a_duration_has_the_digits_that_matter() {
        let cases = [0, 999, 8249, 8250, 59_949, 59_950, 60_000, 90_499, HOUR - 500, HOUR + 29 * SECOND, 26 * HOUR];
        let texts =
            ["0 ms", "999 ms", "8.2 s", "8.3 s", "59.9 s", "1 min", "1 min", "1 min 30 s", "1 h", "1 h", "1 d 2 h"];
        assert_eq!(cases.map(duration), texts);
        assert_eq!([2 * HOUR + 5 * MINUTE, DAY - 1].map(duration), ["2 h 5 min", "1 d"]);
    }
}
