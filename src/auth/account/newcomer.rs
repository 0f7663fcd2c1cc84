//! People who show that an address is theirs before they have an account: by the link of a sign-up, or of an invitation.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use log::warn;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::auth::change::REPEATED_WITHIN;
use crate::auth::events::Event;
use crate::auth::link::OpenedLink;
use crate::auth::password::PasswordVersion;
use crate::auth::password::hash::PasswordHash;
use crate::auth::store::{Charge, NewUser, Tx};
use crate::auth::{
    Auth, Client, Email, Limited, Name, NewSession, Password, Refused, SignUpBy, UserId,
    WeakPassword, WrongCredentials,
};
use crate::clock::Timestamp;
use crate::error::error_chain;

const HOUR: Duration = Duration::from_hours(1);

/// A sign-up that is to be confirmed. It is kept with its message, and then with its link: there is no account yet.
pub(in crate::auth) struct PendingSignUp {
    pub(in crate::auth) email: Email,
    pub(in crate::auth) name: Option<Name>,
    pub(in crate::auth) password_hash: PasswordHash,
    /// The page to go on to.
    pub(in crate::auth) next: Option<String>,
    pub(in crate::auth) asked_at: Timestamp,
    /// What its message is charged to its site's quota: refunded once the address is confirmed.
    pub(in crate::auth) charge: Charge,
}

/// [`PendingSignUp`] as stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    password_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    asked_at: i64,
    charged_key: String,
    charged_millis: i64,
}

impl PendingSignUp {
    /// `None` if the text is not of [`to_payload`](Self::to_payload).
    pub(in crate::auth) fn parse(payload: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(payload).ok()?;
        Some(Self {
            email: stored.email.parse().ok()?,
            name: stored.name.map(Name::from_row),
            password_hash: stored.password_hash.parse().ok()?,
            next: stored.next,
            asked_at: Timestamp::from_millis(stored.asked_at),
            charge: Charge {
                key: BASE64_STANDARD_NO_PAD.decode(stored.charged_key).ok()?,
                millis: stored.charged_millis,
            },
        })
    }

    /// The text to store.
    pub(in crate::auth) fn to_payload(&self) -> String {
        let stored = Stored {
            email: self.email.as_str().to_owned(),
            name: self.name.as_ref().map(|name| name.as_str().to_owned()),
            password_hash: self.password_hash.to_string(),
            next: self.next.clone(),
            asked_at: self.asked_at.as_millis(),
            charged_key: BASE64_STANDARD_NO_PAD.encode(&self.charge.key),
            charged_millis: self.charge.millis,
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }
}

/// Somebody who has shown that an address is theirs.
struct Newcomer<'a> {
    email: &'a Email,
    name: Option<&'a Name>,
    password: &'a Password,
    password_hash: &'a PasswordHash,
}

/// The account that a link has made.
pub(crate) struct Joined {
    pub(crate) email: Email,
    /// The browser's session, unless the account has changed in the meantime.
    pub(crate) session: Option<NewSession>,
    /// The page to go on to.
    pub(crate) next: Option<String>,
}

/// Why a link makes no account.
pub(crate) enum JoinError {
    /// The link was used, has expired, or never existed.
    DeadLink,
    /// It is not the password that was chosen at the sign-up.
    WrongPassword,
    /// The password does not meet the policy.
    WeakPassword(WeakPassword),
    /// The address has got an account in the meantime.
    EmailTaken,
}

impl Auth {
    /// Requests the link of a sign-up again, or one that verifies the address of an account. Does the same for every
    /// address, like [`request_password_reset`](Self::request_password_reset).
    pub(crate) async fn request_sign_up_link(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<(), Limited> {
        self.charge_ip(client).await?;
        self.check_resets(client).await?;
        let mut change = self.begin_change(client).await?;
        change.mail(self.sign_up_link_message(email, client)).await?;
        change.record(Event::SignUpAsked, None).await?;
        Ok(change.commit().await?)
    }

    /// Uses the link of a sign-up up and creates the account.
    ///
    /// Following the link is not enough: somebody may have signed up with a stranger's address and a password of their
    /// own, and wait for the stranger to click (account pre-hijacking). So the client must know that password, or
    /// [choose another](Self::accept_link).
    pub(crate) async fn confirm_sign_up(
        &self,
        link: &OpenedLink,
        password: Option<&Password>,
        client: &Client,
        by: SignUpBy,
    ) -> Result<Joined, Refused<JoinError>> {
        let pending = link.payload.as_deref().and_then(PendingSignUp::parse);
        let (Some(_), Some(pending)) = (&link.email, pending) else {
            return self.join_again(link, password, client, by).await;
        };
        let password = password.ok_or(Refused::Because(JoinError::WrongPassword))?;
        self.charge_ip(client).await?;
        self.charge_link_guess(&link.token).await?;
        let mut slot = self.hasher.slot_for_stranger(client);
        let verdict = self.hasher.verify(password, &pending.password_hash, &mut slot).await?;
        drop(slot);
        if verdict.matches.is_none() {
            return Err(Refused::Because(JoinError::WrongPassword));
        }
        let new = Newcomer {
            email: &pending.email,
            name: pending.name.as_ref(),
            password,
            password_hash: &pending.password_hash,
        };
        let joined = self.join(link, new, client, by).await?;
        Ok(Joined { next: pending.next, ..joined })
    }

    /// Uses an invitation up and creates the account, with this password. Also the link of a sign-up: whoever reads the
    /// mailbox need not know the password that somebody, perhaps a stranger, has chosen with the address; nothing else of
    /// that sign-up counts then.
    pub(crate) async fn accept_link(
        &self,
        link: &OpenedLink,
        password: Password,
        name: Option<Name>,
        client: &Client,
        by: SignUpBy,
    ) -> Result<Joined, Refused<JoinError>> {
        let Some(email) = &link.email else {
            return self.join_again(link, Some(&password), client, by).await;
        };
        self.charge_ip(client).await?;
        self.charge_link_attempt(&link.token).await?;
        let mut slot = self.hasher.slot_for_stranger(client);
        let password = self
            .check_new_password(password, Some(email), name.as_ref(), &mut slot)
            .await
            .map_err(|refused| refused.map(JoinError::WeakPassword))?;
        let password_hash = self.hasher.hash(&password.0, &mut slot).await?;
        drop(slot);
        let new = Newcomer {
            email,
            name: name.as_ref(),
            password: &password.0,
            password_hash: &password_hash,
        };
        self.join(link, new, client, by).await
    }

    /// Uses the link up and creates the account of its address.
    async fn join(
        &self,
        link: &OpenedLink,
        new: Newcomer<'_>,
        client: &Client,
        by: SignUpBy,
    ) -> Result<Joined, Refused<JoinError>> {
        let mut change = self.begin_change(client).await?;
        let (digest, id, now) = (link.token.digest(), UserId::new(), change.now);
        // Of two that use it at once, one gets it.
        let Some(_) = change.take_newcomer_link(digest, link.purpose, now).await? else {
            change.rollback().await;
            return self.join_again(link, Some(new.password), client, by).await;
        };
        let row = NewUser {
            id,
            email: new.email,
            name: new.name,
            password_hash: Some(new.password_hash),
            email_verified_at: Some(now),
            now,
        };
        if !change.insert_user(row).await? {
            change.rollback().await;
            return Err(Refused::Because(JoinError::EmailTaken));
        }
        change.takes_email(new.email);
        change.insert_used_link(digest, link.purpose, id, now).await?;
        change.record(Event::SignedUp, Some(id)).await?;
        change.record(Event::EmailVerified, Some(id)).await?;
        let session = match by {
            SignUpBy::Browser(replaced) => {
                let password = PasswordVersion::default();
                let session =
                    self.begin_session(&mut change, id, password, false, client, replaced);
                Some(session.await?)
            }
            SignUpBy::Program => None,
        };
        if let Some(pending) = link.payload.as_deref().and_then(PendingSignUp::parse) {
            self.return_pending(&mut change, &pending).await?;
        }
        change.commit().await?;
        Ok(Joined { email: new.email.clone(), session, next: None })
    }

    /// The link was used before: if it made the account of this password a moment ago, the form was sent twice.
    async fn join_again(
        &self,
        link: &OpenedLink,
        password: Option<&Password>,
        client: &Client,
        by: SignUpBy,
    ) -> Result<Joined, Refused<JoinError>> {
        let now = self.clock.now();
        let (digest, since) = (link.token.digest(), now - REPEATED_WITHIN);
        let found = self.store.find_used_link(digest, link.purpose, since, now).await?;
        let (Some(user), Some(_), SignUpBy::Browser(replaced)) = (found, password, by) else {
            return Err(Refused::Because(JoinError::DeadLink));
        };
        let proof = self.verify_password(user.email.key(), password, client).await;
        let proof = proof.map_err(|refused| refused.map(|WrongCredentials| JoinError::DeadLink))?;
        let session = self.start_session(&proof, false, client, replaced).await?;
        Ok(Joined { email: user.email, session, next: None })
    }

    /// Refunds the message of a sign-up whose address is confirmed, and lets the next one of its site leave.
    async fn return_pending(&self, tx: &mut Tx, pending: &PendingSignUp) -> Result<(), Error> {
        let now = self.clock.now();
        if now.since(pending.asked_at) < HOUR {
            tx.refund(&pending.charge).await?;
            tx.update_next_due(pending.charge.key.clone(), now).await?;
        }
        Ok(())
    }

    /// Removes what else waits for an address that has an account now. Not within the transaction that creates it:
    /// two for the same address would wait for each other's links. Nothing of it makes a second account.
    pub(in crate::auth) async fn forget_newcomer(&self, email: &Email) {
        if let Err(error) = self.store.delete_newcomer(email.key()).await {
            warn!("links to an address with a new account are left: {}", error_chain(&error));
        }
    }
}
