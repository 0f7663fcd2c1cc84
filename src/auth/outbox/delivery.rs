//! How messages leave.

use std::time::{Duration, Instant};

use log::{error, info, warn};
use rocket::tokio::select;
use rocket::tokio::time::sleep;

use super::under_way::{OnItsWay, UnderWay};
use super::{HOUR, LEASE, LOOK_EVERY};
use crate::auth::link::{MOST_OPEN, Purpose};
use crate::auth::store::{OutboxRow, Priority, Quota, Tx};
use crate::auth::{Auth, Client, Email, LinkToken, User, UserId};
use crate::clock::Timestamp;
use crate::mail::{Content, Fate, Message, Undelivered};
use crate::{Error, urls};

/// For how long a message keeps its place that a stranger has asked for by address, however long it takes to leave,
/// and whether anybody has the address: the next message of the site, or to the domain, would tell.
const KEPT_FOR: Duration = Duration::from_millis(25);

/// For how long any other keeps it at most.
const KEPT_AT_MOST: Duration = Duration::from_secs(1);

/// After how long a message that a stranger has asked for by address counts among those to its domain: no mail server
/// that works takes so long, so nobody sees by it whether there was anybody to send one to.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// How many messages are under way at most.
const MOST_UNDER_WAY: usize = 200;

/// How many of them only those may be that somebody waits for.
const KEPT_FREE: usize = 20;

/// How many messages of each priority leave at a time: what is slow, or comes from strangers, takes no place of
/// the others.
const PLACES: [(Priority, usize); 3] =
    [(Priority::Awaited, 4), (Priority::First, 3), (Priority::Later, 3)];

/// After this long a message that no server took is dropped, as mail servers do (RFC 5321, 4.5.4.1).
const GIVE_UP_AFTER: Duration = Duration::from_hours(96);

/// And not before as many tries as there are in that time: a clock that is wrong for a moment drops nothing.
const LEAST_TRIES: i64 = 104;

impl Auth {
    /// Sends what is due, a few at a time, until nothing is, or `is_over` says to begin no more. One
    /// that fails waits and is tried again, with a backoff delay.
    pub(crate) async fn deliver_due(&self, is_over: impl Fn() -> bool) -> Result<(), Error> {
        let mut under_way = UnderWay::default();
        let mut faults = Ok(());
        let mut looked_at: Option<Instant> = None;
        let mut has_room = true;
        loop {
            has_room |= under_way.end_kept();
            if !is_over() {
                // A round goes on while messages are due, which may be for days.
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
            // A message that comes now must not wait for slower ones: its delay would tell of them.
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

    /// What has to be known of the outbox however long a round takes.
    async fn look_after_outbox(&self) -> Result<(), Error> {
        self.follow_clock().await?;
        self.store.update_far_messages(self.clock.now()).await?;
        self.count_messages().await
    }

    /// Begins with messages that are due while there are places.
    async fn begin_due(&self, under_way: &mut UnderWay) -> Result<(), Error> {
        for (priority, places) in PLACES {
            // What somebody waits for has some that nothing else takes.
            let kept_free = if priority == Priority::Awaited { 0 } else { KEPT_FREE };
            while under_way.of(priority) < places
                && under_way.tasks.len() + kept_free < MOST_UNDER_WAY
            {
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

    /// Sends one message. An `Err` is a fault of the database: the message comes again when its lease is
    /// over.
    async fn deliver(&self, row: OutboxRow) -> Result<(), Error> {
        let (id, kind) = (row.id, &row.message);
        let renewing = async {
            loop {
                sleep(LEASE / 4).await;
                // If it fails: whoever takes the message meanwhile sends a copy.
                let _ = self.store.update_lease(id, self.clock.now() + LEASE).await;
            }
        };
        // Side by side: each may be given the one connection that writes, and nobody has it who is not polled.
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
            // Once more: it may have been the mail server's settings.
            if row.refusals == 0 {
                warn!("message={id} kind={kind} refused, tried once more in an hour: {cause}");
                return self.store.update_refused(id, now + HOUR).await;
            }
            warn!("message={id} kind={kind} dropped: refused again: {cause}");
            return self.store.delete_message(id).await;
        }
        if now.since(row.created_at) > GIVE_UP_AFTER && row.attempts >= LEAST_TRIES {
            warn!("message={id} kind={kind} dropped: nobody took it for days: {cause}");
            return self.store.delete_message(id).await;
        }
        warn!("message={id} kind={kind} try={} failed: {cause}", row.attempts);
        self.store.update_retry(id, now + retry_delay(row.attempts)).await
    }

    /// Writes the message for who has the account now, and hands it to the mail server. A message that
    /// has become pointless counts as sent.
    async fn send(&self, row: &OutboxRow) -> Result<Sent, Undelivered> {
        let Some(message) = Message::parse(&row.message) else {
            // A later version put it here, and will send it.
            return Ok(Sent::PutOff(self.clock.now() + HOUR));
        };
        let user = match row.user_id {
            Some(id) => self.store.find_user(id).await?,
            None => self.store.find_user_by_email(&row.recipient).await?,
        };
        let Some(user) = user else {
            // As much work as for somebody, so that a write that comes meanwhile waits as long.
            let mut tx = self.store.begin().await?;
            tx.lock_user(UserId::new()).await?;
            if let Quota::UsedUpUntil(until) = self.count_leaving(&mut tx, row, None).await? {
                tx.rollback().await;
                return Ok(Sent::PutOff(until));
            }
            tx.touch_message(row.id).await?;
            tx.commit().await?;
            return Ok(Sent::Done);
        };
        let is_pointless = message == Message::VerifyEmail && user.email_verified_at.is_some();
        match message.link() {
            _ if is_pointless => Ok(Sent::Done),
            Some(purpose) => self.send_link(row, &user, message, purpose).await,
            None => {
                // To the address that the account had then: whoever has taken it over has another by now.
                let to = row.recipient.parse().ok();
                let to = to.filter(|to: &Email| to.key() != user.email.key());
                let content = content(row, message, None);
                self.mail.send(row.id, &to.unwrap_or(user.email), content).await?;
                Ok(Sent::Done)
            }
        }
    }

    /// Counts a message that leaves at a pace, the first time that it is about to leave; until when it has to wait
    /// for those of its neighbours. Alike for somebody and for nobody: when the next one of the site leaves would
    /// tell.
    async fn count_leaving(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        user: Option<&User>,
    ) -> Result<Quota, Error> {
        let Some(key) = &row.quota_key else { return Ok(Quota::Counted(())) };
        let counted = match user {
            Some(user) if row.message == Message::VerifyEmail.as_str() => {
                let allowance = self.config.allowance(row.sent_from(), false);
                match self.count_mailbox(tx, &user.email, allowance).await? {
                    Quota::Counted(()) => self.count_sign_up(tx, user.id, key, row).await?,
                    full @ Quota::UsedUpUntil(_) => full,
                }
            }
            _ => self.count_reset(tx, key, row).await?,
        };
        if counted.is_counted() {
            tx.update_charged(row.id).await?;
            // It finds out when its turn is, which may have become earlier.
            tx.update_next_due(key.clone(), self.clock.now()).await?;
        }
        Ok(counted)
    }

    /// Counts a message that a stranger has asked for; those to an address that nobody has proven by its mailbox
    /// too, which may have many.
    async fn count_asked_for(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        user: &User,
    ) -> Result<Quota, Error> {
        if user.email_verified_at.is_none() {
            let allowance = self.config.allowance(row.sent_from(), false);
            // Strangers may have filled the mailbox by signing up with other addresses of it: the owner gets one
            // link at a time all the same, which is this one.
            let now = self.clock.now();
            let room = self.count_mailbox(tx, &user.email, allowance).await?;
            if !room.is_counted() {
                if tx.count_open_links(user.id, Purpose::PasswordReset, now).await? > 1 {
                    return Ok(room);
                }
                let asked_by = Client::new(row.sent_from(), "");
                let room = self.count_mailbox_link(tx, &user.email, &asked_by).await?;
                if !room.is_counted() {
                    return Ok(room);
                }
            }
        }
        self.count_message_to(tx, Message::PasswordReset, &user.email).await
    }

    /// Sends a message with a link that is made now and stored only as a digest: no usable secret rests
    /// anywhere. If the message does not leave, its link dies and the next try makes another; if it may have
    /// left, its link stays good beside the next one.
    async fn send_link(
        &self,
        row: &OutboxRow,
        user: &User,
        message: Message,
        purpose: Purpose,
    ) -> Result<Sent, Undelivered> {
        let token = LinkToken::new()?;
        let link = self.new_link(purpose, &token, user, Some(row.id));
        let mut tx = self.store.begin().await?;
        tx.lock_user(user.id).await?;
        if let Quota::UsedUpUntil(until) = self.count_leaving(&mut tx, row, Some(user)).await? {
            tx.rollback().await;
            return Ok(Sent::PutOff(until));
        }
        let is_new = tx.insert_link(&link, MOST_OPEN).await?;
        // Counted when it leaves: one that is dropped uses up nothing that the owner may need later.
        let is_first_try = row.quota_key.is_some();
        let is_one_too_many = is_new
            && is_first_try
            && row.message == Message::PasswordReset.as_str()
            && !self.count_asked_for(&mut tx, row, user).await?.is_counted();
        tx.commit().await?;
        if !is_new || is_one_too_many {
            if is_one_too_many {
                self.store.delete_link(link.digest).await?;
            }
            info!("message={} kind={} not sent: enough open links", row.id, row.message);
            return Ok(Sent::Done);
        }
        let content = content(row, message, Some((purpose, &token)));
        let sent = self.mail.send(row.id, &user.email, content).await;
        if sent.as_ref().is_err_and(|undelivered| undelivered.fate != Fate::Unknown) {
            self.store.delete_link(link.digest).await?;
        }
        sent.map(|()| Sent::Done)
    }
}

/// What the message says; with the token of its link, if it holds one.
fn content(row: &OutboxRow, message: Message, link: Option<(Purpose, &LinkToken)>) -> Content {
    let path = link.map(|(purpose, token)| urls::link(purpose.page(), &token.in_link()));
    Content {
        message,
        is_secret: path.is_some(),
        path: path.unwrap_or_else(|| urls::PASSWORD_RESET.to_owned()),
        at: row.created_at,
        device: row.device.clone(),
        ip: row.ip.clone(),
    }
}

/// What became of a message.
enum Sent {
    /// It has left, or there is nobody to send it to.
    Done,
    /// Others of its network go first.
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
    fn the_tries_of_a_letter_take_four_days() {
        let delays: Duration = (1..LEAST_TRIES).map(retry_delay).sum();
        assert!(delays < GIVE_UP_AFTER && delays + HOUR > GIVE_UP_AFTER, "{delays:?}");
    }

    #[test]
    fn retries_grow_apart_up_to_an_hour() {
        let delays: Vec<u64> = [1, 2, 3, 9, 10, 1000].map(|n| retry_delay(n).as_secs()).into();
        assert_eq!(delays, [10, 20, 40, 2560, 3600, 3600]);
    }
}
