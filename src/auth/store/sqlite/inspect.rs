//! Inspects a SQLite file.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rocket_db_pools::Config;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::beside;
use super::dependents::refuse_dependents;
use super::migrate::{MIGRATIONS, OF_0_1};
use crate::auth::store::inspect::{Found, KEY_FINGERPRINT, Tables};
use crate::auth::store::migrate::{
    DONE, DONE_BY_0_1, Done, FAILED_BY_0_1, is_ours, refuse_unfinished,
};
use crate::auth::store::open::OwnConfig;
use crate::private_files;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Inspects the file; `None` if a start would create it. The start creates the folder `made` first.
pub(in crate::auth::store) async fn inspect(
    config: &Config,
    _: &OwnConfig,
    made: &Path,
) -> Result<Option<Found>> {
    let wait = Duration::from_secs(config.connect_timeout);
    let options = SqliteConnectOptions::from_str(&config.url)?;
    let file = options.get_filename().to_owned();
    let folder = private_files::parent(&file);
    private_files::check_is_file(&file).map_err(sqlx::Error::Io)?;
    let exists = file.try_exists().map_err(sqlx::Error::Io)?;
    // SQLite and the locks create files in the folder of the database.
    if exists {
        private_files::check_writable(&file).map_err(sqlx::Error::Io)?;
        let file = file.canonicalize().map_err(sqlx::Error::Io)?;
        let siblings = [".lock", ".mail-lock", "-wal", "-shm"].map(|ending| beside(&file, ending));
        for sibling in siblings.iter().filter(|path| path.exists()) {
            // A process of another user may have made it.
            private_files::check_writable(sibling).map_err(sqlx::Error::Io)?;
        }
    }
    if folder.exists() || !made.starts_with(folder) {
        private_files::check_writable(folder).map_err(sqlx::Error::Io)?;
    }
    if !exists {
        return Ok(None);
    }
    // If a write-ahead log exists, another process may be writing; if not, reading would create one.
    let is_quiet = !beside(&file, "-wal").exists();
    let options = options.create_if_missing(false).read_only(true).immutable(is_quiet);
    let mut conn = options.busy_timeout(wait).disable_statement_logging().connect().await?;
    let found = find_in_sqlite(&mut conn).await;
    let _ = conn.close().await;
    found.map(Some)
}

async fn find_in_sqlite(conn: &mut SqliteConnection) -> Result<Found> {
    // Whether the file is a database at all.
    let _: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master").fetch_one(&mut *conn).await?;
    let mut migrations_in =
        async |sql| sqlx::query_as(sql).fetch_all(&mut *conn).await.unwrap_or_default();
    let done: Vec<Done> = migrations_in(DONE).await;
    let old: Vec<Done> = migrations_in(DONE_BY_0_1).await;
    let failed: Vec<Done> = migrations_in(FAILED_BY_0_1).await;
    let mut tables = Tables::new(&MIGRATIONS, &done);
    if tables == Tables::Missing && is_ours(&OF_0_1, &old) {
        tables = Tables::OfVersion01;
        refuse_unfinished(&OF_0_1, &old, &failed)?;
        refuse_dependents(conn).await?;
    }
    let mut found = Found::new(tables, &done);
    // A start would not notice: it does not read the whole file. `quick_check` does not see that an index has other
    // rows than its table, as after a restore beside an old write-ahead log.
    let damage: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *conn).await?;
    found.damage = Some(damage).filter(|said| said != "ok");
    if let Some(sql) = found.count_accounts() {
        found.accounts = Some(sqlx::query_scalar(sql).fetch_one(&mut *conn).await?);
    }
    if tables.are_enough() {
        found.key_fingerprint =
            sqlx::query_scalar(KEY_FINGERPRINT).fetch_optional(&mut *conn).await?.flatten();
    }
    Ok(found)
}
