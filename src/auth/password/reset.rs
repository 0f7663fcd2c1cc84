//! Resetting a forgotten password: request a message, follow its link, set a new password. The first password of an
//! account that somebody else has created is set in the same way.

use crate::Error;
use crate::auth::change::REPEATED_WITHIN;
use crate::auth::events::Event;
use crate::auth::link::{OpenedLink, Purpose};
use crate::auth::{
    Auth, Client, Email, KnownDevice, Limited, LinkToken, Password, Refused, WeakPassword,
    WrongCredentials,
};
use crate::mail::Message;

/// How to answer a form that is sent twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRepeat {
    /// With success: a double click must not look like a failure.
    SameAnswer,
    /// With the refusal of a used link, for programs.
    Refused,
}

/// Why a password reset is refused.
pub(crate) enum ResetPasswordError {
    /// The link was used, has expired, or never existed.
    DeadLink,
    /// The password does not meet the policy.
    WeakPassword(WeakPassword),
}

impl Auth {
    /// Requests a message with a link. Does the same single insert for every address, so that neither the response
    /// nor its time reveals who has an account; the account is looked up later, on delivery.
    pub(crate) async fn request_password_reset(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<(), Limited> {
        self.charge_ip(client).await?;
        self.check_resets(client).await?;
        let mut change = self.begin_change(client).await?;
        change.mail(self.message_to_whoever_has(email, client)).await?;
        change.record(Event::PasswordResetAsked, None).await?;
        Ok(change.commit().await?)
    }

    /// For `reveal_reset_token` only: returns a token at once, to any client. `None` if the address has no account.
    pub(crate) async fn reveal_reset_token(
        &self,
        email: &Email,
    ) -> Result<Option<LinkToken>, Error> {
        let Some(user) = self.store.find_user_by_email(email.key()).await? else { return Ok(None) };
        let token = LinkToken::new()?;
        let mut tx = self.store.begin().await?;
        tx.insert_link(
            &self.new_link(Purpose::PasswordReset, &token, user.id, &user.email, None),
            i64::MAX,
        )
        .await?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// Uses the link up and sets the password. All sessions end and all links of the account become void: somebody
    /// with the old password may still be signed in. Does not sign in (ASVS 6.4.3): the user shows that they know
    /// the new password.
    pub(crate) async fn reset_password(
        &self,
        link: &OpenedLink,
        password: Password,
        client: &Client,
        twice: OnRepeat,
    ) -> Result<KnownDevice, Refused<ResetPasswordError>> {
        let OpenedLink { purpose, token, user, .. } = link;
        // An invalid token costs no hash.
        let Some(user) = user else {
            return self.reset_again(link, &password, client, twice).await;
        };
        self.charge_ip(client).await?;
        self.charge_link_attempt(token).await?;
        let mut slot = self.hasher.slot_for(user.id, client);
        let password = self
            .check_new_password(password, Some(&user.email), user.name.as_ref(), &mut slot)
            .await
            .map_err(|refused| refused.map(ResetPasswordError::WeakPassword))?;
        let hash = self.hasher.hash(&password.0, &mut slot).await?;
        drop(slot);
        let mut change = self.begin_change(client).await?;
        change.lock_user(user.id).await?;
        let now = self.clock.now();
        // The link may have been used during the hash: whoever takes the token continues.
        let sent = change.take_link(token.digest(), *purpose, user.id, now).await?;
        let Some(sent) = sent else {
            change.rollback().await;
            return self.reset_again(link, &password.0, client, twice).await;
        };
        // The address becomes verified now: remove what an earlier, unverified owner may have set.
        change.clear_unproven_profile(user.id).await?;
        if !change.update_verified(user.id, &sent.recipient, now).await? {
            change.rollback().await;
            return Err(Refused::Because(ResetPasswordError::DeadLink));
        }
        let version = change.update_password(user.id, &hash).await?;
        self.forget_attempts(&mut change, &user.email).await?;
        self.return_sign_up(&mut change, user.id).await?;
        change.delete_sessions_of(user.id).await?;
        change.delete_links_of(user.id).await?;
        // Whoever knew the old password may have asked for another address; its link may be yet to leave.
        change.forget_new_email(user.id).await?;
        change.changes_user(user.id);
        // Nobody needs to be warned of the first password.
        if *purpose == Purpose::PasswordReset {
            change.mail(self.message(Message::PasswordChanged, user, client)).await?;
        }
        change.record(Event::PasswordReset, Some(user.id)).await?;
        change.commit().await?;
        // A new device ID: its bucket has no failed attempts.
        Ok(KnownDevice::new(user.id, version, &[], now))
    }

    /// The link was used before: if it set this very password a moment ago, the form was sent twice. Counted and
    /// answered like a sign-in.
    async fn reset_again(
        &self,
        OpenedLink { purpose, token, .. }: &OpenedLink,
        password: &Password,
        client: &Client,
        twice: OnRepeat,
    ) -> Result<KnownDevice, Refused<ResetPasswordError>> {
        let now = self.clock.now();
        let (digest, since) = (token.digest(), now - REPEATED_WITHIN);
        let found = self.store.find_used_link(digest, *purpose, since, now).await?;
        let user = found.filter(|_| twice == OnRepeat::SameAnswer);
        let user = user.ok_or(Refused::Because(ResetPasswordError::DeadLink))?;
        let proof = self.verify_password(user.email.key(), Some(password), client).await;
        let proof = proof
            .map_err(|refused| refused.map(|WrongCredentials| ResetPasswordError::DeadLink))?;
        Ok(KnownDevice::new(user.id, proof.password_version, &client.devices, now))
    }
}
