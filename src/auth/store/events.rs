//! The table `vestibule_events`: events of accounts.

use uuid::Uuid;

use super::{Result, Store, Tx, batch_of};
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

const INSERT: &str = "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) \
                      VALUES ($1, $2, $3, $4, $5, $6)";

fn params(
    event: Event,
    user: Option<UserId>,
    client: &Client,
    now: Timestamp,
) -> (Uuid, Timestamp, String, Option<UserId>, String, String) {
    let (address, agent) = (client.address.to_string(), client.user_agent.clone());
    (Uuid::now_v7(), now, event.as_str().to_owned(), user, address, agent)
}

impl Store {
    pub(in crate::auth) async fn insert_event(
        &self,
        event: Event,
        user: Option<UserId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<()> {
        self.run(INSERT, params(event, user, client, now)).await?;
        Ok(())
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
    pub(in crate::auth) async fn insert_event(
        &mut self,
        event: Event,
        user: Option<UserId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<()> {
        self.run(INSERT, params(event, user, client, now)).await?;
        Ok(())
    }
}
