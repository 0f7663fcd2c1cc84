//! The tables `vestibule_sessions` and `vestibule_renewed_sessions`.

use sqlx::FromRow;
use uuid::Uuid;

use super::users::{UserRow, user_columns};
use super::{Result, Store, Tx, batch_of};
use crate::auth::client::Client;
use crate::auth::session::Session;
use crate::auth::token::Digest;
use crate::auth::{SessionInfo, User, UserId};
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// A session with its user.
#[derive(FromRow)]
pub(in crate::auth) struct SessionRow {
    session_id: Uuid,
    pub(in crate::auth) remembered: bool,
    created_at: Timestamp,
    pub(in crate::auth) last_seen_at: Timestamp,
    authenticated_at: Timestamp,
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
            authenticated_at: self.authenticated_at,
            expires_at: self.expires_at,
            user: self.user.into(),
        }
    }
}

#[derive(FromRow)]
struct SessionInfoRow {
    id: Uuid,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    ip: String,
    user_agent: String,
}

impl From<SessionInfoRow> for SessionInfo {
    fn from(row: SessionInfoRow) -> Self {
        let SessionInfoRow { id, created_at, last_seen_at, ip, user_agent } = row;
        Self { id, created_at, last_seen_at, ip, user_agent }
    }
}

#[derive(FromRow)]
struct Owner {
    user_id: UserId,
}

/// The session that replaced one after a password change.
#[derive(FromRow)]
pub(in crate::auth) struct RenewedRow {
    remembered: bool,
    #[sqlx(flatten)]
    user: UserRow,
}

impl RenewedRow {
    /// Whether it survives closing the browser, and its user.
    pub(in crate::auth) fn into_parts(self) -> (bool, User) {
        (self.remembered, self.user.into())
    }
}

/// A session that another one replaced.
#[derive(FromRow)]
pub(in crate::auth) struct EndedSession {
    pub(in crate::auth) digest: Vec<u8>,
    pub(in crate::auth) id: Uuid,
}

#[derive(FromRow)]
struct Surplus {
    digest: Vec<u8>,
}

impl Store {
    /// Finds a session within its absolute limit, of an account that is not disabled. A session created or used in
    /// the future is void.
    pub(in crate::auth) async fn find_session(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<SessionRow>> {
        self.find(
            concat!(
                "SELECT sessions.id AS session_id, sessions.remembered, sessions.created_at, \
                 sessions.last_seen_at, sessions.authenticated_at, sessions.expires_at, ",
                user_columns!(),
                " FROM vestibule_sessions AS sessions JOIN vestibule_users AS users ON users.id = sessions.user_id \
                 WHERE sessions.digest = $1 AND sessions.expires_at > $2 \
                 AND sessions.created_at <= $3 AND sessions.last_seen_at <= $3 \
                 AND users.disabled_at IS NULL"
            ),
            (digest.to_vec(), now, now + CLOCKS_DIFFER),
        )
        .await
    }

    /// Finds the session that recently replaced this one, if that has not ended too.
    pub(in crate::auth) async fn find_renewed_session(
        &self,
        ended: Digest,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<RenewedRow>> {
        self.find(
            concat!(
                "SELECT sessions.remembered, ",
                user_columns!(),
                " FROM vestibule_renewed_sessions AS renewed \
                 JOIN vestibule_sessions AS sessions ON sessions.id = renewed.session_id \
                 JOIN vestibule_users AS users ON users.id = sessions.user_id \
                 WHERE renewed.digest = $1 AND renewed.renewed_at > $2 \
                 AND renewed.renewed_at <= $3 AND users.disabled_at IS NULL"
            ),
            (ended.to_vec(), since, now + CLOCKS_DIFFER),
        )
        .await
    }

    /// Finds the user of this session, or of one that a password change has ended.
    pub(in crate::auth) async fn find_user_of(
        &self,
        session: Digest,
        since: Timestamp,
    ) -> Result<Option<UserId>> {
        let sql = "SELECT user_id FROM vestibule_sessions WHERE digest = $1 UNION \
                   SELECT user_id FROM vestibule_renewed_sessions WHERE digest = $1 AND renewed_at > $2";
        let found: Option<Owner> = self.find(sql, (session.to_vec(), since)).await?;
        Ok(found.map(|found| found.user_id))
    }

    /// Lists the sessions of a user within their limits, the last used first.
    pub(in crate::auth) async fn list_sessions(
        &self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
        remembered_idle_since: Timestamp,
    ) -> Result<Vec<SessionInfo>> {
        let sql = "SELECT id, created_at, last_seen_at, ip, user_agent FROM vestibule_sessions \
                   WHERE user_id = $1 AND expires_at > $2 AND created_at <= $5 AND last_seen_at <= $5 \
                   AND last_seen_at > CASE WHEN remembered THEN $4 ELSE $3 END \
                   ORDER BY last_seen_at DESC, id DESC LIMIT 1000";
        let params = (user, now, idle_since, remembered_idle_since, now + CLOCKS_DIFFER);
        let found: Vec<SessionInfoRow> = self.list(sql, params).await?;
        Ok(found.into_iter().map(SessionInfo::from).collect())
    }

    pub(in crate::auth) async fn delete_renewed_sessions(&self, since: Timestamp) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_renewed_sessions WHERE digest IN ",
            "SELECT digest FROM vestibule_renewed_sessions WHERE renewed_at <= $1"
        );
        self.run(self.text(sql), (since,)).await
    }

    pub(in crate::auth) async fn update_last_seen(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "UPDATE vestibule_sessions SET last_seen_at = $2 WHERE digest = $1 AND last_seen_at < $2",
            (digest.to_vec(), now),
        )
        .await?;
        Ok(())
    }

    /// Deletes one batch of sessions past their absolute or idle limit, and of void ones.
    pub(in crate::auth) async fn delete_expired_sessions(
        &self,
        now: Timestamp,
        idle_since: Timestamp,
        remembered_idle_since: Timestamp,
    ) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_sessions WHERE digest IN ",
            "SELECT digest FROM vestibule_sessions WHERE expires_at <= $1 OR last_seen_at <= \
             CASE WHEN remembered THEN $3 ELSE $2 END OR created_at > $4 OR last_seen_at > $4"
        );
        self.run(self.text(sql), (now, idle_since, remembered_idle_since, now + CLOCKS_DIFFER))
            .await
    }
}

impl Tx {
    /// Inserts a session and returns its ID.
    pub(in crate::auth) async fn insert_session(
        &mut self,
        digest: Digest,
        user: UserId,
        remembered: bool,
        now: Timestamp,
        expires_at: Timestamp,
        client: &Client,
    ) -> Result<Uuid> {
        let id = Uuid::now_v7();
        self.run(
            "INSERT INTO vestibule_sessions (digest, id, user_id, remembered, created_at, last_seen_at, \
             authenticated_at, expires_at, ip, user_agent) \
             VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8)",
            (
                digest.to_vec(),
                id,
                user,
                remembered,
                now,
                expires_at,
                client.address.to_string(),
                client.user_agent.clone(),
            ),
        )
        .await?;
        Ok(id)
    }

    /// Records which session replaced this one, and the ones before it.
    pub(in crate::auth) async fn insert_renewed_session(
        &mut self,
        ended: EndedSession,
        next: Uuid,
        user: UserId,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "UPDATE vestibule_renewed_sessions SET session_id = $2 WHERE session_id = $1 AND user_id = $3",
            (ended.id, next, user),
        )
        .await?;
        self.run(
            "INSERT INTO vestibule_renewed_sessions (digest, session_id, user_id, renewed_at) \
             VALUES ($1, $2, $3, $4)",
            (ended.digest, next, user, now),
        )
        .await?;
        Ok(())
    }

    /// Ends the session that replaced this one and returns it. The user's row must be locked.
    pub(in crate::auth) async fn delete_renewed_session(
        &mut self,
        ended: Digest,
        since: Timestamp,
    ) -> Result<Option<EndedSession>> {
        let sql = "DELETE FROM vestibule_sessions WHERE id IN (SELECT session_id FROM vestibule_renewed_sessions \
                   WHERE digest = $1 AND renewed_at > $2) RETURNING digest, id";
        self.find(sql, (ended.to_vec(), since)).await
    }

    /// Forgets which sessions of this user were replaced.
    pub(in crate::auth) async fn delete_renewed_sessions_of(&mut self, user: UserId) -> Result<()> {
        self.run("DELETE FROM vestibule_renewed_sessions WHERE user_id = $1", (user,)).await?;
        Ok(())
    }

    /// Keeps others from ending the session until this transaction is over; `false` if it has ended. Needed because
    /// handlers look the session up before they read the body, which the client may delay.
    pub(in crate::auth) async fn lock_session(&mut self, id: Uuid) -> Result<bool> {
        Ok(self.run("UPDATE vestibule_sessions SET id = id WHERE id = $1", (id,)).await? == 1)
    }

    /// Returns whether the session existed.
    pub(in crate::auth) async fn delete_session(&mut self, digest: Digest) -> Result<bool> {
        let sql = "DELETE FROM vestibule_sessions WHERE digest = $1";
        Ok(self.run(sql, (digest.to_vec(),)).await? > 0)
    }

    /// Ends a session of this user, and returns it; `None` if there is none.
    pub(in crate::auth) async fn delete_session_by_id(
        &mut self,
        id: Uuid,
        user: UserId,
    ) -> Result<Option<Digest>> {
        let sql = "DELETE FROM vestibule_sessions WHERE id = $1 AND user_id = $2 RETURNING digest";
        let ended: Option<Surplus> = self.find(sql, (id, user)).await?;
        Ok(ended.and_then(|ended| Digest::from_row(ended.digest)))
    }

    /// Whether there is a session with this ID, of any user.
    pub(in crate::auth) async fn has_session(&mut self, id: Uuid) -> Result<bool> {
        let sql = "SELECT digest FROM vestibule_sessions WHERE id = $1";
        let found: Option<Surplus> = self.find(sql, (id,)).await?;
        Ok(found.is_some())
    }

    /// Ends the sessions of a user but one.
    pub(in crate::auth) async fn delete_other_sessions(
        &mut self,
        user: UserId,
        kept: Uuid,
    ) -> Result<()> {
        let sql = "DELETE FROM vestibule_sessions WHERE user_id = $1 AND id <> $2";
        self.run(sql, (user, kept)).await?;
        Ok(())
    }

    /// Ends the sessions of a user beyond `most`, void ones first, then the least recently used, and returns them.
    /// The user's row must be locked.
    pub(in crate::auth) async fn delete_surplus_sessions(
        &mut self,
        user: UserId,
        most: i64,
        now: Timestamp,
    ) -> Result<Vec<Digest>> {
        let ended: Vec<Surplus> = self
            .list(
                "DELETE FROM vestibule_sessions WHERE user_id = $1 AND digest NOT IN \
                 (SELECT digest FROM vestibule_sessions WHERE user_id = $1 \
                  ORDER BY CASE WHEN created_at <= $3 AND last_seen_at <= $3 THEN 0 ELSE 1 END, \
                  last_seen_at DESC, created_at DESC, id DESC LIMIT $2) RETURNING digest",
                (user, most, now + CLOCKS_DIFFER),
            )
            .await?;
        Ok(ended.into_iter().filter_map(|ended| Digest::from_row(ended.digest)).collect())
    }

    pub(in crate::auth) async fn delete_sessions_of(&mut self, user: UserId) -> Result<()> {
        self.run("DELETE FROM vestibule_sessions WHERE user_id = $1", (user,)).await?;
        Ok(())
    }
}
