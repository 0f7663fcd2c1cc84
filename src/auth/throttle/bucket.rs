//! What is counted, under which key, and by which rule.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::auth::outbox::Letter;
use crate::auth::{Client, Email, ResetToken, UserId};
use crate::clock::millis;

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
    pub(super) fn from_row(bytes: &[u8]) -> Option<Self> {
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

    pub(super) fn key(&self, bucket: &Bucket<'_>) -> BucketKey {
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
