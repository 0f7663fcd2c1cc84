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

use std::fs::File;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use figment::Figment;
use rocket::tokio::sync::Notify;
use rocket::tokio::time::{sleep, timeout};
use rocket_db_pools::{Config, Database, Pool};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    Arguments, ConnectOptions, Encode, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    Type, query_as_with, query_with,
};

pub(in crate::auth) use outbox::OutboxRow;
pub(in crate::auth) use tokens::{NewToken, Purpose};
pub(in crate::auth) use users::{Credentials, NewUser};

use crate::{Error, data_dir};

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
    },
    Postgres(PgPool),
}

/// A transaction. Dropped without [`commit`](Tx::commit), it never happened.
pub(in crate::auth) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
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

impl Store {
    /// Reads at most one row.
    async fn find<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        match &self.engine {
            Engine::Sqlite { read, .. } => {
                query_as_with(sql, params.sqlite()?).fetch_optional(read).await
            }
            Engine::Postgres(pool) => {
                query_as_with(sql, params.postgres()?).fetch_optional(pool).await
            }
        }
        .map_err(Error::database)
    }

    /// Writes by one statement; the number of rows it touched.
    async fn run(&self, sql: &'static str, params: impl Params) -> Result<u64> {
        match &self.engine {
            Engine::Sqlite { write, .. } => {
                query_with(sql, params.sqlite()?).execute(write).await.map(|d| d.rows_affected())
            }
            Engine::Postgres(pool) => {
                query_with(sql, params.postgres()?).execute(pool).await.map(|d| d.rows_affected())
            }
        }
        .map_err(Error::database)
    }

    /// Writes by one statement that returns rows.
    async fn returning<T: Row>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        match &self.engine {
            Engine::Sqlite { write, .. } => {
                query_as_with(sql, params.sqlite()?).fetch_all(write).await
            }
            Engine::Postgres(pool) => query_as_with(sql, params.postgres()?).fetch_all(pool).await,
        }
        .map_err(Error::database)
    }

    /// Begins a transaction that may write.
    pub(in crate::auth) async fn begin(&self) -> Result<Tx> {
        match &self.engine {
            // A deferred transaction that turns into a write may find the lock taken, and then no
            // time-out helps: take it at once.
            Engine::Sqlite { write, .. } => {
                write.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite)
            }
            Engine::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        }
        .map_err(Error::database)
    }

    /// Counts a request in; it is out again when what is returned is dropped. The pool closes only
    /// when all are out.
    pub(in crate::auth) fn enter(&self) -> InFlight {
        self.requests.count.fetch_add(1, Ordering::AcqRel);
        InFlight(self.requests.clone())
    }
}

impl Tx {
    async fn find<T: Row>(&mut self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        match self {
            Self::Sqlite(tx) => {
                query_as_with(sql, params.sqlite()?).fetch_optional(&mut **tx).await
            }
            Self::Postgres(tx) => {
                query_as_with(sql, params.postgres()?).fetch_optional(&mut **tx).await
            }
        }
        .map_err(Error::database)
    }

    async fn run(&mut self, sql: &'static str, params: impl Params) -> Result<u64> {
        match self {
            Self::Sqlite(tx) => query_with(sql, params.sqlite()?)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
            Self::Postgres(tx) => query_with(sql, params.postgres()?)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err(Error::database)
    }

    /// Makes it true, on disk.
    pub(in crate::auth) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(Error::database)
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
            Engine::Sqlite { read, write } => {
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
    // SQLite has no lock for migrations: two processes that start at once would both create tables.
    let lock = migration_lock(options.get_filename()).map_err(sqlx::Error::Io)?;
    data_dir::make_file(options.get_filename()).map_err(sqlx::Error::Io)?;
    let write = pool().max_connections(1).connect_with(options.clone()).await?;
    sqlx::migrate!("src/auth/store/migrations/sqlite").run(&write).await?;
    drop(lock);
    let read = pool().max_connections(connections).connect_with(options.read_only(true)).await?;
    Ok(Engine::Sqlite { read, write })
}

fn migration_lock(database: &Path) -> std::io::Result<File> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let lock = File::create(name)?;
    lock.lock()?;
    Ok(lock)
}
