//! Inspects the database before a start. Changes nothing, and refuses what a start would refuse.

use std::path::Path;
use std::time::Duration;

use figment::Figment;

use super::health::check_clock;
use super::store::{Tables, find_out};
use super::{OpenError, ThrottleKey};
use crate::clock::Clock;

/// The state of the database.
pub(crate) struct Inspection {
    /// Whether the tables are up to date.
    pub(crate) tables: Tables,
    /// The last applied migration.
    pub(crate) version: Option<i64>,
    /// The number of accounts.
    pub(crate) accounts: Option<i64>,
    /// The difference between this machine's clock and the database's, if that has its own.
    pub(crate) clock_difference: Option<Duration>,
    /// Whether the secret key is the one used before.
    pub(crate) key: Key,
    /// What is wrong with the file, if the database is one.
    pub(crate) damage: Option<String>,
    /// Why the service could not write.
    pub(crate) cannot_write: Option<CannotWrite>,
}

/// Why the service cannot work with the tables. A start does not look: the reason may pass.
pub(crate) enum CannotWrite {
    /// Transactions are read-only, or the server is a standby.
    ReadOnly,
    /// The role lacks rights on this table.
    Table(String),
}

/// This node's secret key compared with the one used before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// The database has not been used, or there is no key yet.
    First,
    /// The same key.
    Same,
    /// Another key.
    Other,
}

/// Inspects the configured database. Returns `None` if it is a file that a start would create.
///
/// # Errors
/// If the database cannot be opened, or its tables are too old and must not be changed.
pub(crate) async fn inspect(
    figment: &Figment,
    data_dir: &Path,
    key: Option<&ThrottleKey>,
    clock: &Clock,
) -> Result<Option<Inspection>, OpenError> {
    let found = find_out(figment, data_dir).await.map_err(OpenError::Database)?;
    Ok(found.map(|found| Inspection {
        tables: found.tables,
        version: found.version,
        accounts: found.accounts,
        damage: found.damage,
        cannot_write: match found.no_rights_on {
            _ if found.is_read_only => Some(CannotWrite::ReadOnly),
            table => table.map(CannotWrite::Table),
        },
        clock_difference: found.now.map(|now| clock.follow(now)),
        key: match (found.key_fingerprint, key) {
            (Some(known), Some(key)) if known == key.fingerprint() => Key::Same,
            (Some(_), Some(_)) => Key::Other,
            _ => Key::First,
        },
    }))
}

impl Inspection {
    /// Fails if a start on this database would be refused.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        check_clock(self.clock_difference.unwrap_or_default())?;
        // Only PostgreSQL has a clock of its own and other nodes.
        if self.key == Key::Other && self.clock_difference.is_some() {
            return Err(OpenError::OtherKey);
        }
        Ok(())
    }
}
