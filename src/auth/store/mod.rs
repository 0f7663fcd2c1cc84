//! The only SQL in the crate. One text serves both engines: `SQLite` takes `$1`, `RETURNING` and
//! `ON CONFLICT` as `PostgreSQL` does. Each table has a file; what a file offers is a verb:
//! `find_*` reads, `insert_*`, `update_*` and `delete_*` write, `take_*` reads and deletes at once.

mod events;
mod health;
mod outbox;
mod sessions;
mod throttle;
mod tokens;
mod users;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use figment::Figment;
use log::warn;
use rocket::futures::future::BoxFuture;
use rocket::tokio::sync::Notify;
use rocket::tokio::time::{sleep, timeout};
use rocket_db_pools::{Config, Database, Pool};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    Arguments, ConnectOptions, Encode, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Type,
    query_as_with, query_with, raw_sql,
};

pub(in crate::auth) use outbox::OutboxRow;
pub(in crate::auth) use sessions::RenewedRow;
pub(in crate::auth) use tokens::{NewToken, Purpose};
pub(in crate::auth) use users::{Credentials, NewUser, SignUpPlace};

use crate::{Error, private_files};

/// The pool as Rocket holds it; its settings are `databases.vestibule.*`.
#[derive(Database)]
#[database("vestibule")]
pub(in crate::auth) struct Db(Store);

/// The database. A handle is cheap to clone; a connection is taken for each read or write and never
/// held while a password is hashed.
#[derive(Clone)]
pub(in crate::auth) struct Store {
    engine: Engine,
    requests: Arc<Requests>,
}

#[derive(Clone)]
enum Engine {
    /// One connection writes, so that `SQLITE_BUSY` cannot happen within the process; several read.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        /// Held by the process that sends the letters.
        delivery_lock: Arc<File>,
    },
    Postgres(PgPool),
}

/// A connection. One on which something failed is not used again: after a full disk or an I/O error SQLite
/// has rolled back by itself, a statement that was cut off may still be running, and nobody can tell.
enum Conn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A transaction. Dropped without [`commit`](Tx::commit), it never happened.
pub(in crate::auth) struct Tx {
    conn: Conn,
    /// Whether the connection is as it was before, so that others may use it.
    is_over: bool,
}

type Result<T> = std::result::Result<T, Error>;

/// A row that both engines can read.
pub(in crate::auth) trait Row:
    Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{
}
impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{}

/// The values for `$1`, `$2`, … as a tuple.
pub(in crate::auth) trait Params: Send {
    fn sqlite(self) -> Result<SqliteArguments>;
    fn postgres(self) -> Result<PgArguments>;
}

macro_rules! params {
    ($($T:ident $v:ident),*) => {
        impl<$($T),*> Params for ($($T,)*)
        where $($T: Send + for<'q> Encode<'q, Sqlite> + Type<Sqlite>
            + for<'q> Encode<'q, Postgres> + Type<Postgres>),*
        {
            fn sqlite(self) -> Result<SqliteArguments> { params!(@add SqliteArguments, self, $($v),*) }
            fn postgres(self) -> Result<PgArguments> { params!(@add PgArguments, self, $($v),*) }
        }
    };
    (@add $Args:ident, $self:ident, $($v:ident),*) => {{
        let ($($v,)*) = $self;
        let mut args = $Args::default();
        $(args.add($v).map_err(|e| Error::database(sqlx::Error::Encode(e)))?;)*
        Ok(args)
    }};
}
params!(A a);
params!(A a, B b);
params!(A a, B b, C c);
params!(A a, B b, C c, D d);
params!(A a, B b, C c, D d, E e);
params!(A a, B b, C c, D d, E e, F f);
params!(A a, B b, C c, D d, E e, F f, G g);
params!(A a, B b, C c, D d, E e, F f, G g, H h);
params!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
params!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);

impl Conn {
    async fn find<T: Row>(&mut self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        let found = match self {
            Self::Sqlite(conn) => {
                query_as_with(sql, params.sqlite()?).fetch_optional(&mut **conn).await
            }
            Self::Postgres(conn) => {
                query_as_with(sql, params.postgres()?).fetch_optional(&mut **conn).await
            }
        };
        self.sound(found)
    }

    async fn list<T: Row>(&mut self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        let found = match self {
            Self::Sqlite(conn) => query_as_with(sql, params.sqlite()?).fetch_all(&mut **conn).await,
            Self::Postgres(conn) => {
                query_as_with(sql, params.postgres()?).fetch_all(&mut **conn).await
            }
        };
        self.sound(found)
    }

    async fn run(&mut self, sql: &'static str, params: impl Params) -> Result<u64> {
        let done = match self {
            Self::Sqlite(conn) => query_with(sql, params.sqlite()?)
                .execute(&mut **conn)
                .await
                .map(|done| done.rows_affected()),
            Self::Postgres(conn) => query_with(sql, params.postgres()?)
                .execute(&mut **conn)
                .await
                .map(|done| done.rows_affected()),
        };
        self.sound(done)
    }

    /// Begins, commits or rolls back.
    async fn control(&mut self, sqlite: &'static str, postgres: &'static str) -> Result<()> {
        let done = match self {
            Self::Sqlite(conn) => raw_sql(sqlite).execute(&mut **conn).await.map(drop),
            Self::Postgres(conn) => raw_sql(postgres).execute(&mut **conn).await.map(drop),
        };
        self.sound(done)
    }

    fn sound<T>(&mut self, done: std::result::Result<T, sqlx::Error>) -> Result<T> {
        done.map_err(|error| {
            self.throw_away();
            Error::database(error)
        })
    }

    fn throw_away(&mut self) {
        match self {
            Self::Sqlite(conn) => conn.close_on_drop(),
            Self::Postgres(conn) => conn.close_on_drop(),
        }
    }
}

/// The future that may have to open a connection is large: without the box every future that may read something
/// would hold it, and each request would copy it around although its session is in the cache.
fn acquire<DB: sqlx::Database>(
    pool: &sqlx::Pool<DB>,
) -> BoxFuture<'_, std::result::Result<PoolConnection<DB>, sqlx::Error>> {
    Box::pin(pool.acquire())
}

impl Store {
    async fn reader(&self) -> Result<Conn> {
        match &self.engine {
            Engine::Sqlite { read, .. } => acquire(read).await.map(Conn::Sqlite),
            Engine::Postgres(pool) => acquire(pool).await.map(Conn::Postgres),
        }
        .map_err(Error::database)
    }

    async fn writer(&self) -> Result<Conn> {
        match &self.engine {
            Engine::Sqlite { write, .. } => acquire(write).await.map(Conn::Sqlite),
            Engine::Postgres(pool) => acquire(pool).await.map(Conn::Postgres),
        }
        .map_err(Error::database)
    }

    /// Reads at most one row.
    async fn find<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        self.reader().await?.find(sql, params).await
    }

    /// Reads rows.
    async fn list<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.reader().await?.list(sql, params).await
    }

    /// Writes by one statement; the number of rows it touched.
    async fn run(&self, sql: &'static str, params: impl Params) -> Result<u64> {
        self.writer().await?.run(sql, params).await
    }

    /// Writes by one statement that returns rows.
    async fn returning<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.writer().await?.list(sql, params).await
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite { .. })
    }

    /// Begins a transaction that may write.
    pub(in crate::auth) async fn begin(&self) -> Result<Tx> {
        let mut conn = self.writer().await?;
        // SQLite: a deferred transaction that turns into a write may find the lock taken, and then no
        // time-out helps. Take it at once.
        conn.control("BEGIN IMMEDIATE", "BEGIN").await?;
        Ok(Tx { conn, is_over: false })
    }

    /// Counts a request in; see [`InFlight`].
    pub(in crate::auth) fn enter(&self) -> InFlight {
        self.requests.count.fetch_add(1, Ordering::AcqRel);
        InFlight(self.requests.clone())
    }

    /// Whether this process alone may send letters from this database, from now on until it ends. On
    /// SQLite: if no other process does. PostgreSQL's rows say themselves who has them.
    pub(in crate::auth) fn claim_delivery(&self) -> Delivery {
        let Engine::Sqlite { delivery_lock, .. } = &self.engine else { return Delivery::Shared };
        match delivery_lock.try_lock() {
            Ok(()) => Delivery::Ours,
            Err(_) => Delivery::Theirs,
        }
    }
}

/// Who sends the letters of a database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Delivery {
    /// This process alone: what another one had claimed, it will never send.
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

    /// Makes it true, on disk.
    pub(in crate::auth) async fn commit(mut self) -> Result<()> {
        self.conn.control("COMMIT", "COMMIT").await?;
        self.is_over = true;
        Ok(())
    }

    /// Ends it as if it had never begun. A transaction that is merely dropped takes its connection with
    /// it, which costs a new one.
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

/// The requests that are being answered.
#[derive(Default)]
struct Requests {
    count: AtomicUsize,
    none_left: Notify,
}

/// A request that is being answered.
pub(crate) struct InFlight(Arc<Requests>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

/// Longest time for which the pool stays open for requests in flight once the service was told to
/// stop: longer than a login waits for its hash.
const CLOSE_WITHIN: Duration = Duration::from_secs(15);

/// For connections to end whose last request has just been answered: Rocket looks once, as soon as this is
/// over, and if one is left it waits for the whole of `shutdown.grace`.
const LAST_WORDS: Duration = Duration::from_millis(100);

#[rocket::async_trait]
impl Pool for Store {
    type Connection = Self;
    type Error = sqlx::Error;

    async fn init(figment: &Figment) -> std::result::Result<Self, sqlx::Error> {
        let config: Config = figment.extract().map_err(|e| sqlx::Error::Configuration(e.into()))?;
        let wait = Duration::from_secs(config.connect_timeout);
        let connections = u32::try_from(config.max_connections).unwrap_or(u32::MAX);
        let engine = if config.url.starts_with("postgres") {
            let options = PgConnectOptions::from_str(&config.url)?.disable_statement_logging();
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(wait)
                .connect_with(options)
                .await?;
            sqlx::migrate!("src/auth/store/migrations/postgres").run(&pool).await?;
            Engine::Postgres(pool)
        } else {
            open_sqlite(&config.url, connections, wait).await?
        };
        Ok(Self { engine, requests: Arc::default() })
    }

    async fn get(&self) -> std::result::Result<Self, sqlx::Error> {
        Ok(self.clone())
    }

    /// The pool fairing calls this when shutdown is asked for, while requests are still being
    /// answered: wait for them, or they would meet a closed pool.
    async fn close(&self) {
        let all_out = async {
            loop {
                let left = self.requests.none_left.notified();
                if self.requests.count.load(Ordering::Acquire) == 0 {
                    break;
                }
                left.await;
            }
        };
        let _ = timeout(CLOSE_WITHIN, all_out).await;
        sleep(LAST_WORDS).await;
        match &self.engine {
            Engine::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
            }
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_sqlite(
    url: &str,
    connections: u32,
    wait: Duration,
) -> std::result::Result<Engine, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode NORMAL may lose the last commits when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(wait)
        // In KiB. Each connection has a cache of its own; what they read is in the system's anyway.
        .pragma("cache_size", "-256")
        .disable_statement_logging();
    let pool = || SqlitePoolOptions::new().acquire_timeout(wait).test_before_acquire(false);
    private_files::open(options.get_filename()).map_err(sqlx::Error::Io)?;
    // By whatever name it was reached, it is one file, with one lock.
    let file = options.get_filename().canonicalize().map_err(sqlx::Error::Io)?;
    // SQLite has no lock for migrations: two processes that start at once would both create tables.
    let lock = lock_for_migrations(&beside(&file, ".lock"), wait).await.map_err(sqlx::Error::Io)?;
    let write = pool().max_connections(1).connect_with(options.clone()).await?;
    sqlx::migrate!("src/auth/store/migrations/sqlite").run(&write).await?;
    drop(lock);
    let read = pool().max_connections(connections).connect_with(options.read_only(true)).await?;
    let delivery_lock =
        private_files::open(&beside(&file, ".mail-lock")).map_err(sqlx::Error::Io)?;
    Ok(Engine::Sqlite { read, write, delivery_lock: Arc::new(delivery_lock) })
}

/// A file of the same name with something more.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Waits until no other start is changing the database.
async fn lock_for_migrations(path: &Path, wait: Duration) -> std::io::Result<File> {
    let lock = private_files::open(path)?;
    let begun_at = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun_at.elapsed() > wait => {
                let reason =
                    format!("another process holds {} and does not let go", path.display());
                return Err(std::io::Error::other(reason));
            }
            Err(TryLockError::WouldBlock) => {
                if begun_at.elapsed() < LOOK_EVERY {
                    warn!("another process is changing the database: waiting for it");
                }
                sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// How often a start looks whether the other one is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);
