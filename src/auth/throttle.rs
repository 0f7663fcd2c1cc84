//! How often something may be tried. The counts are in the database, so that all nodes share them and
//! a restart forgets nothing; one SQL statement counts and decides, so that many tries at once count
//! as many.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::hasher::Lane;
use super::outbox::Letter;
use super::store::{Credentials, Tx};
use super::{Auth, Client, Email, ResetToken, UserId};
use crate::Error;
use crate::clock::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);

/// Not now: why, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It has been tried too often.
    TooManyTries(Duration),
    /// Too many people want their passwords hashed at the same time.
    Crowd(Duration),
}

impl Wait {
    pub(in crate::auth) fn until(at: Timestamp, now: Timestamp) -> Self {
        Self::TooManyTries(at.since(now))
    }

    /// The wait, if there is nothing worse than a crowd.
    pub(in crate::auth) fn in_crowd(error: &Error) -> Option<Self> {
        error.busy_for().map(Self::Crowd)
    }

    /// Whole seconds, at least one.
    pub(crate) fn seconds(self) -> u64 {
        let (Self::TooManyTries(time) | Self::Crowd(time)) = self;
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
            Self::Crowd(_) => write!(
                f,
                "Very many people are logging in just now. Wait {n} {unit}{s} and try again."
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
    /// Tries of whatever kind from one network.
    Network(&'a Client),
    /// Changes of the password of one account.
    PasswordChanges(UserId),
    /// Tries to set a password with one link.
    Link(&'a ResetToken),
    /// Letters of one kind to one address.
    Letters(Letter, &'a Email),
    /// Letters that one network causes.
    LettersOf(&'a Client),
}

/// The key under which a bucket stands in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) struct BucketKey([u8; 32]);

impl BucketKey {
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

    fn key(&self, bucket: &Bucket<'_>) -> BucketKey {
        let text = match bucket {
            Bucket::Account(email) => format!("account {}", email.key()),
            Bucket::Device(id) => format!("device {id}"),
            Bucket::Network(client) => format!("network {}", client.network()),
            Bucket::PasswordChanges(user) => format!("password changes {user}"),
            Bucket::Link(token) => format!("link {:?}", token.digest().to_vec()),
            Bucket::Letters(letter, email) => {
                format!("letters {} {}", letter.as_str(), email.key())
            }
            Bucket::LettersOf(client) => format!("letters of {}", client.network()),
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

/// A try in a bucket: which one it was there.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Count {
    pub(in crate::auth) key: BucketKey,
    pub(in crate::auth) tries: i64,
}

/// The kind of what a try was counted in.
enum Counted {
    /// By a browser that is known: in its own bucket alone.
    AsKnown(UserId, Count),
    /// In the network's bucket, if that is limited, and in the account's, if an address could be read.
    /// They are always touched in this order: on PostgreSQL two tries that take them in different order
    /// would wait for each other.
    AsStranger { network: Option<Count>, account: Option<Count> },
}

/// A try that was let in and counted. Say how it ended.
pub(in crate::auth) struct Try(Counted);

impl Try {
    /// Where its hash waits.
    pub(in crate::auth) fn lane(&self, client: &Client) -> Lane {
        match self.0 {
            Counted::AsKnown(user, _) => Lane::known(user, client),
            Counted::AsStranger { .. } => Lane::Strangers,
        }
    }
}

impl Auth {
    /// Counts a try to open an account before anything is hashed. `found` is the account, if there is
    /// one; the answer does not depend on it, but for browsers that opened it before.
    pub(in crate::auth) async fn count_try(
        &self,
        email: Option<&Email>,
        found: Option<&Credentials>,
        client: &Client,
    ) -> Result<Result<Try, Wait>, Error> {
        let (now, limits) = (self.clock.now(), &self.config.throttle);
        let mut tx = self.store.begin().await?;
        let device = found.and_then(|found| found.device_of(client));
        if let Some(device) = device {
            let key = self.pepper.key(&Bucket::Device(device.id));
            let window = Window { most: limits.free_tries, per: limits.forget_after.get() };
            if let Ok(count) = tx.insert_in_window(key, window, now).await? {
                tx.commit().await?;
                return Ok(Ok(Try(Counted::AsKnown(device.user, count))));
            }
        }
        let (mut network, mut account) = (None, None);
        if let Some(key) = self.network_key(client) {
            match tx.insert_in_window(key, self.network_window(), now).await? {
                Ok(count) => network = Some(count),
                Err(at) => return Ok(Err(Wait::until(at, now))),
            }
        }
        if let Some(email) = email {
            let key = self.pepper.key(&Bucket::Account(email));
            match tx.insert_growing(key, self.growing(), now).await? {
                Ok(count) => account = Some(count),
                Err(at) => return Ok(Err(Wait::until(at, now))),
            }
        }
        tx.commit().await?;
        Ok(Ok(Try(Counted::AsStranger { network, account })))
    }

    /// The try opened the account: its own bucket is emptied, and it was no failure of its network.
    pub(in crate::auth) async fn try_succeeded(&self, tried: Try) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        match tried.0 {
            Counted::AsKnown(_, count) => tx.delete_bucket(count.key).await?,
            Counted::AsStranger { network, account } => {
                if let Some(count) = network {
                    tx.update_uncounted(count).await?;
                }
                if let Some(count) = account {
                    tx.delete_bucket(count.key).await?;
                }
            }
        }
        tx.commit().await
    }

    /// The try was never carried out: it tells nobody anything, and counts for nothing.
    pub(in crate::auth) async fn try_dropped(&self, tried: Try) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        let counts = match tried.0 {
            Counted::AsKnown(_, count) => [Some(count), None],
            Counted::AsStranger { network, account } => [network, account],
        };
        for count in counts.into_iter().flatten() {
            tx.update_uncounted(count).await?;
        }
        tx.commit().await
    }

    /// Counts something that a network may do so often a minute: sign-ups, requests for a letter.
    pub(in crate::auth) async fn count_network(
        &self,
        client: &Client,
    ) -> Result<Result<(), Wait>, Error> {
        if client.is_shared {
            return Ok(Ok(()));
        }
        self.count(&Bucket::Network(client), self.network_window()).await
    }

    /// Counts a change of a password.
    pub(in crate::auth) async fn count_password_change(
        &self,
        user: UserId,
    ) -> Result<Result<(), Wait>, Error> {
        let most = self.config.throttle.password_changes;
        self.count(&Bucket::PasswordChanges(user), Window { most, per: HOUR }).await
    }

    /// Counts a try to set a password with a link: looking at how strong it is costs as much as a page
    /// costs, many times over.
    pub(in crate::auth) async fn count_link_try(
        &self,
        token: &ResetToken,
    ) -> Result<Result<(), Wait>, Error> {
        let most = self.config.throttle.tries_by_client;
        self.count(&Bucket::Link(token), Window { most, per: MINUTE }).await
    }

    async fn count(&self, bucket: &Bucket<'_>, rule: Window) -> Result<Result<(), Wait>, Error> {
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let counted = tx.insert_in_window(self.pepper.key(bucket), rule, now).await?;
        tx.commit().await?;
        Ok(counted.map(|_| ()).map_err(|at| Wait::until(at, now)))
    }

    /// Counts a letter that a stranger can ask for; when it may leave if there have been too many.
    pub(in crate::auth) async fn count_letter(
        &self,
        tx: &mut Tx,
        letter: Letter,
        email: &Email,
        client: &Client,
    ) -> Result<Result<(), Timestamp>, Error> {
        let (now, limits) = (self.clock.now(), &self.config.throttle);
        // The client first: one that has had its share must not use up somebody else's.
        if !client.is_shared {
            let of_one = self.pepper.key(&Bucket::LettersOf(client));
            let window = Window { most: limits.letters_by_client, per: HOUR };
            if let Err(at) = tx.insert_in_window(of_one, window, now).await? {
                return Ok(Err(at));
            }
        }
        let to_one = self.pepper.key(&Bucket::Letters(letter, email));
        let window = Window { most: limits.letters_to_address, per: HOUR };
        Ok(tx.insert_in_window(to_one, window, now).await?.map(|_| ()))
    }

    /// Ends an account's wait: its owner has just read the mail.
    pub(in crate::auth) async fn forget_tries(
        &self,
        tx: &mut Tx,
        email: &Email,
    ) -> Result<(), Error> {
        tx.delete_bucket(self.pepper.key(&Bucket::Account(email))).await
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

    fn network_key(&self, client: &Client) -> Option<BucketKey> {
        (!client.is_shared).then(|| self.pepper.key(&Bucket::Network(client)))
    }

    fn network_window(&self) -> Window {
        Window { most: self.config.throttle.tries_by_client, per: MINUTE }
    }
}
