//! The table `vestibule_events`: events of accounts.

use std::time::Duration;

use uuid::Uuid;

use super::{ByEngine, Result, Store, Tx, batch_of};
use crate::auth::UserId;
use crate::auth::client::Client;
use crate::auth::events::Event;
use crate::clock::Timestamp;

#[derive(sqlx::FromRow)]
struct Busy {
    user_id: UserId,
}

#[derive(sqlx::FromRow)]
struct When {
    at: Timestamp,
}

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "UPDATE vestibule_events SET due_at = $2 WHERE id = (SELECT id FROM vestibule_events \
             WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at, id LIMIT 1",
            $lock,
            ") RETURNING id, at, kind, user_id"
        )
    };
}

const INSERT: &str = "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent, due_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// The first due event, in the order in which they happened.
const CLAIM: ByEngine =
    ByEngine { sqlite: claim!(""), postgres: claim!(" FOR UPDATE SKIP LOCKED") };

/// An event that the host app is to be told of.
#[derive(sqlx::FromRow)]
pub(in crate::auth) struct DueRow {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) at: Timestamp,
    pub(in crate::auth) kind: String,
    pub(in crate::auth) user_id: Option<UserId>,
}

/// An event of a user.
#[derive(sqlx::FromRow)]
pub(in crate::auth) struct EventRow {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) at: Timestamp,
    pub(in crate::auth) kind: String,
    pub(in crate::auth) ip: String,
    pub(in crate::auth) user_agent: String,
}

#[derive(sqlx::FromRow)]
struct Latest {
    at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct SignIns {
    n: i64,
}

/// How many of the last events of an account are looked through for a sign-in by the same browser.
const LOOKED_THROUGH: i64 = 1000;

fn params(
    event: Event,
    user: Option<UserId>,
    client: &Client,
    now: Timestamp,
    due_at: Option<Timestamp>,
) -> impl super::Params {
    let (address, agent) = (client.address.to_string(), client.user_agent.clone());
    (Uuid::now_v7(), now, event.as_str().to_owned(), user, address, agent, due_at)
}

impl Store {
    pub(in crate::auth) async fn insert_event(
        &self,
        event: Event,
        user: Option<UserId>,
        client: &Client,
        now: Timestamp,
        due_at: Option<Timestamp>,
    ) -> Result<()> {
        self.run(INSERT, params(event, user, client, now, due_at)).await?;
        Ok(())
    }

    /// Claims the first event that the host app is to be told of. Other processes ignore it until `lease` has passed.
    pub(in crate::auth) async fn claim_due_event(
        &self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<DueRow>> {
        Ok(self.returning(self.text(CLAIM), (now, now + lease)).await?.pop())
    }

    /// Sets when the host app is to be told of an event: `None` if it was.
    pub(in crate::auth) async fn update_event_due(
        &self,
        id: Uuid,
        due_at: Option<Timestamp>,
    ) -> Result<()> {
        self.run("UPDATE vestibule_events SET due_at = $2 WHERE id = $1", (id, due_at)).await?;
        Ok(())
    }

    /// Lists events of a user, the newest first, that happened before another one.
    pub(in crate::auth) async fn list_events_of(
        &self,
        user: UserId,
        before: Option<(Timestamp, Uuid)>,
        most: u32,
    ) -> Result<Vec<EventRow>> {
        let (at, id) = before.unwrap_or((Timestamp::from_millis(i64::MAX), Uuid::max()));
        let sql = "SELECT id, at, kind, ip, user_agent FROM vestibule_events \
                   WHERE user_id = $1 AND at <= $2 AND (at < $2 OR id < $3) \
                   ORDER BY at DESC, id DESC LIMIT $4";
        self.list(sql, (user, at, id, i64::from(most))).await
    }

    /// Returns the time of the oldest event.
    pub(in crate::auth) async fn find_oldest_event(&self) -> Result<Option<Timestamp>> {
        let found: Option<When> =
            self.find("SELECT at FROM vestibule_events ORDER BY at LIMIT 1", ()).await?;
        Ok(found.map(|found| found.at))
    }

    /// Deletes one batch.
    pub(in crate::auth) async fn delete_events_before(&self, then: Timestamp) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_events WHERE id IN ",
            "SELECT id FROM vestibule_events WHERE at < $1"
        );
        self.run(self.text(sql), (then,)).await
    }

    /// Returns the time before which there are more than `most` events without an account: strangers can cause any
    /// number of them.
    pub(in crate::auth) async fn find_surplus_events(
        &self,
        most: i64,
    ) -> Result<Option<Timestamp>> {
        let sql = "SELECT at FROM vestibule_events WHERE user_id IS NULL ORDER BY at DESC LIMIT 1 OFFSET $1";
        let found: Option<When> = self.find(sql, (most,)).await?;
        Ok(found.map(|found| found.at))
    }

    /// Deletes one batch of events without an account.
    pub(in crate::auth) async fn delete_events_of_nobody(&self, before: Timestamp) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_events WHERE id IN ",
            "SELECT id FROM vestibule_events WHERE user_id IS NULL AND at < $1"
        );
        self.run(self.text(sql), (before,)).await
    }

    /// Lists users with more than a given number of events since then.
    pub(in crate::auth) async fn list_busy_users(
        &self,
        since: Timestamp,
        more_than: i64,
    ) -> Result<Vec<UserId>> {
        let found: Vec<Busy> = self
            .list(
                "SELECT user_id FROM vestibule_events WHERE at > $1 AND user_id IS NOT NULL \
                 GROUP BY user_id HAVING COUNT(*) > $2",
                (since, more_than),
            )
            .await?;
        Ok(found.into_iter().map(|found| found.user_id).collect())
    }

    /// Deletes one batch of a user's oldest events beyond `most`.
    pub(in crate::auth) async fn delete_surplus_events_of(
        &self,
        user: UserId,
        most: i64,
    ) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_events WHERE id IN ",
            "SELECT id FROM vestibule_events WHERE user_id = $1 AND at < \
             (SELECT at FROM vestibule_events WHERE user_id = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)"
        );
        self.run(self.text(sql), (user, most)).await
    }
}

impl Tx {
    /// Whether a browser with this user agent has signed in to the account from this address since then, or signed up.
    pub(in crate::auth) async fn has_signed_in(
        &mut self,
        user: UserId,
        client: &Client,
        since: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT COUNT(*) AS n FROM (SELECT at, kind, ip, user_agent FROM vestibule_events \
                   WHERE user_id = $1 ORDER BY at DESC LIMIT $2) AS recent \
                   WHERE kind IN ($3, $4) AND ip = $5 AND user_agent = $6 AND at > $7";
        let (signed_in, signed_up) = (Event::SignedIn.as_str(), Event::SignedUp.as_str());
        let (ip, agent) = (client.address.to_string(), client.user_agent.clone());
        let params = (user, LOOKED_THROUGH, signed_in, signed_up, ip, agent, since);
        let found: Option<SignIns> = self.find(sql, params).await?;
        Ok(found.is_some_and(|found| found.n > 0))
    }

    /// When the owner last took the account back from whoever may have had it: by resetting the password, by putting the
    /// address back, or by "This wasn't me".
    pub(in crate::auth) async fn last_recovery(&mut self, user: UserId) -> Result<Timestamp> {
        let sql = "SELECT MAX(at) AS at FROM (SELECT at, kind FROM vestibule_events \
                   WHERE user_id = $1 ORDER BY at DESC LIMIT $2) AS recent WHERE kind IN ($3, $4, $5)";
        let kinds = [Event::PasswordReset, Event::EmailUndone, Event::NotMe].map(Event::as_str);
        let params = (user, LOOKED_THROUGH, kinds[0], kinds[1], kinds[2]);
        let found: Option<Latest> = self.find(sql, params).await?;
        Ok(found.and_then(|found| found.at).unwrap_or(Timestamp::from_millis(0)))
    }

    /// Removes what names a person from the events of an account that is erased.
    pub(in crate::auth) async fn update_events_of(&mut self, user: UserId) -> Result<()> {
        let sql = "UPDATE vestibule_events SET ip = '', user_agent = '' WHERE user_id = $1";
        self.run(sql, (user,)).await?;
        Ok(())
    }

    pub(in crate::auth) async fn insert_event(
        &mut self,
        event: Event,
        user: Option<UserId>,
        client: &Client,
        now: Timestamp,
        due_at: Option<Timestamp>,
    ) -> Result<()> {
        self.run(INSERT, params(event, user, client, now, due_at)).await?;
        Ok(())
    }
}
