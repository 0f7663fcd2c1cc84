//! Inspects a database without changing it, before a start.

use std::path::Path;

use figment::Figment;
use sqlx::migrate::Migrator;

use super::migrate::Done;
use super::unusable::Unusable;
use super::{on_url, open};
use crate::clock::Timestamp;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Whether the tables of a database are up to date.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// There are no tables.
    Missing,
    /// The tables of version 0.1, which had other names.
    OfVersion01,
    /// Some migrations of this version are missing.
    Older,
    /// All migrations of this version are applied.
    Current,
    /// All migrations of this version are applied, and some of a later one.
    Newer,
}

impl Tables {
    pub(super) fn new(ours: &Migrator, done: &[Done]) -> Self {
        let is_done = |version, checksum: &[u8]| {
            done.iter().any(|(v, c)| *v == version && c.as_slice() == checksum)
        };
        let newest = ours.iter().map(|migration| migration.version).max();
        if done.is_empty() {
            Self::Missing
        } else if !ours.iter().all(|ours| is_done(ours.version, &ours.checksum)) {
            Self::Older
        } else if done.iter().any(|(version, _)| Some(*version) > newest) {
            Self::Newer
        } else {
            Self::Current
        }
    }

    /// Whether this version can work with these tables.
    pub(super) fn are_enough(self) -> bool {
        matches!(self, Self::Current | Self::Newer)
    }
}

/// The state of the database.
pub(in crate::auth) struct Found {
    pub(in crate::auth) tables: Tables,
    /// The last applied migration.
    pub(in crate::auth) version: Option<i64>,
    pub(in crate::auth) accounts: Option<i64>,
    pub(in crate::auth) key_fingerprint: Option<Vec<u8>>,
    /// The time of the database's clock, if it has its own.
    pub(in crate::auth) now: Option<Timestamp>,
    /// What SQLite finds wrong with its file.
    pub(in crate::auth) damage: Option<String>,
    /// Whether PostgreSQL says that transactions are read-only.
    pub(in crate::auth) is_read_only: bool,
    /// A table that the role may not use in every way that the service does, without the prefix of its name.
    pub(in crate::auth) no_rights_on: Option<String>,
}

impl Found {
    pub(super) fn new(tables: Tables, done: &[Done]) -> Self {
        let version = done.iter().map(|(version, _)| *version).max();
        Self {
            tables,
            version,
            accounts: None,
            key_fingerprint: None,
            now: None,
            damage: None,
            is_read_only: false,
            no_rights_on: None,
        }
    }

    /// The statement that counts accounts, if there is a table of them.
    pub(super) fn count_accounts(&self) -> Option<&'static str> {
        match self.tables {
            Tables::Missing => None,
            Tables::OfVersion01 => Some("SELECT COUNT(*) FROM users"),
            _ => Some("SELECT COUNT(*) FROM vestibule_users"),
        }
    }
}

pub(super) const KEY_FINGERPRINT: &str = "SELECT key_fingerprint FROM vestibule_health";

/// Inspects the configured database; `None` if it is a file that a start would create. Fails where a start would,
/// which creates `folder` first.
pub(in crate::auth) async fn find_out(figment: &Figment, folder: &Path) -> Result<Option<Found>> {
    let (config, own) = open::settings(&open::without_rocket(figment))?;
    let found = on_url!(config.url, engine => engine::inspect(&config, &own, folder).await)?;
    match found {
        Some(found) if !found.tables.are_enough() && !own.migrate => {
            Err(Unusable::TablesTooOld.into())
        }
        None if !own.migrate => Err(Unusable::TablesTooOld.into()),
        found => Ok(found),
    }
}
