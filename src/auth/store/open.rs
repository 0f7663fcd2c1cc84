//! Opens and closes the database with the service.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use figment::Figment;
use figment::providers::Serialized;
use log::warn;
use rocket::serde::Deserialize;
use rocket::tokio::time::{sleep, timeout};
use rocket_db_pools::{Config, Pool};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::abandoned::Abandoned;
use super::fair_semaphore::FairSemaphore;
use super::migrate::{lock_for_migrations, migrate_postgres, migrate_sqlite, no_answer};
use super::{Engine, Faults, Store};
use crate::{Error, private_files};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Settings of the pool that `rocket_db_pools` does not know.
#[derive(Deserialize)]
#[serde(crate = "rocket::serde", default)]
pub(super) struct OwnConfig {
    /// The longest time for one statement, in seconds.
    statement_timeout: u64,
    /// Whether a start may migrate the tables.
    pub(super) migrate: bool,
    /// The longest time for closing, in seconds: set to Rocket's `shutdown.grace`.
    close_within: u64,
}

impl Default for OwnConfig {
    fn default() -> Self {
        Self { statement_timeout: 5, migrate: true, close_within: 15 }
    }
}

/// Reads the settings of the pool.
pub(super) fn settings(figment: &Figment) -> Result<(Config, OwnConfig)> {
    let wrong = |error: figment::Error| sqlx::Error::Configuration(error.into());
    Ok((figment.extract().map_err(wrong)?, figment.extract_lossy().map_err(wrong)?))
}

/// Adds the defaults of `rocket_db_pools`, for use without Rocket.
pub(super) fn without_rocket(figment: &Figment) -> Figment {
    let default = Config { max_connections: 2, connect_timeout: 5, ..Config::default() };
    figment.focus("databases.vestibule").join(Serialized::defaults(default))
}

/// Migrates the tables, whatever the setting `migrate` says.
///
/// # Errors
/// If the database cannot be reached, or the role may not change tables.
pub(crate) async fn migrate(figment: &Figment) -> std::result::Result<(), Error> {
    let figment = without_rocket(figment).merge(("migrate", true));
    let store = Store::init(&figment).await.map_err(Error::database)?;
    store.close().await;
    Ok(())
}

/// PostgreSQL ends a transaction that its client has left idle for this many times the deadline of a statement: the
/// node is gone, and others wait for its locks.
const LEFT_OPEN: u32 = 2;

/// How long the ping of an idle connection may take before another one is opened.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(1);

/// Time for connections to end after their last response: Rocket checks once after this, and if one is left it
/// waits for the whole of `shutdown.grace`.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// One in this many connections is reserved for reading: if commits hang, pages can still be read.
const RESERVED_FOR_READING: usize = 4;

#[rocket::async_trait]
impl Pool for Store {
    type Connection = Self;
    type Error = sqlx::Error;

    async fn init(figment: &Figment) -> Result<Self> {
        let (config, own) = settings(figment)?;
        let deadline = Duration::from_secs(own.statement_timeout.max(1));
        let close_within = Duration::from_secs(own.close_within);
        let engine = if config.url.starts_with("postgres") {
            open_postgres(&config, deadline, own.migrate).await?
        } else {
            open_sqlite(&config, own.migrate).await?
        };
        let options = match &engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres(pool) => Some(pool.connect_options()),
        };
        let most = config.max_connections;
        let faults = Faults::new(Abandoned::new(options, most, deadline));
        let writers = match &engine {
            Engine::Sqlite { .. } => 1,
            Engine::Postgres(_) => (most - most.div_ceil(RESERVED_FOR_READING)).max(1),
        };
        let (readers, writers) = (FairSemaphore::new(most), FairSemaphore::new(writers));
        let requests = Arc::default();
        Ok(Self { engine, deadline, close_within, requests, faults, readers, writers })
    }

    async fn get(&self) -> Result<Self> {
        Ok(self.clone())
    }

    /// The pool fairing calls this when shutdown is requested, while requests are still in flight. Waits for them,
    /// or they would find a closed pool; does not wait for commits that hang.
    async fn close(&self) {
        let closed = async {
            self.requests.all_gone().await;
            sleep(LAST_WORDS).await;
            match &self.engine {
                Engine::Sqlite { read, write, .. } => {
                    read.close().await;
                    write.close().await;
                }
                Engine::Postgres(pool) => pool.close().await,
            }
        };
        if timeout(self.close_within, closed).await.is_err() {
            warn!("the database does not answer: left without a word");
        }
    }
}

/// Settings of the pool for both engines.
fn pool<DB: sqlx::Database>(config: &Config) -> PoolOptions<DB> {
    let connections = u32::try_from(config.max_connections).unwrap_or(u32::MAX);
    let options = PoolOptions::new()
        .max_connections(connections)
        .min_connections(config.min_connections.unwrap_or(0).min(connections))
        .acquire_timeout(Duration::from_secs(config.connect_timeout))
        .test_before_acquire(false);
    match config.idle_timeout {
        Some(seconds) => options.idle_timeout(Duration::from_secs(seconds)),
        None => options,
    }
}

/// Options of all connections to PostgreSQL.
pub(super) fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    // An IPv6 address has brackets in a URL.
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    let options = if host.contains(':') { options.host(&host) } else { options };
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("vestibule"),
    };
    // Some roles default to `serializable`; this is all that the service needs.
    let options = options.options([("default_transaction_isolation", "read committed")]);
    // Lets the server notice within a minute that a node or its network is gone.
    Ok(options.options([
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "30000"),
    ]))
}

async fn open_postgres(config: &Config, deadline: Duration, may_migrate: bool) -> Result<Engine> {
    let options = postgres_options(&config.url)?;
    migrate_postgres(&options, Duration::from_secs(config.connect_timeout), may_migrate).await?;
    let options = options.options([
        // The server gives up a little later than the node.
        ("statement_timeout", (deadline + SAYS_SO_WITHIN).as_millis()),
        ("idle_in_transaction_session_timeout", (deadline * LEFT_OPEN).as_millis()),
    ]);
    // After a network failure, all connections that were idle then are as dead as the first one that does not
    // answer.
    let silent_at = Arc::new(Mutex::new(None));
    let pool: PgPoolOptions = pool(config).before_acquire(move |conn: &mut PgConnection, meta| {
        let silent_at = silent_at.clone();
        Box::pin(async move {
            let lock = || silent_at.lock().unwrap_or_else(PoisonError::into_inner);
            if lock().is_some_and(|at: Instant| at.elapsed() < meta.idle_for) {
                return Ok(false);
            }
            let well = timeout(SAYS_SO_WITHIN, conn.ping()).await;
            well.unwrap_or_else(|_| {
                *lock() = Some(Instant::now());
                Err(no_answer())
            })
            .map(|()| true)
        })
    });
    Ok(Engine::Postgres(pool.connect_with(options).await?))
}

async fn open_sqlite(config: &Config, may_migrate: bool) -> Result<Engine> {
    let wait = Duration::from_secs(config.connect_timeout);
    let options = SqliteConnectOptions::from_str(&config.url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode, NORMAL may lose the last commits in a power failure.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(wait)
        // In KiB. Each connection has its own cache; the pages are in the system's cache anyway.
        .pragma("cache_size", "-256")
        .disable_statement_logging();
    private_files::check_is_file(options.get_filename()).map_err(sqlx::Error::Io)?;
    private_files::open(options.get_filename()).map_err(sqlx::Error::Io)?;
    // Whatever path was configured, there is one file with one lock.
    let file = options.get_filename().canonicalize().map_err(sqlx::Error::Io)?;
    // SQLite has no lock for migrations: two processes starting at once would both create tables.
    let lock = lock_for_migrations(&beside(&file, ".lock"), wait).await.map_err(sqlx::Error::Io)?;
    let write: SqlitePoolOptions = pool(config).min_connections(0).max_connections(1);
    let write = write.connect_with(options.clone()).await?;
    migrate_sqlite(&mut *write.acquire().await?, may_migrate).await?;
    drop(lock);
    let read: SqlitePoolOptions = pool(config);
    let read = read.connect_with(options.read_only(true)).await?;
    let delivery_lock =
        private_files::open(&beside(&file, ".mail-lock")).map_err(sqlx::Error::Io)?;
    Ok(Engine::Sqlite { read, write, delivery_lock: Arc::new(delivery_lock) })
}

/// The path with a suffix.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
