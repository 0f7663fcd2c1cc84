//! The table `events`: what happened to accounts.

use uuid::Uuid;

use super::{Result, Store, Tx};
use crate::auth::client::Client;
use crate::auth::events::Event;
use crate::auth::user::UserId;
use crate::clock::Timestamp;

#[derive(sqlx::FromRow)]
struct Busy {
    user_id: UserId,
}

const INSERT: &str = "INSERT INTO events (id, at, kind, user_id, address, user_agent) \
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

    pub(in crate::auth) async fn delete_events_before(&self, then: Timestamp) -> Result<u64> {
        self.run("DELETE FROM events WHERE at < $1", (then,)).await
    }

    /// Removes the oldest events of nobody's account beyond `most`: strangers can cause any number.
    pub(in crate::auth) async fn delete_surplus_events(&self, most: i64) -> Result<u64> {
        self.run(
            "DELETE FROM events WHERE user_id IS NULL AND at < \
             (SELECT at FROM events WHERE user_id IS NULL ORDER BY at DESC LIMIT 1 OFFSET $1)",
            (most,),
        )
        .await
    }

    /// The users to whom more than so many things happened since then.
    pub(in crate::auth) async fn list_busy_users(
        &self,
        since: Timestamp,
        more_than: i64,
    ) -> Result<Vec<UserId>> {
        let found: Vec<Busy> = self
            .list(
                "SELECT user_id FROM events WHERE at > $1 AND user_id IS NOT NULL \
                 GROUP BY user_id HAVING COUNT(*) > $2",
                (since, more_than),
            )
            .await?;
        Ok(found.into_iter().map(|found| found.user_id).collect())
    }

    /// Removes the oldest events of a user beyond `most`.
    pub(in crate::auth) async fn delete_surplus_events_of(
        &self,
        user: UserId,
        most: i64,
    ) -> Result<u64> {
        self.run(
            "DELETE FROM events WHERE user_id = $1 AND at < \
             (SELECT at FROM events WHERE user_id = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)",
            (user, most),
        )
        .await
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
