//! Buckets, their keys, and the rules of counting.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::auth::{Client, Email, LinkToken, UserId};
use crate::clock::millis;
use crate::mail::Message;

/// What is counted. The database stores only an HMAC of it, so that a stolen copy reveals no addresses.
pub(in crate::auth) enum Bucket<'a> {
    /// Attempts to sign in to an account, by strangers.
    Account(&'a Email),
    /// Attempts to sign in by a browser that has opened the account before.
    KnownDevice(Uuid),
    /// Attempts of any kind from one IP prefix, per minute.
    IpPrefix(&'a Client),
    /// The same for all prefixes of an IPv6 site.
    Site(IpAddr),
    /// Attempts of a site that cost a hash, per day.
    SiteDay(&'a Client),
    /// Changes to an account in one session, per minute: a thief with another one must not use up the owner's.
    Changes(UserId, Uuid),
    /// Recorded events of one account from one site, per day.
    Records(UserId, Option<IpAddr>),
    /// Recorded attempts of one site that cost no hash, per day.
    Invalid(Option<IpAddr>),
    /// Password changes of one account.
    PasswordChanges(UserId),
    /// Notices of new devices of one account.
    NewDevices(UserId),
    /// Attempts to set a password with one link.
    Link(&'a LinkToken),
    /// Guesses at the password of a sign-up by its link.
    LinkGuesses(&'a LinkToken),
    /// Messages of one kind to one address.
    Messages(Message, &'a Email),
    /// Messages that one site causes.
    MessagesOf(&'a Client),
    /// Messages to all `+` addresses of one mailbox.
    Mailbox(&'a str),
    /// Links for accounts of a mailbox over its message limit, by the site that requests them.
    MailboxLinks(&'a str, &'a Client),
    /// The same, for all sites together.
    AllMailboxLinks(&'a str),
    /// Messages to new accounts created by one site.
    SignUpsOf(Option<IpAddr>),
    /// Password-reset messages requested by one site.
    ResetsOf(Option<IpAddr>),
    /// Messages in the outbox caused by one site.
    OutboxOf(IpAddr),
    /// Messages in delivery to one domain.
    MailDomain(&'a str),
}

/// The key of a bucket in the table.
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

/// The HMAC key that turns buckets into keys; the same on every node.
#[derive(Clone)]
pub(crate) struct ThrottleKey([u8; 32]);

impl ThrottleKey {
    /// Derives it from the secret key of the service.
    pub(crate) fn new(secret_key: &str) -> Self {
        Self(mac(secret_key.as_bytes(), "vestibule throttle"))
    }

    /// Lets nodes compare their keys without revealing them.
    pub(in crate::auth) fn fingerprint(&self) -> [u8; 32] {
        mac(&self.0, "fingerprint")
    }

    pub(super) fn key(&self, bucket: &Bucket<'_>) -> BucketKey {
        // All clients behind an untrusted proxy share one bucket.
        let of =
            |network: Option<IpAddr>| network.map_or_else(|| "all".into(), |ip| ip.to_string());
        // Nodes of an older version count in the same buckets, as far as these texts stay.
        let text = match bucket {
            Bucket::Account(email) => format!("account {}", email.key()),
            Bucket::KnownDevice(id) => format!("device {id}"),
            Bucket::IpPrefix(client) => format!("network {}", of(client.ip_prefix())),
            Bucket::Site(site) => format!("site {site}"),
            Bucket::SiteDay(client) => format!("site day {}", of(client.ip_site())),
            Bucket::Changes(user, session) => format!("acts {user} {session}"),
            Bucket::Records(user, site) => format!("visits {user} {}", of(*site)),
            Bucket::Invalid(site) => format!("junk {}", of(*site)),
            Bucket::PasswordChanges(user) => format!("password changes {user}"),
            Bucket::NewDevices(user) => format!("new devices {user}"),
            Bucket::Link(token) => format!("link {:?}", token.digest().to_vec()),
            Bucket::LinkGuesses(token) => format!("link guesses {:?}", token.digest().to_vec()),
            Bucket::Messages(message, email) => {
                format!("letters {} {}", message.as_str(), email.key())
            }
            Bucket::MessagesOf(client) => format!("letters of {}", of(client.ip_site())),
            Bucket::Mailbox(mailbox) => format!("mailbox {mailbox}"),
            Bucket::MailboxLinks(mailbox, client) => {
                format!("mailbox links {mailbox} {}", of(client.ip_site()))
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

/// A backoff: no wait for the first attempts, then doubling.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Backoff {
    pub(in crate::auth) free: i64,
    pub(in crate::auth) first: Duration,
    pub(in crate::auth) longest: Duration,
    pub(in crate::auth) forget_after: Duration,
}

/// A maximum number in a fixed window of time.
#[derive(Clone, Copy)]
pub(in crate::auth) struct FixedWindow {
    pub(in crate::auth) most: i64,
    pub(in crate::auth) per: Duration,
}

/// A steady rate of `most` per `per`, with a burst of `most`.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Rate {
    pub(in crate::auth) most: i64,
    pub(in crate::auth) per: Duration,
}

impl Rate {
    /// The interval between two, in milliseconds.
    pub(in crate::auth) fn each(self) -> i64 {
        (millis(self.per) / self.most.max(1)).max(1)
    }

    /// The interval between two.
    pub(in crate::auth) fn interval(self) -> Duration {
        Duration::from_millis(self.each().unsigned_abs())
    }
}

/// A counted attempt, and its number in the bucket.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Count {
    pub(in crate::auth) key: BucketKey,
    pub(in crate::auth) attempts: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise 54: nodes of two versions share all counts, or each would allow as much again.
    #[test]
    fn buckets_are_those_of_the_previous_version() {
        let throttle_key = ThrottleKey::new("a secret key");
        let email: Email = "ada@example.com".parse().unwrap();
        let client = Client::new(IpAddr::from([203, 0, 113, 7]), "");
        let (user, site) = (UserId::new(), client.ip_site());
        for (bucket, text) in [
            (Bucket::Account(&email), "account ada@example.com".to_owned()),
            (Bucket::IpPrefix(&client), "network 203.0.113.7".into()),
            (Bucket::SiteDay(&client), "site day 203.0.113.7".into()),
            (Bucket::Records(user, site), format!("visits {user} 203.0.113.7")),
            (Bucket::Invalid(None), "junk all".into()),
            (Bucket::PasswordChanges(user), format!("password changes {user}")),
            (Bucket::NewDevices(user), format!("new devices {user}")),
            (
                Bucket::Messages(Message::PasswordReset, &email),
                "letters password-reset ada@example.com".into(),
            ),
            (Bucket::MessagesOf(&client), "letters of 203.0.113.7".into()),
            (Bucket::SignUpsOf(site), "sign-ups of 203.0.113.7".into()),
            (Bucket::ResetsOf(site), "resets of 203.0.113.7".into()),
        ] {
            assert_eq!(throttle_key.key(&bucket).0, mac(&throttle_key.0, &text), "{text}");
        }
    }
}
