//! Why a database in PostgreSQL cannot be used.

use std::fmt;

use crate::auth::PostgresUnusable;

/// Rocket prints why the pool cannot be opened, so the sentence is the `Display` of the error.
impl fmt::Display for PostgresUnusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooler { server } => write!(
                f,
                "{server} is a pooler: with one in between, statements would run without their deadlines, \
                 or on another connection than the one they were prepared on. Connect to PostgreSQL itself"
            ),
            Self::DropsOptions { server } => write!(
                f,
                "{server} drops the options of a connection: with one in between, statements would run \
                 without their deadlines, or on another connection than the one they were prepared on. \
                 Connect to PostgreSQL itself"
            ),
            Self::NotLetIn { server, error } => {
                write!(f, "PostgreSQL at {server} lets nobody in: {error}")
            }
            Self::Silent { server } => write!(f, "PostgreSQL at {server} does not answer"),
            Self::Encoding(encoding) => {
                write!(f, "the database is in {encoding}: it must be made with ENCODING 'UTF8'")
            }
            Self::MayNotReadMigrations => f.write_str(
                "this role may not read which migrations were done: GRANT SELECT, INSERT, UPDATE, DELETE \
                 ON ALL TABLES IN SCHEMA public TO it, as their owner",
            ),
            Self::MayNotChangeTables => f.write_str(
                "the tables must be brought to this version, and this role may not change them: run \
                 `vestibule migrate` as their owner",
            ),
            Self::ReadOnly => f.write_str(
                "the tables must be brought to this version, but PostgreSQL takes no writes: this role has \
                 default_transaction_read_only, or the server is a standby",
            ),
            Self::OtherSchema { tables_in, first } => write!(
                f,
                "the tables are in the schema {tables_in}, but {first} comes first in the search_path: set the \
                 search_path of this role to {tables_in}, or the service would begin anew with empty tables"
            ),
        }
    }
}
