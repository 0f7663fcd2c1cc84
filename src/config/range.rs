//! Ranges of settings: outside of them the service would not work, or not keep its promises.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ConfigError, Problem};

pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);
pub(super) const CENTURY: Duration = Duration::from_hours(24 * 36_500);

/// Refuses a number outside of `range`.
pub(super) fn number<T: Display + PartialOrd>(
    key: &str,
    n: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    within(key, &n, &range, T::to_string)
}

/// Refuses a duration outside of `range`.
pub(super) fn length(
    key: &str,
    length: Duration,
    range: RangeInclusive<Duration>,
) -> Result<(), ConfigError> {
    within(key, &length, &range, |length| humantime::format_duration(*length).to_string())
}

fn within<T: PartialOrd>(
    key: &str,
    value: &T,
    range: &RangeInclusive<T>,
    in_words: impl Fn(&T) -> String,
) -> Result<(), ConfigError> {
    if range.contains(value) {
        return Ok(());
    }
    let (least, most) = (in_words(range.start()), in_words(range.end()));
    Err(ConfigError::new(&format!("vestibule.{key}"), Problem::MustBeWithin { least, most }))
}
