//! Migrates the tables in PostgreSQL.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use log::{info, warn};
use rocket::tokio::time::{sleep, timeout};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, FromRow, PgConnection};

use super::dependents::refuse_dependents;
use super::unusable::PostgresUnusable;
use super::{not_let_in, server};
use crate::auth::store::migrate::{
    DONE, DONE_BY_0_1, Done, FAILED_BY_0_1, TABLE, TAKE_OVER_0_1, is_current, is_ours,
    refuse_unfinished,
};
use crate::auth::store::unusable::Unusable;

type Result<T> = std::result::Result<T, sqlx::Error>;

pub(super) static MIGRATIONS: Migrator = Migrator {
    ignore_missing: true,
    table_name: Cow::Borrowed(TABLE),
    ..sqlx::migrate!("src/auth/store/migrations/postgres")
};

/// The migrations of version 0.1, whose tables had no prefix.
pub(super) static OF_0_1: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/auth/store/migrations/0.1/postgres") };

/// Waits for transactions of version 0.1 nodes, and keeps them from writing after the data was copied.
const LOCK_0_1: &str = "LOCK TABLE users, sessions, renewed_sessions, tokens, used_tokens, outbox, throttle, \
                        events, health IN ACCESS EXCLUSIVE MODE";
const IS_TAKEN_OVER: &str = "SELECT to_regclass('vestibule_migrations') IS NOT NULL";
const SERVE_BESIDE_0_1: &str = include_str!("../migrations/0.1/serve_beside.sql");

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

/// Opens a connection for a start.
pub(super) async fn connect(options: &PgConnectOptions, wait: Duration) -> Result<PgConnection> {
    let server = server(options);
    let mut conn = match timeout(wait, options.connect()).await {
        Ok(Ok(conn)) => conn,
        Ok(Err(error)) if error.to_string().contains("unsupported startup parameter") => {
            return Err(PostgresUnusable::Pooler { server }.into());
        }
        Ok(Err(error)) => return Err(not_let_in(options, error).into()),
        Err(_) => return Err(PostgresUnusable::Silent { server }.into()),
    };
    let sql = "SELECT current_setting('server_encoding'), current_setting('lock_timeout')";
    // Not prepared: behind a pooler, another client may have prepared a statement of the same name.
    let ask = sqlx::raw_sql(sql).fetch_one(&mut conn);
    let answer = timeout(wait, ask).await.map_err(|_| no_answer())??;
    let (encoding, lock_timeout) = <(String, String)>::from_row(&answer)?;
    if encoding != "UTF8" {
        return Err(PostgresUnusable::Encoding(encoding).into());
    }
    if lock_timeout != "200ms" {
        return Err(PostgresUnusable::DropsOptions { server }.into());
    }
    Ok(conn)
}

/// Migrates the tables if needed: a role without the right to do so can start when nothing is left to do.
pub(super) async fn migrate(
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
                return Err(PostgresUnusable::ReadOnly.into());
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
    if is_current(&MIGRATIONS, &done) {
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
        if done.is_empty() && is_ours(&OF_0_1, &old) {
            refuse_unfinished(&OF_0_1, &old, &migrations_done(conn, FAILED_BY_0_1).await?)?;
            refuse_dependents(conn).await?;
            // In one transaction with the migrations of 0.1: if it fails, 0.1 can go on.
            let mut tx = conn.begin().await?;
            OF_0_1.run_direct(None, &mut *tx, false).await.map_err(cause)?;
            tx.execute(LOCK_0_1).await?;
            // Another node may have been faster: then these are views of the tables of this version.
            if !sqlx::query_scalar(IS_TAKEN_OVER).fetch_one(&mut *tx).await? {
                MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(cause)?;
                tx.execute(TAKE_OVER_0_1).await?;
                tx.execute(SERVE_BESIDE_0_1).await?;
                return tx.commit().await;
            }
            tx.rollback().await?;
        }
        MIGRATIONS.run_direct(None, conn, false).await.map_err(cause)
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
            Err(PostgresUnusable::MayNotReadMigrations.into())
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

/// Fails if the tables are not in the schema where new ones would be created: those would be empty.
pub(super) async fn refuse_other_schema(
    conn: &mut PgConnection,
    done: &[Done],
    done_by_0_1: &[Done],
) -> Result<()> {
    let table = match (done, done_by_0_1) {
        ([], old) if is_ours(&OF_0_1, old) => "_sqlx_migrations",
        ([], _) => return Ok(()),
        _ => TABLE,
    };
    let sql = "SELECT CAST(nspname AS TEXT), COALESCE(CAST(current_schema() AS TEXT), '') FROM pg_class \
               JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = to_regclass($1)";
    let found: Option<(String, String)> =
        sqlx::query_as(sql).bind(table).fetch_optional(conn).await?;
    match found {
        Some((tables_in, first)) if tables_in != first => {
            Err(PostgresUnusable::OtherSchema { tables_in, first }.into())
        }
        _ => Ok(()),
    }
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
