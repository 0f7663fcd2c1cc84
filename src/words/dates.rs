//! Dates and durations.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::Zone;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A date: `21 November 2026`.
pub(crate) fn day(at: Timestamp, zone: &Zone) -> String {
    let at = zone.at(at);
    let month = MONTHS.get(usize::from(at.month().unsigned_abs()) - 1).unwrap_or(&"");
    format!("{} {month} {}", at.day(), at.year())
}

/// A date and time, with the zone: `21 November 2026 at 15:12 CET`, or `at 17:12 UTC+03` where a zone has no letters.
pub(crate) fn minute(at: Timestamp, zone: &Zone) -> String {
    let (date, at) = (day(at, zone), zone.at(at));
    let zone = at.strftime("%Z").to_string();
    let utc = if zone.starts_with(['+', '-']) { "UTC" } else { "" };
    format!("{date} at {:02}:{:02} {utc}{zone}", at.hour(), at.minute())
}

/// The same with the day of the week, where there is room: `Saturday, 21 November 2026 at 15:12 CET`.
pub(crate) fn weekday(at: Timestamp, zone: &Zone) -> String {
    format!("{}, {}", zone.at(at).strftime("%A"), minute(at, zone))
}

/// A duration of hours or days: `36 hours`, `7 days`.
pub(crate) fn days(length: Duration) -> String {
    match length.as_secs() / 3600 {
        0 | 1 => "an hour".into(),
        hours if hours % 24 != 0 || hours < 48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

/// A duration: `1 second`, `30 seconds`, `2 minutes`.
pub(super) fn length(seconds: u64) -> String {
    match seconds {
        1 => "1 second".into(),
        ..90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        let at = Timestamp::from_millis(1_795_270_361_999);
        let zone = |name| Zone::parse(name).unwrap();
        assert_eq!(day(at, &zone("UTC")), "21 November 2026");
        assert_eq!(day(at, &zone("Pacific/Auckland")), "22 November 2026");
        for (name, time) in [
            ("UTC", "Saturday, 21 November 2026 at 14:12 UTC"),
            ("Europe/Berlin", "Saturday, 21 November 2026 at 15:12 CET"),
            ("Europe/Istanbul", "Saturday, 21 November 2026 at 17:12 UTC+03"),
            ("America/New_York", "Saturday, 21 November 2026 at 09:12 EST"),
        ] {
            assert_eq!(weekday(at, &zone(name)), time);
        }
        let lengths = [1, 2, 89, 90, 121].map(length);
        assert_eq!(lengths, ["1 second", "2 seconds", "89 seconds", "2 minutes", "3 minutes"]);
    }
}
