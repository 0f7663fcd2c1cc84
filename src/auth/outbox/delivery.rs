//! Delivers messages from the outbox.

use std::time::{Duration, Instant};

use log::{error, info, warn};
use rocket::tokio::select;
use rocket::tokio::time::sleep;

use super::under_way::{OnItsWay, UnderWay};
use super::{HOUR, LEASE, LOOK_EVERY};
use crate::Error;
use crate::auth::link::Purpose;
use crate::auth::store::{NewLink, OutboxRow, Priority, Quota, Tx};
use crate::auth::{Auth, Client, Email, LinkToken, User, UserId};
use crate::clock::Timestamp;
use crate::mail::{Content, Fate, Message, Undelivered};
use crate::urls::SIGN_IN;
use crate::words;

/// How long a message that a stranger requested by address occupies a slot, however long sending takes and whether
/// or not the address has an account. Otherwise the delay of the next message of the same site or domain would
/// tell.
const KEPT_FOR: Duration = Duration::from_millis(25);

/// The longest time that any other message occupies a slot.
const KEPT_AT_MOST: Duration = Duration::from_secs(1);

/// After this time a message that a stranger requested by address counts towards the limit of its domain. A working
/// mail server is quicker, so the limit does not reveal whether a message was sent at all.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// Slots per priority: slow messages and those caused by strangers take no slots from the others.
const PLACES: [(Priority, usize); 3] =
    [(Priority::Awaited, 4), (Priority::First, 3), (Priority::Later, 3)];

/// Messages that no server accepted are dropped after this time, as mail servers do (RFC 5321, 4.5.4.1).
const GIVE_UP_AFTER: Duration = Duration::from_hours(96);

/// At least this many attempts are made in any case, about as many as fit into that time: a clock that is wrong for
/// a moment drops nothing.
const LEAST_TRIES: i64 = 104;

/// A message that may have arrived is sent this many times at most.
const MOST_COPIES: i64 = 4;

impl Auth {
    /// Sends the messages that are due, a few at a time, until none is left. Begins no further ones once `is_over`
    /// returns true. A failed message is retried with a backoff delay.
    pub(crate) async fn deliver_due(&self, is_over: impl Fn() -> bool) -> Result<(), Error> {
        let mut under_way = UnderWay::default();
        let mut faults = Ok(());
        let mut looked_at: Option<Instant> = None;
        let mut has_room = true;
        loop {
            has_room |= under_way.end_kept();
            if !is_over() {
                // One call goes on while messages are due, which may be for days.
                if looked_at.is_none_or(|at| at.elapsed() > LOOK_EVERY) {
                    looked_at = Some(Instant::now());
                    faults = faults.and(self.look_after_outbox().await);
                }
                if has_room {
                    faults = faults.and(self.begin_due(&mut under_way).await);
                }
            }
            if under_way.is_empty() {
                return faults;
            }
            let next_end = under_way.next_end();
            // A new message must not wait for slower ones: its delay would reveal them.
            has_room = select! {
                Some(left) = under_way.tasks.join_next_with_id() => {
                    let (id, left) = match left {
                        Ok((id, left)) => (id, left),
                        Err(error) => (error.id(), Err(Error::new("a message was cut off", error))),
                    };
                    faults = faults.and(left);
                    under_way.end(id)
                }
                () = self.message_waits() => true,
                () = sleep(next_end) => true,
            };
        }
    }

    /// Periodic checks that must happen even during a long call.
    async fn look_after_outbox(&self) -> Result<(), Error> {
        self.follow_clock().await?;
        self.store.update_far_messages(self.clock.now()).await?;
        self.refresh_message_count().await
    }

    /// Begins to deliver due messages while there are free slots.
    async fn begin_due(&self, under_way: &mut UnderWay) -> Result<(), Error> {
        for (priority, places) in PLACES {
            while under_way.has_room_for(priority, places) {
                let (now, busy) = (self.clock.now(), under_way.busy());
                let claimed = self.store.claim_due_message(priority, busy, now, LEASE).await?;
                let Some(claimed) = claimed else { break };
                match claimed.row {
                    Ok(row) => {
                        let is_asked_for = row.user_id.is_none();
                        let kept_for = if is_asked_for { KEPT_FOR } else { KEPT_AT_MOST };
                        let now = Instant::now();
                        let message = OnItsWay {
                            priority,
                            keys: [row.site_key.clone(), row.domain_key.clone()],
                            is_asked_for,
                            has_left: false,
                            place_until: now + kept_for,
                            late_from: if is_asked_for { now + LATE_AFTER } else { now },
                        };
                        let auth = self.clone();
                        let begun = under_way.tasks.spawn(async move { auth.deliver(row).await });
                        under_way.messages.insert(begun.id(), message);
                    }
                    Err(error) => {
                        error!("message={} cannot be read, and waits: {error}", claimed.id);
                        self.store.update_retry(claimed.id, now + HOUR).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Delivers one message. `Err` is a database error: the message is delivered again after its lease.
    async fn deliver(&self, row: OutboxRow) -> Result<(), Error> {
        let (id, kind) = (row.id, &row.message);
        let renewing = async {
            loop {
                sleep(LEASE / 4).await;
                // If this fails, another process may take the message and send a copy.
                let _ = self.store.update_lease(id, self.clock.now() + LEASE).await;
            }
        };
        // Both must be polled: each may be next for the one write connection, which would be held by a future that
        // nobody polls.
        let sent = select! {
            sent = self.send(&row) => sent,
            () = renewing => return Ok(()),
        };
        let Undelivered { fate, error } = match sent {
            Ok(Sent::Done) => return self.store.delete_message(id).await,
            Ok(Sent::PutOff(until)) => return self.store.update_put_off(id, until).await,
            Err(undelivered) => undelivered,
        };
        let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
        let now = self.clock.now();
        if fate == Fate::Refused {
            // Retry once: the mail server's settings may have been wrong.
            if row.refusals == 0 {
                warn!("message={id} kind={kind} refused, tried once more in an hour: {cause}");
                return self.store.update_refused(id, now + HOUR).await;
            }
            warn!("message={id} kind={kind} dropped: refused again: {cause}");
            return self.store.delete_message(id).await;
        }
        let may_have_arrived = fate == Fate::Unknown;
        if may_have_arrived && row.unknown_outcomes + 1 >= MOST_COPIES {
            warn!("message={id} kind={kind} dropped: it may have arrived: {cause}");
            return self.store.delete_message(id).await;
        }
        if now.since(row.created_at) > GIVE_UP_AFTER && row.attempts >= LEAST_TRIES {
            warn!("message={id} kind={kind} dropped: nobody took it for days: {cause}");
            return self.store.delete_message(id).await;
        }
        warn!("message={id} kind={kind} try={} failed: {cause}", row.attempts);
        let due_at = now + retry_delay(row.attempts);
        if may_have_arrived {
            return self.store.update_unknown(id, due_at).await;
        }
        self.store.update_retry(id, due_at).await
    }

    /// Writes the message for the current owner of the account and passes it to the mail server. A message that has
    /// become pointless counts as sent.
    async fn send(&self, row: &OutboxRow) -> Result<Sent, Undelivered> {
        let Some(message) = Message::parse(&row.message) else {
            // A newer version added this kind of message, and will send it.
            return Ok(Sent::PutOff(self.clock.now() + HOUR));
        };
        if message == Message::AccountErased {
            // Nothing is left of the account but this message.
            let Ok(to) = row.recipient.parse() else { return Ok(Sent::Done) };
            let content = self.content(row, message, None, String::new());
            self.mail.send(row.id, &to, content, self.clock.now()).await?;
            return Ok(Sent::Done);
        }
        if matches!(message, Message::SignUp | Message::Invitation) {
            return self.send_to_newcomer(row, message).await;
        }
        let user = match row.user_id {
            Some(id) => self.store.find_account(id).await?.filter(|user| message.may_reach(user)),
            None => self.store.find_user_by_email(&row.recipient).await?,
        };
        let Some(user) = user else {
            // Do the same work as for an account: a concurrent write must wait equally long.
            let mut tx = self.store.begin().await?;
            tx.lock_user(UserId::new()).await?;
            if let Quota::UsedUpUntil(until) =
                self.charge_leaving(&mut tx, row, message, None).await?
            {
                tx.rollback().await;
                return Ok(Sent::PutOff(until));
            }
            tx.touch_message(row.id).await?;
            tx.commit().await?;
            return Ok(Sent::Done);
        };
        let addressed = self.address(row, &user, message).await?;
        let Some(Addressed { message, to, has_link, payload, detail }) = addressed else {
            return Ok(Sent::Done);
        };
        if let Some(purpose) = message.link().filter(|_| has_link) {
            let link = LinkTo { purpose, to: &to, payload };
            return self.send_link(row, &user, message, link, detail).await;
        }
        let content = self.content(row, message, None, detail);
        self.hand_over(row, &to, content, &user).await?;
        Ok(Sent::Done)
    }

    /// Decides what to send to which address; `None` if the message has become pointless.
    async fn address(
        &self,
        row: &OutboxRow,
        user: &User,
        message: Message,
    ) -> Result<Option<Addressed>, Error> {
        let to = |email: &Email| Addressed {
            message,
            to: email.clone(),
            has_link: message.link().is_some(),
            payload: None,
            detail: String::new(),
        };
        Ok(match message {
            Message::VerifyEmail if user.email_verified_at.is_some() => None,
            Message::VerifyEmail | Message::PasswordReset | Message::AccountCreated => {
                Some(to(&user.email))
            }
            Message::EmailChange => {
                let wanted = user.new_email.as_ref().filter(|new| new.key() == row.recipient);
                let Some(wanted) = wanted else { return Ok(None) };
                match self.store.find_account_by_email(wanted.key()).await? {
                    None => Some(to(wanted)),
                    // Its owner learns of it; the one who asked does not.
                    Some(owner) if owner.disabled_at.is_none() => Some(Addressed {
                        message: Message::EmailInUse,
                        has_link: false,
                        ..to(&owner.email)
                    }),
                    Some(_) => None,
                }
            }
            Message::EmailUndo => {
                let id = row.payload.as_ref().and_then(|id| id.parse().ok());
                let Some(id) = id else { return Ok(None) };
                let former = self.store.find_former_email(id, user.id, self.clock.now()).await?;
                former.map(|former| Addressed {
                    payload: row.payload.clone(),
                    detail: user.email.to_string(),
                    ..to(&former.email)
                })
            }
            Message::AccountDeletion => user.delete_at.map(|at| Addressed {
                detail: words::dates::weekday(at, &self.config.time_zone),
                ..to(&user.email)
            }),
            Message::PasswordChanged
            | Message::EmailChanged
            | Message::EmailReplaced
            | Message::NewDevice
            | Message::EmailInUse
            | Message::SignUp
            | Message::Invitation
            | Message::AccountErased => {
                // To the address at the time of the event: whoever has taken the account over may have changed it.
                let then = row.recipient.parse().ok();
                match then.filter(|then: &Email| then.key() != user.email.key()) {
                    // Its owner has a link to undo that; anybody else gets none.
                    Some(then) if message == Message::EmailChanged => Some(Addressed {
                        message: Message::EmailReplaced,
                        has_link: false,
                        ..to(&then)
                    }),
                    Some(then) => Some(Addressed { has_link: false, ..to(&then) }),
                    None => Some(to(&user.email)),
                }
            }
        })
    }

    /// Counts a rate-limited message when it is first about to leave. If it has to wait, returns until when. Does
    /// the same whether or not the address has an account: the time of the site's next message would tell.
    pub(super) async fn charge_leaving(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        message: Message,
        user: Option<&User>,
    ) -> Result<Quota, Error> {
        let Some(key) = &row.quota_key else { return Ok(Quota::Counted(())) };
        let counted = match (message, user) {
            (Message::VerifyEmail, Some(user)) => {
                let allowance = self.config.allowance(row.sent_from(), false);
                match self.charge_mailbox(tx, &user.email, allowance).await? {
                    Quota::Counted(()) => self.charge_sign_up(tx, Some(user.id), key, row).await?,
                    full @ Quota::UsedUpUntil(_) => full,
                }
            }
            (Message::SignUp, _) if row.payload.is_some() => {
                self.charge_sign_up(tx, None, key, row).await?
            }
            // Sent again.
            (Message::SignUp, _) => self.charge_reset(tx, key, row).await?,
            (Message::VerifyEmail, None) | (Message::PasswordReset, _) => {
                self.charge_reset(tx, key, row).await?
            }
            // Not caused by strangers, or counted already.
            _ => Quota::Counted(()),
        };
        if counted.is_counted() {
            tx.update_charged(row.id).await?;
            // Messages of the same key wait for a charge; the next one may now leave earlier.
            tx.update_next_due(key.clone(), self.clock.now()).await?;
        }
        Ok(counted)
    }

    /// Counts a message that a stranger requested. An unverified address also counts against its mailbox, which may
    /// have many addresses.
    async fn charge_asked_for(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        user: &User,
    ) -> Result<Quota, Error> {
        if user.email_verified_at.is_none() {
            let allowance = self.config.allowance(row.sent_from(), false);
            // Strangers may have used up the mailbox's quota by signing up with other addresses of it. The owner
            // still gets one link at a time: this one.
            let now = self.clock.now();
            let room = self.charge_mailbox(tx, &user.email, allowance).await?;
            if !room.is_counted() {
                if tx.count_open_links(user.id, Purpose::PasswordReset, now).await? > 1 {
                    return Ok(room);
                }
                let asked_by = Client::new(row.sent_from(), "");
                let room = self.charge_mailbox_link(tx, &user.email, &asked_by).await?;
                if !room.is_counted() {
                    return Ok(room);
                }
            }
        }
        self.charge_message_to_address(tx, Message::PasswordReset, &user.email).await
    }

    /// Sends a message with a new link, of which only the digest is stored, so that no usable secret is kept
    /// anywhere. If the message was not sent, the link is deleted and the next attempt makes another; if it may
    /// have been sent, the link stays valid beside the next one.
    async fn send_link(
        &self,
        row: &OutboxRow,
        user: &User,
        message: Message,
        LinkTo { purpose, to, payload }: LinkTo<'_>,
        detail: String,
    ) -> Result<Sent, Undelivered> {
        let token = LinkToken::new()?;
        let link = NewLink { payload, ..self.new_link(purpose, &token, user.id, to, Some(row.id)) };
        let mut tx = self.store.begin().await?;
        tx.lock_account(user.id).await?;
        if !tx.touch_message(row.id).await? {
            // Somebody has taken it back in the meantime.
            tx.rollback().await;
            return Ok(Sent::Done);
        }
        if let Quota::UsedUpUntil(until) =
            self.charge_leaving(&mut tx, row, message, Some(user)).await?
        {
            tx.rollback().await;
            return Ok(Sent::PutOff(until));
        }
        let is_new = tx.insert_link(&link, purpose.most_open()).await?;
        if purpose == Purpose::EmailUndo
            && let Some(former) = link.payload.as_ref().and_then(|id| id.parse().ok())
        {
            tx.update_former_email(former, link.expires_at).await?;
        }
        // Counted when it leaves: a dropped message must not use up the owner's quota.
        let is_first_try = row.quota_key.is_some();
        let is_asked_for_by_address = message == Message::PasswordReset;
        let is_one_too_many = is_new
            && is_first_try
            && is_asked_for_by_address
            && !self.charge_asked_for(&mut tx, row, user).await?.is_counted();
        tx.commit().await?;
        if !is_new || is_one_too_many {
            if is_one_too_many {
                self.store.delete_link(link.digest).await?;
            }
            info!("message={} kind={} not sent: enough open links", row.id, row.message);
            return Ok(Sent::Done);
        }
        let content = self.content(row, message, Some((purpose, &token)), detail);
        let sent = self.hand_over(row, to, content, user).await;
        if sent.as_ref().is_err_and(|undelivered| undelivered.fate != Fate::Unknown) {
            self.store.delete_link(link.digest).await?;
        }
        sent.map(|()| Sent::Done)
    }

    /// Passes the message to the mail server, and remembers whether that refuses the address, so that its owner is told.
    pub(super) async fn hand_over(
        &self,
        row: &OutboxRow,
        to: &Email,
        content: Content,
        user: &User,
    ) -> Result<(), Undelivered> {
        let now = self.clock.now();
        let sent = self.mail.send(row.id, to, content, now).await;
        let refused_at = match &sent {
            Err(undelivered) if undelivered.fate == Fate::Refused => Some(now),
            Ok(()) if user.email_refused_at.is_some() => None,
            _ => return sent,
        };
        match self.store.update_refused_address(to.key(), refused_at).await {
            Ok(owner) => owner.into_iter().for_each(|owner| self.sessions.forget_user(owner)),
            // Whether the message was sent is more important.
            Err(error) => warn!("message={} its address could not be marked: {error}", row.id),
        }
        sent
    }

    /// The content of the message, with the token if it contains a link.
    pub(super) fn content(
        &self,
        row: &OutboxRow,
        message: Message,
        link: Option<(Purpose, &LinkToken)>,
        detail: String,
    ) -> Content {
        let urls = &self.config.urls;
        let path = link.map(|(purpose, token)| urls.link(purpose.page(), &token.in_link()));
        Content {
            message,
            is_secret: path.is_some(),
            path: path.unwrap_or_else(|| urls.to(SIGN_IN).to_string()),
            // A clock that was ahead when it was caused must not show a time that is still to come.
            at: row.created_at.min(self.clock.now()),
            device: row.device.clone(),
            ip: row.ip.clone(),
            detail,
        }
    }
}

impl Message {
    /// Whether it still makes sense for this account. One that its owner has deleted gets what helps to take it back.
    fn may_reach(self, user: &User) -> bool {
        match self {
            Self::AccountDeletion => user.delete_at.is_some(),
            Self::EmailUndo | Self::EmailChanged | Self::EmailReplaced => {
                user.disabled_at.is_none() || user.delete_at.is_some()
            }
            _ => user.disabled_at.is_none(),
        }
    }
}

/// A message and its address.
struct Addressed {
    message: Message,
    to: Email,
    has_link: bool,
    /// For its link.
    payload: Option<String>,
    /// What it is about: another address, or a time.
    detail: String,
}

/// A link to be mailed.
struct LinkTo<'a> {
    purpose: Purpose,
    to: &'a Email,
    payload: Option<String>,
}

/// The outcome of a delivery.
pub(super) enum Sent {
    /// The message was sent, or has no recipient.
    Done,
    /// The rate limit allows it only after this time.
    PutOff(Timestamp),
}

/// 10 s, 20 s, 40 s, … up to an hour.
fn retry_delay(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(9);
    (Duration::from_secs(10) * 2_u32.pow(doublings)).min(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise 66.
    #[test]
    fn the_attempts_to_send_a_message_take_four_days() {
        let delays: Duration = (1..LEAST_TRIES).map(retry_delay).sum();
        assert!(delays < GIVE_UP_AFTER && delays + HOUR > GIVE_UP_AFTER, "{delays:?}");
    }

    #[test]
    fn retries_grow_apart_up_to_an_hour() {
        let delays: Vec<u64> = [1, 2, 3, 9, 10, 1000].map(|n| retry_delay(n).as_secs()).into();
        assert_eq!(delays, [10, 20, 40, 2560, 3600, 3600]);
    }
}
