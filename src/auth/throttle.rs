//! How often something may be tried. The counts are in the database, so that all nodes share them and
//! a restart forgets nothing; one SQL statement counts and decides, so that many tries at once count
//! as many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::hasher::Turn;
use super::outbox::Letter;
use super::store::{Credentials, FURTHEST, OutboxRow, Place, Room, Tx};
use super::{Auth, Client, Email, Limited, ResetToken, UserId};
use crate::Error;
use crate::clock::{Timestamp, millis};

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

/// How many customers an IPv6 site is taken for where letters are counted.
const CUSTOMERS_OF_A_SITE: i64 = 3;

/// For how many customers the site of this address is taken where letters are counted: by site, since its owner
/// could pass for 65,536 networks.
fn customers(address: IpAddr) -> i64 {
    if address.is_ipv6() { CUSTOMERS_OF_A_SITE } else { 1 }
}

/// How many times as many letters a mailbox gets by all its addresses as one address does.
const OF_A_MAILBOX: i64 = 3;

/// And for how many sites' links it has room: many addresses must not bomb it.
const SITES_OF_A_MAILBOX: i64 = 3;

/// Most letters that may wait. With a mail server that is gone, strangers could let it grow for days.
pub(in crate::auth) const MOST_LETTERS: i64 = 40_000;

/// Most of them that one site may have caused.
const MOST_OF_A_SITE: i64 = MOST_LETTERS / 10;

/// Not now: why, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It has been tried too often.
    TooManyTries(Duration),
    /// So many people have signed up from one network that their letters have to wait.
    SignUps(Duration),
    /// Too many people want their passwords hashed at the same time.
    Crowd(Duration),
    /// So many letters wait to leave that no more are taken.
    Outbox(Duration),
    /// Likewise, of those that one site has caused.
    Letters(Duration),
}

impl Wait {
    pub(in crate::auth) fn until(at: Timestamp, now: Timestamp) -> Self {
        Self::TooManyTries(at.since(now))
    }

    /// Whole seconds, at least one.
    pub(crate) fn seconds(self) -> u64 {
        let (Self::TooManyTries(time)
        | Self::SignUps(time)
        | Self::Crowd(time)
        | Self::Outbox(time)
        | Self::Letters(time)) = self;
        time.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, unit) = match self.seconds() {
            seconds @ ..90 => (seconds, "second"),
            seconds => (seconds.div_ceil(60), "minute"),
        };
        let s = if n == 1 { "" } else { "s" };
        match self {
            Self::TooManyTries(_) => write!(f, "Too many tries. Wait {n} {unit}{s} and try again."),
            Self::SignUps(_) => write!(
                f,
                "Many people have just signed up from your network. Wait {n} {unit}{s} and try again."
            ),
            Self::Crowd(_) => write!(
                f,
                "Very many people are logging in just now. Wait {n} {unit}{s} and try again."
            ),
            Self::Outbox(_) => write!(
                f,
                "Too many e-mails are waiting to be sent just now. Wait {n} {unit}{s} and try again."
            ),
            Self::Letters(_) => write!(
                f,
                "Too many e-mails that your network asked for are waiting to be sent. Wait {n} {unit}{s} \
                 and try again."
            ),
        }
    }
}

/// What is counted. The database sees an HMAC of it: who steals a copy learns nobody's address.
pub(in crate::auth) enum Bucket<'a> {
    /// Tries to open an account, by strangers.
    Account(&'a Email),
    /// Tries to open an account by a browser that has opened it before.
    Device(uuid::Uuid),
    /// Tries of whatever kind from one network, in a minute.
    Network(&'a Client),
    /// The same of all networks of an IPv6 site.
    Site(IpAddr),
    /// Tries of a site that cost a hash, in a day.
    SiteDay(&'a Client),
    /// What one account changes of itself, in a minute.
    Acts(UserId),
    /// What one account does from one site that is noted, in a day.
    Visits(UserId, Option<IpAddr>),
    /// Tries of one site that cost no hash and are noted, in a day.
    Junk(Option<IpAddr>),
    /// Changes of the password of one account.
    PasswordChanges(UserId),
    /// Tries to set a password with one link.
    Link(&'a ResetToken),
    /// Letters of one kind to one address.
    Letters(Letter, &'a Email),
    /// Letters that one site causes.
    LettersOf(&'a Client),
    /// Letters to addresses with `+` that lead to one mailbox.
    Mailbox(&'a str),
    /// Links for accounts of a mailbox that has had as many letters as it may, by the site that asks for them.
    MailboxLinks(&'a str, &'a Client),
    /// The same, whoever asks.
    AllMailboxLinks(&'a str),
    /// Letters to new accounts of one site.
    SignUpsOf(Option<IpAddr>),
    /// Letters with a link to set a password that one site asks for.
    ResetsOf(Option<IpAddr>),
    /// Letters in the outbox that one site has caused.
    OutboxOf(IpAddr),
    /// Letters under way to one domain.
    MailDomain(&'a str),
}

/// The key under which a bucket stands in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::auth) struct BucketKey([u8; 32]);

impl BucketKey {
    fn from_row(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(in crate::auth) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// What turns buckets into keys; the same on every node.
#[derive(Clone)]
pub(crate) struct Pepper([u8; 32]);

impl Pepper {
    /// Derives it from the secret key of the service.
    pub(crate) fn new(secret_key: &str) -> Self {
        Self(mac(secret_key.as_bytes(), "vestibule throttle"))
    }

    /// By which nodes see whether they have the same key, and which tells nothing of it.
    pub(in crate::auth) fn fingerprint(&self) -> [u8; 32] {
        mac(&self.0, "fingerprint")
    }

    fn key(&self, bucket: &Bucket<'_>) -> BucketKey {
        // All who come by a proxy that nobody named share one.
        let of =
            |network: Option<IpAddr>| network.map_or_else(|| "all".into(), |ip| ip.to_string());
        let text = match bucket {
            Bucket::Account(email) => format!("account {}", email.key()),
            Bucket::Device(id) => format!("device {id}"),
            Bucket::Network(client) => format!("network {}", of(client.own_network())),
            Bucket::Site(site) => format!("site {site}"),
            Bucket::SiteDay(client) => format!("site day {}", of(client.own_site())),
            Bucket::Acts(user) => format!("acts {user}"),
            Bucket::Visits(user, site) => format!("visits {user} {}", of(*site)),
            Bucket::Junk(site) => format!("junk {}", of(*site)),
            Bucket::PasswordChanges(user) => format!("password changes {user}"),
            Bucket::Link(token) => format!("link {:?}", token.digest().to_vec()),
            Bucket::Letters(letter, email) => {
                format!("letters {} {}", letter.as_str(), email.key())
            }
            Bucket::LettersOf(client) => format!("letters of {}", of(client.own_site())),
            Bucket::Mailbox(mailbox) => format!("mailbox {mailbox}"),
            Bucket::MailboxLinks(mailbox, client) => {
                format!("mailbox links {mailbox} {}", of(client.own_site()))
            }
            Bucket::AllMailboxLinks(mailbox) => format!("all mailbox links {mailbox}"),
            Bucket::SignUpsOf(network) => format!("sign-ups of {}", of(*network)),
            Bucket::ResetsOf(site) => format!("resets of {}", of(*site)),
            Bucket::OutboxOf(site) => format!("outbox of {site}"),
            Bucket::MailDomain(domain) => format!("mail domain {domain}"),
        };
        BucketKey(mac(&self.0, &text))
    }
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A growing wait: none for the first tries, then doubling.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Growing {
    pub(in crate::auth) free: i64,
    pub(in crate::auth) first: Duration,
    pub(in crate::auth) longest: Duration,
    pub(in crate::auth) forget_after: Duration,
}

/// So many in a window of time.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Window {
    pub(in crate::auth) most: i64,
    pub(in crate::auth) per: Duration,
}

/// An even pace: so many at once, and then one after the other, so many in a length of time.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Pace {
    pub(in crate::auth) most: i64,
    pub(in crate::auth) per: Duration,
}

impl Pace {
    /// The time between two, in milliseconds.
    pub(in crate::auth) fn each(self) -> i64 {
        (millis(self.per) / self.most.max(1)).max(1)
    }

    /// The time between two.
    pub(in crate::auth) fn interval(self) -> Duration {
        Duration::from_millis(self.each().unsigned_abs())
    }
}

/// A try in a bucket: which one it was there.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Count {
    pub(in crate::auth) key: BucketKey,
    pub(in crate::auth) tries: i64,
}

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

/// The buckets that were full a moment ago: whoever goes on asking is answered without the database. For a second:
/// tries that turn out right are taken back, and let others in.
#[derive(Default)]
pub(in crate::auth) struct ClosedBuckets(Mutex<HashMap<BucketKey, Closure>>);

#[derive(Clone, Copy)]
struct Closure {
    noted_at: Timestamp,
    until: Timestamp,
}

impl ClosedBuckets {
    /// Most of them that are remembered; the others ask the database.
    const MOST: usize = 10_000;
    /// For how long.
    const FOR: Duration = Duration::from_secs(1);

    fn until(&self, key: BucketKey, now: Timestamp) -> Option<Timestamp> {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Closure { noted_at, until } = *closed.get(&key)?;
        // A clock that was set back makes it old, too.
        if noted_at <= now && now.since(noted_at) < Self::FOR && until > now {
            return Some(until);
        }
        closed.remove(&key);
        None
    }

    fn close(&self, key: BucketKey, until: Timestamp, noted_at: Timestamp) {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.len() >= Self::MOST {
            closed.clear();
        }
        closed.insert(key, Closure { noted_at, until });
    }

    fn open(&self, key: BucketKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
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

    /// Whether one more may sign up from this network: not when so many letters to new accounts wait that
    /// one more would not leave within an hour.
    pub(in crate::auth) async fn check_backlog(&self, client: &Client) -> Result<(), Limited> {
        // Half of the room is for letters that somebody waits for.
        if self.letters_waiting.load(Ordering::Relaxed) >= MOST_LETTERS / 2 {
            return Err(Wait::Outbox(MINUTE).into());
        }
        self.check_room_of(client).await?;
        let (key, pace) = (self.sign_up_key(client), self.sign_up_pace(client.allowance));
        let waiting = self.store.count_uncounted(key, pace.most).await?;
        if waiting >= pace.most { Err(Wait::SignUps(pace.interval()).into()) } else { Ok(()) }
    }

    /// Whether one more link may be asked for from this network: not when so many wait that it would be out of
    /// patience before its own leaves.
    pub(in crate::auth) async fn check_resets(&self, client: &Client) -> Result<(), Limited> {
        if self.letters_waiting.load(Ordering::Relaxed) >= MOST_LETTERS {
            return Err(Wait::Outbox(MINUTE).into());
        }
        self.check_room_of(client).await?;
        let pace = self.reset_pace(client.address, client.allowance);
        // As many leave at once as may wait.
        let most = pace.most.saturating_mul(2);
        let waiting = self.store.count_uncounted(self.reset_key(client), most).await?;
        if waiting >= most { Err(Wait::Letters(pace.interval()).into()) } else { Ok(()) }
    }

    /// Whether there is room for one more letter.
    pub(in crate::auth) async fn has_outbox_room(&self, client: &Client) -> Result<bool, Error> {
        let is_full = self.letters_waiting.load(Ordering::Relaxed) >= MOST_LETTERS;
        Ok(!is_full && self.has_room_of_site(client).await?)
    }

    /// Whether a site has not yet filled its part of the outbox: nobody else is to be refused for it.
    async fn has_room_of_site(&self, client: &Client) -> Result<bool, Error> {
        let Some(key) = self.outbox_key(client) else { return Ok(true) };
        let most = MOST_OF_A_SITE.saturating_mul(client.allowance);
        Ok(self.store.count_letters_of(key, most).await? < most)
    }

    async fn check_room_of(&self, client: &Client) -> Result<(), Limited> {
        if self.has_room_of_site(client).await? {
            Ok(())
        } else {
            Err(Wait::Letters(MINUTE).into())
        }
    }

    /// The key under which letters in the outbox stand that this client's site has caused.
    pub(in crate::auth) fn outbox_key(&self, client: &Client) -> Option<Vec<u8>> {
        client.own_site().map(|site| self.pepper.key(&Bucket::OutboxOf(site)).to_vec())
    }

    /// The key under which letters stand to the domain of this address: whoever owns one makes any number below
    /// it.
    pub(in crate::auth) fn domain_key(&self, email: &Email) -> Vec<u8> {
        self.pepper.key(&Bucket::MailDomain(email.registered_domain())).to_vec()
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

    /// The key under which letters to new accounts of this client's network are counted.
    pub(in crate::auth) fn sign_up_key(&self, client: &Client) -> Vec<u8> {
        self.pepper.key(&Bucket::SignUpsOf(client.own_site())).to_vec()
    }

    /// Counts the letter to a new account as it is about to leave; when it may if it is not its turn yet.
    pub(in crate::auth) async fn count_sign_up(
        &self,
        tx: &mut Tx,
        user: UserId,
        key: &[u8],
        letter: &OutboxRow,
    ) -> Result<Room, Error> {
        let Some(key) = BucketKey::from_row(key) else { return Ok(Room::Counted(())) };
        let shared = self.pepper.key(&Bucket::SignUpsOf(None));
        let pace = self.sign_up_pace(self.config.allowance(letter.sent_from(), shared == key));
        let room = self.count_at_pace(tx, key, pace, letter).await?;
        if room.is_counted() {
            let taken = Place { key: key.to_vec(), millis: pace.each() };
            tx.update_sign_up_place(user, taken).await?;
        }
        Ok(room)
    }

    /// The key under which links that this client's site asks for are counted.
    pub(in crate::auth) fn reset_key(&self, client: &Client) -> Vec<u8> {
        self.pepper.key(&Bucket::ResetsOf(client.own_site())).to_vec()
    }

    /// Counts the letter with a link to set a password, as it is about to leave or to be dropped since nobody
    /// has the address: alike, or the pace of one's own letters would tell who has an account.
    pub(in crate::auth) async fn count_reset(
        &self,
        tx: &mut Tx,
        key: &[u8],
        letter: &OutboxRow,
    ) -> Result<Room, Error> {
        let Some(key) = BucketKey::from_row(key) else { return Ok(Room::Counted(())) };
        let shared = self.pepper.key(&Bucket::ResetsOf(None));
        let address = letter.sent_from();
        let pace = self.reset_pace(address, self.config.allowance(address, shared == key));
        self.count_at_pace(tx, key, pace, letter).await
    }

    async fn count_at_pace(
        &self,
        tx: &mut Tx,
        key: BucketKey,
        pace: Pace,
        letter: &OutboxRow,
    ) -> Result<Room, Error> {
        let now = self.clock.now();
        let Room::FullUntil(next) = tx.insert_at_pace(key, pace, now).await? else {
            return Ok(Room::Counted(()));
        };
        // One after the other: if all came due with the next place, each would be put off many times.
        let before = tx.count_uncounted_before(key.to_vec(), letter).await?;
        let until = next + pace.interval().saturating_mul(before);
        Ok(Room::FullUntil(until.min(now + FURTHEST)))
    }

    /// Somebody who signed up has shown that the address is theirs: it counts no more, and the next one
    /// who waits need not. A class behind one address gets its letters as quickly as it opens them; whoever
    /// signs up with strangers' addresses does not.
    pub(in crate::auth) async fn return_sign_up(
        &self,
        tx: &mut Tx,
        user: UserId,
    ) -> Result<(), Error> {
        if let Some(place) = tx.take_sign_up_place(user, self.clock.now() - HOUR).await? {
            tx.update_returned(&place).await?;
            tx.update_next_due(place.key, self.clock.now()).await?;
        }
        Ok(())
    }

    fn sign_up_pace(&self, allowance: i64) -> Pace {
        let most = self.config.throttle.signups_by_client.saturating_mul(allowance);
        Pace { most, per: HOUR }
    }

    fn reset_pace(&self, address: IpAddr, allowance: i64) -> Pace {
        let most = self.config.throttle.letters_by_client.saturating_mul(allowance);
        Pace { most: most.saturating_mul(customers(address)), per: HOUR }
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

    /// Counts a letter to an address that nobody has proven, at one of the many that a mailbox may have.
    pub(in crate::auth) async fn count_mailbox(
        &self,
        tx: &mut Tx,
        email: &Email,
        allowance: i64,
    ) -> Result<Room, Error> {
        let Some(mailbox) = email.shared_mailbox() else { return Ok(Room::Counted(())) };
        let key = self.pepper.key(&Bucket::Mailbox(&mailbox));
        let most = self.most_of_mailbox(allowance);
        tx.insert_at_pace(key, Pace { most, per: HOUR }, self.clock.now()).await
    }

    /// Counts a link to one of these addresses when there may be no other letter. By site: strangers elsewhere
    /// must not use up what the owner waits for.
    pub(in crate::auth) async fn count_mailbox_link(
        &self,
        tx: &mut Tx,
        email: &Email,
        asked_by: &Client,
    ) -> Result<Room, Error> {
        let Some(mailbox) = email.shared_mailbox() else { return Ok(Room::Counted(())) };
        let (now, most) = (self.clock.now(), self.most_of_mailbox(1));
        for (bucket, most) in [
            (Bucket::MailboxLinks(&mailbox, asked_by), most),
            (Bucket::AllMailboxLinks(&mailbox), most.saturating_mul(SITES_OF_A_MAILBOX)),
        ] {
            let window = Window { most, per: HOUR };
            let room = tx.insert_in_window(self.pepper.key(&bucket), window, now).await?;
            if !room.is_counted() {
                return Ok(room.for_good());
            }
        }
        Ok(Room::Counted(()))
    }

    fn most_of_mailbox(&self, allowance: i64) -> i64 {
        let most = self.config.throttle.letters_to_address.saturating_mul(OF_A_MAILBOX);
        most.saturating_mul(allowance)
    }

    /// Counts a letter of one kind to one address.
    pub(in crate::auth) async fn count_letter_to(
        &self,
        tx: &mut Tx,
        letter: Letter,
        email: &Email,
    ) -> Result<Room, Error> {
        let key = self.pepper.key(&Bucket::Letters(letter, email));
        let window = Window { most: self.config.throttle.letters_to_address, per: HOUR };
        Ok(tx.insert_in_window(key, window, self.clock.now()).await?.for_good())
    }

    /// Counts a letter that this client causes.
    pub(in crate::auth) async fn count_letter_of(
        &self,
        tx: &mut Tx,
        client: &Client,
    ) -> Result<Room, Error> {
        let most = self.config.throttle.letters_by_client.saturating_mul(client.allowance);
        let most = most.saturating_mul(customers(client.address));
        let key = self.pepper.key(&Bucket::LettersOf(client));
        let window = Window { most, per: HOUR };
        Ok(tx.insert_in_window(key, window, self.clock.now()).await?.for_good())
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
