//! A look at the database before a start: changes nothing, and refuses what a start would refuse.

use std::path::Path;
use std::time::Duration;

use figment::Figment;

use super::health::check_clock;
use super::store::{Tables, find_out};
use super::{OpenError, ThrottleKey};
use crate::clock::Clock;

/// What is to be seen of the database.
pub(crate) struct Inspection {
    /// How far its tables are.
    pub(crate) tables: Tables,
    /// The last migration that was done.
    pub(crate) version: Option<i64>,
    /// How many accounts there are.
    pub(crate) accounts: Option<i64>,
    /// How far this machine's clock is from the database's, if that has one of its own.
    pub(crate) clock_difference: Option<Duration>,
    /// The secret key, compared with the one that was used before.
    pub(crate) key: Key,
}

/// The secret key of this node beside the one that was used before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Nobody has used this database, or there is no key yet.
    First,
    /// It is the same.
    Same,
    /// It is another one.
    Other,
}

/// Looks at the database that the settings name; `None` if it is a file that a start would make.
///
/// # Errors
/// When it cannot be opened, or its tables are too old and may not be changed.
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
        clock_difference: found.now.map(|now| clock.follow(now)),
        key: match (found.key_fingerprint, key) {
            (Some(known), Some(key)) if known == key.fingerprint() => Key::Same,
            (Some(_), Some(_)) => Key::Other,
            _ => Key::First,
        },
    }))
}

impl Inspection {
    /// Fails if a start would refuse to begin on this database.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        check_clock(self.clock_difference.unwrap_or_default())?;
        // Only PostgreSQL has a clock of its own, and nodes beside this one.
        if self.key == Key::Other && self.clock_difference.is_some() {
            return Err(OpenError::OtherKey);
        }
        Ok(())
    }
}
