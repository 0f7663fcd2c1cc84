//! The table `vestibule_health`, with a single row: written to check that the database is writable, and holding
//! what all nodes must agree on.

use std::time::Duration;

use sqlx::FromRow;

use super::{Engine, Result, Store, on_engine};
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// A sign-in writes several pages; on an almost full disk a single one might still fit.
const SQLITE_PADDING: usize = 32 * 1024;

#[derive(FromRow)]
struct Now {
    now: Timestamp,
}

#[derive(FromRow)]
struct Fingerprint {
    key_fingerprint: Option<Vec<u8>>,
}

/// The state of the outbox and the sweep.
#[derive(Clone, Copy, FromRow)]
pub(in crate::auth) struct Signals {
    /// Messages in the outbox.
    pub(in crate::auth) waiting: i64,
    /// When the oldest of them was added.
    pub(in crate::auth) oldest: Option<Timestamp>,
    /// When any node last completed a sweep.
    pub(in crate::auth) swept_at: Timestamp,
}

/// More than fits into an existing page. Written while PostgreSQL's disk may be full, which an update within a page
/// would not show.
const POSTGRES_PADDING: usize = 32 * 1024;

fn incompressible(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let _ = getrandom::fill(&mut bytes);
    bytes
}

impl Store {
    /// Begins, writes and commits, as a sign-in does, and reads the signals on the way. Uses a single permit:
    /// before a second one, another client's statement could take up to its deadline.
    pub(in crate::auth) async fn update_health(&self, now: Timestamp) -> Result<Option<Signals>> {
        let may_be_full = self.faults.disk_is_full();
        let padding = match (self.is_shared(), may_be_full) {
            (false, _) => vec![0; SQLITE_PADDING],
            (true, true) => incompressible(POSTGRES_PADDING),
            (true, false) => Vec::new(),
        };
        // The other nodes write here too: one that crashes in the middle must not make them look broken.
        let sql = super::ByEngine {
            sqlite: "UPDATE vestibule_health SET checked_at = $1, padding = $2",
            postgres: "UPDATE vestibule_health SET checked_at = $1, padding = $2 \
                       WHERE ctid IN (SELECT ctid FROM vestibule_health FOR UPDATE SKIP LOCKED)",
        };
        let mut tx = self.begin().await?;
        let written = tx.run(self.text(sql), (now, padding)).await?;
        if written == 0 && self.is_shared() {
            // An empty commit would wait for neither disk nor standby, and prove nothing.
            tx.run("SELECT pg_logical_emit_message(TRUE, 'vestibule', '')", ()).await?;
        }
        let signals = tx.find(
            "SELECT (SELECT COUNT(*) FROM vestibule_outbox) AS waiting, (SELECT MIN(created_at) FROM vestibule_outbox) AS oldest, \
             swept_at FROM vestibule_health",
            (),
        );
        let signals = signals.await?;
        tx.commit().await?;
        if may_be_full && written > 0 {
            self.faults.disk_has_room();
        }
        Ok(signals)
    }

    /// Returns the database's time, if it has a clock of its own.
    pub(in crate::auth) async fn find_now(&self) -> Result<Option<Timestamp>> {
        if !self.is_shared() {
            return Ok(None);
        }
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now";
        let found: Option<Now> = self.find(sql, ()).await?;
        Ok(found.map(|found| found.now))
    }

    /// Stores the fingerprint of the secret key if there is none. Returns the stored one.
    pub(in crate::auth) async fn update_fingerprint(&self, own: &[u8]) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT key_fingerprint FROM vestibule_health";
        let found: Option<Fingerprint> = self.find(sql, ()).await?;
        if let Some(known) = found.and_then(|found| found.key_fingerprint) {
            return Ok(Some(known));
        }
        // If two nodes do this at once, the later one gets the other's.
        let sql = "UPDATE vestibule_health SET key_fingerprint = COALESCE(key_fingerprint, $1) \
                   RETURNING key_fingerprint";
        let written: Vec<Fingerprint> = self.returning(sql, (own.to_vec(),)).await?;
        Ok(written.into_iter().find_map(|row| row.key_fingerprint))
    }

    /// Replaces the fingerprint after the key was changed.
    pub(in crate::auth) async fn update_fingerprint_to(&self, own: &[u8]) -> Result<()> {
        self.run("UPDATE vestibule_health SET key_fingerprint = $1", (own.to_vec(),)).await?;
        Ok(())
    }

    /// Begins a sweep, unless another node began one within `pause`.
    pub(in crate::auth) async fn update_swept(
        &self,
        now: Timestamp,
        pause: Duration,
    ) -> Result<bool> {
        let sql = "UPDATE vestibule_health SET swept_at = $1 WHERE swept_at <= $2 OR swept_at > $3";
        Ok(self.run(sql, (now, now - pause, now + CLOCKS_DIFFER)).await? == 1)
    }

    /// The number of connections in use, and of all connections.
    pub(in crate::auth) fn connections(&self) -> (usize, u32) {
        let (size, idle) = on_engine!(&self.engine, Engine(database) => database.connections());
        (usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(idle), size)
    }
}
