//! Back in with a forgotten password: ask, get a letter, follow its link, set a new one.

use uuid::Uuid;

use super::change::AGAIN_WITHIN;
use crate::Error;
use crate::auth::events::Event;
use crate::auth::link::OpenedLink;
use crate::auth::outbox::Letter;
use crate::auth::store::{NewToken, Purpose};
use crate::auth::{
    Auth, Client, Device, Email, Limited, Password, Refused, ResetToken, User, WeakPassword,
    WrongCredentials,
};

/// What becomes of a form that comes twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twice {
    /// The same success: a button that was pressed twice must not look like failure.
    SameAnswer,
    /// Programs are told that it was done before.
    Refused,
}

/// Why a password cannot be reset like this.
pub(crate) enum ResetPasswordError {
    /// The link was used, is too old, or never was one.
    DeadLink,
    /// The password does not meet the policy.
    WeakPassword(WeakPassword),
}

impl Auth {
    /// Asks for a letter with a link. The same one insert for every address, so that neither the
    /// answer nor its time tells who has an account; whether there is one is found out later, when
    /// the letter is to leave.
    pub(crate) async fn request_password_reset(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<(), Limited> {
        self.count_network(client).await?;
        self.check_resets(client).await?;
        let mut change = self.begin_change(client).await?;
        change.mail(self.letter_to_whoever_has(email, client)).await?;
        change.record(Event::PasswordResetAsked, None).await?;
        Ok(change.commit().await?)
    }

    /// For `reveal_reset_token` alone: a token at once, for whoever asks. `None` if the address has
    /// no account.
    pub(crate) async fn reveal_reset_token(
        &self,
        email: &Email,
    ) -> Result<Option<ResetToken>, Error> {
        let Some(user) = self.store.find_user_by_email(email.key()).await? else { return Ok(None) };
        let token = ResetToken::new()?;
        let mut tx = self.store.begin().await?;
        tx.insert_token(&self.reset_token_for(&token, &user, None), i64::MAX).await?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// What the table keeps of a fresh reset token.
    pub(in crate::auth) fn reset_token_for(
        &self,
        token: &ResetToken,
        user: &User,
        letter: Option<Uuid>,
    ) -> NewToken {
        let now = self.clock.now();
        NewToken {
            digest: token.digest(),
            purpose: Purpose::PasswordReset,
            user: user.id,
            sent_to: user.email.key().to_owned(),
            now,
            expires_at: now + Letter::PasswordReset.link_ttl(),
            letter,
        }
    }

    /// Finds out whose password the link resets, without using it up.
    pub(crate) async fn open_reset_link(
        &self,
        token: ResetToken,
    ) -> Result<OpenedLink<ResetToken>, Error> {
        let (digest, now) = (token.digest(), self.clock.now());
        let user = self.store.find_token(digest, Purpose::PasswordReset, now).await?;
        Ok(OpenedLink { token, user })
    }

    /// Uses the link up and sets the password. All sessions end and all links of the account die:
    /// whoever had the old password may still be signed in. Does not log in (ASVS 6.4.3): the person
    /// shows that they know the new one.
    pub(crate) async fn reset_password(
        &self,
        link: &OpenedLink<ResetToken>,
        password: Password,
        client: &Client,
        twice: Twice,
    ) -> Result<Device, Refused<ResetPasswordError>> {
        let OpenedLink { token, user } = link;
        // Junk costs no hash.
        let Some(user) = user else {
            return self.reset_again(token, &password, client, twice).await;
        };
        self.count_network(client).await?;
        self.count_link_try(token).await?;
        let mut turn = self.hasher.turn_of(user.id, client);
        let password = self
            .check_new_password(password, &user.email, user.name.as_ref(), &mut turn)
            .await
            .map_err(|refused| refused.map(ResetPasswordError::WeakPassword))?;
        let hash = self.hasher.hash(&password.0, &mut turn).await?;
        drop(turn);
        let mut change = self.begin_change(client).await?;
        change.lock_user(user.id).await?;
        let now = self.clock.now();
        // The hash took a while: only who takes the token now may go on.
        let sent_to =
            change.take_token(token.digest(), Purpose::PasswordReset, user.id, now).await?;
        let Some(sent_to) = sent_to else {
            change.rollback().await;
            return self.reset_again(token, &password.0, client, twice).await;
        };
        // Before the address counts as verified: what an unproven first comer set up goes.
        change.delete_unproven_profile(user.id).await?;
        if !change.update_verified(user.id, &sent_to, now).await? {
            change.rollback().await;
            return Err(Refused::Because(ResetPasswordError::DeadLink));
        }
        let version = change.update_password(user.id, &hash).await?;
        self.forget_tries(&mut change, &user.email).await?;
        self.return_sign_up(&mut change, user.id).await?;
        change.delete_sessions_of(user.id).await?;
        change.delete_tokens_of(user.id).await?;
        change.changes_user(user.id);
        change.mail(self.letter(Letter::PasswordChanged, user, client)).await?;
        change.record(Event::PasswordReset, Some(user.id)).await?;
        change.commit().await?;
        // What made this browser a stranger to the account is over.
        Ok(Device::new(user.id, version, &[], now))
    }

    /// The link was used: if it set this very password a moment ago, the form came twice. Counted and answered
    /// like a log-in.
    async fn reset_again(
        &self,
        token: &ResetToken,
        password: &Password,
        client: &Client,
        twice: Twice,
    ) -> Result<Device, Refused<ResetPasswordError>> {
        let now = self.clock.now();
        let (digest, since) = (token.digest(), now - AGAIN_WITHIN);
        let found = self.store.find_used_token(digest, Purpose::PasswordReset, since, now).await?;
        let user = found.filter(|_| twice == Twice::SameAnswer);
        let user = user.ok_or(Refused::Because(ResetPasswordError::DeadLink))?;
        let proof = self.verify_password(user.email.key(), Some(password), client).await;
        let proof = proof
            .map_err(|refused| refused.map(|WrongCredentials| ResetPasswordError::DeadLink))?;
        Ok(Device::new(user.id, proof.password_version, &client.devices, now))
    }
}
