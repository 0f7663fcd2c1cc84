//! One change to accounts: what is written, what is recorded of it, the messages that it brings about, and the
//! sessions that must be forgotten. All of it comes true by one [`commit`](Change::commit), or nothing.

use std::ops::{Deref, DerefMut};

use super::events::Event;
use super::store::{OutboxRow, Tx};
use super::token::Digest;
use super::{Auth, Client, UserId};
use crate::Error;
use crate::clock::Timestamp;

/// A change that is not committed yet. Dropped, it never happened. Derefs to its transaction.
pub(in crate::auth) struct Change<'a> {
    auth: &'a Auth,
    client: &'a Client,
    tx: Tx,
    /// When it happens.
    pub(in crate::auth) now: Timestamp,
    recorded: Vec<(Event, Option<UserId>)>,
    changed_users: Vec<UserId>,
    ended_sessions: Vec<Digest>,
    has_message: bool,
}

impl Auth {
    /// Begins a change that this client makes.
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
            ended_sessions: Vec::new(),
            has_message: false,
        })
    }
}

impl Change<'_> {
    /// Records what happened.
    pub(in crate::auth) async fn record(
        &mut self,
        event: Event,
        user: Option<UserId>,
    ) -> Result<(), Error> {
        self.tx.insert_event(event, user, self.client, self.now).await?;
        self.recorded.push((event, user));
        Ok(())
    }

    /// Records what somebody may do any number of times, unless it was too often today.
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

    /// Something about this user, or about all their sessions, is not as it was.
    pub(in crate::auth) fn changes_user(&mut self, user: UserId) {
        self.changed_users.push(user);
    }

    /// This session ends.
    pub(in crate::auth) fn ends_session(&mut self, session: Digest) {
        self.ended_sessions.push(session);
    }

    /// Makes it true, on disk; then tells the log, the cache of sessions and the delivery job.
    pub(in crate::auth) async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await?;
        for session in self.ended_sessions {
            self.auth.sessions.forget(session);
        }
        for user in self.changed_users {
            self.auth.sessions.forget_user(user);
        }
        for (event, user) in self.recorded {
            event.log(user, self.client);
        }
        if self.has_message {
            self.auth.wake_delivery();
        }
        Ok(())
    }

    /// Ends it as if it had never begun.
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
