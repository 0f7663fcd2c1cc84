//! One change to accounts: rows, events and messages to write, and cached sessions to drop. One
//! [`commit`](Change::commit) makes all of it take effect, or none.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::events::Event;
use super::store::{OutboxRow, Tx};
use super::token::Digest;
use super::{Auth, Client, Email, UserId};
use crate::Error;
use crate::clock::Timestamp;

/// How long a form that is sent again gets the same answer.
pub(in crate::auth) const REPEATED_WITHIN: Duration = Duration::from_mins(10);

/// A change in progress; dropping it rolls it back. Derefs to its transaction.
pub(in crate::auth) struct Change<'a> {
    auth: &'a Auth,
    client: &'a Client,
    tx: Tx,
    /// The time of the change.
    pub(in crate::auth) now: Timestamp,
    /// What to log once it is done; `None` for a client that is not to be named.
    recorded: Vec<(Event, Option<UserId>, Option<&'a Client>)>,
    changed_users: Vec<UserId>,
    /// Addresses that have an account now.
    taken_emails: Vec<Email>,
    ended_sessions: Vec<Digest>,
    has_message: bool,
    has_event: bool,
}

impl Auth {
    /// Begins a change made by this client.
    pub(in crate::auth) async fn begin_change<'a>(
        &'a self,
        client: &'a Client,
    ) -> Result<Change<'a>, Error> {
        Ok(Change {
            auth: self,
            client,
            tx: self.store.begin().await?,
            now: self.clock.now(),
            recorded: Vec::new(),
            changed_users: Vec::new(),
            taken_emails: Vec::new(),
            ended_sessions: Vec::new(),
            has_message: false,
            has_event: false,
        })
    }
}

impl Change<'_> {
    /// Records an event.
    pub(in crate::auth) async fn record(
        &mut self,
        event: Event,
        user: Option<UserId>,
    ) -> Result<(), Error> {
        let told_at = self.auth.told_at(event, user);
        self.has_event |= told_at.is_some();
        self.tx.insert_event(event, user, self.client, self.now, told_at).await?;
        self.recorded.push((event, user, Some(self.client)));
        Ok(())
    }

    /// Records an event without the client: nothing may name the person any more.
    pub(in crate::auth) async fn record_anonymously(
        &mut self,
        event: Event,
        user: UserId,
    ) -> Result<(), Error> {
        let told_at = self.auth.told_at(event, Some(user));
        self.has_event |= told_at.is_some();
        let nobody = Client::operator();
        self.tx.insert_event(event, Some(user), &nobody, self.now, told_at).await?;
        self.recorded.push((event, Some(user), None));
        Ok(())
    }

    /// Records an event that a user can cause any number of times, up to a daily limit.
    pub(in crate::auth) async fn record_visit(
        &mut self,
        event: Event,
        user: UserId,
    ) -> Result<(), Error> {
        if self.auth.may_record(&mut self.tx, user, self.client).await? {
            self.record(event, Some(user)).await?;
        }
        Ok(())
    }

    /// Puts a message into the outbox.
    pub(in crate::auth) async fn mail(&mut self, message: OutboxRow) -> Result<(), Error> {
        self.has_message = true;
        self.tx.insert_message(message).await
    }

    /// Marks the user, or all their sessions, as changed.
    pub(in crate::auth) fn changes_user(&mut self, user: UserId) {
        self.changed_users.push(user);
    }

    /// Marks the address as that of an account: what waits for somebody without one is void.
    pub(in crate::auth) fn takes_email(&mut self, email: &Email) {
        self.taken_emails.push(email.clone());
    }

    /// Marks the session as ended.
    pub(in crate::auth) fn ends_session(&mut self, session: Digest) {
        self.ended_sessions.push(session);
    }

    /// Commits to disk, then informs the log, the session cache and the delivery job.
    pub(in crate::auth) async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await?;
        for session in self.ended_sessions {
            self.auth.sessions.forget(session);
        }
        for user in self.changed_users {
            self.auth.sessions.forget_user(user);
        }
        let nobody = Client::operator();
        for (event, user, client) in self.recorded {
            event.log(user, client.unwrap_or(&nobody));
        }
        for email in self.taken_emails {
            self.auth.forget_newcomer(&email).await;
        }
        if self.has_message {
            self.auth.wake_delivery();
        }
        if self.has_event {
            self.auth.event_wakeup.notify_one();
        }
        Ok(())
    }

    /// Rolls the change back.
    pub(in crate::auth) async fn rollback(self) {
        self.tx.rollback().await;
    }
}

impl Deref for Change<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}
