//! Messages wait in the database until they have left, so that no crash and no broken mail server
//! loses one. Each is delivered at least once.

mod delivery;
mod under_way;
mod wakeup;

use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

pub(in crate::auth) use wakeup::Wakeup;

use super::store::{Delivery, OutboxRow, Priority};
use super::throttle::MOST_MESSAGES;
use super::{Auth, Client, Device, Email, User, UserId};
use crate::Error;
use crate::mail::Message;

/// How often the outbox is looked at without a call: for messages whose retry is due, and for those that
/// another node put there.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_hours(1);

/// For how long a claimed message is this process's alone. Renewed while it is under way, which may take long; a
/// process that dies leaves it to the next soon.
const LEASE: Duration = Duration::from_mins(2);

impl Auth {
    /// A message to a user, for the outbox.
    pub(in crate::auth) fn message(
        &self,
        message: Message,
        to: &User,
        client: &Client,
    ) -> OutboxRow {
        self.message_to(message, Some(to.id), &to.email, client)
    }

    fn message_to(
        &self,
        message: Message,
        user: Option<UserId>,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        let now = self.clock.now();
        OutboxRow {
            id: Uuid::now_v7(),
            message: message.as_str().to_owned(),
            recipient: email.key().to_owned(),
            user_id: user,
            payload: None,
            device: Device::of(client).to_string(),
            ip: client.address.to_string(),
            attempts: 0,
            created_at: now,
            due_at: now,
            quota_key: None,
            priority: Priority::Awaited,
            site_key: self.outbox_key(client),
            domain_key: Some(self.domain_key(email)),
            refusals: 0,
        }
    }

    /// The message to an account that was just made.
    pub(in crate::auth) fn first_message(
        &self,
        to: UserId,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            quota_key: Some(self.sign_up_key(client)),
            priority: Priority::First,
            ..self.message_to(Message::VerifyEmail, Some(to), email, client)
        }
    }

    /// A password-reset message to whoever has this address, if anybody has.
    pub(in crate::auth) fn message_to_whoever_has(
        &self,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            quota_key: Some(self.reset_key(client)),
            ..self.message_to(Message::PasswordReset, None, email, client)
        }
    }

    /// A message was put into the outbox: tells the background job that there is something to do.
    pub(in crate::auth) fn wake_delivery(&self) {
        // Counted at once, and again when somebody looks: in between, many may come.
        self.messages_waiting.fetch_add(1, Ordering::Relaxed);
        self.delivery_wakeup.ring();
    }

    /// Returns a moment after a message was put into the outbox by this process.
    pub(crate) async fn message_waits(&self) {
        self.delivery_wakeup.rings().await;
    }

    /// Whether this process may send messages. The first time that it may, what another one had claimed that
    /// is gone leaves at once: only one has the SQLite file.
    pub(crate) async fn may_deliver(&self) -> Result<bool, Error> {
        if self.delivers.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match self.store.claim_delivery() {
            Delivery::Theirs => return Ok(false),
            Delivery::Ours => drop(self.store.release_claims(self.clock.now(), LEASE).await?),
            Delivery::Shared => {}
        }
        self.delivers.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Notes how many messages wait.
    pub(crate) async fn count_messages(&self) -> Result<(), Error> {
        let waiting = self.store.count_messages(MOST_MESSAGES).await?;
        self.messages_waiting.store(waiting, Ordering::Relaxed);
        Ok(())
    }
}
