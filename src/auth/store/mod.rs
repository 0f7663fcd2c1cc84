//! The only SQL in the crate. Both engines use the same text: SQLite supports `$1`, `RETURNING` and `ON CONFLICT`
//! as PostgreSQL does. Each table has a file. Names of methods: `find_*` and `list_*` read, `insert_*`, `update_*`
//! and `delete_*` write, `take_*` reads and deletes in one statement, `lock_*` keeps others from writing a row, and
//! `charge_*` counts in a bucket.

mod abandoned;
mod conn;
mod dependents;
mod events;
mod fair_semaphore;
mod health;
mod in_flight;
mod inspect;
mod links;
mod migrate;
mod open;
mod outbox;
mod sessions;
mod text;
mod throttle;
mod unusable;
mod users;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use rocket_db_pools::Database;
use sqlx::{PgPool, SqlitePool};

pub(in crate::auth) use health::Signals;
pub(in crate::auth) use inspect::find_out;
pub(crate) use inspect::{CannotWrite, Tables};
pub(in crate::auth) use links::NewLink;
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

#[derive(Clone)]
enum Engine {
    /// A single connection writes, so that `SQLITE_BUSY` cannot happen within the process; several read.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        /// Locked by the process that sends messages.
        delivery_lock: Arc<File>,
    },
    Postgres(PgPool),
}

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
        let (permits, deadline, faults) = (&self.readers, self.deadline, &self.faults);
        match &self.engine {
            Engine::Sqlite { read, .. } => Conn::sqlite(read, permits, deadline, faults).await,
            Engine::Postgres(pool) => Conn::postgres(pool, permits, deadline, faults).await,
        }
    }

    async fn writer(&self) -> Result<Conn> {
        let (permits, deadline, faults) = (&self.writers, self.deadline, &self.faults);
        match &self.engine {
            Engine::Sqlite { write, .. } => Conn::sqlite(write, permits, deadline, faults).await,
            Engine::Postgres(pool) => Conn::postgres(pool, permits, deadline, faults).await,
        }
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
        if self.is_sqlite() { by_engine.sqlite } else { by_engine.postgres }
    }

    /// Whether other nodes may use the same database.
    pub(in crate::auth) fn is_shared(&self) -> bool {
        !self.is_sqlite()
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite { .. })
    }

    /// Begins a transaction that may write.
    pub(in crate::auth) async fn begin(&self) -> Result<Tx> {
        let mut conn = self.writer().await?;
        // On SQLite, a deferred transaction that turns into a write may find the lock taken, where no time-out
        // helps. So take the lock at once.
        conn.control("BEGIN IMMEDIATE", "BEGIN").await?;
        Ok(Tx { conn, is_over: false })
    }

    /// Whether this process may send messages from this database until it ends. On SQLite: if no other process
    /// does. On PostgreSQL each row says which process has claimed it.
    pub(in crate::auth) fn claim_delivery(&self) -> Delivery {
        let Engine::Sqlite { delivery_lock, .. } = &self.engine else { return Delivery::Shared };
        match delivery_lock.try_lock() {
            Ok(()) => Delivery::Ours,
            Err(_) => Delivery::Theirs,
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
        self.conn.control("COMMIT", "COMMIT").await?;
        self.is_over = true;
        Ok(())
    }

    /// Rolls back. A transaction that is merely dropped loses its connection, and another one must be opened.
    pub(in crate::auth) async fn rollback(mut self) {
        self.is_over = self.conn.control("ROLLBACK", "ROLLBACK").await.is_ok();
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.is_over {
            self.conn.throw_away();
        }
    }
}
