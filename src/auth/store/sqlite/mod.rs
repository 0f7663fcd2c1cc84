//! SQLite: one connection writes, so that `SQLITE_BUSY` cannot happen within the process; several read.

mod dependents;
mod inspect;
mod migrate;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rocket_db_pools::Config;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqlitePool};

pub(super) use inspect::inspect;

use super::conn::{Conn, RawConn};
use super::fair_semaphore::Permit;
use super::open::{OwnConfig, pool};
use super::{Engine, Store};
use crate::private_files;
use migrate::{lock_for_migrations, migrate};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// An open database.
#[derive(Clone)]
pub(super) struct Database {
    read: SqlitePool,
    write: SqlitePool,
}

/// A connection of a pool.
pub(super) struct Link {
    pub(super) conn: PoolConnection<Sqlite>,
}

impl Database {
    pub(super) async fn reader(&self, store: &Store) -> super::Result<Conn> {
        let link = |conn| RawConn::Sqlite(Link { conn });
        Conn::take(store, &store.readers, &self.read, link, || ()).await
    }

    pub(super) async fn writer(&self, store: &Store) -> super::Result<Conn> {
        let link = |conn| RawConn::Sqlite(Link { conn });
        Conn::take(store, &store.writers, &self.write, link, || ()).await
    }

    /// The number of all connections, and of idle ones.
    pub(super) fn connections(&self) -> (u32, usize) {
        (self.read.size() + self.write.size(), self.read.num_idle() + self.write.num_idle())
    }

    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl Link {
    /// Returns it to its pool.
    pub(super) fn go_back(self) {
        drop(self.conn);
    }

    /// Detaches it instead of closing it properly, which might never finish; the pool opens another one.
    pub(super) fn throw_away(self, permit: Option<Permit>) {
        drop((self.conn.detach(), permit));
    }
}

/// Opens the file, and migrates its tables if needed and allowed. Returns the lock of the process that delivers.
pub(super) async fn open(config: &Config, own: &OwnConfig) -> Result<(Engine, Option<File>)> {
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
        // The thread that reads rows would wait for the one that takes them after every 50.
        .row_buffer_size(1000)
        .disable_statement_logging();
    private_files::check_is_file(options.get_filename()).map_err(sqlx::Error::Io)?;
    private_files::open(options.get_filename()).map_err(sqlx::Error::Io)?;
    // Whatever path was configured, there is one file with one lock.
    let file = options.get_filename().canonicalize().map_err(sqlx::Error::Io)?;
    // SQLite has no lock for migrations: two processes starting at once would both create tables.
    let lock = lock_for_migrations(&beside(&file, ".lock"), wait).await.map_err(sqlx::Error::Io)?;
    let write: SqlitePoolOptions = pool(config).min_connections(0).max_connections(1);
    let write = write.connect_with(options.clone()).await?;
    migrate(&mut *write.acquire().await?, own.migrate).await?;
    drop(lock);
    let read: SqlitePoolOptions = pool(config);
    let read = read.connect_with(options.read_only(true)).await?;
    let delivery_lock =
        private_files::open(&beside(&file, ".mail-lock")).map_err(sqlx::Error::Io)?;
    Ok((Engine::Sqlite(Database { read, write }), Some(delivery_lock)))
}

/// The path with a suffix.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
