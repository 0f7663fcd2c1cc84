//! The tables `vestibule_links` and `vestibule_used_links`: digests of mailed links.

use sqlx::FromRow;
use uuid::Uuid;

use super::users::{UserRow, user_columns};
use super::{Result, Store, Tx, batch_of};
use crate::auth::account::LinkExport;
use crate::auth::link::Purpose;
use crate::auth::token::Digest;
use crate::auth::{User, UserId};
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// A link that is about to be sent.
pub(in crate::auth) struct NewLink {
    pub(in crate::auth) digest: Digest,
    pub(in crate::auth) purpose: Purpose,
    /// `None` for somebody who has no account yet.
    pub(in crate::auth) user: Option<UserId>,
    /// The key of the address that it is sent to.
    pub(in crate::auth) recipient: String,
    /// What else it needs to do its work.
    pub(in crate::auth) payload: Option<String>,
    pub(in crate::auth) now: Timestamp,
    pub(in crate::auth) expires_at: Timestamp,
    /// The message that contains it.
    pub(in crate::auth) message: Option<Uuid>,
}

#[derive(FromRow)]
struct Open {
    n: i64,
}

/// A link that has not expired.
pub(in crate::auth) struct FoundLink {
    /// The key of the address that it was sent to.
    pub(in crate::auth) recipient: String,
    pub(in crate::auth) payload: Option<String>,
    /// Its user, who may be disabled, or have another address now.
    pub(in crate::auth) user: User,
}

/// What a link was sent to, and with.
#[derive(FromRow)]
pub(in crate::auth) struct Sent {
    pub(in crate::auth) recipient: String,
    pub(in crate::auth) payload: Option<String>,
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    sent: Sent,
    #[sqlx(flatten)]
    user: UserRow,
}

impl Store {
    /// Finds a link, with its user, without using it up.
    pub(in crate::auth) async fn find_link(
        &self,
        digest: Digest,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<FoundLink>> {
        let found: Option<FoundRow> = self
            .find(
                concat!(
                    "SELECT links.recipient, links.payload, ",
                    user_columns!(),
                    " FROM vestibule_links AS links JOIN vestibule_users AS users ON users.id = links.user_id \
                 WHERE links.digest = $1 AND links.purpose = $2 AND links.expires_at > $3 \
                 AND links.created_at <= $4"
                ),
                (digest.to_vec(), purpose.as_str(), now, now + CLOCKS_DIFFER),
            )
            .await?;
        Ok(found.map(|row| {
            let Sent { recipient, payload } = row.sent;
            FoundLink { recipient, payload, user: row.user.into() }
        }))
    }

    /// Finds the user of a recently used link.
    pub(in crate::auth) async fn find_used_link(
        &self,
        digest: Digest,
        purpose: Purpose,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let found: Option<UserRow> = self
            .find(
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM vestibule_used_links AS used JOIN vestibule_users AS users ON users.id = used.user_id \
                 WHERE used.digest = $1 AND used.purpose = $2 \
                 AND used.used_at > $3 AND used.used_at <= $4 \
                 AND users.disabled_at IS NULL"
                ),
                (digest.to_vec(), purpose.as_str(), since, now + CLOCKS_DIFFER),
            )
            .await?;
        Ok(found.map(User::from))
    }

    /// Lists the links of a user that can still be opened. Without those to a new address, which is in the account:
    /// an address that somebody else has gets none, which the list would tell.
    pub(in crate::auth) async fn list_links(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<LinkExport>> {
        let sql = "SELECT purpose, recipient, created_at, expires_at FROM vestibule_links \
                   WHERE user_id = $1 AND expires_at > $2 AND purpose <> $3 \
                   ORDER BY created_at, digest LIMIT 1000";
        self.list(sql, (user, now, Purpose::EmailChange.as_str())).await
    }

    pub(in crate::auth) async fn delete_used_links(&self, since: Timestamp) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_used_links WHERE digest IN ",
            "SELECT digest FROM vestibule_used_links WHERE used_at <= $1"
        );
        self.run(self.text(sql), (since,)).await
    }

    pub(in crate::auth) async fn delete_link(&self, digest: Digest) -> Result<()> {
        self.run("DELETE FROM vestibule_links WHERE digest = $1", (digest.to_vec(),)).await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_expired_links(&self, now: Timestamp) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_links WHERE digest IN ",
            "SELECT digest FROM vestibule_links WHERE expires_at <= $1 OR created_at > $2"
        );
        self.run(self.text(sql), (now, now + CLOCKS_DIFFER)).await
    }
}

impl Tx {
    /// Counts the open links of a user. All links of one message, which may have been sent several times, count as
    /// one.
    pub(in crate::auth) async fn count_open_links(
        &mut self,
        user: UserId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<i64> {
        let sql = "SELECT COUNT(DISTINCT message_id) + COUNT(CASE WHEN message_id IS NULL THEN 1 END) AS n \
                   FROM vestibule_links \
                   WHERE user_id = $1 AND purpose = $2 AND expires_at > $3 AND created_at <= $4";
        let params = (user, purpose.as_str(), now, now + CLOCKS_DIFFER);
        let open: Option<Open> = self.find(sql, params).await?;
        Ok(open.map_or(0, |open| open.n))
    }

    /// Inserts a link, unless other messages have brought `most` open ones of this purpose: then returns `false`.
    /// Older links stay valid, since the owner may be about to open one. The user's row must be locked.
    pub(in crate::auth) async fn insert_link(&mut self, link: &NewLink, most: i64) -> Result<bool> {
        let inserted = self
            .run(
                "INSERT INTO vestibule_links \
                 (digest, purpose, user_id, recipient, created_at, expires_at, message_id, payload) \
                 SELECT $1, $2, $3, $4, $5, $6, $8, $10 WHERE (SELECT COUNT(DISTINCT message_id) + \
                 COUNT(CASE WHEN message_id IS NULL THEN 1 END) FROM vestibule_links \
                 WHERE user_id = $3 AND purpose = $2 AND expires_at > $5 AND created_at <= $9 \
                 AND (message_id IS NULL OR $8 IS NULL OR message_id <> $8)) < $7",
                (
                    link.digest.to_vec(),
                    link.purpose.as_str(),
                    link.user,
                    link.recipient.clone(),
                    link.now,
                    link.expires_at,
                    most,
                    link.message,
                    link.now + CLOCKS_DIFFER,
                    link.payload.clone(),
                ),
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Uses a link up and returns what it was sent to and with. A single statement, so that only one of two
    /// concurrent requests succeeds.
    pub(in crate::auth) async fn take_link(
        &mut self,
        digest: Digest,
        purpose: Purpose,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Sent>> {
        let taken: Option<Sent> = self
            .find(
                "DELETE FROM vestibule_links WHERE digest = $1 AND purpose = $2 AND user_id = $3 \
                 AND expires_at > $4 AND created_at <= $5 RETURNING recipient, payload",
                (digest.to_vec(), purpose.as_str(), user, now, now + CLOCKS_DIFFER),
            )
            .await?;
        let Some(sent) = taken else { return Ok(None) };
        self.insert_used_link(digest, purpose, user, now).await?;
        Ok(Some(sent))
    }

    pub(in crate::auth) async fn delete_links_for(
        &mut self,
        user: UserId,
        purpose: Purpose,
    ) -> Result<()> {
        self.run(
            "DELETE FROM vestibule_links WHERE user_id = $1 AND purpose = $2",
            (user, purpose.as_str()),
        )
        .await?;
        Ok(())
    }

    /// Voids the links of a user, except those by which the owner takes the account back from a thief.
    pub(in crate::auth) async fn delete_links_of(&mut self, user: UserId) -> Result<()> {
        let sql = "DELETE FROM vestibule_links WHERE user_id = $1 AND purpose NOT IN ($2, $3)";
        let kept = (user, Purpose::EmailUndo.as_str(), Purpose::NotMe.as_str());
        self.run(sql, kept).await?;
        Ok(())
    }
}
