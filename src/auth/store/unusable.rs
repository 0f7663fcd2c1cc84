//! Why a database cannot be used. `words::start` has the sentences.

/// Why a database cannot be used, whichever engine it is of.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The tables must be changed, and a setting forbids that.
    TablesTooOld,
    /// A migration of version 0.1 is not recorded as done, though a later one is, or it failed.
    Unfinished { version: i64 },
    /// Something of somebody else depends on a table of version 0.1, which is about to be dropped.
    DependsOnOldTables(String),
    /// A table of version 0.1 has a column of somebody else, which would be dropped with it.
    ForeignColumn { table: String, column: String },
    /// Another process holds the lock file.
    #[cfg(feature = "sqlite")]
    LockIsHeld(std::path::PathBuf),
    /// Its engine is not built in.
    NotBuiltIn,
}

impl std::error::Error for Unusable {}

impl From<Unusable> for sqlx::Error {
    fn from(unusable: Unusable) -> Self {
        Self::Configuration(unusable.into())
    }
}
