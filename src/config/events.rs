//! `events.*`

use std::time::Duration;

use serde::Deserialize;

use super::range::{CENTURY, DAY, length};
use super::{ConfigError, values};

/// The security events that are recorded.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EventsConfig {
    /// How long events are kept. Default `180days`.
    #[serde(deserialize_with = "values::duration")]
    pub keep_for: Duration,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { keep_for: 180 * DAY }
    }
}

impl EventsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        length("events.keep_for", self.keep_for, DAY..=CENTURY)
    }
}
