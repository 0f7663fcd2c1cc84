//! Inspects a database in PostgreSQL.

use std::path::Path;
use std::time::Duration;

use rocket::tokio::time::timeout;
use rocket_db_pools::Config;
use sqlx::{Connection, PgConnection};

use super::dependents::refuse_dependents;
use super::migrate::{
    LOCK_TIMEOUT, MIGRATIONS, OF_0_1, connect, migrations_done, no_answer, refuse_other_schema,
};
use super::options;
use super::unusable::PostgresUnusable;
use crate::auth::store::inspect::{Found, KEY_FINGERPRINT, Tables};
use crate::auth::store::migrate::{DONE, DONE_BY_0_1, FAILED_BY_0_1, is_ours, refuse_unfinished};
use crate::auth::store::open::OwnConfig;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Inspects the database.
pub(in crate::auth::store) async fn inspect(
    config: &Config,
    own: &OwnConfig,
    _: &Path,
) -> Result<Option<Found>> {
    let wait = Duration::from_secs(config.connect_timeout);
    let options =
        options(&config.url)?.options([("lock_timeout", LOCK_TIMEOUT.as_millis().to_string())]);
    let mut conn = connect(&options, wait).await?;
    let look = async {
        let sql = "SELECT current_setting('transaction_read_only') = 'on'";
        let is_read_only: bool = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
        sqlx::query("SET default_transaction_read_only = on").execute(&mut conn).await?;
        let done = migrations_done(&mut conn, DONE).await?;
        let old = migrations_done(&mut conn, DONE_BY_0_1).await?;
        let mut tables = Tables::new(&MIGRATIONS, &done);
        if tables == Tables::Missing && is_ours(&OF_0_1, &old) {
            tables = Tables::OfVersion01;
            refuse_unfinished(&OF_0_1, &old, &migrations_done(&mut conn, FAILED_BY_0_1).await?)?;
            refuse_dependents(&mut conn).await?;
        }
        if !tables.are_enough() {
            refuse_other_schema(&mut conn, &done, &old).await?;
        }
        let mut found = Found::new(tables, &done);
        if tables.are_enough() {
            found.key_fingerprint =
                sqlx::query_scalar(KEY_FINGERPRINT).fetch_optional(&mut conn).await?.flatten();
            found.is_read_only = is_read_only;
            found.no_rights_on = sqlx::query_scalar(NOT_WRITABLE).fetch_optional(&mut conn).await?;
        } else if own.migrate {
            may_change_tables(&mut conn, tables).await?;
            if is_read_only {
                return Err(PostgresUnusable::ReadOnly.into());
            }
        }
        // Last, so that the time until here does not count.
        let now = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        found.now = Some(sqlx::query_scalar(now).fetch_one(&mut conn).await?);
        Result::Ok(found)
    };
    let mut found = timeout(wait, look).await.map_err(|_| no_answer())??;
    // Counting a large table may take longer than the deadline of a start, which does not do it.
    if let Some(sql) = found.count_accounts() {
        let count = timeout(wait, sqlx::query_scalar(sql).fetch_one(&mut conn)).await;
        found.accounts = count.ok().and_then(Result::ok);
    }
    let _ = timeout(wait, conn.close()).await;
    Ok(Some(found))
}

/// A table that the role may not use in every way that the service does. Only tables of ours: a host may have others
/// with this prefix.
const NOT_WRITABLE: &str = "SELECT name FROM unnest(ARRAY['users', 'passwords', 'sessions', 'renewed_sessions', 'links', 'used_links', \
     'outbox', 'throttle', 'events', 'health']) AS name \
     JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege \
     ON NOT has_table_privilege(to_regclass('vestibule_' || name), privilege) LIMIT 1";

/// Fails if the role may not migrate the tables.
async fn may_change_tables(conn: &mut PgConnection, tables: Tables) -> Result<()> {
    let table =
        if tables == Tables::OfVersion01 { "_sqlx_migrations" } else { "vestibule_migrations" };
    let sql = "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE) \
               AND NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) \
                               AND NOT pg_has_role(relowner, 'USAGE'))";
    if sqlx::query_scalar(sql).bind(table).fetch_one(conn).await? {
        return Ok(());
    }
    Err(PostgresUnusable::MayNotChangeTables.into())
}
