//! The tables `tokens` and `used_tokens`: what may be known of the links that were mailed.

use sqlx::FromRow;
use uuid::Uuid;

use super::users::{UserRow, user_columns};
use super::{Result, Store, Tx, keys_of};
use crate::auth::token::Digest;
use crate::auth::{User, UserId};
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// What a mailed link is for. One of another purpose is as if it were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Purpose {
    PasswordReset,
    VerifyEmail,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password-reset",
            Self::VerifyEmail => "verify-email",
        }
    }
}

/// A link about to be sent.
pub(in crate::auth) struct NewToken {
    pub(in crate::auth) digest: Digest,
    pub(in crate::auth) purpose: Purpose,
    pub(in crate::auth) user: UserId,
    pub(in crate::auth) sent_to: String,
    pub(in crate::auth) now: Timestamp,
    pub(in crate::auth) expires_at: Timestamp,
    /// The letter that it leaves in.
    pub(in crate::auth) letter: Option<Uuid>,
}

#[derive(FromRow)]
struct Open {
    n: i64,
}

#[derive(FromRow)]
struct Taken {
    sent_to: String,
}

impl Store {
    /// Whose link it is, without using it up. It must have gone to the address that the account has
    /// now.
    pub(in crate::auth) async fn find_token(
        &self,
        digest: Digest,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let found: Option<UserRow> = self
            .find(
                concat!(
                    "SELECT ",
                    user_columns!(),
                    " FROM tokens JOIN users ON users.id = tokens.user_id \
                 WHERE tokens.digest = $1 AND tokens.purpose = $2 AND tokens.expires_at > $3 \
                 AND tokens.created_at <= $4 \
                 AND tokens.sent_to = users.email_key AND users.disabled_at IS NULL"
                ),
                (digest.to_vec(), purpose.as_str(), now, now + CLOCKS_DIFFER),
            )
            .await?;
        Ok(found.map(User::from))
    }

    /// Whose link it was that was used a moment ago.
    pub(in crate::auth) async fn find_used_token(
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
                    " FROM used_tokens JOIN users ON users.id = used_tokens.user_id \
                 WHERE used_tokens.digest = $1 AND used_tokens.purpose = $2 \
                 AND used_tokens.used_at > $3 AND used_tokens.used_at <= $4 \
                 AND users.disabled_at IS NULL"
                ),
                (digest.to_vec(), purpose.as_str(), since, now + CLOCKS_DIFFER),
            )
            .await?;
        Ok(found.map(User::from))
    }

    pub(in crate::auth) async fn delete_used_tokens(&self, since: Timestamp) -> Result<u64> {
        let sql = keys_of!(
            "DELETE FROM used_tokens WHERE digest IN ",
            "SELECT digest FROM used_tokens WHERE used_at <= $1 LIMIT 1000",
            ""
        );
        self.run(self.text(sql), (since,)).await
    }

    pub(in crate::auth) async fn count_open_tokens(
        &self,
        user: UserId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<i64> {
        let params = (user, purpose.as_str(), now, now + CLOCKS_DIFFER);
        let open: Option<Open> = self.find(COUNT_OPEN, params).await?;
        Ok(open.map_or(0, |open| open.n))
    }

    pub(in crate::auth) async fn delete_token(&self, digest: Digest) -> Result<()> {
        self.run("DELETE FROM tokens WHERE digest = $1", (digest.to_vec(),)).await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_expired_tokens(&self, now: Timestamp) -> Result<u64> {
        let sql = keys_of!(
            "DELETE FROM tokens WHERE digest IN ",
            "SELECT digest FROM tokens WHERE expires_at <= $1 OR created_at > $2 LIMIT 1000",
            ""
        );
        self.run(self.text(sql), (now, now + CLOCKS_DIFFER)).await
    }
}

/// Of one letter that may have left several times, all links are one.
const COUNT_OPEN: &str = "\
    SELECT COUNT(DISTINCT letter_id) + COUNT(CASE WHEN letter_id IS NULL THEN 1 END) AS n \
    FROM tokens WHERE user_id = $1 AND purpose = $2 AND expires_at > $3 AND created_at <= $4";

impl Tx {
    pub(in crate::auth) async fn count_open_tokens(
        &mut self,
        user: UserId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<i64> {
        let params = (user, purpose.as_str(), now, now + CLOCKS_DIFFER);
        let open: Option<Open> = self.find(COUNT_OPEN, params).await?;
        Ok(open.map_or(0, |open| open.n))
    }

    /// Adds a link unless the user has `most` open ones of this purpose by other letters: `false`, and nothing
    /// is voided, since the owner may be about to open one of them. The user must be locked.
    pub(in crate::auth) async fn insert_token(
        &mut self,
        token: &NewToken,
        most: i64,
    ) -> Result<bool> {
        let inserted = self
            .run(
                "INSERT INTO tokens \
                 (digest, purpose, user_id, sent_to, created_at, expires_at, letter_id) \
                 SELECT $1, $2, $3, $4, $5, $6, $8 WHERE (SELECT COUNT(DISTINCT letter_id) + \
                 COUNT(CASE WHEN letter_id IS NULL THEN 1 END) FROM tokens \
                 WHERE user_id = $3 AND purpose = $2 AND expires_at > $5 AND created_at <= $9 \
                 AND (letter_id IS NULL OR $8 IS NULL OR letter_id <> $8)) < $7",
                (
                    token.digest.to_vec(),
                    token.purpose.as_str(),
                    token.user,
                    token.sent_to.clone(),
                    token.now,
                    token.expires_at,
                    most,
                    token.letter,
                    token.now + CLOCKS_DIFFER,
                ),
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Uses a link up and returns where it had been sent. Of two who try at once, this one statement
    /// lets one win.
    pub(in crate::auth) async fn take_token(
        &mut self,
        digest: Digest,
        purpose: Purpose,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let taken: Option<Taken> = self
            .find(
                "DELETE FROM tokens WHERE digest = $1 AND purpose = $2 AND user_id = $3 \
                 AND expires_at > $4 AND created_at <= $5 RETURNING sent_to",
                (digest.to_vec(), purpose.as_str(), user, now, now + CLOCKS_DIFFER),
            )
            .await?;
        let Some(Taken { sent_to }) = taken else { return Ok(None) };
        self.run(
            "INSERT INTO used_tokens (digest, purpose, user_id, used_at) VALUES ($1, $2, $3, $4)",
            (digest.to_vec(), purpose.as_str(), user, now),
        )
        .await?;
        Ok(Some(sent_to))
    }

    pub(in crate::auth) async fn delete_tokens_for(
        &mut self,
        user: UserId,
        purpose: Purpose,
    ) -> Result<()> {
        self.run(
            "DELETE FROM tokens WHERE user_id = $1 AND purpose = $2",
            (user, purpose.as_str()),
        )
        .await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_tokens_of(&mut self, user: UserId) -> Result<()> {
        self.run("DELETE FROM tokens WHERE user_id = $1", (user,)).await?;
        Ok(())
    }
}
