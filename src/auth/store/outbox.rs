//! The table `outbox`: letters that are still to be sent.

use std::time::Duration;

use sqlx::FromRow;
use uuid::Uuid;

use super::{Result, Store, Tx, keys_of};
use crate::auth::user::UserId;
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// How far ahead a letter may be put off: the longest delay between two tries, or the pace of sign-ups.
const FURTHEST: Duration = Duration::from_hours(1);

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
    /// The key of the bucket in which it is still to be counted.
    pub(in crate::auth) uncounted_key: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct Waiting {
    n: i64,
}

const INSERT: &str = "INSERT INTO outbox (id, letter, user_id, email_key, device, network, \
                      attempts, created_at, due_at, uncounted_key) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl OutboxRow {
    fn params(self) -> impl super::Params {
        (
            self.id,
            self.letter,
            self.user_id,
            self.email_key,
            self.device,
            self.network,
            self.attempts,
            self.created_at,
            self.due_at,
            self.uncounted_key,
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
        // Letters that somebody waits for go before those of new accounts.
        let sql = keys_of!(
            "UPDATE outbox SET due_at = $2, attempts = attempts + 1 WHERE id IN ",
            "SELECT id FROM outbox WHERE due_at <= $1 OR due_at > $4 \
             ORDER BY CASE WHEN uncounted_key IS NULL THEN 0 ELSE 1 END, due_at, id LIMIT $3",
            " RETURNING id, letter, user_id, email_key, device, network, attempts, created_at, due_at, \
             uncounted_key"
        );
        let values = (now, now + lease, most, now + FURTHEST + CLOCKS_DIFFER);
        self.returning(self.text(sql), values).await
    }

    /// Lets letters leave at once that a process had claimed which is gone.
    pub(in crate::auth) async fn release_claims(
        &self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<u64> {
        let sql = "UPDATE outbox SET due_at = $1 WHERE due_at > $1 AND due_at <= $2";
        self.run(sql, (now, now + lease)).await
    }

    /// Puts a letter off that was not tried.
    pub(in crate::auth) async fn update_put_off(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE outbox SET due_at = $2, attempts = attempts - 1 WHERE id = $1";
        self.run(sql, (id, due_at)).await?;
        Ok(())
    }

    /// Whether a letter of this kind to this user was put off.
    pub(in crate::auth) async fn is_letter_put_off(
        &self,
        user: UserId,
        letter: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT COUNT(*) AS n FROM outbox \
                   WHERE user_id = $1 AND letter = $2 AND due_at > $3";
        let waiting: Option<Waiting> = self.find(sql, (user, letter.to_owned(), now)).await?;
        Ok(waiting.is_some_and(|waiting| waiting.n > 0))
    }

    /// How many letters of this bucket were not counted yet, up to `most`.
    pub(in crate::auth) async fn count_uncounted(&self, key: Vec<u8>, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM \
                   (SELECT 1 FROM outbox WHERE uncounted_key = $1 LIMIT $2) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (key, most)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// How many letters wait, up to `most`.
    pub(in crate::auth) async fn count_letters(&self, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM outbox LIMIT $1) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (most,)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
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
    pub(in crate::auth) async fn insert_letter(&mut self, letter: OutboxRow) -> Result<()> {
        self.run(INSERT, letter.params()).await?;
        Ok(())
    }

    /// Writes a letter's row as it is, as a commit needs something to write.
    pub(in crate::auth) async fn touch_letter(&mut self, id: Uuid) -> Result<()> {
        self.run("UPDATE outbox SET id = id WHERE id = $1", (id,)).await?;
        Ok(())
    }

    /// The letter has been counted.
    pub(in crate::auth) async fn update_counted(&mut self, id: Uuid) -> Result<()> {
        self.run("UPDATE outbox SET uncounted_key = NULL WHERE id = $1", (id,)).await?;
        Ok(())
    }

    /// The next letter of this bucket may leave now.
    pub(in crate::auth) async fn update_next_due(
        &mut self,
        key: Vec<u8>,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "UPDATE outbox SET due_at = $2 WHERE due_at > $2 AND id IN (SELECT id FROM outbox \
             WHERE uncounted_key = $1 ORDER BY created_at, id LIMIT 1)",
            (key, now),
        )
        .await?;
        Ok(())
    }
}
