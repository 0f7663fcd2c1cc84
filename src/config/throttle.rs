//! `throttle.*`

use std::time::Duration;

use serde::Deserialize;

use super::range::{DAY, length, number};
use super::{Allowances, ConfigError, values};

/// Rate limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ThrottleConfig {
    /// Failed attempts on an account before strangers have to wait. Default 5.
    pub free_attempts: i64,
    /// The first wait; it doubles with every further failure. Default `1s`.
    #[serde(deserialize_with = "values::duration")]
    pub first_wait: Duration,
    /// The longest wait. Default `15min`.
    #[serde(deserialize_with = "values::duration")]
    pub longest_wait: Duration,
    /// Failures are forgotten after this long without another one. Default `24h`.
    #[serde(deserialize_with = "values::duration")]
    pub forget_after: Duration,
    /// Failed sign-ins, sign-ups, changes and requests for an email per minute and client IP (an IPv4 address or an
    /// IPv6 /64); also attempts to set a password with one link. Default 30.
    pub attempts_by_ip: i64,
    /// Password changes per hour and account; each sends an email. Default 3.
    pub password_changes: i64,
    /// Emails of one kind per hour that strangers can cause to one address. Default 3.
    pub emails_to_address: i64,
    /// Emails per hour that one IPv4 address can cause, and three times as many an IPv6 /48. Default 20.
    pub emails_by_ip: i64,
    /// Emails to new accounts that one IPv4 address or IPv6 /48 can cause at once; as many more leave per hour, one by one, and as
    /// many may wait for that before sign-ups are refused. Verified addresses do not count. Default 40.
    pub signups_by_ip: i64,
    /// Networks with many people behind each address, such as a school, and the factor for their rate limits.
    /// Default: none.
    pub networks: Allowances,
    /// The maximum number of counts; beyond it those with the fewest attempts are dropped. Default 1,000,000.
    pub max_rows: i64,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            free_attempts: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_mins(15),
            forget_after: DAY,
            attempts_by_ip: 30,
            password_changes: 3,
            emails_to_address: 3,
            emails_by_ip: 20,
            signups_by_ip: 40,
            networks: Allowances::default(),
            max_rows: 1_000_000,
        }
    }
}

impl ThrottleConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const MOST: i64 = 1_000_000_000;
        for (key, n) in [
            ("throttle.free_attempts", self.free_attempts),
            ("throttle.attempts_by_ip", self.attempts_by_ip),
            ("throttle.password_changes", self.password_changes),
            ("throttle.emails_to_address", self.emails_to_address),
            ("throttle.emails_by_ip", self.emails_by_ip),
            ("throttle.signups_by_ip", self.signups_by_ip),
        ] {
            number(key, n, 1..=MOST)?;
        }
        number("throttle.max_rows", self.max_rows, 1_000..=MOST)?;
        length("throttle.first_wait", self.first_wait, Duration::from_millis(1)..=DAY)?;
        length("throttle.longest_wait", self.longest_wait, self.first_wait..=DAY)?;
        // Forgetting a bucket during its wait would end the wait.
        length("throttle.forget_after", self.forget_after, self.longest_wait..=366 * DAY)
    }
}
