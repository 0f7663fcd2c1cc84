//! How the database is opened with the service, and closed with it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use figment::Figment;
use figment::providers::Serialized;
use log::{info, warn};
use rocket::serde::Deserialize;
use rocket::tokio::time::{sleep, timeout};
use rocket_db_pools::{Config, Pool};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::given_up::GivenUp;
use super::turns::Turns;
use super::{Engine, Faults, Store};
use crate::{Error, private_files};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// What may be said of the database beside what `rocket_db_pools` knows.
#[derive(Deserialize)]
#[serde(crate = "rocket::serde", default)]
struct OwnConfig {
    /// Longest time for one statement, in seconds.
    statement_timeout: u64,
    /// Whether a start may change the tables.
    migrate: bool,
    /// How long closing may take, in seconds: set to what Rocket's `shutdown.grace` is.
    close_within: u64,
}

impl Default for OwnConfig {
    fn default() -> Self {
        Self { statement_timeout: 5, migrate: true, close_within: 15 }
    }
}

fn wrong(error: figment::Error) -> sqlx::Error {
    sqlx::Error::Configuration(error.into())
}

/// Brings the tables of the database to this version, whatever the setting `migrate` says.
///
/// # Errors
/// When the database cannot be reached, or the role may not change tables.
pub(crate) async fn migrate(figment: &Figment) -> std::result::Result<(), Error> {
    let figment = figment
        .focus("databases.vestibule")
        .join(Serialized::defaults(Config {
            max_connections: 2,
            connect_timeout: 5,
            ..Config::default()
        }))
        .merge(("migrate", true));
    let store = Store::init(&figment).await.map_err(Error::database)?;
    store.close().await;
    Ok(())
}

/// A transaction that its node has left for so much longer than a statement may take is ended by PostgreSQL:
/// the node is gone, and others wait for what it has locked.
const LEFT_OPEN: u32 = 2;

/// How long an idle connection may take to say that it is well, before another is opened.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(1);

/// How long a start waits at first for what holds a table that is to be changed, before it lets others pass and tries
/// again: all who want that table queue behind it. Longer each time, up to two seconds.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// And for how long it lets others pass.
const LET_PASS: Duration = Duration::from_secs(2);

/// How long a start tries in all to change the tables.
const MIGRATE_WITHIN: Duration = Duration::from_secs(60);

/// For connections to end whose last request has just been answered: Rocket looks once, as soon as this is
/// over, and if one is left it waits for the whole of `shutdown.grace`.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// One connection of so many is never for a write: where commits hang, pages can still be read.
const RESERVED_FOR_READING: usize = 4;

/// How long a change of the tables may take in all.
const CHANGED_WITHIN: Duration = Duration::from_mins(15);

/// How long PostgreSQL waits for a start that says nothing in the middle of a change.
const LEFT_OPEN_FOR: Duration = Duration::from_secs(10);

/// How often a start looks whether the other one is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[rocket::async_trait]
impl Pool for Store {
    type Connection = Self;
    type Error = sqlx::Error;

    async fn init(figment: &Figment) -> Result<Self> {
        let config: Config = figment.extract().map_err(wrong)?;
        let own: OwnConfig = figment.extract_lossy().map_err(wrong)?;
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
        let faults = Faults::new(GivenUp::new(options, most, deadline));
        let writers = match &engine {
            Engine::Sqlite { .. } => 1,
            Engine::Postgres(_) => (most - most.div_ceil(RESERVED_FOR_READING)).max(1),
        };
        let (readers, writers) = (Turns::new(most), Turns::new(writers));
        let requests = Arc::default();
        Ok(Self { engine, deadline, close_within, requests, faults, readers, writers })
    }

    async fn get(&self) -> Result<Self> {
        Ok(self.clone())
    }

    /// The pool fairing calls this when shutdown is asked for, while requests are still being
    /// answered: wait for them, or they would meet a closed pool. A commit that hangs is not waited for.
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

/// Settings of the pool that are the same on both engines.
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

async fn open_postgres(config: &Config, deadline: Duration, may_migrate: bool) -> Result<Engine> {
    let options = PgConnectOptions::from_str(&config.url)?.disable_statement_logging();
    // As they stand in a URL.
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    let options = if host.contains(':') { options.host(&host) } else { options };
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("vestibule"),
    };
    // Some roles have `serializable` by default; what is done here needs no more than this.
    let options = options.options([("default_transaction_isolation", "read committed")]);
    // What a node leaves behind that is gone, or whose network is, the server notices within a minute.
    let options = options.options([
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "30000"),
    ]);
    migrate_postgres(&options, Duration::from_secs(config.connect_timeout), may_migrate).await?;
    let options = options.options([
        // The server gives up a little after the node has.
        ("statement_timeout", (deadline + SAYS_SO_WITHIN).as_millis()),
        ("idle_in_transaction_session_timeout", (deadline * LEFT_OPEN).as_millis()),
    ]);
    // After a break of the network all that were idle then are as dead as the first that says nothing.
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

/// Opens a connection for what a start has to do, and says in words why it can't be.
async fn connect(options: &PgConnectOptions, wait: Duration) -> Result<PgConnection> {
    let refuse = |reason: String| Err(sqlx::Error::Configuration(reason.into()));
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let mut conn = match timeout(wait, options.connect()).await {
        Ok(Ok(conn)) => conn,
        Ok(Err(error)) if error.to_string().contains("unsupported startup parameter") => {
            return refuse(format!("{server} is a pooler: {NO_POOLER}"));
        }
        Ok(Err(error)) => return refuse(format!("PostgreSQL at {server} lets nobody in: {error}")),
        Err(_) => return refuse(format!("PostgreSQL at {server} does not answer")),
    };
    let sql = "SELECT current_setting('server_encoding'), current_setting('lock_timeout')";
    let ask = sqlx::query_as::<_, (String, String)>(sql).fetch_one(&mut conn);
    let (encoding, lock_timeout) = timeout(wait, ask).await.map_err(|_| no_answer())??;
    if encoding != "UTF8" {
        return refuse(format!(
            "the database is in {encoding}: it must be made with ENCODING 'UTF8'"
        ));
    }
    if lock_timeout != "200ms" {
        return refuse(format!("{server} drops the options of a connection: {NO_POOLER}"));
    }
    Ok(conn)
}

const NO_POOLER: &str = "with one in between, statements would run without their deadlines, or on another \
                         connection than the one they were prepared on. Connect to PostgreSQL itself";

/// Brings the tables to this version, if they are not: whoever may not change tables can start all the same.
async fn migrate_postgres(
    options: &PgConnectOptions,
    wait: Duration,
    may_migrate: bool,
) -> Result<()> {
    let begun_at = Instant::now();
    // By its name it is told from those that have deadlines.
    let name = format!("{} migrate", options.get_application_name().unwrap_or_default());
    let options = options.clone().application_name(&name).options([
        ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
        // Some roles have a short one by default; a large table takes its time.
        ("statement_timeout", 0.to_string()),
        // It holds its locks until the commit, which must not wait for a standby that is gone.
        ("synchronous_commit", "local".into()),
        // A start that is gone must not hold its locks.
        ("idle_in_transaction_session_timeout", LEFT_OPEN_FOR.as_millis().to_string()),
    ]);
    let mut lock_timeout = LOCK_TIMEOUT;
    loop {
        let mut conn = connect(&options, wait).await?;
        let set = format!("SET lock_timeout = {}", lock_timeout.as_millis());
        let set = sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut conn);
        timeout(wait, set).await.map_err(|_| no_answer())??;
        lock_timeout = (lock_timeout * 2).min(LONGEST_LOCK_TIMEOUT);
        let changed = bring_up_to_date(&mut conn, wait, may_migrate).await;
        // Its locks go with it.
        let _ = timeout(wait, conn.close()).await;
        match changed {
            Ok(()) => return Ok(()),
            Err(error)
                if is_code(&error, LOCK_NOT_AVAILABLE) && begun_at.elapsed() < MIGRATE_WITHIN =>
            {
                let who = holders(&options, wait).await;
                warn!(
                    "the tables are to be changed, but another process holds them: waiting for it{who}"
                );
                sleep(LET_PASS).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn bring_up_to_date(
    conn: &mut PgConnection,
    wait: Duration,
    may_migrate: bool,
) -> Result<()> {
    let sql = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
    let read = timeout(wait, sqlx::query_as(sql).fetch_all(&mut *conn));
    let done = match read.await.map_err(|_| no_answer())? {
        Err(error) if is_code(&error, UNDEFINED_TABLE) => Vec::new(),
        Err(error) if is_code(&error, INSUFFICIENT_PRIVILEGE) => return Err(may_not_read()),
        done => done?,
    };
    match (is_current(&POSTGRES, &done), may_migrate) {
        (true, _) => Ok(()),
        (false, false) => Err(too_old()),
        (false, true) => {
            info!("the tables are brought to this version");
            let change = POSTGRES.run_direct(None, conn, false);
            let changed = timeout(CHANGED_WITHIN, change).await.map_err(|_| no_answer())?;
            changed.map_err(|error| match error {
                MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)
                    if is_code(&cause, LOCK_NOT_AVAILABLE) =>
                {
                    cause
                }
                other => other.into(),
            })
        }
    }
}

static POSTGRES: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/auth/store/migrations/postgres") };
static SQLITE: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/auth/store/migrations/sqlite") };

/// Whether every migration of this version was done. Those of a later version are no fault: they only add, so
/// that nodes of two versions can run side by side.
fn is_current(ours: &Migrator, done: &[(i64, Vec<u8>)]) -> bool {
    let newest = ours.iter().map(|migration| migration.version).max();
    if done.iter().any(|(version, _)| Some(*version) > newest) {
        warn!(
            "the database has tables of a newer version: this one does not know all that is in them"
        );
    }
    ours.iter().all(|ours| {
        done.iter().any(|(version, checksum)| {
            *version == ours.version && checksum.as_slice() == &*ours.checksum
        })
    })
}

/// PostgreSQL's error codes (its manual, appendix A).
const INSUFFICIENT_PRIVILEGE: &str = "42501";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const UNDEFINED_TABLE: &str = "42P01";

fn is_code(error: &sqlx::Error, code: &str) -> bool {
    let told = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    told.is_some_and(|told| told == code)
}

/// Which processes of PostgreSQL hold tables of this schema, in words.
async fn holders(options: &PgConnectOptions, wait: Duration) -> String {
    let look = async {
        let mut conn = options.connect().await?;
        let sql = "SELECT DISTINCT a.pid, a.application_name, COALESCE(a.state, '') \
                   FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid \
                   WHERE c.relnamespace = current_schema()::regnamespace AND a.pid <> pg_backend_pid() \
                   ORDER BY a.pid LIMIT 5";
        sqlx::query_as::<_, (i32, String, String)>(sql).fetch_all(&mut conn).await
    };
    let found = timeout(wait, look).await.ok().and_then(Result::ok).unwrap_or_default();
    let each = found.iter().map(|(pid, name, state)| format!(" {pid} ({name}, {state})"));
    let all = each.collect::<Vec<_>>().join(",");
    if all.is_empty() { all } else { format!(" (process{all})") }
}

fn may_not_read() -> sqlx::Error {
    let reason = "this role may not read the table _sqlx_migrations: GRANT SELECT, INSERT, UPDATE, DELETE ON \
                  ALL TABLES IN SCHEMA public TO it, as their owner";
    sqlx::Error::Configuration(reason.into())
}

fn too_old() -> sqlx::Error {
    let reason = "the tables are older than this version, and databases.vestibule.migrate is false: run \
                  `vestibule migrate` as their owner";
    sqlx::Error::Configuration(reason.into())
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from the server"))
}

async fn open_sqlite(config: &Config, may_migrate: bool) -> Result<Engine> {
    let wait = Duration::from_secs(config.connect_timeout);
    let options = SqliteConnectOptions::from_str(&config.url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode NORMAL may lose the last commits when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(wait)
        // In KiB. Each connection has a cache of its own; what they read is in the system's anyway.
        .pragma("cache_size", "-256")
        .disable_statement_logging();
    private_files::open(options.get_filename()).map_err(sqlx::Error::Io)?;
    // By whatever name it was reached, it is one file, with one lock.
    let file = options.get_filename().canonicalize().map_err(sqlx::Error::Io)?;
    // SQLite has no lock for migrations: two processes that start at once would both create tables.
    let lock = lock_for_migrations(&beside(&file, ".lock"), wait).await.map_err(sqlx::Error::Io)?;
    let write: SqlitePoolOptions = pool(config).min_connections(0).max_connections(1);
    let write = write.connect_with(options.clone()).await?;
    let sql = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
    let mut conn = write.acquire().await?;
    let done = sqlx::query_as(sql).fetch_all(&mut *conn).await.unwrap_or_default();
    if !is_current(&SQLITE, &done) {
        if !may_migrate {
            return Err(too_old());
        }
        SQLITE.run_direct(None, &mut *conn, false).await?;
    }
    drop(conn);
    drop(lock);
    let read: SqlitePoolOptions = pool(config);
    let read = read.connect_with(options.read_only(true)).await?;
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
