//! The only SQL in the crate. Both engines use the same text: SQLite supports `$1`, `RETURNING` and `ON CONFLICT`
//! as PostgreSQL does. Each table has a file. Names of methods: `find_*` and `list_*` read, `insert_*`, `update_*`
//! and `delete_*` write, `take_*` reads and deletes in one statement, `lock_*` keeps others from writing a row, and
//! `charge_*` counts in a bucket.

mod conn;
mod dependents;
mod events;
mod fair_semaphore;
mod former_emails;
mod health;
mod in_flight;
mod inspect;
mod links;
mod migrate;
mod newcomers;
mod open;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;
mod text;
mod throttle;
mod unusable;
mod users;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use rocket_db_pools::Database;

pub(in crate::auth) use events::EventRow;
pub(in crate::auth) use health::Signals;
pub(crate) use inspect::Tables;
pub(in crate::auth) use inspect::find_out;
pub(in crate::auth) use links::{FoundLink, NewLink, Sent};
pub(in crate::auth) use outbox::{Busy, FURTHEST, OutboxRow, Priority};
pub(in crate::auth) use sessions::{EndedSession, RenewedRow};
pub(in crate::auth) use throttle::{Charge, Quota};
pub(in crate::auth) use users::{Credentials, NewUser};

use conn::{Conn, Faults, Params, Row};
use fair_semaphore::FairSemaphore;
pub(crate) use fair_semaphore::on_behalf_of;
pub(crate) use in_flight::InFlight;
use in_flight::Requests;
pub(crate) use open::migrate;
#[cfg(feature = "postgres")]
pub(crate) use postgres::PostgresUnusable;
pub(crate) use unusable::Unusable;

use crate::Error;

/// The pool in Rocket's state; its settings are `databases.vestibule.*`.
#[derive(Database)]
#[database("vestibule")]
pub(crate) struct Db(Store);

/// The database. A handle is cheap to clone; a connection is taken for each read or transaction, and never held
/// while a password is hashed.
#[derive(Clone)]
pub(crate) struct Store {
    engine: Engine,
    /// SQLite: locked by the process that sends messages. `None` for PostgreSQL, which nodes share.
    delivery_lock: Option<Arc<File>>,
    /// The longest time for one statement.
    deadline: Duration,
    /// The longest time for closing.
    close_within: Duration,
    requests: Arc<Requests>,
    faults: Arc<Faults>,
    /// Permits to read.
    readers: Arc<FairSemaphore>,
    /// Permits to write: one on SQLite; on PostgreSQL all connections except a few that are reserved for reading.
    writers: Arc<FairSemaphore>,
}

/// The database of either engine. Modules and types of both have the same names and methods.
#[derive(Clone)]
enum Engine {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Database),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Database),
}

/// Does the same for an enum of either engine's type.
macro_rules! on_engine {
    ($value:expr, $Enum:ident($inner:ident) => $does:expr) => {
        match $value {
            #[cfg(feature = "sqlite")]
            $Enum::Sqlite($inner) => $does,
            #[cfg(feature = "postgres")]
            $Enum::Postgres($inner) => $does,
        }
    };
}
use on_engine;

/// Does the same with the module of either engine, by the URL of the database.
macro_rules! on_url {
    ($url:expr, $engine:ident => $does:expr) => {
        match $url.split(':').next() {
            #[cfg(feature = "sqlite")]
            Some("sqlite") => {
                use super::sqlite as $engine;
                $does
            }
            #[cfg(feature = "postgres")]
            Some("postgres" | "postgresql") => {
                use super::postgres as $engine;
                $does
            }
            _ => Err(super::Unusable::NotBuiltIn.into()),
        }
    };
}
use on_url;

/// A transaction; dropping it without [`commit`](Tx::commit) rolls it back.
pub(in crate::auth) struct Tx {
    conn: Conn,
    /// Whether the transaction has ended, so that the connection may be reused.
    is_over: bool,
}

type Result<T> = std::result::Result<T, Error>;

/// The maximum number of rows that one statement deletes, to stay within its deadline and not delay others.
pub(in crate::auth) const BATCH: u64 = 1000;

/// SQL that differs between the engines.
struct ByEngine {
    sqlite: &'static str,
    postgres: &'static str,
}

/// `SELECT` of the keys of rows that are about to be changed. On PostgreSQL it skips locked rows: two statements
/// that lock the same rows in different orders would deadlock.
macro_rules! keys_of {
    ($before:literal, $select:literal, $after:literal) => {
        super::ByEngine {
            sqlite: concat!($before, "(", $select, ")", $after),
            postgres: concat!($before, "(", $select, " FOR UPDATE SKIP LOCKED)", $after),
        }
    };
}
use keys_of;

/// [`keys_of`] for at most [`BATCH`] rows.
macro_rules! batch_of {
    ($before:literal, $select:literal) => {
        super::ByEngine {
            sqlite: concat!($before, "(", $select, " LIMIT 1000)"),
            postgres: concat!($before, "(", $select, " LIMIT 1000 FOR UPDATE SKIP LOCKED)"),
        }
    };
}
use batch_of;

impl Store {
    async fn reader(&self) -> Result<Conn> {
        on_engine!(&self.engine, Engine(database) => database.reader(self).await)
    }

    async fn writer(&self) -> Result<Conn> {
        on_engine!(&self.engine, Engine(database) => database.writer(self).await)
    }

    /// Reads at most one row.
    async fn find<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        self.reader().await?.find(sql, params).await
    }

    /// Reads rows.
    async fn list<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.reader().await?.list(sql, params).await
    }

    /// Runs one writing statement and returns the number of affected rows.
    async fn run(&self, sql: &'static str, params: impl Params) -> Result<u64> {
        self.writer().await?.run(sql, params).await
    }

    /// Runs one writing statement that returns rows.
    async fn returning<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.writer().await?.list(sql, params).await
    }

    fn text(&self, by_engine: ByEngine) -> &'static str {
        if self.is_shared() { by_engine.postgres } else { by_engine.sqlite }
    }

    /// Whether other nodes may use the same database.
    pub(in crate::auth) fn is_shared(&self) -> bool {
        self.delivery_lock.is_none()
    }

    /// Begins a transaction that may write.
    pub(in crate::auth) async fn begin(&self) -> Result<Tx> {
        let mut conn = self.writer().await?;
        // On SQLite, a deferred transaction that turns into a write may find the lock taken, where no time-out
        // helps. So take the lock at once.
        let begin = ByEngine { sqlite: "BEGIN IMMEDIATE", postgres: "BEGIN" };
        conn.control(self.text(begin)).await?;
        Ok(Tx { conn, is_over: false })
    }

    /// Whether this process may send messages from this database until it ends. On SQLite: if no other process
    /// does. On PostgreSQL each row says which process has claimed it.
    pub(in crate::auth) fn claim_delivery(&self) -> Delivery {
        match self.delivery_lock.as_ref().map(|lock| lock.try_lock()) {
            Some(Ok(())) => Delivery::Ours,
            Some(Err(_)) => Delivery::Theirs,
            None => Delivery::Shared,
        }
    }
}

/// Which processes send the messages of a database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Delivery {
    /// This process alone: claims of others are void.
    Ours,
    /// Another process.
    Theirs,
    /// All nodes.
    Shared,
}

impl Tx {
    async fn find<T: Row>(&mut self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        self.conn.find(sql, params).await
    }

    async fn list<T: Row>(&mut self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.conn.list(sql, params).await
    }

    async fn run(&mut self, sql: &'static str, params: impl Params) -> Result<u64> {
        self.conn.run(sql, params).await
    }

    /// Commits to disk.
    pub(in crate::auth) async fn commit(mut self) -> Result<()> {
        self.conn.control("COMMIT").await?;
        self.is_over = true;
        Ok(())
    }

    /// Rolls back. A transaction that is merely dropped loses its connection, and another one must be opened.
    pub(in crate::auth) async fn rollback(mut self) {
        self.is_over = self.conn.control("ROLLBACK").await.is_ok();
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.is_over {
            self.conn.throw_away();
        }
    }
}
