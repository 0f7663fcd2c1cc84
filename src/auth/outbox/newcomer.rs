//! Delivers messages to people who have no account yet: the link of a sign-up, and invitations.

use log::info;

use super::delivery::Sent;
use crate::Error;
use crate::auth::account::PendingSignUp;
use crate::auth::link::Purpose;
use crate::auth::store::{NewLink, OutboxRow, Quota, Tx};
use crate::auth::{Auth, Client, Email, LinkToken, User, UserId};
use crate::mail::{Fate, Message, Undelivered};

/// What is sent to an address.
struct Outgoing {
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
        let outgoing = self.choose(row, message, &email, owner.as_ref()).await?;
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
        // The site is charged whatever becomes of the message: how many of its other messages leave tells nothing.
        let is_one_too_many = row.quota_key.is_some()
            && !self.charge_newcomer(&mut tx, row, &email, outgoing.is_some()).await?;
        let Some(outgoing) = outgoing.filter(|_| !is_one_too_many) else {
            tx.commit().await?;
            return Ok(Sent::Done);
        };
        let link = outgoing.message.link();
        let has_room = match link {
            Some(purpose) => self.insert_link_of(&mut tx, row, &outgoing, purpose, &token).await?,
            None => true,
        };
        tx.commit().await?;
        if !has_room {
            info!("message={} kind={} not sent: enough open links", row.id, row.message);
            return Ok(Sent::Done);
        }
        let secret = link.map(|purpose| (purpose, &token));
        let content = self.content(row, outgoing.message, secret, String::new());
        let sent = match &owner {
            Some(owner) => self.hand_over(row, &outgoing.to, content, owner).await,
            None => self.mail.send(row.id, &outgoing.to, content, self.clock.now()).await,
        };
        if sent.as_ref().is_err_and(|undelivered| undelivered.fate != Fate::Unknown) {
            self.store.delete_link(token.digest()).await?;
        }
        sent.map(|()| Sent::Done)
    }

    /// Decides what to send; `None` if nothing.
    async fn choose(
        &self,
        row: &OutboxRow,
        message: Message,
        email: &Email,
        owner: Option<&User>,
    ) -> Result<Option<Outgoing>, Error> {
        let newcomer = |purpose, to, payload| {
            let outgoing = Outgoing { message, to, user: None, payload: Some(payload) };
            let is_open = owner.is_none() && self.is_open_to(purpose, &outgoing.to);
            Some(outgoing).filter(|_| is_open)
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
        // Asked of every address, so that the work is the same.
        let id = owner.map_or_else(UserId::new, |owner| owner.id);
        let has_password = self.store.has_password(id).await?;
        let Some(owner) = owner else {
            let pending = payload.as_deref().and_then(PendingSignUp::parse).zip(payload.clone());
            return Ok(pending
                .and_then(|(pending, payload)| newcomer(Purpose::SignUp, pending.email, payload)));
        };
        let is_sent_again = row.payload.is_none();
        let (message, user) = match owner.email_verified_at {
            None if !has_password => (Message::AccountCreated, Some(owner.id)),
            None if is_sent_again => (Message::VerifyEmail, Some(owner.id)),
            // Also to an account of before, whose password is another one than was just chosen.
            _ => (Message::EmailInUse, None),
        };
        let outgoing = Outgoing { message, to: owner.email.clone(), user, payload: None };
        Ok(Some(outgoing).filter(|_| owner.disabled_at.is_none()))
    }

    /// Counts the message of a sign-up; returns `false` if the address has had enough of them, or its mailbox by all its
    /// addresses. Strangers may have used up the mailbox's quota: an address still gets one link at a time.
    async fn charge_newcomer(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        email: &Email,
        has_message: bool,
    ) -> Result<bool, Error> {
        if !self.charge_message_to_address(tx, Message::SignUp, email).await?.is_counted() {
            return Ok(false);
        }
        let allowance = self.config.allowance(row.sent_from(), false);
        if !has_message || self.charge_mailbox(tx, email, allowance).await?.is_counted() {
            return Ok(true);
        }
        let open = tx.count_newcomer_links(email.key(), Purpose::SignUp, self.clock.now()).await?;
        let asked_by = Client::new(row.sent_from(), "");
        Ok(open == 0 && self.charge_mailbox_link(tx, email, &asked_by).await?.is_counted())
    }

    async fn insert_link_of(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        outgoing: &Outgoing,
        purpose: Purpose,
        token: &LinkToken,
    ) -> Result<bool, Error> {
        let new = self.new_link(purpose, token, outgoing.user, &outgoing.to, Some(row.id));
        let link = NewLink { payload: outgoing.payload.clone(), ..new };
        match outgoing.user {
            Some(_) => tx.insert_link(&link, purpose.most_open()).await,
            None => tx.insert_newcomer_link(&link, purpose.most_open()).await,
        }
    }
}
