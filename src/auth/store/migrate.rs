//! What both engines need to migrate the tables.

use log::warn;
use sqlx::migrate::Migrator;

use super::inspect::Tables;
use super::unusable::Unusable;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// An applied migration: its version and checksum.
pub(super) type Done = (i64, Vec<u8>);

pub(super) const TABLE: &str = "vestibule_migrations";
pub(super) const DONE: &str = "SELECT version, checksum FROM vestibule_migrations WHERE success";

pub(super) const DONE_BY_0_1: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success";

pub(super) const FAILED_BY_0_1: &str =
    "SELECT version, checksum FROM _sqlx_migrations WHERE NOT success";

pub(super) const TAKE_OVER_0_1: &str = include_str!("migrations/0.1/take_over.sql");

/// Whether these are our migrations, and not those of a host app in the same database.
pub(super) fn is_ours(migrator: &Migrator, done: &[Done]) -> bool {
    let first = migrator.iter().next();
    first.is_some_and(|first| {
        done.iter().any(|(version, checksum)| {
            *version == first.version && checksum.as_slice() == &*first.checksum
        })
    })
}

/// Fails if migrations of version 0.1 are not recorded as done in order: a start would do them again.
pub(super) fn refuse_unfinished(ours: &Migrator, done: &[Done], failed: &[Done]) -> Result<()> {
    let is_done = |version| done.iter().any(|(done, _)| *done == version);
    let last = done.iter().map(|(version, _)| *version).max().unwrap_or_default();
    let mut missing = ours.iter().map(|migration| migration.version);
    let missing = missing.find(|version| *version < last && !is_done(*version));
    let failed = failed.first().map(|(version, _)| *version);
    match failed.or(missing) {
        Some(version) => Err(Unusable::Unfinished { version }.into()),
        None => Ok(()),
    }
}

/// Whether every migration of this version is applied. Later migrations are no error: they only add, so that nodes
/// of two versions can run side by side.
pub(super) fn is_current(ours: &Migrator, done: &[Done]) -> bool {
    let tables = Tables::new(ours, done);
    if tables == Tables::Newer {
        warn!(
            "the database has tables of a newer version: this one does not know all that is in them"
        );
    }
    tables.are_enough()
}
