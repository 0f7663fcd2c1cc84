//! Letters wait in the database until they have left, so that no crash and no broken mail server
//! loses one. Each is delivered at least once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{error, info, warn};
use rocket::tokio::select;
use rocket::tokio::sync::Notify;
use rocket::tokio::task::{self, JoinSet};
use rocket::tokio::time::{sleep, sleep_until};
use uuid::Uuid;

use super::store::{Busy, Delivery, NewToken, OutboxRow, Priority, Purpose, Room, Tx};
use super::throttle::MOST_LETTERS;
use super::{Auth, Client, Email, ResetToken, User, UserId, VerifyToken};
use crate::Error;
use crate::clock::Timestamp;
use crate::mail::{Fate, Notice, Occasion, Undelivered};

/// What a letter is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Letter {
    VerifyEmail,
    PasswordReset,
    PasswordChanged,
}

const HOUR: Duration = Duration::from_hours(1);

/// How many letters of one site, or to one domain, have places at a time: what many ask for leaves places to the
/// others.
const MOST_ALIKE: usize = 2;

/// How many to one domain are under way, and how many of one site that nobody has asked for by address: what is slow
/// there holds up the others no longer than it keeps a place.
const MOST_LATE: usize = 8;

/// For how long a letter keeps its place that a stranger has asked for by address, however long it takes to leave,
/// and whether anybody has the address: the next letter of the site, or to the domain, would tell.
const KEPT_FOR: Duration = Duration::from_millis(25);

/// For how long any other keeps it at most.
const KEPT_AT_MOST: Duration = Duration::from_secs(1);

/// After how long a letter that a stranger has asked for by address counts among those to its domain: no mail server
/// that works takes so long, so nobody sees by it whether there was anybody to send one to.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// How many letters are under way at most.
const MOST_UNDER_WAY: usize = 200;

/// How many of them only those may be that somebody waits for.
const KEPT_FREE: usize = 20;

/// How many letters of each priority leave at a time: what is slow, or comes from strangers, takes no place of
/// the others.
const PLACES: [(Priority, usize); 3] =
    [(Priority::Awaited, 4), (Priority::First, 3), (Priority::Later, 3)];

/// How often the outbox is looked at without a call: for letters whose retry is due, and for those that
/// another node put there.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// For how long a claimed letter is this process's alone. Renewed while it is under way, which may take long; a
/// process that dies leaves it to the next soon.
const LEASE: Duration = Duration::from_mins(2);

/// Most links of one purpose that may be open for a user. A stranger who asks for more cannot void
/// the one that the owner is about to open.
pub(in crate::auth) const MOST_OPEN_LINKS: i64 = 3;

/// After this long a letter that no server took is dropped, as mail servers do (RFC 5321, 4.5.4.1).
const GIVE_UP_AFTER: Duration = Duration::from_hours(96);

/// And not before as many tries as there are in that time: a clock that is wrong for a moment drops nothing.
const LEAST_TRIES: i64 = 104;

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
    pub(in crate::auth) fn letter(&self, letter: Letter, to: &User, client: &Client) -> OutboxRow {
        self.letter_to(letter, Some(to.id), &to.email, client)
    }

    fn letter_to(
        &self,
        letter: Letter,
        to: Option<UserId>,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        let now = self.clock.now();
        OutboxRow {
            id: Uuid::now_v7(),
            letter: letter.as_str().to_owned(),
            user_id: to,
            email_key: None,
            device: client.described(),
            network: client.address.to_string(),
            attempts: 0,
            created_at: now,
            due_at: now,
            uncounted_key: None,
            priority: Priority::Awaited,
            site_key: self.outbox_key(client),
            domain_key: Some(self.domain_key(email)),
            refusals: 0,
        }
    }

    /// The letter to an account that was just made.
    pub(in crate::auth) fn first_letter(
        &self,
        to: UserId,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            uncounted_key: Some(self.sign_up_key(client)),
            priority: Priority::First,
            ..self.letter_to(Letter::VerifyEmail, Some(to), email, client)
        }
    }

    /// A password-reset letter to whoever has this address, if anybody has.
    pub(in crate::auth) fn letter_to_whoever_has(
        &self,
        email: &Email,
        client: &Client,
    ) -> OutboxRow {
        OutboxRow {
            email_key: Some(email.key().to_owned()),
            uncounted_key: Some(self.reset_key(client)),
            ..self.letter_to(Letter::PasswordReset, None, email, client)
        }
    }

    /// A letter was put into the outbox: tells the background job that there is something to do.
    pub(in crate::auth) fn wake_postman(&self) {
        // Counted at once, and again when somebody looks: in between, many may come.
        self.letters_waiting.fetch_add(1, Ordering::Relaxed);
        self.postman_bell.ring();
    }

    /// Returns a moment after a letter was put into the outbox by this process.
    pub(crate) async fn letter_waits(&self) {
        self.postman_bell.rings().await;
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
        let mut under_way = UnderWay::default();
        let mut faults = Ok(());
        let mut looked_at: Option<Instant> = None;
        let mut has_room = true;
        loop {
            has_room |= under_way.end_kept();
            if !is_over() {
                // A round goes on while letters are due, which may be for days.
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
            // A letter that comes now must not wait for slower ones: its delay would tell of them.
            has_room = select! {
                Some(left) = under_way.tasks.join_next_with_id() => {
                    let (id, left) = match left {
                        Ok((id, left)) => (id, left),
                        Err(error) => (error.id(), Err(Error::new("a letter was cut off", error))),
                    };
                    faults = faults.and(left);
                    under_way.end(id)
                }
                () = self.letter_waits() => true,
                () = sleep(next_end) => true,
            };
        }
    }

    /// What has to be known of the outbox however long a round takes.
    async fn look_after_outbox(&self) -> Result<(), Error> {
        self.follow_clock().await?;
        self.store.update_far_letters(self.clock.now()).await?;
        self.count_letters().await
    }

    /// Begins with letters that are due while there are places.
    async fn begin_due(&self, under_way: &mut UnderWay) -> Result<(), Error> {
        for (priority, places) in PLACES {
            // What somebody waits for has some that nothing else takes.
            let kept_free = if priority == Priority::Awaited { 0 } else { KEPT_FREE };
            while under_way.of(priority) < places
                && under_way.tasks.len() + kept_free < MOST_UNDER_WAY
            {
                let (now, busy) = (self.clock.now(), under_way.busy());
                let claimed = self.store.claim_due_letter(priority, busy, now, LEASE).await?;
                let Some(claimed) = claimed else { break };
                match claimed.row {
                    Ok(row) => {
                        let is_asked_for = row.email_key.is_some();
                        let kept_for = if is_asked_for { KEPT_FOR } else { KEPT_AT_MOST };
                        let now = Instant::now();
                        let letter = OnItsWay {
                            priority,
                            keys: [row.site_key.clone(), row.domain_key.clone()],
                            is_asked_for,
                            has_left: false,
                            place_until: now + kept_for,
                            late_from: if is_asked_for { now + LATE_AFTER } else { now },
                        };
                        let auth = self.clone();
                        let begun = under_way.tasks.spawn(async move { auth.deliver(row).await });
                        under_way.letters.insert(begun.id(), letter);
                    }
                    Err(error) => {
                        error!("letter={} cannot be read, and waits: {error}", claimed.id);
                        self.store.update_retry(claimed.id, now + HOUR).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends one letter. An `Err` is a fault of the database: the letter comes again when its lease is
    /// over.
    async fn deliver(&self, row: OutboxRow) -> Result<(), Error> {
        let (id, kind) = (row.id, &row.letter);
        let renewing = async {
            loop {
                sleep(LEASE / 4).await;
                // If it fails: whoever takes the letter meanwhile sends a copy.
                let _ = self.store.update_lease(id, self.clock.now() + LEASE).await;
            }
        };
        // Side by side: each may be given the one connection that writes, and nobody has it who is not polled.
        let sent = select! {
            sent = self.send(&row) => sent,
            () = renewing => return Ok(()),
        };
        let Undelivered { fate, error } = match sent {
            Ok(Sent::Done) => return self.store.delete_letter(id).await,
            Ok(Sent::PutOff(until)) => return self.store.update_put_off(id, until).await,
            Err(undelivered) => undelivered,
        };
        let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
        let now = self.clock.now();
        if fate == Fate::Refused {
            // Once more: it may have been the mail server's settings.
            if row.refusals == 0 {
                warn!("letter={id} kind={kind} refused, tried once more in an hour: {cause}");
                return self.store.update_refused(id, now + HOUR).await;
            }
            warn!("letter={id} kind={kind} dropped: refused again: {cause}");
            return self.store.delete_letter(id).await;
        }
        if now.since(row.created_at) > GIVE_UP_AFTER && row.attempts >= LEAST_TRIES {
            warn!("letter={id} kind={kind} dropped: nobody took it for days: {cause}");
            return self.store.delete_letter(id).await;
        }
        warn!("letter={id} kind={kind} try={} failed: {cause}", row.attempts);
        self.store.update_retry(id, now + retry_delay(row.attempts)).await
    }

    /// Writes the letter for who has the account now, and hands it to the mail server. A letter that
    /// has become pointless counts as sent.
    async fn send(&self, row: &OutboxRow) -> Result<Sent, Undelivered> {
        let user = match (row.user_id, &row.email_key) {
            (Some(id), _) => self.store.find_user(id).await?,
            (None, Some(key)) => self.store.find_user_by_email(key).await?,
            (None, None) => None,
        };
        let (Some(user), Some(letter)) = (user, Letter::parse(&row.letter)) else {
            // As much work as for somebody, so that a write that comes meanwhile waits as long.
            let mut tx = self.store.begin().await?;
            tx.lock_user(UserId::new()).await?;
            if let Room::FullUntil(until) = self.count_leaving(&mut tx, row, None).await? {
                tx.rollback().await;
                return Ok(Sent::PutOff(until));
            }
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

    /// Counts a letter that leaves at a pace, the first time that it is about to leave; until when it has to wait
    /// for those of its neighbours. Alike for somebody and for nobody: when the next one of the site leaves would
    /// tell.
    async fn count_leaving(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        user: Option<&User>,
    ) -> Result<Room, Error> {
        let Some(key) = &row.uncounted_key else { return Ok(Room::Counted(())) };
        let counted = match user {
            Some(user) if row.letter == Letter::VerifyEmail.as_str() => {
                let allowance = self.config.allowance(row.sent_from(), false);
                match self.count_mailbox(tx, &user.email, allowance).await? {
                    Room::Counted(()) => self.count_sign_up(tx, user.id, key, row).await?,
                    full @ Room::FullUntil(_) => full,
                }
            }
            _ => self.count_reset(tx, key, row).await?,
        };
        if counted.is_counted() {
            tx.update_counted(row.id).await?;
            // It finds out when its turn is, which may have become earlier.
            tx.update_next_due(key.clone(), self.clock.now()).await?;
        }
        Ok(counted)
    }

    /// Counts a letter that a stranger has asked for; those to an address that nobody has proven by its mailbox
    /// too, which may have many.
    async fn count_asked_for(
        &self,
        tx: &mut Tx,
        row: &OutboxRow,
        user: &User,
    ) -> Result<Room, Error> {
        if user.email_verified_at.is_none() {
            let allowance = self.config.allowance(row.sent_from(), false);
            // Strangers may have filled the mailbox by signing up with other addresses of it: the owner gets one
            // link at a time all the same, which is this one.
            let now = self.clock.now();
            let room = self.count_mailbox(tx, &user.email, allowance).await?;
            if !room.is_counted() {
                if tx.count_open_tokens(user.id, Purpose::PasswordReset, now).await? > 1 {
                    return Ok(room);
                }
                let asked_by = Client::new(row.sent_from(), "");
                let room = self.count_mailbox_link(tx, &user.email, &asked_by).await?;
                if !room.is_counted() {
                    return Ok(room);
                }
            }
        }
        self.count_letter_to(tx, Letter::PasswordReset, &user.email).await
    }

    /// Sends a letter with a link that is made now and stored only as a digest: no usable secret rests
    /// anywhere. If the letter does not leave, its link dies and the next try makes another; if it may have
    /// left, its link stays good beside the next one.
    async fn send_link(
        &self,
        row: &OutboxRow,
        user: &User,
        token: &NewToken,
        occasion: Occasion,
        secret: &str,
    ) -> Result<Sent, Undelivered> {
        let mut tx = self.store.begin().await?;
        tx.lock_user(user.id).await?;
        if let Room::FullUntil(until) = self.count_leaving(&mut tx, row, Some(user)).await? {
            tx.rollback().await;
            return Ok(Sent::PutOff(until));
        }
        let is_new = tx.insert_token(token, MOST_OPEN_LINKS).await?;
        // Counted when it leaves: one that is dropped uses up nothing that the owner may need later.
        let is_first_try = row.uncounted_key.is_some();
        let is_one_too_many = is_new
            && is_first_try
            && row.letter == Letter::PasswordReset.as_str()
            && !self.count_asked_for(&mut tx, row, user).await?.is_counted();
        tx.commit().await?;
        if !is_new || is_one_too_many {
            if is_one_too_many {
                self.store.delete_token(token.digest).await?;
            }
            info!("letter={} kind={} not sent: enough open links", row.id, row.letter);
            return Ok(Sent::Done);
        }
        let sent = self.mail.send(row.id, &user.email, occasion, Some(secret)).await;
        if sent.as_ref().is_err_and(|undelivered| undelivered.fate != Fate::Unknown) {
            self.store.delete_token(token.digest).await?;
        }
        sent.map(|()| Sent::Done)
    }
}

/// The letters that are on their way, and the places that they keep.
struct UnderWay {
    /// Tasks, so that each goes on whatever the others wait for; dropping the set ends them.
    tasks: JoinSet<Result<(), Error>>,
    letters: HashMap<task::Id, OnItsWay>,
    /// When somebody last looked whose time is over.
    looked_at: Instant,
}

/// What a letter keeps from others while it is on its way.
struct OnItsWay {
    priority: Priority,
    /// The key of its site, and that of its domain.
    keys: [Option<Vec<u8>>; 2],
    /// Whether a stranger asked for it by address: nothing may tell how long it takes.
    is_asked_for: bool,
    has_left: bool,
    /// Until when it has a place.
    place_until: Instant,
    /// From when it counts among those of its domain.
    late_from: Instant,
}

impl OnItsWay {
    fn has_place(&self, now: Instant) -> bool {
        self.place_until > now && (self.is_asked_for || !self.has_left)
    }

    fn is_late(&self, now: Instant) -> bool {
        !self.has_left && self.late_from <= now
    }
}

impl Default for UnderWay {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), letters: HashMap::new(), looked_at: Instant::now() }
    }
}

impl UnderWay {
    /// Whether a round is over.
    fn is_empty(&self) -> bool {
        let now = Instant::now();
        self.tasks.is_empty() && !self.letters.values().any(|letter| letter.has_place(now))
    }

    /// A letter has left; whether another one may have waited for that.
    fn end(&mut self, id: task::Id) -> bool {
        let Some(letter) = self.letters.get_mut(&id) else { return false };
        letter.has_left = true;
        !letter.is_asked_for
    }

    /// Whether a place has ended since the last look: at fixed times, whatever became of the letters.
    fn end_kept(&mut self) -> bool {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.looked_at, now);
        let has_ended = |end: Instant| before < end && end <= now;
        let mut letters = self.letters.values();
        let has_room = letters.any(|letter| has_ended(letter.place_until));
        self.letters.retain(|_, letter| letter.has_place(now) || !letter.has_left);
        has_room
    }

    /// When to look again if nothing else happens.
    fn next_end(&self) -> Duration {
        let now = Instant::now();
        let ends = self.letters.values().map(|letter| letter.place_until);
        let next = ends.filter(|end| *end > now).min();
        next.map_or(LOOK_EVERY, |end| (end - now).min(LOOK_EVERY))
    }

    /// How many of this priority have places.
    fn of(&self, priority: Priority) -> usize {
        let now = Instant::now();
        let of_it = self.letters.values().filter(|letter| letter.priority == priority);
        of_it.filter(|letter| letter.has_place(now)).count()
    }

    /// The sites and the domains that have as many letters under way as they may.
    fn busy(&self) -> (Busy, Busy) {
        let now = Instant::now();
        let of = |which: usize, counts: fn(&OnItsWay) -> bool| {
            let mut times: HashMap<&[u8], (usize, usize)> = HashMap::new();
            for letter in self.letters.values() {
                if let Some(key) = letter.keys[which].as_deref() {
                    let (places, late) = times.entry(key).or_default();
                    *places += usize::from(letter.has_place(now));
                    *late += usize::from(letter.is_late(now) && counts(letter));
                }
            }
            let full = times
                .into_iter()
                .filter(|(_, (places, late))| *places >= MOST_ALIKE || *late >= MOST_LATE);
            full.flat_map(|(key, _)| key.to_vec()).collect()
        };
        (of(0, |letter| !letter.is_asked_for), of(1, |_| true))
    }
}

/// What became of a letter.
enum Sent {
    /// It has left, or there is nobody to send it to.
    Done,
    /// Others of its network go first.
    PutOff(Timestamp),
}

/// Calls the postman, another moment later each time: whoever asks for a reset and writes something right after it
/// would otherwise wait for the transaction that makes the link, and so learn that there is an account.
#[derive(Default)]
pub(in crate::auth) struct Bell {
    /// When he sets out. Fixed when somebody rings: what he does meanwhile changes nothing about it.
    at: Mutex<Option<Instant>>,
    rung: Notify,
}

impl Bell {
    fn ring(&self) {
        self.at().get_or_insert_with(|| Instant::now() + moment());
        self.rung.notify_one();
    }

    async fn rings(&self) {
        loop {
            let at = *self.at();
            match at {
                Some(at) => {
                    sleep_until(at.into()).await;
                    *self.at() = None;
                    return;
                }
                None => self.rung.notified().await,
            }
        }
    }

    fn at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let sets_out_at_once = |_: &i32| {
            let bell = Bell::default();
            bell.ring();
            bell.rings().now_or_never().is_some()
        };
        assert!((0..100).filter(sets_out_at_once).count() < 10);
        let moments: HashSet<Duration> = (0..100).map(|_| moment()).collect();
        assert!(moments.len() > 30, "{moments:?}");
        assert!(moments.iter().all(|moment| *moment < Duration::from_millis(1100)));
    }

    /// Promise 10: nor does it matter how often he was busy with something else in between.
    #[rocket::async_test]
    async fn the_moment_is_fixed_when_somebody_rings() {
        let bell = Bell::default();
        bell.ring();
        let at = *bell.at();
        assert!(at.is_some());
        for _ in 0..100 {
            if bell.rings().now_or_never().is_some() {
                return;
            }
            bell.ring();
            assert_eq!(*bell.at(), at);
        }
        bell.rings().await;
        assert!(Some(Instant::now()) >= at);
    }

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
