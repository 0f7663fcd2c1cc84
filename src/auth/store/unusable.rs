//! Why a database cannot be used. `words::start` has the sentences.

use std::path::PathBuf;

/// Why a database cannot be used. `server` is its host and port.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// A pooler stands in front of it.
    Pooler { server: String },
    /// Something in front of it drops the options of a connection, as poolers do.
    DropsOptions { server: String },
    /// It cannot be connected to.
    NotLetIn { server: String, error: sqlx::Error },
    /// It does not answer in time.
    Silent { server: String },
    /// Its encoding is not UTF-8.
    Encoding(String),
    /// The role may not read which migrations were done.
    MayNotReadMigrations,
    /// The tables must be changed, and the role may not do that.
    MayNotChangeTables,
    /// The tables must be changed, and a setting forbids that.
    TablesTooOld,
    /// Transactions of this role are read-only, or the server is a standby: the tables cannot be changed.
    ReadOnly,
    /// A migration of version 0.1 is not recorded as done, though a later one is, or it failed.
    Unfinished { version: i64 },
    /// Something of somebody else depends on a table of version 0.1, which is about to be dropped.
    DependsOnOldTables(String),
    /// A table of version 0.1 has a column of somebody else, which would be dropped with it.
    ForeignColumn { table: String, column: String },
    /// The tables are in one schema, and another one comes first.
    OtherSchema { tables_in: String, first: String },
    /// Another process holds the lock file.
    LockIsHeld(PathBuf),
}

impl std::error::Error for Unusable {}

impl From<Unusable> for sqlx::Error {
    fn from(unusable: Unusable) -> Self {
        Self::Configuration(unusable.into())
    }
}
