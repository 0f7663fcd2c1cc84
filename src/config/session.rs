//! `session.*`

use std::time::Duration;

use serde::Deserialize;

use super::range::{CENTURY, DAY, HOUR, length, number};
use super::{ConfigError, values};

/// How long users stay signed in.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionConfig {
    /// A session ends after this long without a request. Default `2h`.
    #[serde(deserialize_with = "values::duration")]
    pub idle_ttl: Duration,
    /// A session ends this long after the sign-in. Default `12h`.
    #[serde(deserialize_with = "values::duration")]
    pub absolute_ttl: Duration,
    /// `idle_ttl` with "keep me signed in". Default `14days`.
    #[serde(deserialize_with = "values::duration")]
    pub remembered_idle_ttl: Duration,
    /// `absolute_ttl` with "keep me signed in". Default `30days`.
    #[serde(deserialize_with = "values::duration")]
    pub remembered_absolute_ttl: Duration,
    /// The name of the session cookie. Default `session_id`; in a host app `vestibule_session`. With an https
    /// `public_url`, `__Host-` is put before it. A default name ends in the port of an http `public_url` that has one.
    #[serde(deserialize_with = "values::optional_text")]
    pub cookie_name: Option<String>,
    /// The maximum number of sessions per account; a further one ends the least recently used. Default 100.
    pub max_per_account: i64,
    /// How long a session is cached, at most `1s`. Revocations by this process take effect at once, those by
    /// another one after this time. `0s` disables the cache. Default `1s`.
    #[serde(deserialize_with = "values::duration")]
    pub cache_for: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            idle_ttl: 2 * HOUR,
            absolute_ttl: 12 * HOUR,
            remembered_idle_ttl: 14 * DAY,
            remembered_absolute_ttl: 30 * DAY,
            cookie_name: None,
            max_per_account: 100,
            cache_for: Duration::from_secs(1),
        }
    }
}

impl SessionConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        number("session.max_per_account", self.max_per_account, 1..=1_000_000_000)?;
        // Use is recorded once a minute.
        let range = Duration::from_secs(120)..=CENTURY;
        for (key, ttl) in [
            ("session.idle_ttl", self.idle_ttl),
            ("session.remembered_idle_ttl", self.remembered_idle_ttl),
            ("session.absolute_ttl", self.absolute_ttl),
            ("session.remembered_absolute_ttl", self.remembered_absolute_ttl),
        ] {
            length(key, ttl, range.clone())?;
        }
        length("session.cache_for", self.cache_for, Duration::ZERO..=Duration::from_secs(1))
    }
}
