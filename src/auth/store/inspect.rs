//! Inspects a database without changing it, before a start.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use figment::Figment;
use rocket::tokio::time::timeout;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::dependents::{refuse_dependents_in_postgres, refuse_dependents_in_sqlite};
use super::migrate::{
    DONE, DONE_BY_0_1, Done, FAILED_BY_0_1, LOCK_TIMEOUT, POSTGRES, POSTGRES_0_1, SQLITE,
    SQLITE_0_1, connect, is_ours, migrations_done, no_answer, refuse_other_schema,
    refuse_unfinished,
};
use super::open::{self, beside, postgres_options};
use super::unusable::Unusable;
use crate::clock::Timestamp;
use crate::private_files;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Whether the tables of a database are up to date.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// There are no tables.
    Missing,
    /// The tables of version 0.1, which had other names.
    OfVersion01,
    /// Some migrations of this version are missing.
    Older,
    /// All migrations of this version are applied.
    Current,
    /// All migrations of this version are applied, and some of a later one.
    Newer,
}

impl Tables {
    pub(super) fn new(ours: &Migrator, done: &[Done]) -> Self {
        let is_done = |version, checksum: &[u8]| {
            done.iter().any(|(v, c)| *v == version && c.as_slice() == checksum)
        };
        let newest = ours.iter().map(|migration| migration.version).max();
        if done.is_empty() {
            Self::Missing
        } else if !ours.iter().all(|ours| is_done(ours.version, &ours.checksum)) {
            Self::Older
        } else if done.iter().any(|(version, _)| Some(*version) > newest) {
            Self::Newer
        } else {
            Self::Current
        }
    }

    /// Whether this version can work with these tables.
    pub(super) fn are_enough(self) -> bool {
        matches!(self, Self::Current | Self::Newer)
    }
}

/// The state of the database.
pub(in crate::auth) struct Found {
    pub(in crate::auth) tables: Tables,
    /// The last applied migration.
    pub(in crate::auth) version: Option<i64>,
    pub(in crate::auth) accounts: Option<i64>,
    pub(in crate::auth) key_fingerprint: Option<Vec<u8>>,
    /// The time of the database's clock, if it has its own.
    pub(in crate::auth) now: Option<Timestamp>,
    /// What SQLite finds wrong with its file.
    pub(in crate::auth) damage: Option<String>,
    /// Why nothing can be written, as far as PostgreSQL says.
    pub(in crate::auth) cannot_write: Option<CannotWrite>,
}

/// Why a role cannot work with the tables. A start does not look: the reason may pass.
pub(crate) enum CannotWrite {
    /// Transactions are read-only, or the server is a standby.
    ReadOnly,
    /// The role lacks rights on this table.
    Table(String),
}

impl Found {
    fn new(tables: Tables, done: &[Done]) -> Self {
        let version = done.iter().map(|(version, _)| *version).max();
        Self {
            tables,
            version,
            accounts: None,
            key_fingerprint: None,
            now: None,
            damage: None,
            cannot_write: None,
        }
    }

    /// The statement that counts accounts, if there is a table of them.
    fn count_accounts(&self) -> Option<&'static str> {
        match self.tables {
            Tables::Missing => None,
            Tables::OfVersion01 => Some("SELECT COUNT(*) FROM users"),
            _ => Some("SELECT COUNT(*) FROM vestibule_users"),
        }
    }
}

const KEY_FINGERPRINT: &str = "SELECT key_fingerprint FROM vestibule_health";

/// Inspects the configured database; `None` if it is a file that a start would create. Fails where a start would,
/// which creates `folder` first.
pub(in crate::auth) async fn find_out(figment: &Figment, folder: &Path) -> Result<Option<Found>> {
    let (config, own) = open::settings(&open::without_rocket(figment))?;
    let wait = Duration::from_secs(config.connect_timeout);
    let found = if config.url.starts_with("postgres") {
        Some(look_at_postgres(&config.url, own.migrate, wait).await?)
    } else {
        look_at_sqlite(&config.url, folder, wait).await?
    };
    match found {
        Some(found) if !found.tables.are_enough() && !own.migrate => {
            Err(Unusable::TablesTooOld.into())
        }
        None if !own.migrate => Err(Unusable::TablesTooOld.into()),
        found => Ok(found),
    }
}

async fn look_at_postgres(url: &str, may_migrate: bool, wait: Duration) -> Result<Found> {
    let options =
        postgres_options(url)?.options([("lock_timeout", LOCK_TIMEOUT.as_millis().to_string())]);
    let mut conn = connect(&options, wait).await?;
    let look = async {
        let sql = "SELECT current_setting('transaction_read_only') = 'on'";
        let is_read_only: bool = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
        sqlx::query("SET default_transaction_read_only = on").execute(&mut conn).await?;
        let done = migrations_done(&mut conn, DONE).await?;
        let old = migrations_done(&mut conn, DONE_BY_0_1).await?;
        let mut tables = Tables::new(&POSTGRES, &done);
        if tables == Tables::Missing && is_ours(&POSTGRES_0_1, &old) {
            tables = Tables::OfVersion01;
            refuse_unfinished(
                &POSTGRES_0_1,
                &old,
                &migrations_done(&mut conn, FAILED_BY_0_1).await?,
            )?;
            refuse_dependents_in_postgres(&mut conn).await?;
        }
        if !tables.are_enough() {
            refuse_other_schema(&mut conn, &done, &old).await?;
        }
        let mut found = Found::new(tables, &done);
        if tables.are_enough() {
            found.key_fingerprint =
                sqlx::query_scalar(KEY_FINGERPRINT).fetch_optional(&mut conn).await?.flatten();
            found.cannot_write = if is_read_only {
                Some(CannotWrite::ReadOnly)
            } else {
                let table = sqlx::query_scalar(NOT_WRITABLE).fetch_optional(&mut conn).await?;
                table.map(CannotWrite::Table)
            };
        } else if may_migrate {
            may_change_tables(&mut conn, tables).await?;
            if is_read_only {
                return Err(Unusable::ReadOnly.into());
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
    Ok(found)
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
    Err(Unusable::MayNotChangeTables.into())
}

async fn look_at_sqlite(url: &str, made: &Path, wait: Duration) -> Result<Option<Found>> {
    let options = SqliteConnectOptions::from_str(url)?;
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
    let mut tables = Tables::new(&SQLITE, &done);
    if tables == Tables::Missing && is_ours(&SQLITE_0_1, &old) {
        tables = Tables::OfVersion01;
        refuse_unfinished(&SQLITE_0_1, &old, &failed)?;
        refuse_dependents_in_sqlite(conn).await?;
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
