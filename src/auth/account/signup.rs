//! Signing up.

use crate::auth::events::Event;
use crate::auth::password::PasswordVersion;
use crate::auth::store::NewUser;
use crate::auth::{
    Auth, Client, Email, Name, NewSession, Password, Refused, SessionToken, UserId, WeakPassword,
    WrongCredentials,
};
use crate::mail::Message;

/// The fields of the sign-up form.
pub(crate) struct SignUp {
    pub(crate) email: Email,
    pub(crate) password: Password,
    pub(crate) name: Option<Name>,
}

/// What kind of client signs up.
pub(crate) enum SignUpBy {
    /// A browser. It is signed in at once, in place of the session it had. A form sent twice gets the same answer:
    /// a double click must not look like a failure.
    Browser(Option<SessionToken>),
    /// A program. It is told if the account already exists.
    Program,
}

/// A new account.
pub(crate) struct SignedUp {
    pub(crate) email: Email,
    /// The browser's session, unless the account has changed in the meantime.
    pub(crate) session: Option<NewSession>,
    /// Whether the account did not exist before.
    pub(crate) is_new: bool,
}

/// Why a sign-up is refused.
pub(crate) enum SignUpError {
    /// The address has an account.
    EmailTaken,
    /// The password does not meet the policy.
    WeakPassword(WeakPassword),
}

impl Auth {
    /// Creates an account and puts the verification message into the outbox, both or neither.
    pub(crate) async fn sign_up(
        &self,
        form: SignUp,
        client: &Client,
        by: SignUpBy,
    ) -> Result<SignedUp, Refused<SignUpError>> {
        let SignUp { email, password, name } = form;
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
        Ok(SignedUp { email, session, is_new: true })
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
        Ok(SignedUp { email, session, is_new: false })
    }
}
