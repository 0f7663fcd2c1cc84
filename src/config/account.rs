//! `account.*`

use std::time::Duration;

use serde::Deserialize;

use super::range::{DAY, length};
use super::{ConfigError, values};
use crate::auth::LONGEST_GRACE;

/// What owners may do with their accounts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountConfig {
    /// How long an account that its owner has deleted can be restored, before everything about it is erased. Default
    /// `7days`; `0s` erases it at once.
    #[serde(deserialize_with = "values::duration")]
    pub deletion_grace: Duration,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self { deletion_grace: 7 * DAY }
    }
}

impl AccountConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        length("account.deletion_grace", self.deletion_grace, Duration::ZERO..=LONGEST_GRACE)
    }
}
