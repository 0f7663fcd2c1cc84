//! The rows of people who have no account yet, in the tables `vestibule_links` and `vestibule_outbox`: sign-ups that are
//! to be confirmed, and invitations.

use std::time::Duration;

use sqlx::FromRow;

use super::links::{NewLink, Sent};
use super::text::AnyText;
use super::{Result, Store, Tx};
use crate::auth::link::Purpose;
use crate::auth::token::Digest;
use crate::auth::{Email, Invitation, UserId};
use crate::clock::{CLOCKS_DIFFER, Timestamp};
use crate::mail::Message;

#[derive(FromRow)]
struct InvitationRow {
    payload: Option<AnyText>,
    recipient: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(FromRow)]
#[expect(dead_code, reason = "only whether there is a row is asked")]
struct Recipient {
    recipient: String,
}

#[derive(FromRow)]
struct Open {
    n: i64,
}

#[derive(FromRow)]
struct Waiting {
    payload: Option<String>,
}

impl Store {
    /// Finds a link to somebody without an account, without using it up.
    pub(in crate::auth) async fn find_newcomer_link(
        &self,
        digest: Digest,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<Sent>> {
        let sql = "SELECT recipient, payload FROM vestibule_links WHERE digest = $1 AND purpose = $2 \
                   AND user_id IS NULL AND expires_at > $3 AND created_at <= $4";
        self.find(sql, (digest.to_vec(), purpose.as_str(), now, now + CLOCKS_DIFFER)).await
    }

    /// What the newest sign-up with this address holds that is to be confirmed.
    pub(in crate::auth) async fn find_sign_up(
        &self,
        recipient: &str,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let sql = "SELECT payload FROM vestibule_links WHERE recipient = $1 AND user_id IS NULL AND purpose = $2 \
                   AND expires_at > $3 AND created_at <= $4 ORDER BY created_at DESC, digest LIMIT 1";
        let purpose = Purpose::SignUp.as_str();
        let found: Option<Waiting> =
            self.find(sql, (recipient.to_owned(), purpose, now, now + CLOCKS_DIFFER)).await?;
        Ok(found.and_then(|found| found.payload))
    }

    /// Lists the invitations that can still be used, or are about to be sent, the newest first.
    pub(in crate::auth) async fn list_invitations(
        &self,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Vec<Invitation>> {
        let sql = "SELECT payload, recipient, created_at, expires_at FROM vestibule_links \
                   WHERE user_id IS NULL AND purpose = $1 AND expires_at > $2 \
                   UNION ALL \
                   SELECT payload, recipient, created_at, created_at + $4 FROM vestibule_outbox AS waiting \
                   WHERE user_id IS NULL AND message = $3 \
                   AND NOT EXISTS (SELECT 1 FROM vestibule_links AS links WHERE links.recipient = waiting.recipient \
                   AND links.user_id IS NULL AND links.purpose = $1) \
                   ORDER BY created_at DESC LIMIT 1000";
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let params = (Purpose::Invitation.as_str(), now, Message::Invitation.as_str(), ttl);
        let rows: Vec<InvitationRow> = self.list(sql, params).await?;
        let mut invitations: Vec<Invitation> = Vec::with_capacity(rows.len());
        for row in rows {
            let typed = row.payload.and_then(|payload| payload.0);
            let typed = typed.unwrap_or_else(|| row.recipient.clone());
            let email = Email::from_row(typed, row.recipient);
            // An email that was sent twice has two links.
            if invitations.iter().all(|other| other.email != email) {
                let (invited_at, expires_at) = (row.created_at, row.expires_at);
                invitations.push(Invitation { email, invited_at, expires_at });
            }
        }
        Ok(invitations)
    }

    /// Removes what waits for an address that has an account now.
    pub(in crate::auth) async fn delete_newcomer(&self, recipient: &str) -> Result<()> {
        // Hardly ever is there anything, and looking takes no turn from those who write.
        let waiting = "SELECT recipient FROM vestibule_links WHERE recipient = $1 AND user_id IS NULL \
                       UNION ALL \
                       SELECT recipient FROM vestibule_outbox WHERE recipient = $1 AND user_id IS NULL LIMIT 1";
        let found: Option<Recipient> = self.find(waiting, (recipient.to_owned(),)).await?;
        if found.is_none() {
            return Ok(());
        }
        // In this order: a message that is just leaving is waited for, and its link is there afterwards.
        let messages = "DELETE FROM vestibule_outbox WHERE recipient = $1 AND user_id IS NULL AND message IN ($2, $3)";
        let kinds = (Message::SignUp.as_str(), Message::Invitation.as_str());
        self.run(messages, (recipient.to_owned(), kinds.0, kinds.1)).await?;
        let links = "DELETE FROM vestibule_links WHERE recipient = $1 AND user_id IS NULL";
        self.run(links, (recipient.to_owned(),)).await?;
        Ok(())
    }
}

impl Tx {
    /// Inserts a link to somebody without an account, unless other messages have brought `most` open ones of this
    /// purpose to the address, or it has got an account in the meantime: then returns `false`.
    pub(in crate::auth) async fn insert_newcomer_link(
        &mut self,
        link: &NewLink,
        most: i64,
    ) -> Result<bool> {
        let inserted = self
            .run(
                "INSERT INTO vestibule_links \
                 (digest, purpose, user_id, recipient, created_at, expires_at, message_id, payload) \
                 SELECT $1, $2, NULL, $3, $4, $5, $6, $7 WHERE (SELECT COUNT(DISTINCT message_id) FROM vestibule_links \
                 WHERE recipient = $3 AND user_id IS NULL AND purpose = $2 AND expires_at > $4 AND created_at <= $8 \
                 AND message_id <> $6) < $9 \
                 AND NOT EXISTS (SELECT 1 FROM vestibule_users WHERE email_key = $3)",
                (
                    link.digest.to_vec(),
                    link.purpose.as_str(),
                    link.recipient.clone(),
                    link.now,
                    link.expires_at,
                    link.message,
                    link.payload.clone(),
                    link.now + CLOCKS_DIFFER,
                    most,
                ),
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Counts the open links to somebody without an account, as `count_open_links` does.
    pub(in crate::auth) async fn count_newcomer_links(
        &mut self,
        recipient: &str,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<i64> {
        let sql = "SELECT COUNT(DISTINCT message_id) AS n FROM vestibule_links WHERE recipient = $1 \
                   AND user_id IS NULL AND purpose = $2 AND expires_at > $3 AND created_at <= $4";
        let params = (recipient.to_owned(), purpose.as_str(), now, now + CLOCKS_DIFFER);
        let open: Option<Open> = self.find(sql, params).await?;
        Ok(open.map_or(0, |open| open.n))
    }

    /// Uses up a link to somebody without an account. A single statement, so that only one of two concurrent requests
    /// succeeds.
    pub(in crate::auth) async fn take_newcomer_link(
        &mut self,
        digest: Digest,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<Sent>> {
        let sql = "DELETE FROM vestibule_links WHERE digest = $1 AND purpose = $2 AND user_id IS NULL \
                   AND expires_at > $3 AND created_at <= $4 RETURNING recipient, payload";
        self.find(sql, (digest.to_vec(), purpose.as_str(), now, now + CLOCKS_DIFFER)).await
    }

    /// Remembers who has used a link up.
    pub(in crate::auth) async fn insert_used_link(
        &mut self,
        digest: Digest,
        purpose: Purpose,
        user: UserId,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO vestibule_used_links (digest, purpose, user_id, used_at) VALUES ($1, $2, $3, $4)";
        self.run(sql, (digest.to_vec(), purpose.as_str(), user, now)).await?;
        Ok(())
    }

    /// Takes the invitations of an address back. Returns whether there was one.
    pub(in crate::auth) async fn delete_invitations(&mut self, recipient: &str) -> Result<bool> {
        // In this order: a message that is just leaving is waited for, and its link is there afterwards.
        let messages = "DELETE FROM vestibule_outbox WHERE recipient = $1 AND user_id IS NULL AND message = $2";
        let messages =
            self.run(messages, (recipient.to_owned(), Message::Invitation.as_str())).await?;
        let links =
            "DELETE FROM vestibule_links WHERE recipient = $1 AND user_id IS NULL AND purpose = $2";
        let links = self.run(links, (recipient.to_owned(), Purpose::Invitation.as_str())).await?;
        Ok(links + messages > 0)
    }
}
