//! The table `vestibule_former_emails`: verified addresses that accounts had.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Result, Store, Tx, batch_of};
use crate::auth::account::FormerEmailExport;
use crate::auth::{Email, UserId};
use crate::clock::Timestamp;

/// A verified address that an account had until it was changed.
pub(in crate::auth) struct FormerEmail {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) email: Email,
    changed_at: Timestamp,
}

#[derive(FromRow)]
struct FormerRow {
    id: Uuid,
    email: String,
    email_key: String,
    changed_at: Timestamp,
}

#[derive(FromRow)]
struct Reserved {
    n: i64,
}

impl From<FormerRow> for FormerEmail {
    fn from(row: FormerRow) -> Self {
        let email = Email::from_row(row.email, row.email_key);
        Self { id: row.id, email, changed_at: row.changed_at }
    }
}

impl Store {
    /// Whether the account can still have this address back.
    pub(in crate::auth) async fn is_former_email(
        &self,
        user: UserId,
        key: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT COUNT(*) AS n FROM vestibule_former_emails \
                   WHERE user_id = $1 AND email_key = $2 AND undo_until > $3";
        let kept: Option<Reserved> = self.find(sql, (user, key.to_owned(), now)).await?;
        Ok(kept.is_some_and(|kept| kept.n > 0))
    }

    /// Whether the account can still have an earlier address back.
    pub(in crate::auth) async fn has_former_email(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool> {
        let kept: Option<Reserved> = self.find(COUNT, (user, now)).await?;
        Ok(kept.is_some_and(|kept| kept.n > 0))
    }

    /// Finds an address that this account can still have back.
    pub(in crate::auth) async fn find_former_email(
        &self,
        id: Uuid,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<FormerEmail>> {
        let found: Option<FormerRow> = self.find(FIND, (id, user, now)).await?;
        Ok(found.map(FormerEmail::from))
    }

    /// Lists the addresses that this account can still have back.
    pub(in crate::auth) async fn list_former_emails(
        &self,
        user: UserId,
    ) -> Result<Vec<FormerEmailExport>> {
        let sql = "SELECT email, changed_at, undo_until FROM vestibule_former_emails \
                   WHERE user_id = $1 ORDER BY changed_at, id";
        self.list(sql, (user,)).await
    }

    /// Deletes one batch of addresses that can no longer be put back.
    pub(in crate::auth) async fn delete_former_emails(&self, now: Timestamp) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_former_emails WHERE id IN ",
            "SELECT id FROM vestibule_former_emails WHERE undo_until <= $1"
        );
        self.run(self.text(sql), (now,)).await
    }
}

const FIND: &str = "SELECT id, email, email_key, changed_at FROM vestibule_former_emails \
                    WHERE id = $1 AND user_id = $2 AND undo_until > $3";

const COUNT: &str =
    "SELECT COUNT(*) AS n FROM vestibule_former_emails WHERE user_id = $1 AND undo_until > $2";

impl Tx {
    /// [`Store::find_former_email`], for a transaction that puts it back.
    pub(in crate::auth) async fn find_former_email(
        &mut self,
        id: Uuid,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<FormerEmail>> {
        let found: Option<FormerRow> = self.find(FIND, (id, user, now)).await?;
        Ok(found.map(FormerEmail::from))
    }

    /// Keeps an address that an account had, and returns its ID.
    pub(in crate::auth) async fn insert_former_email(
        &mut self,
        user: UserId,
        email: &Email,
        now: Timestamp,
        undo_until: Timestamp,
    ) -> Result<Uuid> {
        let id = Uuid::now_v7();
        self.run(
            "INSERT INTO vestibule_former_emails (id, user_id, email, email_key, changed_at, undo_until) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            (id, user, email.as_str().to_owned(), email.key().to_owned(), now, undo_until),
        )
        .await?;
        Ok(id)
    }

    /// Keeps it as long as the link that was mailed.
    pub(in crate::auth) async fn update_former_email(
        &mut self,
        id: Uuid,
        undo_until: Timestamp,
    ) -> Result<()> {
        let sql = "UPDATE vestibule_former_emails SET undo_until = $2 WHERE id = $1";
        self.run(sql, (id, undo_until)).await?;
        Ok(())
    }

    /// Deletes an address that was put back, and all that the account had after it: the oldest one wins.
    pub(in crate::auth) async fn delete_former_emails_since(
        &mut self,
        user: UserId,
        former: &FormerEmail,
    ) -> Result<()> {
        let sql = "DELETE FROM vestibule_former_emails WHERE user_id = $1 \
                   AND (changed_at > $2 OR (changed_at = $2 AND id >= $3))";
        self.run(sql, (user, former.changed_at, former.id)).await?;
        Ok(())
    }

    /// Deletes what this account had after an address that it has again. Returns whether it can still have that one back.
    pub(in crate::auth) async fn delete_former_emails_after(
        &mut self,
        user: UserId,
        key: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT id, email, email_key, changed_at FROM vestibule_former_emails \
                   WHERE user_id = $1 AND email_key = $2 AND undo_until > $3 ORDER BY changed_at, id LIMIT 1";
        let found: Option<FormerRow> = self.find(sql, (user, key.to_owned(), now)).await?;
        let Some(former) = found else { return Ok(false) };
        let sql = "DELETE FROM vestibule_former_emails WHERE user_id = $1 \
                   AND (changed_at > $2 OR (changed_at = $2 AND id > $3))";
        self.run(sql, (user, former.changed_at, former.id)).await?;
        Ok(true)
    }

    /// Whether the account can still have an earlier address back.
    pub(in crate::auth) async fn has_former_email(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool> {
        let kept: Option<Reserved> = self.find(COUNT, (user, now)).await?;
        Ok(kept.is_some_and(|kept| kept.n > 0))
    }

    /// Whether another account than this one may still get the address back.
    pub(in crate::auth) async fn is_email_reserved(
        &mut self,
        key: &str,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT COUNT(*) AS n FROM vestibule_former_emails \
                   WHERE email_key = $1 AND user_id <> $2 AND undo_until > $3";
        let reserved: Option<Reserved> = self.find(sql, (key.to_owned(), user, now)).await?;
        Ok(reserved.is_some_and(|reserved| reserved.n > 0))
    }
}
