//! Delivers messages to people who have no account yet: the link of a sign-up, and invitations.

use log::info;

use super::delivery::Sent;
use crate::Error;
use crate::auth::account::PendingSignUp;
use crate::auth::link::Purpose;
use crate::auth::store::{NewLink, OutboxRow, Quota, Tx};
use crate::auth::{Auth, Email, LinkToken, User, UserId};
use crate::mail::{Fate, Message, Undelivered};

/// What is sent to an address.
struct Letter {
    message: Message,
    to: Email,
    /// The account that its link belongs to.
    user: Option<UserId>,
    /// What its link holds.
    payload: Option<String>,
}

impl Auth {
    /// Sends what fits the address now. What a stranger has requested costs the same work for every address, except for
    /// the message itself: nothing, if there is nothing to send.
    pub(super) async fn send_to_newcomer(
        &self,
        row: &OutboxRow,
        message: Message,
    ) -> Result<Sent, Undelivered> {
        let Ok(email) = row.recipient.parse::<Email>() else { return Ok(Sent::Done) };
        let owner = self.store.find_account_by_email(email.key()).await?;
        let letter = self.letter(row, message, &email, owner.as_ref()).await?;
        let token = LinkToken::new()?;
        let mut tx = self.store.begin().await?;
        tx.lock_account(owner.as_ref().map_or_else(UserId::new, |owner| owner.id)).await?;
        if !tx.touch_message(row.id).await? {
            // Somebody has taken it back in the meantime.
            tx.rollback().await;
            return Ok(Sent::Done);
        }
        if let Quota::UsedUpUntil(until) = self.charge_leaving(&mut tx, row, message, None).await? {
            tx.rollback().await;
            return Ok(Sent::PutOff(until));
        }
        let is_first_try = row.quota_key.is_some();
        let is_one_too_many = is_first_try
            && !self.charge_message_to_address(&mut tx, message, &email).await?.is_counted();
        let Some(letter) = letter.filter(|_| !is_one_too_many) else {
            tx.commit().await?;
            return Ok(Sent::Done);
        };
        let link = letter.message.link();
        let has_room = match link {
            Some(purpose) => self.insert_link_of(&mut tx, row, &letter, purpose, &token).await?,
            None => true,
        };
        tx.commit().await?;
        if !has_room {
            info!("message={} kind={} not sent: enough open links", row.id, row.message);
            return Ok(Sent::Done);
        }
        let secret = link.map(|purpose| (purpose, &token));
        let content = self.content(row, letter.message, secret, String::new());
        let sent = match &owner {
            Some(owner) => self.hand_over(row, &letter.to, content, owner).await,
            None => self.mail.send(row.id, &letter.to, content, self.clock.now()).await,
        };
        if sent.as_ref().is_err_and(|undelivered| undelivered.fate != Fate::Unknown) {
            self.store.delete_link(token.digest()).await?;
        }
        sent.map(|()| Sent::Done)
    }

    /// Decides what to send; `None` if nothing.
    async fn letter(
        &self,
        row: &OutboxRow,
        message: Message,
        email: &Email,
        owner: Option<&User>,
    ) -> Result<Option<Letter>, Error> {
        let newcomer = |purpose, to, payload| {
            let letter = Letter { message, to, user: None, payload: Some(payload) };
            Some(letter).filter(|_| owner.is_none() && self.is_open_to(purpose))
        };
        if message == Message::Invitation {
            let Some(typed) = row.payload.clone() else { return Ok(None) };
            let to = Email::from_row(typed.clone(), row.recipient.clone());
            return Ok(newcomer(Purpose::Invitation, to, typed));
        }
        let payload = match &row.payload {
            Some(payload) => Some(payload.clone()),
            // The link once more.
            None => self.store.find_sign_up(email.key(), self.clock.now()).await?,
        };
        let has_password = match owner {
            Some(owner) => self.store.has_password(owner.id).await?,
            None => self.store.has_password(UserId::new()).await?,
        };
        let Some(owner) = owner else {
            let pending = payload.as_deref().and_then(PendingSignUp::parse).zip(payload.clone());
            return Ok(pending
                .and_then(|(pending, payload)| newcomer(Purpose::SignUp, pending.email, payload)));
        };
        let (message, user) = match owner.email_verified_at {
            Some(_) => (Message::EmailInUse, None),
            None if has_password => (Message::VerifyEmail, Some(owner.id)),
            None => (Message::AccountCreated, Some(owner.id)),
        };
        let letter = Letter { message, to: owner.email.clone(), user, payload: None };
        Ok(Some(letter).filter(|_| owner.disabled_at.is_none()))
    }

    async fn insert_link_of(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        letter: &Letter,
        purpose: Purpose,
        token: &LinkToken,
    ) -> Result<bool, Error> {
        let new = self.new_link(purpose, token, letter.user, &letter.to, Some(row.id));
        let link = NewLink { payload: letter.payload.clone(), ..new };
        match letter.user {
            Some(_) => tx.insert_link(&link, purpose.most_open()).await,
            None => tx.insert_newcomer_link(&link, purpose.most_open()).await,
        }
    }
}
