//! Messages stay in the database until they are sent, so that neither a crash nor a broken mail server loses one.
//! Each is delivered at least once.

mod delivery;
mod newcomer;
mod under_way;
mod wakeup;

use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

pub(in crate::auth) use wakeup::Wakeup;

use super::account::PendingSignUp;
use super::store::{Delivery, OutboxRow, Priority};
use super::throttle::MOST_MESSAGES;
use super::{Auth, Client, Device, Email, User, UserId};
use crate::Error;
use crate::mail::Message;

/// How often the outbox is checked without being woken: for retries, and for messages of other nodes.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_hours(1);

/// How long a claim keeps a message from other processes. Renewed during a long delivery; when a process dies,
/// another takes over soon.
const LEASE: Duration = Duration::from_mins(2);

impl Auth {
    /// An outbox row for a message to a user.
    pub(in crate::auth) fn message(
        &self,
        message: Message,
        to: &User,
        client: &Client,
    ) -> OutboxRow {
        self.message_to(message, Some(to.id), &to.email, client)
    }

    /// An outbox row for the last message to the owner of an account that is erased.
    pub(in crate::auth) fn farewell(&self, to: &Email) -> OutboxRow {
        self.message_to(Message::AccountErased, None, to, &Client::operator())
    }

    /// An outbox row for a message to an address of a user.
    pub(in crate::auth) fn message_to(
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
            unknown_outcomes: 0,
        }
    }

    /// An outbox row for the verification message of a new account.
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

    /// An outbox row for the message of a sign-up that is to be confirmed, to an address that may have an account.
    pub(in crate::auth) fn sign_up_message(
        &self,
        pending: &PendingSignUp,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            payload: Some(pending.to_payload()),
            quota_key: Some(pending.charge.key.clone()),
            priority: Priority::First,
            ..self.message_to(Message::SignUp, None, &pending.email, client)
        }
    }

    /// An outbox row for the same message once more.
    pub(in crate::auth) fn sign_up_link_message(
        &self,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            quota_key: Some(self.reset_key(client)),
            ..self.message_to(Message::SignUp, None, email, client)
        }
    }

    /// An outbox row for a password-reset message to an address that may have no account.
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

    /// Wakes the delivery job after a message was added.
    pub(in crate::auth) fn wake_delivery(&self) {
        // A rough count until the next `refresh_message_count`: many messages may arrive in between.
        self.messages_waiting.fetch_add(1, Ordering::Relaxed);
        self.delivery_wakeup.wake();
    }

    /// Returns shortly after this process has added a message.
    pub(crate) async fn message_waits(&self) {
        self.delivery_wakeup.woken().await;
    }

    /// Whether this process may send messages: only one may per SQLite file. When it first may, it takes over the
    /// claims of a process that has ended.
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

    /// Counts the waiting messages.
    pub(crate) async fn refresh_message_count(&self) -> Result<(), Error> {
        let waiting = self.store.count_messages(MOST_MESSAGES).await?;
        self.messages_waiting.store(waiting, Ordering::Relaxed);
        Ok(())
    }
}
