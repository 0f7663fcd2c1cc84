//! How often something may be attempt. The counts are in the database, so that all nodes share them and
//! a restart forgets nothing; one SQL statement counts and decides, so that many tries at once count
//! as many.

mod bucket;
mod closed;
mod messages;
mod wait;

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bucket::Bucket;
pub(crate) use bucket::ThrottleKey;
pub(in crate::auth) use bucket::{Backoff, BucketKey, Count, FixedWindow, Rate};
pub(in crate::auth) use closed::ClosedBuckets;
pub(in crate::auth) use messages::MOST_MESSAGES;
pub(crate) use wait::Wait;

use super::password::hasher::HashSlot;
use super::store::{Charge, Credentials, Quota, Tx};
use super::{Auth, Client, Email, Limited, LinkToken, UserId};
use crate::Error;
use crate::clock::Timestamp;
use crate::mail::Message;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How many minutes' worth of tries a site has in a day: each leaves a row in `throttle` or `events`.
const MINUTES_A_DAY: i64 = 100;

/// How many log-ins, log-outs and new names of one account from one site are noted in a day, and how many tries that cost no
/// hash.
const RECORDED_A_DAY: i64 = 100;

/// How many networks an IPv6 site is taken for, in a minute and in a day.
const NETWORKS_OF_A_SITE: i64 = 16;

/// In what a try was counted.
enum Counted {
    /// By a browser that is known: in its own bucket alone.
    AsKnown(Count),
    /// In the network's buckets, and in the account's if an address could be read. They are always touched in
    /// this order: on PostgreSQL two tries that take them in different order would wait for each other.
    AsStranger { network: CountedIp, account: Option<Count> },
}

/// What was counted for a network.
struct CountedIp {
    /// In its minute, and in that of its site if it is one of many.
    minutes: Vec<Count>,
    /// In its site's day, if something is hashed.
    day: Option<Charge>,
}

/// A try that was let in and counted. Say how it ended.
pub(in crate::auth) struct Attempt {
    counted: Counted,
    /// When its password is hashed.
    pub(in crate::auth) slot: HashSlot,
}

impl CountedIp {
    async fn take_back(&self, tx: &mut Tx) -> Result<(), Error> {
        for count in &self.minutes {
            tx.uncount(*count).await?;
        }
        match &self.day {
            Some(charge) => tx.refund(charge).await,
            None => Ok(()),
        }
    }
}

impl Auth {
    /// Counts a try to open an account before anything is hashed. A try that will not be hashed, since it can be
    /// nobody's password, gets no `email`: it would leave a row for nothing. `found` is the account, if there is
    /// one; the answer does not depend on it, but for browsers that opened it before.
    pub(in crate::auth) async fn count_attempt(
        &self,
        email: Option<&Email>,
        found: Option<&Credentials>,
        client: &Client,
    ) -> Result<Attempt, Limited> {
        let (now, limits) = (self.clock.now(), &self.config.throttle);
        let device = found.and_then(|found| found.device_of(client, now));
        if let Some(device) = device {
            // Where the turns of those who are known are taken, by others of its site, it waits among the strangers;
            // its tries are its own all the same.
            let slot = self.hasher.slot_for(device.user, client);
            let key = self.throttle_key.key(&Bucket::KnownDevice(device.id));
            let window = FixedWindow { most: limits.free_attempts, per: limits.forget_after };
            let mut tx = self.store.begin().await?;
            if let Quota::Counted(count) = tx.count_in_window(key, window, now).await? {
                tx.commit().await?;
                return Ok(Attempt { counted: Counted::AsKnown(count), slot });
            }
            tx.rollback().await;
        }
        if let Some(wait) = self.closed_wait(email, client) {
            return Err(wait.into());
        }
        let account = email.map(|email| self.throttle_key.key(&Bucket::Account(email)));
        self.hasher.look_for_room(client)?;
        let mut tx = self.store.begin().await?;
        let network = match self.count_ip_in(&mut tx, client, email.is_some()).await? {
            Quota::Counted(network) => network,
            Quota::UsedUpUntil(at) => {
                tx.rollback().await;
                return Err(Wait::until(at, now).into());
            }
        };
        let mut counted = None;
        if let Some(key) = account {
            match tx.count_with_backoff(key, self.backoff(), now).await? {
                Quota::Counted(count) => counted = Some(count),
                Quota::UsedUpUntil(at) => {
                    tx.rollback().await;
                    self.closed_buckets.close(key, at, now);
                    return Err(Wait::until(at, now).into());
                }
            }
        }
        tx.commit().await?;
        self.note_new_rows(4);
        let account = counted;
        let slot = self.hasher.slot_for_stranger(client);
        Ok(Attempt { counted: Counted::AsStranger { network, account }, slot })
    }

    /// Why a stranger would be refused as things stand, as far as is known without the database.
    pub(in crate::auth) fn refuse_stranger(
        &self,
        email: Option<&Email>,
        client: &Client,
    ) -> Option<Limited> {
        let wait = self.closed_wait(email, client).map(Limited::from);
        wait.or_else(|| self.hasher.look_for_room(client).err().map(Limited::from))
    }

    /// Whether this browser has opened the account of this address before. Looks up those that it has opened, and
    /// not the address: it takes as long for any.
    pub(in crate::auth) async fn may_be_known(
        &self,
        email: Option<&Email>,
        client: &Client,
    ) -> Result<bool, Error> {
        let mut is_known = false;
        for device in &client.devices {
            let user = self.store.find_user(device.user).await?;
            is_known |= user.is_some_and(|user| email.is_some_and(|e| e.key() == user.email.key()));
        }
        Ok(is_known)
    }

    /// How long a stranger has to wait for this account, or this network, as it was a moment ago.
    pub(in crate::auth) fn closed_wait(
        &self,
        email: Option<&Email>,
        client: &Client,
    ) -> Option<Wait> {
        let now = self.clock.now();
        let of_network = self.closed_ip(client, email.is_some());
        let at = of_network.or_else(|| {
            self.closed_buckets.until(self.throttle_key.key(&Bucket::Account(email?)), now)
        })?;
        Some(Wait::until(at, now))
    }

    /// Counts in the buckets of a network; until when there may be none if one is full. Only what is hashed counts
    /// for the day: whoever has the address or the site together with others could use it up in no time.
    async fn count_ip_in(
        &self,
        tx: &mut Tx,
        client: &Client,
        is_hashed: bool,
    ) -> Result<Quota<CountedIp>, Error> {
        let now = self.clock.now();
        let most = self.config.throttle.attempts_by_ip.saturating_mul(client.allowance);
        let most_of_site = most.saturating_mul(NETWORKS_OF_A_SITE);
        let network = (self.throttle_key.key(&Bucket::IpPrefix(client)), most);
        let site = self.site_key(client).map(|key| (key, most_of_site));
        let mut minutes = Vec::with_capacity(2);
        for (key, most) in [Some(network), site].into_iter().flatten() {
            match tx.count_in_window(key, FixedWindow { most, per: MINUTE }, now).await? {
                Quota::Counted(count) => minutes.push(count),
                Quota::UsedUpUntil(at) => {
                    self.closed_buckets.close(key, at, now);
                    return Ok(Quota::UsedUpUntil(at));
                }
            }
        }
        if !is_hashed {
            return Ok(Quota::Counted(CountedIp { minutes, day: None }));
        }
        let most = if site.is_some() { most_of_site } else { most };
        // At a rate: past it neighbours wait for seconds, not for tomorrow.
        let day = Rate { most: most.saturating_mul(MINUTES_A_DAY), per: DAY };
        let key = self.throttle_key.key(&Bucket::SiteDay(client));
        match tx.count_at_rate(key, day, now).await? {
            Quota::Counted(()) => {
                let day = Charge { key: key.to_vec(), millis: day.each() };
                Ok(Quota::Counted(CountedIp { minutes, day: Some(day) }))
            }
            Quota::UsedUpUntil(at) => {
                self.closed_buckets.close(key, at, now);
                Ok(Quota::UsedUpUntil(at))
            }
        }
    }

    /// The key of an IPv6 site: its owner could pass for 65,536 networks.
    fn site_key(&self, client: &Client) -> Option<BucketKey> {
        let site = client.site().filter(IpAddr::is_ipv6)?;
        Some(self.throttle_key.key(&Bucket::Site(site)))
    }

    /// Until when a network may try nothing of this kind, as it was a moment ago.
    fn closed_ip(&self, client: &Client, is_hashed: bool) -> Option<Timestamp> {
        let now = self.clock.now();
        let network = self.throttle_key.key(&Bucket::IpPrefix(client));
        let day = is_hashed.then(|| self.throttle_key.key(&Bucket::SiteDay(client)));
        let mut keys = [Some(network), self.site_key(client), day].into_iter().flatten();
        keys.find_map(|key| self.closed_buckets.until(key, now))
    }

    /// The try opened the account: its own bucket is emptied, and it was no failure of its network.
    pub(in crate::auth) async fn attempt_succeeded(&self, attempt: &Attempt) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        match &attempt.counted {
            Counted::AsKnown(count) => tx.delete_bucket(count.key).await?,
            Counted::AsStranger { network, account } => {
                network.take_back(&mut tx).await?;
                if let Some(count) = account {
                    tx.delete_bucket(count.key).await?;
                    self.closed_buckets.open(count.key);
                }
            }
        }
        tx.commit().await
    }

    /// The try was never carried out: it tells nobody anything, and counts for nothing.
    pub(in crate::auth) async fn attempt_dropped(&self, attempt: &Attempt) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        match &attempt.counted {
            Counted::AsKnown(count) => tx.uncount(*count).await?,
            Counted::AsStranger { network, account } => {
                network.take_back(&mut tx).await?;
                if let Some(count) = account {
                    tx.uncount(*count).await?;
                }
            }
        }
        tx.commit().await
    }

    /// Counts something that a network may do so often: sign-ups, changes, requests for a message. Not for the day:
    /// what is refused leaves nothing behind, and what is not has limits of its own.
    pub(in crate::auth) async fn count_ip(&self, client: &Client) -> Result<(), Limited> {
        let now = self.clock.now();
        if let Some(at) = self.closed_ip(client, false) {
            return Err(Wait::until(at, now).into());
        }
        let mut tx = self.store.begin().await?;
        match self.count_ip_in(&mut tx, client, false).await? {
            Quota::Counted(_) => Ok(tx.commit().await?),
            Quota::UsedUpUntil(at) => {
                tx.rollback().await;
                Err(Wait::until(at, now).into())
            }
        }
    }

    /// Counts something that somebody may do so often who is signed in: it is no matter of the network.
    pub(in crate::auth) async fn count_act(&self, user: UserId) -> Result<(), Limited> {
        let most = self.config.throttle.attempts_by_ip;
        self.count(&Bucket::Changes(user), FixedWindow { most, per: MINUTE }).await
    }

    /// Whether a log-in, a log-out or a new name is to be noted: right ones count for nothing else, and would fill
    /// `events`, or push out what else happened to the account.
    pub(in crate::auth) async fn may_record(
        &self,
        tx: &mut Tx,
        user: UserId,
        client: &Client,
    ) -> Result<bool, Error> {
        let key = self.throttle_key.key(&Bucket::Records(user, client.site()));
        let window = FixedWindow { most: RECORDED_A_DAY, per: DAY };
        self.note_new_rows(1);
        Ok(tx.count_in_window(key, window, self.clock.now()).await?.is_counted())
    }

    /// Whether a try is to be noted that cost no hash.
    pub(in crate::auth) async fn may_record_invalid(&self, client: &Client) -> Result<bool, Error> {
        let key = self.throttle_key.key(&Bucket::Invalid(client.site()));
        let window = FixedWindow { most: RECORDED_A_DAY, per: DAY };
        let mut tx = self.store.begin().await?;
        let room = tx.count_in_window(key, window, self.clock.now()).await?;
        tx.commit().await?;
        Ok(room.is_counted())
    }

    /// Counts rows that strangers may have added; at some tenth of what there may be, the sweep comes early.
    fn note_new_rows(&self, rows: i64) {
        if self.new_rows.fetch_add(rows, Ordering::Relaxed) + rows
            > self.config.throttle.max_rows / 10
        {
            self.new_rows.store(0, Ordering::Relaxed);
            self.sweep_is_due.notify_one();
        }
    }

    /// Counts a change of a password.
    pub(in crate::auth) async fn count_password_change(&self, user: UserId) -> Result<(), Limited> {
        let most = self.config.throttle.password_changes;
        self.count(&Bucket::PasswordChanges(user), FixedWindow { most, per: HOUR }).await
    }

    /// Counts a try to set a password with a link: looking at how strong it is costs as much as a page
    /// costs, many times over.
    pub(in crate::auth) async fn count_link_attempt(
        &self,
        token: &LinkToken,
    ) -> Result<(), Limited> {
        let most = self.config.throttle.attempts_by_ip;
        self.count(&Bucket::Link(token), FixedWindow { most, per: MINUTE }).await
    }

    async fn count(&self, bucket: &Bucket<'_>, rule: FixedWindow) -> Result<(), Limited> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let room = tx.count_in_window(self.throttle_key.key(bucket), rule, now).await?;
        tx.commit().await?;
        match room {
            Quota::Counted(_) => Ok(()),
            Quota::UsedUpUntil(at) => Err(Wait::until(at, now).into()),
        }
    }

    /// Ends an account's wait: its owner has just read the mail.
    pub(in crate::auth) async fn forget_attempts(
        &self,
        tx: &mut Tx,
        email: &Email,
    ) -> Result<(), Error> {
        let key = self.throttle_key.key(&Bucket::Account(email));
        self.closed_buckets.open(key);
        tx.delete_bucket(key).await?;
        // All links are void: another one may be asked for.
        tx.delete_bucket(self.throttle_key.key(&Bucket::Messages(Message::PasswordReset, email)))
            .await
    }

    fn backoff(&self) -> Backoff {
        let limits = &self.config.throttle;
        Backoff {
            free: limits.free_attempts,
            first: limits.first_wait,
            longest: limits.longest_wait,
            forget_after: limits.forget_after,
        }
    }
}
