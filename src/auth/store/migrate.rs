//! Migrates the tables.

use std::borrow::Cow;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use log::{info, warn};
use rocket::tokio::time::{sleep, timeout};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};

use super::dependents::{refuse_dependents_in_postgres, refuse_dependents_in_sqlite};
use super::inspect::Tables;
use super::unusable::Unusable;
use crate::private_files;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long a start first waits for a lock on a table before it lets others pass and tries again: other statements
/// for that table queue behind it. Doubles up to two seconds.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long it lets others pass.
const LET_PASS: Duration = Duration::from_secs(2);

/// How long a start keeps trying to migrate.
const MIGRATE_WITHIN: Duration = Duration::from_secs(60);

/// The longest time for a migration.
const CHANGED_WITHIN: Duration = Duration::from_mins(15);

/// How long PostgreSQL waits for a silent client in the middle of a migration.
const LEFT_OPEN_FOR: Duration = Duration::from_secs(10);

/// How often a start checks whether another one is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Opens a connection for a start.
pub(super) async fn connect(options: &PgConnectOptions, wait: Duration) -> Result<PgConnection> {
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let mut conn = match timeout(wait, options.connect()).await {
        Ok(Ok(conn)) => conn,
        Ok(Err(error)) if error.to_string().contains("unsupported startup parameter") => {
            return Err(Unusable::Pooler { server }.into());
        }
        Ok(Err(error)) => return Err(Unusable::NotLetIn { server, error }.into()),
        Err(_) => return Err(Unusable::Silent { server }.into()),
    };
    let sql = "SELECT current_setting('server_encoding'), current_setting('lock_timeout')";
    let ask = sqlx::query_as::<_, (String, String)>(sql).fetch_one(&mut conn);
    let (encoding, lock_timeout) = timeout(wait, ask).await.map_err(|_| no_answer())??;
    if encoding != "UTF8" {
        return Err(Unusable::Encoding(encoding).into());
    }
    if lock_timeout != "200ms" {
        return Err(Unusable::DropsOptions { server }.into());
    }
    Ok(conn)
}

/// Migrates the tables if needed: a role without the right to do so can start when nothing is left to do.
pub(super) async fn migrate_postgres(
    options: &PgConnectOptions,
    wait: Duration,
    may_migrate: bool,
) -> Result<()> {
    let begun_at = Instant::now();
    // The name distinguishes it from connections with deadlines.
    let name = format!("{} migrate", options.get_application_name().unwrap_or_default());
    let options = options.clone().application_name(&name).options([
        ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
        // Some roles have a short default; a large table takes time.
        ("statement_timeout", 0.to_string()),
        // It holds locks until the commit, which must not wait for a lost standby.
        ("synchronous_commit", "local".into()),
        // A process that died must not hold its locks.
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
        // Closing releases its locks.
        let _ = timeout(wait, conn.close()).await;
        match changed {
            Ok(()) => return Ok(()),
            Err(error)
                if (is_code(&error, LOCK_NOT_AVAILABLE) || is_code(&error, DEADLOCK_DETECTED))
                    && begun_at.elapsed() < MIGRATE_WITHIN =>
            {
                let who = holders(&options, wait).await;
                warn!(
                    "the tables are to be changed, but another process holds them: waiting for it{who}"
                );
                sleep(LET_PASS).await;
            }
            Err(error) if is_code(&error, READ_ONLY_TRANSACTION) => {
                return Err(Unusable::ReadOnly.into());
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
    let done = timeout(wait, migrations_done(conn, DONE)).await.map_err(|_| no_answer())??;
    if is_current(&POSTGRES, &done) {
        return Ok(());
    }
    if !may_migrate {
        return Err(Unusable::TablesTooOld.into());
    }
    info!("the tables are brought to this version");
    let old =
        timeout(wait, migrations_done(conn, DONE_BY_0_1)).await.map_err(|_| no_answer())??;
    timeout(wait, refuse_other_schema(conn, &done, &old)).await.map_err(|_| no_answer())??;
    let change = async {
        if done.is_empty() && is_ours(&POSTGRES_0_1, &old) {
            refuse_unfinished(&POSTGRES_0_1, &old, &migrations_done(conn, FAILED_BY_0_1).await?)?;
            refuse_dependents_in_postgres(conn).await?;
            // In one transaction with the migrations of 0.1: if it fails, 0.1 can go on.
            let mut tx = conn.begin().await?;
            POSTGRES_0_1.run_direct(None, &mut *tx, false).await.map_err(cause)?;
            tx.execute(LOCK_0_1).await?;
            // Another node may have been faster: then these are views of the tables of this version.
            if !sqlx::query_scalar(IS_TAKEN_OVER).fetch_one(&mut *tx).await? {
                POSTGRES.run_direct(None, &mut *tx, false).await.map_err(cause)?;
                tx.execute(TAKE_OVER_0_1).await?;
                tx.execute(SERVE_BESIDE_0_1).await?;
                return tx.commit().await;
            }
            tx.rollback().await?;
        }
        POSTGRES.run_direct(None, conn, false).await.map_err(cause)
    };
    timeout(CHANGED_WITHIN, change).await.map_err(|_| no_answer())?
}

/// Returns the applied migrations with their checksums; none if the table does not exist.
pub(super) async fn migrations_done(
    conn: &mut PgConnection,
    sql: &'static str,
) -> Result<Vec<Done>> {
    match sqlx::query_as(sql).fetch_all(conn).await {
        Err(error) if is_code(&error, UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(error) if is_code(&error, INSUFFICIENT_PRIVILEGE) => {
            Err(Unusable::MayNotReadMigrations.into())
        }
        done => done,
    }
}

/// The database error inside a migration error, by which the caller decides whether to retry.
fn cause(error: MigrateError) -> sqlx::Error {
    match error {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause,
        other => other.into(),
    }
}

/// Migrates the tables if needed. The caller holds the lock that keeps other processes out.
pub(super) async fn migrate_sqlite(conn: &mut SqliteConnection, may_migrate: bool) -> Result<()> {
    let done: Vec<Done> = sqlx::query_as(DONE).fetch_all(&mut *conn).await.unwrap_or_default();
    if is_current(&SQLITE, &done) {
        return Ok(());
    }
    if !may_migrate {
        return Err(Unusable::TablesTooOld.into());
    }
    let old: Vec<Done> =
        sqlx::query_as(DONE_BY_0_1).fetch_all(&mut *conn).await.unwrap_or_default();
    if done.is_empty() && is_ours(&SQLITE_0_1, &old) {
        let failed: Vec<Done> = sqlx::query_as(FAILED_BY_0_1).fetch_all(&mut *conn).await?;
        refuse_unfinished(&SQLITE_0_1, &old, &failed)?;
        refuse_dependents_in_sqlite(conn).await?;
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        SQLITE_0_1.run_direct(None, &mut *tx, false).await?;
        SQLITE.run_direct(None, &mut *tx, false).await?;
        tx.execute(TAKE_OVER_0_1).await?;
        return tx.commit().await;
    }
    Ok(SQLITE.run_direct(None, conn, false).await?)
}

/// An applied migration: its version and checksum.
pub(super) type Done = (i64, Vec<u8>);

const TABLE: &str = "vestibule_migrations";
pub(super) const DONE: &str = "SELECT version, checksum FROM vestibule_migrations WHERE success";

pub(super) static POSTGRES: Migrator = Migrator {
    ignore_missing: true,
    table_name: Cow::Borrowed(TABLE),
    ..sqlx::migrate!("src/auth/store/migrations/postgres")
};
pub(super) static SQLITE: Migrator = Migrator {
    ignore_missing: true,
    table_name: Cow::Borrowed(TABLE),
    ..sqlx::migrate!("src/auth/store/migrations/sqlite")
};

/// The migrations of version 0.1, whose tables had no prefix.
pub(super) static POSTGRES_0_1: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/auth/store/migrations/0.1/postgres") };
pub(super) static SQLITE_0_1: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/auth/store/migrations/0.1/sqlite") };
pub(super) const DONE_BY_0_1: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success";

pub(super) const FAILED_BY_0_1: &str =
    "SELECT version, checksum FROM _sqlx_migrations WHERE NOT success";

/// Waits for transactions of version 0.1 nodes, and keeps them from writing after the data was copied.
const LOCK_0_1: &str = "LOCK TABLE users, sessions, renewed_sessions, tokens, used_tokens, outbox, throttle, \
                        events, health IN ACCESS EXCLUSIVE MODE";
const IS_TAKEN_OVER: &str = "SELECT to_regclass('vestibule_migrations') IS NOT NULL";
const TAKE_OVER_0_1: &str = include_str!("migrations/0.1/take_over.sql");
const SERVE_BESIDE_0_1: &str = include_str!("migrations/0.1/serve_beside.sql");

/// Fails if the tables are not in the schema where new ones would be created: those would be empty.
pub(super) async fn refuse_other_schema(
    conn: &mut PgConnection,
    done: &[Done],
    done_by_0_1: &[Done],
) -> Result<()> {
    let table = match (done, done_by_0_1) {
        ([], old) if is_ours(&POSTGRES_0_1, old) => "_sqlx_migrations",
        ([], _) => return Ok(()),
        _ => TABLE,
    };
    let sql = "SELECT CAST(nspname AS TEXT), COALESCE(CAST(current_schema() AS TEXT), '') FROM pg_class \
               JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = to_regclass($1)";
    let found: Option<(String, String)> =
        sqlx::query_as(sql).bind(table).fetch_optional(conn).await?;
    match found {
        Some((tables_in, first)) if tables_in != first => {
            Err(Unusable::OtherSchema { tables_in, first }.into())
        }
        _ => Ok(()),
    }
}

/// Whether these are our migrations, and not those of a host app in the same database.
pub(super) fn is_ours(migrator: &Migrator, done: &[Done]) -> bool {
    let first = migrator.iter().next();
    first.is_some_and(|first| {
        done.iter().any(|(version, checksum)| {
            *version == first.version && checksum.as_slice() == &*first.checksum
        })
    })
}

/// Fails if migrations of version 0.1 are not recorded as done in order: a start would do them again.
pub(super) fn refuse_unfinished(ours: &Migrator, done: &[Done], failed: &[Done]) -> Result<()> {
    let is_done = |version| done.iter().any(|(done, _)| *done == version);
    let last = done.iter().map(|(version, _)| *version).max().unwrap_or_default();
    let mut missing = ours.iter().map(|migration| migration.version);
    let missing = missing.find(|version| *version < last && !is_done(*version));
    let failed = failed.first().map(|(version, _)| *version);
    match failed.or(missing) {
        Some(version) => Err(Unusable::Unfinished { version }.into()),
        None => Ok(()),
    }
}

/// Whether every migration of this version is applied. Later migrations are no error: they only add, so that nodes
/// of two versions can run side by side.
fn is_current(ours: &Migrator, done: &[Done]) -> bool {
    let tables = Tables::new(ours, done);
    if tables == Tables::Newer {
        warn!(
            "the database has tables of a newer version: this one does not know all that is in them"
        );
    }
    tables.are_enough()
}

/// PostgreSQL's error codes (its manual, appendix A).
const INSUFFICIENT_PRIVILEGE: &str = "42501";
const DEADLOCK_DETECTED: &str = "40P01";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const UNDEFINED_TABLE: &str = "42P01";
const READ_ONLY_TRANSACTION: &str = "25006";

fn is_code(error: &sqlx::Error, code: &str) -> bool {
    let told = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    told.is_some_and(|told| told == code)
}

/// Describes the backends that hold locks on tables of this schema.
async fn holders(options: &PgConnectOptions, wait: Duration) -> String {
    let look = async {
        let mut conn = options.connect().await?;
        let sql = "SELECT DISTINCT a.pid, a.application_name, COALESCE(a.state, '') \
                   FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid \
                   WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND a.pid <> pg_backend_pid() \
                   ORDER BY a.pid LIMIT 5";
        sqlx::query_as::<_, (i32, String, String)>(sql).fetch_all(&mut conn).await
    };
    let found = timeout(wait, look).await.ok().and_then(Result::ok).unwrap_or_default();
    let each = found.iter().map(|(pid, name, state)| format!(" {pid} ({name}, {state})"));
    let all = each.collect::<Vec<_>>().join(",");
    if all.is_empty() { all } else { format!(" (process{all})") }
}

pub(super) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from the server"))
}

/// Waits until no other process is migrating the database.
pub(super) async fn lock_for_migrations(path: &Path, wait: Duration) -> std::io::Result<File> {
    let lock = private_files::open(path)?;
    let begun_at = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun_at.elapsed() > wait => {
                return Err(std::io::Error::other(Unusable::LockIsHeld(path.to_owned())));
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
