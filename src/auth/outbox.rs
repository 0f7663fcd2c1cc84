//! Letters wait in the database until they have left, so that no crash and no broken mail server
//! loses one. Each is delivered at least once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use log::{info, warn};
use rocket::tokio::select;
use rocket::tokio::sync::Notify;
use rocket::tokio::task::JoinSet;
use rocket::tokio::time::sleep;
use uuid::Uuid;

use super::store::{Delivery, NewToken, OutboxRow, Purpose, Tx};
use super::throttle::MOST_LETTERS;
use super::{Auth, Client, Email, ResetToken, User, UserId, VerifyToken};
use crate::Error;
use crate::clock::Timestamp;
use crate::mail::{Notice, Occasion};

/// What a letter is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Letter {
    VerifyEmail,
    PasswordReset,
    PasswordChanged,
}

const HOUR: Duration = Duration::from_hours(1);

/// How many letters leave at a time, so that one letter's slow way says nothing of another's.
const AT_A_TIME: usize = 8;

/// How often the outbox is looked at without a call: for letters whose retry is due, and for those that
/// another node put there.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// For how long a claimed letter is this process's alone: longer than `mail.timeout` may be.
const LEASE: Duration = Duration::from_mins(2);

/// Most links of one purpose that may be open for a user. A stranger who asks for more cannot void
/// the one that the owner is about to open.
pub(in crate::auth) const MOST_OPEN_LINKS: i64 = 3;

/// After this long a letter that no server took is dropped, as mail servers do (RFC 5321, 4.5.4.1).
const GIVE_UP_AFTER: Duration = Duration::from_hours(96);

impl Letter {
    pub(in crate::auth) fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::VerifyEmail, Self::PasswordReset, Self::PasswordChanged]
            .into_iter()
            .find(|letter| letter.as_str() == text)
    }

    /// How long the link in it is good (ASVS 6.5.5).
    pub(in crate::auth) fn link_ttl(self) -> Duration {
        match self {
            Self::VerifyEmail => 24 * HOUR,
            Self::PasswordReset | Self::PasswordChanged => HOUR,
        }
    }
}

impl Auth {
    /// A letter to a user, for the outbox.
    pub(in crate::auth) fn letter(&self, letter: Letter, to: UserId, client: &Client) -> OutboxRow {
        let now = self.clock.now();
        OutboxRow {
            id: Uuid::now_v7(),
            letter: letter.as_str().to_owned(),
            user_id: Some(to),
            email_key: None,
            device: client.described(),
            network: client.address.to_string(),
            attempts: 0,
            created_at: now,
            due_at: now,
            uncounted_key: None,
        }
    }

    /// The letter to an account that was just made.
    pub(in crate::auth) fn first_letter(&self, to: UserId, client: &Client) -> OutboxRow {
        let letter = self.letter(Letter::VerifyEmail, to, client);
        OutboxRow { uncounted_key: Some(self.sign_up_key(client)), ..letter }
    }

    /// A password-reset letter to whoever has this address, if anybody has.
    pub(in crate::auth) fn letter_to_whoever_has(
        &self,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        let mut letter = self.letter(Letter::PasswordReset, UserId::new(), client);
        letter.user_id = None;
        letter.email_key = Some(email.key().to_owned());
        letter
    }

    /// Tells the background job that there is something to do.
    pub(in crate::auth) fn wake_postman(&self) {
        self.letter_waits.notify_one();
    }

    /// Returns a moment after a letter was put into the outbox by this process.
    pub(crate) async fn letter_waits(&self) {
        a_moment_after(&self.letter_waits).await;
    }

    /// Whether this process may send letters. The first time that it may, what another one had claimed that
    /// is gone leaves at once: only one has the SQLite file.
    pub(crate) async fn may_deliver(&self) -> Result<bool, Error> {
        if self.delivers.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match self.store.claim_delivery() {
            Delivery::Theirs => return Ok(false),
            Delivery::Ours => drop(self.store.release_claims(self.clock.now(), LEASE).await?),
            Delivery::Shared => {}
        }
        self.delivers.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Notes how many letters wait.
    pub(crate) async fn count_letters(&self) -> Result<(), Error> {
        let waiting = self.store.count_letters(MOST_LETTERS).await?;
        self.letters_waiting.store(waiting, Ordering::Relaxed);
        Ok(())
    }

    /// Sends what is due, a few at a time, until nothing is, or `is_over` says to begin no more. One
    /// that fails waits and is tried again, with a growing delay.
    pub(crate) async fn deliver_due(&self, is_over: impl Fn() -> bool) -> Result<(), Error> {
        // Tasks, so that each goes on whatever the others wait for; dropping the set ends them.
        let mut under_way = JoinSet::new();
        let mut faults = Ok(());
        loop {
            let free = AT_A_TIME - under_way.len();
            if !is_over() && free > 0 && faults.is_ok() {
                let now = self.clock.now();
                match self.store.claim_due_letters(now, LEASE, free).await {
                    Ok(due) => {
                        for row in due {
                            let auth = self.clone();
                            under_way.spawn(async move { auth.deliver(row, now).await });
                        }
                    }
                    Err(error) => faults = Err(error),
                }
            }
            // A letter that comes now must not wait for slower ones: its delay would tell of them.
            select! {
                left = under_way.join_next() => match left {
                    Some(Ok(left)) => faults = faults.and(left),
                    Some(Err(error)) => faults = Err(Error::new("a letter was cut off", error)),
                    None => return faults,
                },
                () = self.letter_waits(), if !under_way.is_empty() => {}
                () = sleep(LOOK_EVERY), if !under_way.is_empty() => {}
            }
        }
    }

    /// Sends one letter. An `Err` is a fault of the database: the letter comes again when its lease is
    /// over.
    async fn deliver(&self, row: OutboxRow, now: Timestamp) -> Result<(), Error> {
        let id = row.id;
        let error = match self.send(&row).await {
            Ok(Sent::Done) => return self.store.delete_letter(id).await,
            Ok(Sent::PutOff(until)) => return self.store.update_put_off(id, until).await,
            Err(error) => error,
        };
        let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
        if now.since(row.created_at) > GIVE_UP_AFTER {
            warn!("letter={id} kind={} dropped: nobody took it for days: {cause}", row.letter);
            return self.store.delete_letter(id).await;
        }
        let delay = retry_delay(row.attempts);
        warn!("letter={id} kind={} try={} failed: {cause}", row.letter, row.attempts);
        self.store.update_due(id, now + delay).await
    }

    /// Writes the letter for who has the account now, and hands it to the mail server. A letter that
    /// has become pointless counts as sent.
    async fn send(&self, row: &OutboxRow) -> Result<Sent, Error> {
        let user = match (row.user_id, &row.email_key) {
            (Some(id), _) => self.store.find_user(id).await?,
            (None, Some(key)) => self.store.find_user_by_email(key).await?,
            (None, None) => None,
        };
        let (Some(user), Some(letter)) = (user, Letter::parse(&row.letter)) else {
            // As much work as for somebody, so that a write that comes meanwhile waits as long.
            let mut tx = self.store.begin().await?;
            tx.lock_user(UserId::new()).await?;
            tx.touch_letter(row.id).await?;
            tx.commit().await?;
            return Ok(Sent::Done);
        };
        match letter {
            Letter::VerifyEmail if user.email_verified_at.is_some() => Ok(Sent::Done),
            Letter::VerifyEmail => {
                let token = VerifyToken::new()?;
                let now = self.clock.now();
                let new = NewToken {
                    digest: token.digest(),
                    purpose: Purpose::VerifyEmail,
                    user: user.id,
                    sent_to: user.email.key().to_owned(),
                    now,
                    expires_at: now + letter.link_ttl(),
                    letter: Some(row.id),
                };
                self.send_link(row, &user, &new, Occasion::VerifyEmail, &token.in_link()).await
            }
            Letter::PasswordReset => {
                let token = ResetToken::new()?;
                let new = self.reset_token_for(&token, &user, Some(row.id));
                self.send_link(row, &user, &new, Occasion::PasswordReset, &token.in_link()).await
            }
            Letter::PasswordChanged => {
                let notice = Occasion::PasswordChanged(Notice {
                    at: row.created_at.minute(),
                    device: row.device.clone(),
                    network: row.network.clone(),
                });
                self.mail.send(row.id, &user.email, notice, None).await?;
                Ok(Sent::Done)
            }
        }
    }

    /// Counts the letter to a new account; until when it has to wait for those of its neighbours.
    async fn count_first_letter(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        user: &User,
        key: &[u8],
    ) -> Result<Result<(), Timestamp>, Error> {
        if let Err(until) = self.count_sign_up(tx, user.id, key, &row.network).await? {
            return Ok(Err(until));
        }
        tx.update_counted(row.id).await?;
        Ok(Ok(()))
    }

    /// Sends a letter with a link that is made now and stored only as a digest. If the letter does
    /// not leave, its link dies and the next try makes another: no usable secret rests anywhere.
    async fn send_link(
        &self,
        row: &OutboxRow,
        user: &User,
        token: &NewToken,
        occasion: Occasion,
        secret: &str,
    ) -> Result<Sent, Error> {
        let mut tx = self.store.begin().await?;
        tx.lock_user(user.id).await?;
        if let Some(key) = &row.uncounted_key
            && let Err(until) = self.count_first_letter(&mut tx, row, user, key).await?
        {
            tx.rollback().await;
            return Ok(Sent::PutOff(until));
        }
        tx.delete_token_of_letter(user.id, row.id).await?;
        let is_new = tx.insert_token(token, MOST_OPEN_LINKS).await?;
        tx.commit().await?;
        if !is_new {
            info!("letter={} kind={} not sent: enough open links", row.id, row.letter);
            return Ok(Sent::Done);
        }
        let sent = self.mail.send(row.id, &user.email, occasion, Some(secret)).await;
        if sent.is_err() {
            self.store.delete_token(token.digest).await?;
        }
        sent.map(|()| Sent::Done)
    }
}

/// What became of a letter.
enum Sent {
    /// It has left, or there is nobody to send it to.
    Done,
    /// Others of its network go first.
    PutOff(Timestamp),
}

/// Another moment each time: whoever asks for a reset and writes something right after it would otherwise wait
/// for the transaction that makes the link, and so learn that there is an account.
async fn a_moment_after(event: &Notify) {
    event.notified().await;
    sleep(moment()).await;
}

/// Up to a second.
fn moment() -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(4 * u64::from(byte[0]))
}

/// 10 s, 20 s, 40 s, … up to an hour.
fn retry_delay(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(9);
    (Duration::from_secs(10) * 2_u32.pow(doublings)).min(HOUR)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rocket::futures::FutureExt;

    use super::*;

    /// Promise 10.
    #[rocket::async_test]
    async fn the_postman_sets_out_at_another_moment_each_time() {
        let event = Notify::new();
        let sets_out_at_once = |_: &i32| {
            event.notify_one();
            a_moment_after(&event).now_or_never().is_some()
        };
        assert!((0..100).filter(sets_out_at_once).count() < 10);
        let moments: HashSet<Duration> = (0..100).map(|_| moment()).collect();
        assert!(moments.len() > 30, "{moments:?}");
        assert!(moments.iter().all(|moment| *moment < Duration::from_millis(1100)));
    }

    #[test]
    fn retries_grow_apart_up_to_an_hour() {
        let delays: Vec<u64> = [1, 2, 3, 9, 10, 1000].map(|n| retry_delay(n).as_secs()).into();
        assert_eq!(delays, [10, 20, 40, 2560, 3600, 3600]);
    }
}
