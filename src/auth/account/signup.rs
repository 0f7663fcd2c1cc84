//! Signing up.

use super::newcomer::PendingSignUp;
use crate::auth::events::Event;
use crate::auth::password::PasswordVersion;
use crate::auth::store::NewUser;
use crate::auth::{
    Auth, Client, Email, Name, NewSession, Password, Refused, SessionToken, UserId, WeakPassword,
    WrongCredentials,
};
use crate::config::{EmailDomain, SignUps};
use crate::mail::Message;

/// The fields of the sign-up form.
pub(crate) struct SignUp {
    pub(crate) email: Email,
    pub(crate) password: Password,
    pub(crate) name: Option<Name>,
    /// The page to go on to, if the address is to be confirmed first.
    pub(crate) next: Option<String>,
}

/// What kind of client signs up.
pub(crate) enum SignUpBy {
    /// A browser. It is signed in at once, in place of the session it had. A form sent twice gets the same answer:
    /// a double click must not look like a failure.
    Browser(Option<SessionToken>),
    /// A program. It is told if the account already exists.
    Program,
}

/// What came of a sign-up.
pub(crate) enum SignedUp {
    /// There is an account.
    Account {
        email: Email,
        /// The browser's session, unless the account has changed in the meantime.
        session: Option<NewSession>,
        /// Whether the account did not exist before.
        is_new: bool,
    },
    /// There will be one once the address is confirmed: the same for every address.
    LinkSent(Email),
}

/// Why a sign-up is refused.
pub(crate) enum SignUpError {
    /// Not everybody may sign up.
    NotOpen(SignUps),
    /// The address is at none of these domains.
    OtherDomain(Vec<EmailDomain>),
    /// The address has an account.
    EmailTaken,
    /// The password does not meet the policy.
    WeakPassword(WeakPassword),
}

impl Auth {
    /// Creates an account and puts the verification message into the outbox, both or neither. If addresses have to be
    /// verified, only puts the message into the outbox.
    pub(crate) async fn sign_up(
        &self,
        form: SignUp,
        client: &Client,
        by: SignUpBy,
    ) -> Result<SignedUp, Refused<SignUpError>> {
        self.may_sign_up(Some(&form.email)).map_err(Refused::Because)?;
        if self.config.requires_verification() {
            return self.request_sign_up(form, client).await;
        }
        let SignUp { email, password, name, .. } = form;
        self.charge_ip(client).await?;
        if self.store.find_credentials(&email).await?.is_some() {
            return self.sign_up_again(email, &password, client, by).await;
        }
        self.check_backlog(client).await?;
        let mut slot = self.hasher.slot_for_stranger(client);
        let password = self
            .check_new_password(password, Some(&email), name.as_ref(), &mut slot)
            .await
            .map_err(|refused| refused.map(SignUpError::WeakPassword))?;
        let password_hash = self.hasher.hash(&password.0, &mut slot).await?;
        let (id, now) = (UserId::new(), self.clock.now());
        let mut change = self.begin_change(client).await?;
        let new = NewUser {
            id,
            email: &email,
            name: name.as_ref(),
            password_hash: Some(&password_hash),
            email_verified_at: None,
            now,
        };
        if !change.insert_user(new).await? {
            change.rollback().await;
            return self.sign_up_again(email, &password.0, client, by).await;
        }
        // The first message to this address is never over a limit.
        let _ = self.charge_message_to_address(&mut change, Message::VerifyEmail, &email).await?;
        change.mail(self.first_message(id, &email, client)).await?;
        change.record(Event::SignedUp, Some(id)).await?;
        let session = match by {
            SignUpBy::Browser(replaced) => {
                let password = PasswordVersion::default();
                let session =
                    self.begin_session(&mut change, id, password, false, client, replaced);
                Some(session.await?)
            }
            SignUpBy::Program => None,
        };
        change.commit().await?;
        Ok(SignedUp::Account { email, session, is_new: true })
    }

    /// Whether somebody with this address may sign up without an invitation.
    pub(crate) fn may_sign_up(&self, email: Option<&Email>) -> Result<(), SignUpError> {
        let config = &self.config;
        if config.signup != SignUps::Open {
            return Err(SignUpError::NotOpen(config.signup));
        }
        if email.is_some_and(|email| !config.allows_email(email)) {
            return Err(SignUpError::OtherDomain(config.signup_domains.clone()));
        }
        Ok(())
    }

    /// Requests a message with a link to finish signing up. Does the same work for every address, so that neither the
    /// response nor its time reveals who has an account; the account is looked up later, on delivery. Until the link
    /// is used nothing exists that somebody could sign in to, or set up on a stranger's address (pre-hijacking).
    async fn request_sign_up(
        &self,
        SignUp { email, password, name, next }: SignUp,
        client: &Client,
    ) -> Result<SignedUp, Refused<SignUpError>> {
        self.charge_ip(client).await?;
        self.check_backlog(client).await?;
        let mut slot = self.hasher.slot_for_stranger(client);
        let password = self
            .check_new_password(password, Some(&email), name.as_ref(), &mut slot)
            .await
            .map_err(|refused| refused.map(SignUpError::WeakPassword))?;
        let password_hash = self.hasher.hash(&password.0, &mut slot).await?;
        drop(slot);
        let charged = self.sign_up_charge(client);
        let asked_at = self.clock.now();
        let pending = PendingSignUp { email, name, password_hash, next, asked_at, charge: charged };
        let mut change = self.begin_change(client).await?;
        change.mail(self.sign_up_message(&pending, client)).await?;
        change.record(Event::SignUpAsked, None).await?;
        change.commit().await?;
        Ok(SignedUp::LinkSent(pending.email))
    }

    /// Checks the password of a sign-up that is refused for another reason, so that all mistakes are named at once.
    pub(crate) async fn check_sign_up_password(
        &self,
        password: Password,
        email: Option<&Email>,
        name: Option<&Name>,
        client: &Client,
    ) -> Result<(), Refused<SignUpError>> {
        self.charge_ip(client).await?;
        let mut slot = self.hasher.slot_for_stranger(client);
        let checked = self.check_new_password(password, email, name, &mut slot).await;
        checked.map(drop).map_err(|refused| refused.map(SignUpError::WeakPassword))
    }

    /// A sign-up with an address that has an account: the right password signs in. A wrong one counts like any
    /// other failed attempt.
    async fn sign_up_again(
        &self,
        email: Email,
        password: &Password,
        client: &Client,
        by: SignUpBy,
    ) -> Result<SignedUp, Refused<SignUpError>> {
        let SignUpBy::Browser(replaced) = by else {
            return Err(Refused::Because(SignUpError::EmailTaken));
        };
        let proof = self.verify_password(email.key(), Some(password), client).await;
        let proof =
            proof.map_err(|refused| refused.map(|WrongCredentials| SignUpError::EmailTaken))?;
        let session = self.start_session(&proof, false, client, replaced).await?;
        Ok(SignedUp::Account { email, session, is_new: false })
    }
}
