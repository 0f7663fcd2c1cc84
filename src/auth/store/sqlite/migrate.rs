//! Migrates the tables in SQLite.

use std::borrow::Cow;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use log::warn;
use rocket::tokio::time::sleep;
use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor, SqliteConnection};

use super::dependents::refuse_dependents;
use crate::auth::store::migrate::{
    DONE, DONE_BY_0_1, Done, FAILED_BY_0_1, TABLE, TAKE_OVER_0_1, is_current, is_ours,
    refuse_unfinished,
};
use crate::auth::store::unusable::Unusable;
use crate::private_files;

type Result<T> = std::result::Result<T, sqlx::Error>;

pub(super) static MIGRATIONS: Migrator = Migrator {
    ignore_missing: true,
    table_name: Cow::Borrowed(TABLE),
    ..sqlx::migrate!("src/auth/store/migrations/sqlite")
};

/// The migrations of version 0.1, whose tables had no prefix.
pub(super) static OF_0_1: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/auth/store/migrations/0.1/sqlite") };

/// How often a start checks whether another one is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Migrates the tables if needed. The caller holds the lock that keeps other processes out.
pub(super) async fn migrate(conn: &mut SqliteConnection, may_migrate: bool) -> Result<()> {
    let done: Vec<Done> = sqlx::query_as(DONE).fetch_all(&mut *conn).await.unwrap_or_default();
    if is_current(&MIGRATIONS, &done) {
        return Ok(());
    }
    if !may_migrate {
        return Err(Unusable::TablesTooOld.into());
    }
    let old: Vec<Done> =
        sqlx::query_as(DONE_BY_0_1).fetch_all(&mut *conn).await.unwrap_or_default();
    if done.is_empty() && is_ours(&OF_0_1, &old) {
        let failed: Vec<Done> = sqlx::query_as(FAILED_BY_0_1).fetch_all(&mut *conn).await?;
        refuse_unfinished(&OF_0_1, &old, &failed)?;
        refuse_dependents(conn).await?;
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        OF_0_1.run_direct(None, &mut *tx, false).await?;
        MIGRATIONS.run_direct(None, &mut *tx, false).await?;
        tx.execute(TAKE_OVER_0_1).await?;
        return tx.commit().await;
    }
    Ok(MIGRATIONS.run_direct(None, conn, false).await?)
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
