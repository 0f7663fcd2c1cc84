//! The table `outbox`: letters that are still to be sent.

use std::time::Duration;

use sqlx::FromRow;
use uuid::Uuid;

use super::{Result, Store, Tx};
use crate::auth::user::UserId;
use crate::clock::Timestamp;

/// A letter to be sent. It names who gets it, never what a link in it will be: the token is made
/// when the letter leaves.
#[derive(FromRow)]
pub(in crate::auth) struct OutboxRow {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) letter: String,
    pub(in crate::auth) user_id: Option<UserId>,
    pub(in crate::auth) email_key: Option<String>,
    pub(in crate::auth) device: String,
    pub(in crate::auth) network: String,
    pub(in crate::auth) attempts: i64,
    pub(in crate::auth) created_at: Timestamp,
    pub(in crate::auth) due_at: Timestamp,
}

const INSERT: &str = "INSERT INTO outbox (id, letter, user_id, email_key, device, network, \
                      attempts, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

impl OutboxRow {
    fn params(
        &self,
    ) -> (Uuid, String, Option<UserId>, Option<String>, String, String, i64, Timestamp, Timestamp)
    {
        (
            self.id,
            self.letter.clone(),
            self.user_id,
            self.email_key.clone(),
            self.device.clone(),
            self.network.clone(),
            self.attempts,
            self.created_at,
            self.due_at,
        )
    }
}

impl Store {
    /// Takes up to `most` letters that are due, for this process alone: until `lease` has passed
    /// nobody else sees them. A process that dies meanwhile leaves them to the next.
    pub(in crate::auth) async fn claim_due_letters(
        &self,
        now: Timestamp,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<OutboxRow>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        // The second look at `due_at` is for PostgreSQL: of two nodes that chose the same row, the
        // later one waits for the first and then sees that it is no longer due.
        self.returning(
            "UPDATE outbox SET due_at = $2, attempts = attempts + 1 WHERE due_at <= $1 AND id IN \
             (SELECT id FROM outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $3) \
             RETURNING id, letter, user_id, email_key, device, network, attempts, created_at, due_at",
            (now, now + lease, most),
        )
        .await
    }

    pub(in crate::auth) async fn update_due(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        self.run("UPDATE outbox SET due_at = $2 WHERE id = $1", (id, due_at)).await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_letter(&self, id: Uuid) -> Result<()> {
        self.run("DELETE FROM outbox WHERE id = $1", (id,)).await?;
        Ok(())
    }
}

impl Tx {
    pub(in crate::auth) async fn insert_letter(&mut self, letter: &OutboxRow) -> Result<()> {
        self.run(INSERT, letter.params()).await?;
        Ok(())
    }
}
