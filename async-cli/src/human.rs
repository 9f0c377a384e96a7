//! Times as people read them.

use async_core::clock::Millis;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A duration of that many ms in its two largest units: `5s`, `1m 05s`, `2h 05m`, `3d 04h`.
pub(crate) fn duration(ms: Millis) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m {:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h {:02}m", minutes % 60)
    } else {
        format!("{days}d {:02}h", hours % 24)
    }
}

/// A moment, in ms since the epoch, as the clock on the wall shows it: the time if it is of today, else the date.
pub(crate) fn moment(ms: Millis) -> String {
    let zone = TimeZone::system();
    let form = match Timestamp::from_millisecond(ms) {
        Ok(moment) if zone.to_datetime(moment).date() == zone.to_datetime(Timestamp::now()).date() => "%H:%M:%S",
        _ => "%Y-%m-%d",
    };
    formatted(ms, &zone, form)
}

/// The same for programs, wherever they are: `2026-03-01T12:00:05Z`.
pub(crate) fn utc(ms: Millis) -> String {
    formatted(ms, &TimeZone::UTC, "%Y-%m-%dT%H:%M:%SZ")
}

/// `?` stands for a moment that no clock shows.
fn formatted(ms: Millis, zone: &TimeZone, form: &str) -> String {
    let moment = Timestamp::from_millisecond(ms).map(|moment| zone.to_datetime(moment));
    moment.map_or_else(|_| "?".to_owned(), |moment| moment.strftime(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 00s"),
            (65, "1m 05s"),
            (3599, "59m 59s"),
            (7500, "2h 05m"),
            (86399, "23h 59m"),
            (86400, "1d 00h"),
            (1_000_000, "11d 13h"),
        ] {
            assert_eq!(duration(seconds * 1000 + 999), text);
        }
    }

    #[test]
    fn a_moment_of_today_is_a_time_and_any_other_a_date() {
        let now = Timestamp::now().as_millisecond();
        let lengths = [now, now - 200_000_000, now + 200_000_000].map(|ms| moment(ms).len());
        assert_eq!(lengths, ["12:00:00".len(), "2026-03-01".len(), "2026-03-01".len()]);
        assert_eq!(utc(1_772_366_405_123), "2026-03-01T12:00:05Z");
        assert_eq!([moment(Millis::MAX), utc(Millis::MIN)], ["?", "?"]);
    }
}
