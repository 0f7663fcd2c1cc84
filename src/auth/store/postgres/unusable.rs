//! Why a database in PostgreSQL cannot be used. `words::postgres` has the sentences.

/// Why a database in PostgreSQL cannot be used. `server` is its host and port.
#[derive(Debug)]
pub(crate) enum PostgresUnusable {
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
    /// Transactions of this role are read-only, or the server is a standby: the tables cannot be changed.
    ReadOnly,
    /// The tables are in one schema, and another one comes first.
    OtherSchema { tables_in: String, first: String },
}

impl std::error::Error for PostgresUnusable {}

impl From<PostgresUnusable> for sqlx::Error {
    fn from(unusable: PostgresUnusable) -> Self {
        Self::Configuration(unusable.into())
    }
}
