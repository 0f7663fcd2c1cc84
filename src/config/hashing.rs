//! `hashing.*`

use std::time::Duration;

use serde::Deserialize;

use super::range::{length, number};
use super::{ConfigError, values};

/// The threads that hash passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HashingConfig {
    /// Threads that hash passwords. Default: the number of cores.
    pub workers: Option<usize>,
    /// How long a hash may wait before the request is answered with 503. Default `5s`.
    #[serde(deserialize_with = "values::duration")]
    pub max_wait: Duration,
    /// How many hashes one worker computes side by side, 1 to 6. More suit a processor with a large first-level
    /// cache. Default 4.
    pub batch: usize,
    /// How many hashes may wait in each of the two lanes (known devices, strangers) before requests are answered
    /// with 503. Default 256.
    pub queue: usize,
}

impl Default for HashingConfig {
    fn default() -> Self {
        Self { workers: None, max_wait: Duration::from_secs(5), batch: 4, queue: 256 }
    }
}

impl HashingConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        number("hashing.workers", self.workers.unwrap_or(1), 1..=1024)?;
        number("hashing.batch", self.batch, 1..=6)?;
        number("hashing.queue", self.queue, 1..=1_000_000)?;
        let shortest = Duration::from_nanos(1);
        length("hashing.max_wait", self.max_wait, shortest..=Duration::from_secs(60))
    }
}
