//! The table `sessions`.

use sqlx::FromRow;
use uuid::Uuid;

use super::users::{UserRow, user_columns};
use super::{Result, Store, Tx};
use crate::auth::client::Client;
use crate::auth::session::Session;
use crate::auth::token::Digest;
use crate::auth::user::UserId;
use crate::clock::Timestamp;

/// A session with its user, as found.
#[derive(FromRow)]
pub(in crate::auth) struct SessionRow {
    session_id: Uuid,
    pub(in crate::auth) remembered: bool,
    created_at: Timestamp,
    pub(in crate::auth) last_seen_at: Timestamp,
    expires_at: Timestamp,
    #[sqlx(flatten)]
    user: UserRow,
}

impl SessionRow {
    pub(in crate::auth) fn into_session(self) -> Session {
        Session {
            id: self.session_id,
            remembered: self.remembered,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            expires_at: self.expires_at,
            user: self.user.into(),
        }
    }
}

#[derive(FromRow)]
struct Ended {
    user_id: UserId,
}

impl Store {
    /// A session that is not past its absolute limit, of an account that is not disabled.
    pub(in crate::auth) async fn find_session(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<SessionRow>> {
        self.find(
            concat!(
                "SELECT sessions.id AS session_id, sessions.remembered, sessions.created_at, \
                 sessions.last_seen_at, sessions.expires_at, ",
                user_columns!(),
                " FROM sessions JOIN users ON users.id = sessions.user_id \
                 WHERE sessions.digest = $1 AND sessions.expires_at > $2 \
                 AND users.disabled_at IS NULL"
            ),
            (digest.to_vec(), now),
        )
        .await
    }

    pub(in crate::auth) async fn update_last_seen(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "UPDATE sessions SET last_seen_at = $2 WHERE digest = $1 AND last_seen_at < $2",
            (digest.to_vec(), now),
        )
        .await?;
        Ok(())
    }

    /// Ends a session; whose it was, if there was one.
    pub(in crate::auth) async fn delete_session(&self, digest: Digest) -> Result<Option<UserId>> {
        let sql = "DELETE FROM sessions WHERE digest = $1 RETURNING user_id";
        let ended: Vec<Ended> = self.returning(sql, (digest.to_vec(),)).await?;
        Ok(ended.first().map(|ended| ended.user_id))
    }

    /// Removes sessions past their limits: the absolute one, and the idle one of each kind.
    pub(in crate::auth) async fn delete_expired_sessions(
        &self,
        now: Timestamp,
        idle_since: Timestamp,
        remembered_idle_since: Timestamp,
    ) -> Result<u64> {
        self.run(
            "DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= \
             CASE WHEN remembered THEN $3 ELSE $2 END",
            (now, idle_since, remembered_idle_since),
        )
        .await
    }
}

impl Tx {
    pub(in crate::auth) async fn insert_session(
        &mut self,
        digest: Digest,
        user: UserId,
        remembered: bool,
        now: Timestamp,
        expires_at: Timestamp,
        client: &Client,
    ) -> Result<()> {
        self.run(
            "INSERT INTO sessions (digest, id, user_id, remembered, created_at, last_seen_at, \
             proved_at, expires_at, address, user_agent) \
             VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8)",
            (
                digest.to_vec(),
                Uuid::now_v7(),
                user,
                remembered,
                now,
                expires_at,
                client.address.to_string(),
                client.user_agent.clone(),
            ),
        )
        .await?;
        Ok(())
    }

    /// Lets nobody else end the session until this transaction does; `false` if it has ended. Handlers
    /// look a session up before they have read the body, and a client may take its time over that.
    pub(in crate::auth) async fn lock_session(&mut self, id: Uuid) -> Result<bool> {
        Ok(self.run("UPDATE sessions SET id = id WHERE id = $1", (id,)).await? == 1)
    }

    pub(in crate::auth) async fn delete_session(&mut self, digest: Digest) -> Result<()> {
        self.run("DELETE FROM sessions WHERE digest = $1", (digest.to_vec(),)).await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_sessions_of(&mut self, user: UserId) -> Result<()> {
        self.run("DELETE FROM sessions WHERE user_id = $1", (user,)).await?;
        Ok(())
    }
}
