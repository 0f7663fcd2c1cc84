//! Rate limits. The counts are in the database, so that all nodes share them and they survive a restart. A single
//! SQL statement counts and decides, so that concurrent attempts are all counted.

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
use super::{Auth, Client, Email, Limited, LinkToken, Session, UserId};
use crate::Error;
use crate::clock::Timestamp;
use crate::mail::Message;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A site gets this many times its attempts per minute in a day: each leaves a row in `throttle` or `events`.
const MINUTES_A_DAY: i64 = 100;

/// The number of sign-ins, sign-outs and name changes of one account from one site that are recorded in a day; also
/// the number of attempts of one site that cost no hash.
const RECORDED_A_DAY: i64 = 100;

/// The number of notices of new devices that one account gets in a day: a program that changes its user agent must
/// not fill its owner's mailbox.
const NEW_DEVICES_A_DAY: i64 = 10;

/// The number of IP prefixes that an IPv6 site counts as, per minute and per day.
const NETWORKS_OF_A_SITE: i64 = 16;

/// The buckets that counted an attempt.
enum Counted {
    /// A known browser: only its own bucket.
    AsKnown(Count),
    /// The buckets of the IP prefix, and the account's if the address was valid. Always updated in this order: on
    /// PostgreSQL, two attempts in different orders would deadlock.
    AsStranger { network: CountedIp, account: Option<Count> },
}

/// The counts of an IP prefix.
struct CountedIp {
    /// Per minute: of the prefix, and of its site if it is IPv6.
    minutes: Vec<Count>,
    /// Per day: of the site, if the attempt costs a hash.
    day: Option<Charge>,
}

/// A counted attempt that may proceed. Its outcome must be reported.
pub(in crate::auth) struct Attempt {
    counted: Counted,
    /// The slot to hash its password.
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
    /// Counts an attempt to sign in, before hashing. `email` is `None` for an attempt that will not be hashed
    /// because the password is invalid: it would leave a useless row. `found` is the account, if it exists; it only
    /// matters for browsers that have opened it before.
    pub(in crate::auth) async fn charge_attempt(
        &self,
        email: Option<&Email>,
        found: Option<&Credentials>,
        client: &Client,
    ) -> Result<Attempt, Limited> {
        let (now, limits) = (self.clock.now(), &self.config.throttle);
        let device = found.and_then(|found| found.device_of(client, now));
        if let Some(device) = device {
            // If others of its site have taken all slots for known clients, it waits among the strangers, but still
            // counts in its own bucket.
            let slot = self.hasher.slot_for(device.user, client);
            let key = self.throttle_key.key(&Bucket::KnownDevice(device.id));
            let window = FixedWindow { most: limits.free_attempts, per: limits.forget_after };
            let mut tx = self.store.begin().await?;
            if let Quota::Counted(count) = tx.charge_window(key, window, now).await? {
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
        let network = match self.charge_ip_in(&mut tx, client, email.is_some()).await? {
            Quota::Counted(network) => network,
            Quota::UsedUpUntil(at) => {
                tx.rollback().await;
                return Err(Wait::until(at, now).into());
            }
        };
        let mut counted = None;
        if let Some(key) = account {
            match tx.charge_backoff(key, self.backoff(), now).await? {
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

    /// Why a stranger would be refused now, as far as is known without the database.
    pub(in crate::auth) fn refuse_stranger(
        &self,
        email: Option<&Email>,
        client: &Client,
    ) -> Option<Limited> {
        let wait = self.closed_wait(email, client).map(Limited::from);
        wait.or_else(|| self.hasher.look_for_room(client).err().map(Limited::from))
    }

    /// Whether this browser has opened the account of this address before. Looks up the accounts in its cookie, not
    /// the address, so that the time is the same for any address.
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

    /// How long a stranger must wait for this account or IP prefix, according to the cache.
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

    /// Counts in the buckets of an IP prefix. If one is full, returns until when. The daily limit counts only
    /// attempts that cost a hash: otherwise a single client could use up the share of all others on the same
    /// address or site.
    async fn charge_ip_in(
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
            match tx.charge_window(key, FixedWindow { most, per: MINUTE }, now).await? {
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
        // A steady rate: once it is reached, neighbours wait for seconds, not until tomorrow.
        let day = Rate { most: most.saturating_mul(MINUTES_A_DAY), per: DAY };
        let key = self.throttle_key.key(&Bucket::SiteDay(client));
        match tx.charge_rate(key, day, now).await? {
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

    /// The key of an IPv6 site, whose owner has 65,536 prefixes.
    fn site_key(&self, client: &Client) -> Option<BucketKey> {
        let site = client.ip_site().filter(IpAddr::is_ipv6)?;
        Some(self.throttle_key.key(&Bucket::Site(site)))
    }

    /// Until when the client's buckets are full, according to the cache.
    fn closed_ip(&self, client: &Client, is_hashed: bool) -> Option<Timestamp> {
        let now = self.clock.now();
        let network = self.throttle_key.key(&Bucket::IpPrefix(client));
        let day = is_hashed.then(|| self.throttle_key.key(&Bucket::SiteDay(client)));
        let mut keys = [Some(network), self.site_key(client), day].into_iter().flatten();
        keys.find_map(|key| self.closed_buckets.until(key, now))
    }

    /// Reports success: empties the account's or device's bucket and refunds the IP prefix.
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

    /// Reports that the attempt was not carried out: refunds all counts.
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

    /// Counts a request that is limited by IP prefix: sign-ups, changes, requests for a message. Not in the daily
    /// limit: a refused request leaves no row, and others have limits of their own.
    pub(in crate::auth) async fn charge_ip(&self, client: &Client) -> Result<(), Limited> {
        let now = self.clock.now();
        if let Some(at) = self.closed_ip(client, false) {
            return Err(Wait::until(at, now).into());
        }
        let mut tx = self.store.begin().await?;
        match self.charge_ip_in(&mut tx, client, false).await? {
            Quota::Counted(_) => Ok(tx.commit().await?),
            Quota::UsedUpUntil(at) => {
                tx.rollback().await;
                Err(Wait::until(at, now).into())
            }
        }
    }

    /// Counts a change by a signed-in user, independent of the client IP.
    pub(in crate::auth) async fn charge_change(&self, session: &Session) -> Result<(), Limited> {
        let most = self.config.throttle.attempts_by_ip;
        let bucket = Bucket::Changes(session.user.id, session.id);
        self.charge(&bucket, FixedWindow { most, per: MINUTE }).await
    }

    /// Whether to record a successful sign-in, a sign-out or a name change. These have no other limit, and would
    /// fill `events` or push out other events of the account.
    pub(in crate::auth) async fn may_record(
        &self,
        tx: &mut Tx,
        user: UserId,
        client: &Client,
    ) -> Result<bool, Error> {
        let key = self.throttle_key.key(&Bucket::Records(user, client.ip_site()));
        let window = FixedWindow { most: RECORDED_A_DAY, per: DAY };
        self.note_new_rows(1);
        Ok(tx.charge_window(key, window, self.clock.now()).await?.is_counted())
    }

    /// Whether to record an attempt that cost no hash.
    pub(in crate::auth) async fn may_record_invalid(&self, client: &Client) -> Result<bool, Error> {
        let key = self.throttle_key.key(&Bucket::Invalid(client.ip_site()));
        let window = FixedWindow { most: RECORDED_A_DAY, per: DAY };
        let mut tx = self.store.begin().await?;
        let room = tx.charge_window(key, window, self.clock.now()).await?;
        tx.commit().await?;
        Ok(room.is_counted())
    }

    /// Counts rows that strangers may have added. At about a tenth of the maximum, the sweep runs early.
    fn note_new_rows(&self, rows: i64) {
        if self.new_rows.fetch_add(rows, Ordering::Relaxed) + rows
            > self.config.throttle.max_rows / 10
        {
            self.new_rows.store(0, Ordering::Relaxed);
            self.sweep_is_due.notify_one();
        }
    }

    /// Counts a password change.
    pub(in crate::auth) async fn charge_password_change(
        &self,
        user: UserId,
    ) -> Result<(), Limited> {
        let most = self.config.throttle.password_changes;
        self.charge(&Bucket::PasswordChanges(user), FixedWindow { most, per: HOUR }).await
    }

    /// Counts a notice of a new device.
    pub(in crate::auth) async fn charge_new_device(
        &self,
        tx: &mut Tx,
        user: UserId,
    ) -> Result<Quota, Error> {
        let key = self.throttle_key.key(&Bucket::NewDevices(user));
        let window = FixedWindow { most: NEW_DEVICES_A_DAY, per: DAY };
        Ok(tx.charge_window(key, window, self.clock.now()).await?.for_good())
    }

    /// Counts an attempt to set a password with a link: its strength check costs as much as many pages.
    pub(in crate::auth) async fn charge_link_attempt(
        &self,
        token: &LinkToken,
    ) -> Result<(), Limited> {
        let most = self.config.throttle.attempts_by_ip;
        self.charge(&Bucket::Link(token), FixedWindow { most, per: MINUTE }).await
    }

    /// Counts a guess at the password of a sign-up, by somebody who has its link.
    pub(in crate::auth) async fn charge_link_guess(
        &self,
        token: &LinkToken,
    ) -> Result<(), Limited> {
        let most = self.config.throttle.free_attempts;
        self.charge(&Bucket::LinkGuesses(token), FixedWindow { most, per: HOUR }).await
    }

    async fn charge(&self, bucket: &Bucket<'_>, rule: FixedWindow) -> Result<(), Limited> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let room = tx.charge_window(self.throttle_key.key(bucket), rule, now).await?;
        tx.commit().await?;
        match room {
            Quota::Counted(_) => Ok(()),
            Quota::UsedUpUntil(at) => Err(Wait::until(at, now).into()),
        }
    }

    /// Ends an account's wait: its owner has just proved access to the mailbox.
    pub(in crate::auth) async fn forget_attempts(
        &self,
        tx: &mut Tx,
        email: &Email,
    ) -> Result<(), Error> {
        let key = self.throttle_key.key(&Bucket::Account(email));
        self.closed_buckets.open(key);
        tx.delete_bucket(key).await?;
        // All links are void, so that another one may be requested.
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
