//! What is counted, under which key, and by which rule.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::auth::{Client, Email, LinkToken, UserId};
use crate::clock::millis;
use crate::mail::Message;

/// What is counted. The database sees an HMAC of it: who steals a copy learns nobody's address.
pub(in crate::auth) enum Bucket<'a> {
    /// Tries to open an account, by strangers.
    Account(&'a Email),
    /// Tries to open an account by a browser that has opened it before.
    KnownDevice(uuid::Uuid),
    /// Tries of whatever kind from one network, in a minute.
    IpPrefix(&'a Client),
    /// The same of all networks of an IPv6 site.
    Site(IpAddr),
    /// Tries of a site that cost a hash, in a day.
    SiteDay(&'a Client),
    /// What one account changes of itself, in a minute.
    Changes(UserId),
    /// What one account does from one site that is noted, in a day.
    Records(UserId, Option<IpAddr>),
    /// Tries of one site that cost no hash and are noted, in a day.
    Invalid(Option<IpAddr>),
    /// Changes of the password of one account.
    PasswordChanges(UserId),
    /// Tries to set a password with one link.
    Link(&'a LinkToken),
    /// Messages of one kind to one address.
    Messages(Message, &'a Email),
    /// Messages that one site causes.
    MessagesOf(&'a Client),
    /// Messages to addresses with `+` that lead to one mailbox.
    Mailbox(&'a str),
    /// Links for accounts of a mailbox that has had as many messages as it may, by the site that asks for them.
    MailboxLinks(&'a str, &'a Client),
    /// The same, whoever asks.
    AllMailboxLinks(&'a str),
    /// Messages to new accounts of one site.
    SignUpsOf(Option<IpAddr>),
    /// Messages with a link to set a password that one site asks for.
    ResetsOf(Option<IpAddr>),
    /// Messages in the outbox that one site has caused.
    OutboxOf(IpAddr),
    /// Messages under way to one domain.
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
pub(crate) struct ThrottleKey([u8; 32]);

impl ThrottleKey {
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
            Bucket::KnownDevice(id) => format!("device {id}"),
            Bucket::IpPrefix(client) => format!("network {}", of(client.ip_prefix())),
            Bucket::Site(site) => format!("site {site}"),
            Bucket::SiteDay(client) => format!("site day {}", of(client.site())),
            Bucket::Changes(user) => format!("acts {user}"),
            Bucket::Records(user, site) => format!("visits {user} {}", of(*site)),
            Bucket::Invalid(site) => format!("junk {}", of(*site)),
            Bucket::PasswordChanges(user) => format!("password changes {user}"),
            Bucket::Link(token) => format!("link {:?}", token.digest().to_vec()),
            Bucket::Messages(message, email) => {
                format!("messages {} {}", message.as_str(), email.key())
            }
            Bucket::MessagesOf(client) => format!("messages of {}", of(client.site())),
            Bucket::Mailbox(mailbox) => format!("mailbox {mailbox}"),
            Bucket::MailboxLinks(mailbox, client) => {
                format!("mailbox links {mailbox} {}", of(client.site()))
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

/// A backoff wait: none for the first tries, then doubling.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Backoff {
    pub(in crate::auth) free: i64,
    pub(in crate::auth) first: Duration,
    pub(in crate::auth) longest: Duration,
    pub(in crate::auth) forget_after: Duration,
}

/// So many in a window of time.
#[derive(Clone, Copy)]
pub(in crate::auth) struct FixedWindow {
    pub(in crate::auth) most: i64,
    pub(in crate::auth) per: Duration,
}

/// An even rate: so many at once, and then one after the other, so many in a length of time.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Rate {
    pub(in crate::auth) most: i64,
    pub(in crate::auth) per: Duration,
}

impl Rate {
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
    pub(in crate::auth) attempts: i64,
}
