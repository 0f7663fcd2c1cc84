//! Dates and durations.

use time::macros::format_description;

use crate::clock::Timestamp;

/// A date: `21 November 2026`.
pub(crate) fn day(at: Timestamp) -> String {
    let form = format_description!("[day padding:none] [month repr:long] [year]");
    at.utc().format(form).unwrap_or_default()
}

/// A date and time: `21 November 2026, 14:12 UTC`.
pub(crate) fn minute(at: Timestamp) -> String {
    let form =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.utc().format(form).unwrap_or_default()
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
        assert_eq!(day(at), "21 November 2026");
        assert_eq!(minute(at), "21 November 2026, 14:12 UTC");
        let lengths = [1, 2, 89, 90, 121].map(length);
        assert_eq!(lengths, ["1 second", "2 seconds", "89 seconds", "2 minutes", "3 minutes"]);
    }
}
