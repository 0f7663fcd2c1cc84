//! Changing the email address: ask, follow the link mailed to the new address, press the button.

use std::time::Duration;

use crate::Error;
use crate::auth::change::{Change, REPEATED_WITHIN};
use crate::auth::events::Event;
use crate::auth::link::{OpenedLink, Purpose, UNDO_FOR};
use crate::auth::{
    Auth, Client, Email, LinkToken, Password, PasswordProof, Refused, Session, SignedOut, User,
    Wait, WrongCredentials,
};
use crate::config::EmailDomain;
use crate::mail::Message;

/// How long a notice may take to leave: the address can be put back for [`UNDO_FOR`] after that.
const NOTICE_LEAVES_WITHIN: Duration = Duration::from_hours(96);

const HOUR: Duration = Duration::from_hours(1);

/// Why another address is refused.
pub(crate) enum ChangeEmailError {
    /// It is the address of the account.
    SameEmail,
    /// It is at none of these domains.
    OtherDomain(Vec<EmailDomain>),
    /// The session has ended in the meantime.
    SignedOut,
}

/// Why a new address cannot be confirmed.
pub(crate) enum ConfirmEmailError {
    /// The link was used, has expired, or was taken back.
    DeadLink,
    /// The client has not shown that the account is theirs.
    WrongPassword,
    /// Another account has got the address in the meantime.
    EmailTaken,
    /// The session has ended in the meantime.
    SignedOut,
}

impl Auth {
    /// Mails a link to the new address. Does the same whether or not that has an account, so that nobody can find
    /// out; its owner gets a message of another kind.
    pub(crate) async fn request_email_change(
        &self,
        session: &Session,
        email: &Email,
        client: &Client,
    ) -> Result<(), Refused<ChangeEmailError>> {
        let user = session.user.id;
        self.charge_change(session).await?;
        if email.key() == session.user.email.key() {
            return Err(Refused::Because(ChangeEmailError::SameEmail));
        }
        if !self.config.allows_email(email) {
            let domains = self.config.signup_domains.clone();
            return Err(Refused::Because(ChangeEmailError::OtherDomain(domains)));
        }
        if !self.has_outbox_room(client).await? {
            return Err(Wait::Messages(HOUR).into());
        }
        let mut change = self.begin_change(client).await?;
        if !change.lock_user(user).await? || !change.lock_session(session.id).await? {
            change.rollback().await;
            return Err(Refused::Because(ChangeEmailError::SignedOut));
        }
        let kind = Message::EmailChange.as_str();
        let is_same = session.user.new_email.as_ref().is_some_and(|new| new.key() == email.key());
        if is_same && change.is_message_waiting(user, kind).await? {
            // The form was sent twice.
            change.rollback().await;
            return Ok(());
        }
        if !self.charge_email_change(&mut change, email, client).await? {
            change.rollback().await;
            return Err(Wait::Messages(HOUR).into());
        }
        if !is_same {
            change.delete_links_for(user, Purpose::EmailChange).await?;
        }
        change.delete_messages_for(user, kind).await?;
        change.update_new_email(user, Some(email)).await?;
        change.mail(self.message_to(Message::EmailChange, Some(user), email, client)).await?;
        change.changes_user(user);
        change.record(Event::EmailChangeAsked, Some(user)).await?;
        Ok(change.commit().await?)
    }

    /// Counts a message to an address that the user has typed, which may be a stranger's.
    async fn charge_email_change(
        &self,
        change: &mut Change<'_>,
        email: &Email,
        client: &Client,
    ) -> Result<bool, Error> {
        // Count the client first: one over its limit must not use up somebody else's quota. Open links do not count
        // here: an address that has an account gets none, which the answer would tell.
        Ok(self.charge_message_from_client(change, client).await?.is_counted()
            && self
                .charge_message_to_address(change, Message::EmailChange, email)
                .await?
                .is_counted()
            && self.charge_mailbox(change, email, client.allowance).await?.is_counted())
    }

    /// Takes the wish for another address back; its links are void.
    pub(crate) async fn cancel_email_change(
        &self,
        session: &Session,
        client: &Client,
    ) -> Result<(), Refused<SignedOut>> {
        let user = session.user.id;
        self.charge_change(session).await?;
        let mut change = self.begin_change(client).await?;
        if !change.lock_user(user).await? || !change.lock_session(session.id).await? {
            change.rollback().await;
            return Err(Refused::Because(SignedOut));
        }
        change.forget_new_email(user).await?;
        change.changes_user(user);
        Ok(change.commit().await?)
    }

    /// Uses the link up and changes the address.
    ///
    /// Following a link is not enough, as with [`verify_email`](Self::verify_email): somebody may have typed a
    /// stranger's address, and wait for the stranger to click. So the client must be signed in to this account, or
    /// send its password.
    pub(crate) async fn confirm_email_change(
        &self,
        link: &OpenedLink,
        signed_in: Option<&Session>,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<Option<PasswordProof>, Refused<ConfirmEmailError>> {
        let OpenedLink { token, user: Some(user), email: Some(email), .. } = link else {
            return self.confirm_again(&link.token, signed_in, password, client).await;
        };
        let own = signed_in.filter(|session| session.user.id == user.id);
        let mut proved = None;
        if own.is_none() {
            if password.is_none() {
                return Err(Refused::Because(ConfirmEmailError::WrongPassword));
            }
            let proof = self.verify_password(user.email.key(), password, client).await;
            let wrong = |WrongCredentials| ConfirmEmailError::WrongPassword;
            proved = Some(proof.map_err(|refused| refused.map(wrong))?);
        }
        let has_room = self.has_outbox_room(client).await?;
        let mut change = self.begin_change(client).await?;
        let now = change.now;
        let is_proved = match (own, &proved) {
            (Some(session), _) => {
                change.lock_user(user.id).await? && change.lock_session(session.id).await?
            }
            // A thief with the old password must not get in beside a change of it.
            (None, Some(proof)) => {
                let version = proof.password_version;
                proof.user.id == user.id && change.lock_user_with_password(user.id, version).await?
            }
            (None, None) => false,
        };
        if !is_proved {
            change.rollback().await;
            let why = if own.is_some() {
                ConfirmEmailError::SignedOut
            } else {
                ConfirmEmailError::WrongPassword
            };
            return Err(Refused::Because(why));
        }
        let sent = change.take_link(token.digest(), Purpose::EmailChange, user.id, now).await?;
        if sent.is_none() {
            change.rollback().await;
            return self.confirm_again(token, signed_in, password, client).await;
        }
        // As it is now, under the lock: the wish may have been taken back.
        let current = change.find_account(user.id).await?;
        let wanted = current.as_ref().and_then(|user| user.new_email.as_ref());
        let Some(user) = current.as_ref().filter(|_| wanted == Some(email)) else {
            change.rollback().await;
            return Err(Refused::Because(ConfirmEmailError::DeadLink));
        };
        // In this order: whoever gives the address up reserves it in the same transaction.
        if !change.update_email(user.id, email, now).await?
            || change.is_email_reserved(email.key(), user.id, now).await?
        {
            change.rollback().await;
            return Err(Refused::Because(ConfirmEmailError::EmailTaken));
        }
        self.tell_of_new_email(&mut change, user, email, has_room, client).await?;
        self.return_sign_up(&mut change, user.id).await?;
        change.delete_links_of(user.id).await?;
        change.changes_user(user.id);
        change.record(Event::EmailChanged, Some(user.id)).await?;
        change.commit().await?;
        // A notice of the sign-in that follows goes to the new address.
        if let Some(proof) = &mut proved {
            proof.user =
                User { email: email.clone(), email_verified_at: Some(now), ..user.clone() };
        }
        Ok(proved)
    }

    /// Puts the notices to both addresses into the outbox, the one to the old address with a link that puts it back.
    async fn tell_of_new_email(
        &self,
        change: &mut Change<'_>,
        user: &User,
        new: &Email,
        has_room: bool,
        client: &Client,
    ) -> Result<(), Error> {
        let now = change.now;
        // Changed back by the one who reads the older mailbox: that is as good as its link. The address in between may be
        // a thief's, whose link would be good for longer than that of the owner.
        let is_back = change.delete_former_emails_after(user.id, new.key(), now).await?;
        if user.email_verified_at.is_some() && !is_back {
            let undo_until = now + NOTICE_LEAVES_WITHIN + UNDO_FOR;
            let former = change.insert_former_email(user.id, &user.email, now, undo_until).await?;
            let mut notice = self.message(Message::EmailUndo, user, client);
            notice.payload = Some(former.to_string());
            change.mail(notice).await?;
        } else if self.may_notify(change, user, has_room, client).await? {
            // Perhaps a stranger's, typed by mistake: without a link.
            change.mail(self.message(Message::EmailReplaced, user, client)).await?;
        }
        change.mail(self.message_to(Message::EmailChanged, Some(user.id), new, client)).await
    }

    /// The link was used before: if it changed the address a moment ago, the form was sent twice. The client needs the
    /// same proof as the first time.
    async fn confirm_again(
        &self,
        token: &LinkToken,
        signed_in: Option<&Session>,
        password: Option<&Password>,
        client: &Client,
    ) -> Result<Option<PasswordProof>, Refused<ConfirmEmailError>> {
        let now = self.clock.now();
        let (digest, since) = (token.digest(), now - REPEATED_WITHIN);
        let found = self.store.find_used_link(digest, Purpose::EmailChange, since, now).await?;
        let dead = || Refused::Because(ConfirmEmailError::DeadLink);
        let user = found.ok_or_else(dead)?;
        if signed_in.is_some_and(|own| own.user.id == user.id) {
            return Ok(None);
        }
        // Without a password, a used link reveals only that it was used.
        let password = password.ok_or_else(dead)?;
        let proof = self.verify_password(user.email.key(), Some(password), client).await;
        let wrong = |WrongCredentials| ConfirmEmailError::DeadLink;
        proof.map(Some).map_err(|refused| refused.map(wrong))
    }
}

impl Change<'_> {
    /// Voids the wish of a user for another address.
    pub(in crate::auth) async fn forget_new_email(
        &mut self,
        user: crate::UserId,
    ) -> Result<(), Error> {
        self.update_new_email(user, None).await?;
        self.delete_messages_for(user, Message::EmailChange.as_str()).await?;
        self.delete_links_for(user, Purpose::EmailChange).await
    }
}
