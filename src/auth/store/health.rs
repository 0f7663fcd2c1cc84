//! The table `health`: one row that is written to see whether the database can be written.

use super::{Result, Store};
use crate::clock::Timestamp;

/// A log-in writes a few pages; where one more fits on a full disk, it does not.
const SQLITE_PADDING: usize = 32 * 1024;

impl Store {
    /// Begins, writes and commits, as a log-in does.
    pub(in crate::auth) async fn update_health(&self, now: Timestamp) -> Result<()> {
        let padding = if self.is_sqlite() { vec![0; SQLITE_PADDING] } else { Vec::new() };
        let mut tx = self.begin().await?;
        tx.run("UPDATE health SET checked_at = $1, padding = $2", (now, padding)).await?;
        tx.commit().await
    }
}
