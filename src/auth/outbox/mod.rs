//! Letters wait in the database until they have left, so that no crash and no broken mail server
//! loses one. Each is delivered at least once.

mod bell;
mod delivery;
mod under_way;

use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

pub(in crate::auth) use bell::Bell;

use super::store::{Delivery, OutboxRow, Priority};
use super::throttle::MOST_LETTERS;
use super::{Auth, Client, Email, User, UserId};
use crate::Error;

/// What a letter is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Letter {
    VerifyEmail,
    PasswordReset,
    PasswordChanged,
}

/// How often the outbox is looked at without a call: for letters whose retry is due, and for those that
/// another node put there.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_hours(1);

/// For how long a claimed letter is this process's alone. Renewed while it is under way, which may take long; a
/// process that dies leaves it to the next soon.
const LEASE: Duration = Duration::from_mins(2);

/// Most links of one purpose that may be open for a user. A stranger who asks for more cannot void
/// the one that the owner is about to open.
pub(in crate::auth) const MOST_OPEN_LINKS: i64 = 3;

impl Letter {
    pub(in crate::auth) fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::VerifyEmail, Self::PasswordReset, Self::PasswordChanged]
            .into_iter()
            .find(|letter| letter.as_str() == text)
    }

    /// How long the link in it is good (ASVS 6.5.5).
    pub(in crate::auth) fn link_ttl(self) -> Duration {
        match self {
            Self::VerifyEmail => 24 * HOUR,
            Self::PasswordReset | Self::PasswordChanged => HOUR,
        }
    }
}

impl Auth {
    /// A letter to a user, for the outbox.
    pub(in crate::auth) fn letter(&self, letter: Letter, to: &User, client: &Client) -> OutboxRow {
        self.letter_to(letter, Some(to.id), &to.email, client)
    }

    fn letter_to(
        &self,
        letter: Letter,
        to: Option<UserId>,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        let now = self.clock.now();
        OutboxRow {
            id: Uuid::now_v7(),
            letter: letter.as_str().to_owned(),
            user_id: to,
            email_key: None,
            device: client.described(),
            network: client.address.to_string(),
            attempts: 0,
            created_at: now,
            due_at: now,
            uncounted_key: None,
            priority: Priority::Awaited,
            site_key: self.outbox_key(client),
            domain_key: Some(self.domain_key(email)),
            refusals: 0,
        }
    }

    /// The letter to an account that was just made.
    pub(in crate::auth) fn first_letter(
        &self,
        to: UserId,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            uncounted_key: Some(self.sign_up_key(client)),
            priority: Priority::First,
            ..self.letter_to(Letter::VerifyEmail, Some(to), email, client)
        }
    }

    /// A password-reset letter to whoever has this address, if anybody has.
    pub(in crate::auth) fn letter_to_whoever_has(
        &self,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            email_key: Some(email.key().to_owned()),
            uncounted_key: Some(self.reset_key(client)),
            ..self.letter_to(Letter::PasswordReset, None, email, client)
        }
    }

    /// A letter was put into the outbox: tells the background job that there is something to do.
    pub(in crate::auth) fn wake_postman(&self) {
        // Counted at once, and again when somebody looks: in between, many may come.
        self.letters_waiting.fetch_add(1, Ordering::Relaxed);
        self.postman_bell.ring();
    }

    /// Returns a moment after a letter was put into the outbox by this process.
    pub(crate) async fn letter_waits(&self) {
        self.postman_bell.rings().await;
    }

    /// Whether this process may send letters. The first time that it may, what another one had claimed that
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

    /// Notes how many letters wait.
    pub(crate) async fn count_letters(&self) -> Result<(), Error> {
        let waiting = self.store.count_letters(MOST_LETTERS).await?;
        self.letters_waiting.store(waiting, Ordering::Relaxed);
        Ok(())
    }
}
