//! The table `health`: one row that is written to see whether the database can be written.

use super::{Result, Store};
use crate::clock::Timestamp;

impl Store {
    pub(in crate::auth) async fn update_health(&self, now: Timestamp) -> Result<()> {
        self.run("UPDATE health SET checked_at = $1", (now,)).await?;
        Ok(())
    }
}
