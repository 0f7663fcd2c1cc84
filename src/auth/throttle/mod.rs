//! How often something may be tried. The counts are in the database, so that all nodes share them and
//! a restart forgets nothing; one SQL statement counts and decides, so that many tries at once count
//! as many.

mod bucket;
mod closed;
mod letters;
mod wait;

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bucket::Bucket;
pub(crate) use bucket::Pepper;
pub(in crate::auth) use bucket::{BucketKey, Count, Growing, Pace, Window};
pub(in crate::auth) use closed::ClosedBuckets;
pub(in crate::auth) use letters::MOST_LETTERS;
pub(crate) use wait::Wait;

use super::outbox::Letter;
use super::password::hasher::Turn;
use super::store::{Credentials, Place, Room, Tx};
use super::{Auth, Client, Email, Limited, ResetToken, UserId};
use crate::Error;
use crate::clock::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How many minutes' worth of tries a site has in a day: each leaves a row in `throttle` or `events`.
const MINUTES_A_DAY: i64 = 100;

/// How many log-ins, log-outs and new names of one account from one site are noted in a day, and how many tries that cost no
/// hash.
const NOTED_A_DAY: i64 = 100;

/// How many networks an IPv6 site is taken for, in a minute and in a day.
const NETWORKS_OF_A_SITE: i64 = 16;

/// In what a try was counted.
enum Counted {
    /// By a browser that is known: in its own bucket alone.
    AsKnown(Count),
    /// In the network's buckets, and in the account's if an address could be read. They are always touched in
    /// this order: on PostgreSQL two tries that take them in different order would wait for each other.
    AsStranger { network: CountedNetwork, account: Option<Count> },
}

/// What was counted for a network.
struct CountedNetwork {
    /// In its minute, and in that of its site if it is one of many.
    minutes: Vec<Count>,
    /// In its site's day, if something is hashed.
    day: Option<Place>,
}

/// A try that was let in and counted. Say how it ended.
pub(in crate::auth) struct Try {
    counted: Counted,
    /// When its password is hashed.
    pub(in crate::auth) turn: Turn,
}

impl CountedNetwork {
    async fn take_back(&self, tx: &mut Tx) -> Result<(), Error> {
        for count in &self.minutes {
            tx.update_uncounted(*count).await?;
        }
        match &self.day {
            Some(place) => tx.update_returned(place).await,
            None => Ok(()),
        }
    }
}

impl Auth {
    /// Counts a try to open an account before anything is hashed. A try that will not be hashed, since it can be
    /// nobody's password, gets no `email`: it would leave a row for nothing. `found` is the account, if there is
    /// one; the answer does not depend on it, but for browsers that opened it before.
    pub(in crate::auth) async fn count_try(
        &self,
        email: Option<&Email>,
        found: Option<&Credentials>,
        client: &Client,
    ) -> Result<Try, Limited> {
        let (now, limits) = (self.clock.now(), &self.config.throttle);
        let device = found.and_then(|found| found.device_of(client, now));
        if let Some(device) = device {
            // Where the turns of those who are known are taken, by others of its site, it waits among the strangers;
            // its tries are its own all the same.
            let turn = self.hasher.turn_of(device.user, client);
            let key = self.pepper.key(&Bucket::Device(device.id));
            let window = Window { most: limits.free_tries, per: limits.forget_after.get() };
            let mut tx = self.store.begin().await?;
            if let Room::Counted(count) = tx.insert_in_window(key, window, now).await? {
                tx.commit().await?;
                return Ok(Try { counted: Counted::AsKnown(count), turn });
            }
            tx.rollback().await;
        }
        if let Some(wait) = self.closed_wait(email, client) {
            return Err(wait.into());
        }
        let account = email.map(|email| self.pepper.key(&Bucket::Account(email)));
        self.hasher.look_for_room(client)?;
        let mut tx = self.store.begin().await?;
        let network = match self.insert_network(&mut tx, client, email.is_some()).await? {
            Room::Counted(network) => network,
            Room::FullUntil(at) => {
                tx.rollback().await;
                return Err(Wait::until(at, now).into());
            }
        };
        let mut counted = None;
        if let Some(key) = account {
            match tx.insert_growing(key, self.growing(), now).await? {
                Room::Counted(count) => counted = Some(count),
                Room::FullUntil(at) => {
                    tx.rollback().await;
                    self.closed_buckets.close(key, at, now);
                    return Err(Wait::until(at, now).into());
                }
            }
        }
        tx.commit().await?;
        self.note_new_rows(4);
        let account = counted;
        let turn = self.hasher.turn_of_stranger(client);
        Ok(Try { counted: Counted::AsStranger { network, account }, turn })
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
        let of_network = self.closed_network(client, email.is_some());
        let at = of_network.or_else(|| {
            self.closed_buckets.until(self.pepper.key(&Bucket::Account(email?)), now)
        })?;
        Some(Wait::until(at, now))
    }

    /// Counts in the buckets of a network; until when there may be none if one is full. Only what is hashed counts
    /// for the day: whoever has the address or the site together with others could use it up in no time.
    async fn insert_network(
        &self,
        tx: &mut Tx,
        client: &Client,
        is_hashed: bool,
    ) -> Result<Room<CountedNetwork>, Error> {
        let now = self.clock.now();
        let most = self.config.throttle.tries_by_client.saturating_mul(client.allowance);
        let most_of_site = most.saturating_mul(NETWORKS_OF_A_SITE);
        let network = (self.pepper.key(&Bucket::Network(client)), most);
        let site = self.site_key(client).map(|key| (key, most_of_site));
        let mut minutes = Vec::with_capacity(2);
        for (key, most) in [Some(network), site].into_iter().flatten() {
            match tx.insert_in_window(key, Window { most, per: MINUTE }, now).await? {
                Room::Counted(count) => minutes.push(count),
                Room::FullUntil(at) => {
                    self.closed_buckets.close(key, at, now);
                    return Ok(Room::FullUntil(at));
                }
            }
        }
        if !is_hashed {
            return Ok(Room::Counted(CountedNetwork { minutes, day: None }));
        }
        let most = if site.is_some() { most_of_site } else { most };
        // At a pace: past it neighbours wait for seconds, not for tomorrow.
        let day = Pace { most: most.saturating_mul(MINUTES_A_DAY), per: DAY };
        let key = self.pepper.key(&Bucket::SiteDay(client));
        match tx.insert_at_pace(key, day, now).await? {
            Room::Counted(()) => {
                let day = Place { key: key.to_vec(), millis: day.each() };
                Ok(Room::Counted(CountedNetwork { minutes, day: Some(day) }))
            }
            Room::FullUntil(at) => {
                self.closed_buckets.close(key, at, now);
                Ok(Room::FullUntil(at))
            }
        }
    }

    /// The key of an IPv6 site: its owner could pass for 65,536 networks.
    fn site_key(&self, client: &Client) -> Option<BucketKey> {
        let site = client.own_site().filter(IpAddr::is_ipv6)?;
        Some(self.pepper.key(&Bucket::Site(site)))
    }

    /// Until when a network may try nothing of this kind, as it was a moment ago.
    fn closed_network(&self, client: &Client, is_hashed: bool) -> Option<Timestamp> {
        let now = self.clock.now();
        let network = self.pepper.key(&Bucket::Network(client));
        let day = is_hashed.then(|| self.pepper.key(&Bucket::SiteDay(client)));
        let mut keys = [Some(network), self.site_key(client), day].into_iter().flatten();
        keys.find_map(|key| self.closed_buckets.until(key, now))
    }

    /// The try opened the account: its own bucket is emptied, and it was no failure of its network.
    pub(in crate::auth) async fn try_succeeded(&self, tried: &Try) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        match &tried.counted {
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
    pub(in crate::auth) async fn try_dropped(&self, tried: &Try) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        match &tried.counted {
            Counted::AsKnown(count) => tx.update_uncounted(*count).await?,
            Counted::AsStranger { network, account } => {
                network.take_back(&mut tx).await?;
                if let Some(count) = account {
                    tx.update_uncounted(*count).await?;
                }
            }
        }
        tx.commit().await
    }

    /// Counts something that a network may do so often: sign-ups, changes, requests for a letter. Not for the day:
    /// what is refused leaves nothing behind, and what is not has limits of its own.
    pub(in crate::auth) async fn count_network(&self, client: &Client) -> Result<(), Limited> {
        let now = self.clock.now();
        if let Some(at) = self.closed_network(client, false) {
            return Err(Wait::until(at, now).into());
        }
        let mut tx = self.store.begin().await?;
        match self.insert_network(&mut tx, client, false).await? {
            Room::Counted(_) => Ok(tx.commit().await?),
            Room::FullUntil(at) => {
                tx.rollback().await;
                Err(Wait::until(at, now).into())
            }
        }
    }

    /// Counts something that somebody may do so often who is signed in: it is no matter of the network.
    pub(in crate::auth) async fn count_act(&self, user: UserId) -> Result<(), Limited> {
        let most = self.config.throttle.tries_by_client;
        self.count(&Bucket::Acts(user), Window { most, per: MINUTE }).await
    }

    /// Whether a log-in, a log-out or a new name is to be noted: right ones count for nothing else, and would fill
    /// `events`, or push out what else happened to the account.
    pub(in crate::auth) async fn is_noted(
        &self,
        tx: &mut Tx,
        user: UserId,
        client: &Client,
    ) -> Result<bool, Error> {
        let key = self.pepper.key(&Bucket::Visits(user, client.own_site()));
        let window = Window { most: NOTED_A_DAY, per: DAY };
        self.note_new_rows(1);
        Ok(tx.insert_in_window(key, window, self.clock.now()).await?.is_counted())
    }

    /// Whether a try is to be noted that cost no hash.
    pub(in crate::auth) async fn is_junk_noted(&self, client: &Client) -> Result<bool, Error> {
        let key = self.pepper.key(&Bucket::Junk(client.own_site()));
        let window = Window { most: NOTED_A_DAY, per: DAY };
        let mut tx = self.store.begin().await?;
        let room = tx.insert_in_window(key, window, self.clock.now()).await?;
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
        self.count(&Bucket::PasswordChanges(user), Window { most, per: HOUR }).await
    }

    /// Counts a try to set a password with a link: looking at how strong it is costs as much as a page
    /// costs, many times over.
    pub(in crate::auth) async fn count_link_try(&self, token: &ResetToken) -> Result<(), Limited> {
        let most = self.config.throttle.tries_by_client;
        self.count(&Bucket::Link(token), Window { most, per: MINUTE }).await
    }

    async fn count(&self, bucket: &Bucket<'_>, rule: Window) -> Result<(), Limited> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let room = tx.insert_in_window(self.pepper.key(bucket), rule, now).await?;
        tx.commit().await?;
        match room {
            Room::Counted(_) => Ok(()),
            Room::FullUntil(at) => Err(Wait::until(at, now).into()),
        }
    }

    /// Ends an account's wait: its owner has just read the mail.
    pub(in crate::auth) async fn forget_tries(
        &self,
        tx: &mut Tx,
        email: &Email,
    ) -> Result<(), Error> {
        let key = self.pepper.key(&Bucket::Account(email));
        self.closed_buckets.open(key);
        tx.delete_bucket(key).await?;
        // All links are void: another one may be asked for.
        tx.delete_bucket(self.pepper.key(&Bucket::Letters(Letter::PasswordReset, email))).await
    }

    fn growing(&self) -> Growing {
        let limits = &self.config.throttle;
        Growing {
            free: limits.free_tries,
            first: limits.first_wait.get(),
            longest: limits.longest_wait.get(),
            forget_after: limits.forget_after.get(),
        }
    }
}
