//! The table `events`: what happened to accounts.

use uuid::Uuid;

use super::{Result, Store, Tx};
use crate::auth::client::Client;
use crate::auth::events::Event;
use crate::auth::user::UserId;
use crate::clock::Timestamp;

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
