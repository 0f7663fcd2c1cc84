//! Limits on messages.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use super::bucket::{Bucket, BucketKey, FixedWindow, Rate};
use super::{HOUR, MINUTE, Wait};
use crate::Error;
use crate::auth::store::{Charge, FURTHEST, OutboxRow, Quota, Tx};
use crate::auth::{Auth, Client, Email, Limited, User, UserId};
use crate::mail::Message;

/// The number of customers that an IPv6 site counts as in the limits on messages.
const CUSTOMERS_OF_A_SITE: i64 = 3;

/// The number of customers that the site of this address counts as. Counted by site, since the owner of one has
/// 65,536 prefixes.
fn customers(address: IpAddr) -> i64 {
    if address.is_ipv6() { CUSTOMERS_OF_A_SITE } else { 1 }
}

/// A mailbox gets this many times the messages of one address, over all its addresses.
const OF_A_MAILBOX: i64 = 3;

/// A mailbox gets links requested by this many sites, so that many clients together cannot flood it.
const SITES_OF_A_MAILBOX: i64 = 3;

/// The maximum number of messages in the outbox. Without a mail server, strangers could otherwise fill it for days.
pub(in crate::auth) const MOST_MESSAGES: i64 = 40_000;

/// The maximum number of them caused by one site.
const MOST_OF_A_SITE: i64 = MOST_MESSAGES / 10;

impl Auth {
    /// Refuses a sign-up if so many messages to new accounts of this site are waiting that another one would not
    /// leave within an hour.
    pub(in crate::auth) async fn check_backlog(&self, client: &Client) -> Result<(), Limited> {
        // Half of the outbox is reserved for messages that somebody is waiting for.
        if self.messages_waiting.load(Ordering::Relaxed) >= MOST_MESSAGES / 2 {
            return Err(Wait::Outbox(MINUTE).into());
        }
        self.check_room_of(client).await?;
        let (key, rate) = (self.sign_up_key(client), self.sign_up_rate(client.allowance));
        let waiting = self.store.count_uncharged(key, rate.most).await?;
        if waiting >= rate.most { Err(Wait::SignUps(rate.interval()).into()) } else { Ok(()) }
    }

    /// Refuses a password-reset request if so many messages of this site are waiting that another one would leave
    /// too late.
    pub(in crate::auth) async fn check_resets(&self, client: &Client) -> Result<(), Limited> {
        if self.messages_waiting.load(Ordering::Relaxed) >= MOST_MESSAGES {
            return Err(Wait::Outbox(MINUTE).into());
        }
        self.check_room_of(client).await?;
        let rate = self.reset_rate(client.address, client.allowance);
        // As many may leave at once as may wait.
        let most = rate.most.saturating_mul(2);
        let waiting = self.store.count_uncharged(self.reset_key(client), most).await?;
        if waiting >= most { Err(Wait::Messages(rate.interval()).into()) } else { Ok(()) }
    }

    /// Whether the outbox has room for another message.
    pub(in crate::auth) async fn has_outbox_room(&self, client: &Client) -> Result<bool, Error> {
        let is_full = self.messages_waiting.load(Ordering::Relaxed) >= MOST_MESSAGES;
        Ok(!is_full && self.has_room_of_site(client).await?)
    }

    /// Whether the site is within its share of the outbox, so that others are not refused because of it.
    async fn has_room_of_site(&self, client: &Client) -> Result<bool, Error> {
        let Some(key) = self.outbox_key(client) else { return Ok(true) };
        let most = MOST_OF_A_SITE.saturating_mul(client.allowance);
        Ok(self.store.count_messages_of(key, most).await? < most)
    }

    async fn check_room_of(&self, client: &Client) -> Result<(), Limited> {
        if self.has_room_of_site(client).await? {
            Ok(())
        } else {
            Err(Wait::Messages(MINUTE).into())
        }
    }

    /// The key of the outbox messages caused by this client's site.
    pub(in crate::auth) fn outbox_key(&self, client: &Client) -> Option<Vec<u8>> {
        client.ip_site().map(|site| self.throttle_key.key(&Bucket::OutboxOf(site)).to_vec())
    }

    /// The key of messages to the domain of this address. By registered domain, since its owner can create any
    /// number of subdomains.
    pub(in crate::auth) fn domain_key(&self, email: &Email) -> Vec<u8> {
        self.throttle_key.key(&Bucket::MailDomain(email.registered_domain())).to_vec()
    }

    /// The key of messages to new accounts created by this client's site.
    pub(in crate::auth) fn sign_up_key(&self, client: &Client) -> Vec<u8> {
        self.throttle_key.key(&Bucket::SignUpsOf(client.ip_site())).to_vec()
    }

    /// Counts a message of a sign-up when it is about to leave. If it must wait, returns until when.
    pub(in crate::auth) async fn charge_sign_up(
        &self,
        tx: &mut Tx,
        user: Option<UserId>,
        key: &[u8],
        message: &OutboxRow,
    ) -> Result<Quota, Error> {
        let Some(key) = BucketKey::from_row(key) else { return Ok(Quota::Counted(())) };
        let shared = self.throttle_key.key(&Bucket::SignUpsOf(None));
        let rate = self.sign_up_rate(self.config.allowance(message.sent_from(), shared == key));
        let room = self.charge_message_rate(tx, key, rate, message).await?;
        if let Some(user) = user.filter(|_| room.is_counted()) {
            let taken = Charge { key: key.to_vec(), millis: rate.each() };
            tx.update_sign_up_charge(user, taken).await?;
        }
        Ok(room)
    }

    /// What a message of a sign-up that is to be confirmed will be charged.
    pub(in crate::auth) fn sign_up_charge(&self, client: &Client) -> Charge {
        let millis = self.sign_up_rate(client.allowance).each();
        Charge { key: self.sign_up_key(client), millis }
    }

    /// The key of links requested by this client's site.
    pub(in crate::auth) fn reset_key(&self, client: &Client) -> Vec<u8> {
        self.throttle_key.key(&Bucket::ResetsOf(client.ip_site())).to_vec()
    }

    /// Counts a password-reset message when it is about to leave, or to be dropped because the address has no
    /// account. Both count equally, or the rate of an attacker's own messages would reveal who has an account.
    pub(in crate::auth) async fn charge_reset(
        &self,
        tx: &mut Tx,
        key: &[u8],
        message: &OutboxRow,
    ) -> Result<Quota, Error> {
        let Some(key) = BucketKey::from_row(key) else { return Ok(Quota::Counted(())) };
        let shared = self.throttle_key.key(&Bucket::ResetsOf(None));
        let address = message.sent_from();
        let rate = self.reset_rate(address, self.config.allowance(address, shared == key));
        self.charge_message_rate(tx, key, rate, message).await
    }

    async fn charge_message_rate(
        &self,
        tx: &mut Tx,
        key: BucketKey,
        rate: Rate,
        message: &OutboxRow,
    ) -> Result<Quota, Error> {
        let now = self.clock.now();
        let Quota::UsedUpUntil(next) = tx.charge_rate(key, rate, now).await? else {
            return Ok(Quota::Counted(()));
        };
        // Spread them out: if all became due with the next charge, each would be put off many times.
        let before = tx.count_uncharged_before(key.to_vec(), message).await?;
        let until = next + rate.interval().saturating_mul(before);
        Ok(Quota::UsedUpUntil(until.min(now + FURTHEST)))
    }

    /// Refunds the message to a new account whose owner has verified the address, and lets the next one leave. A
    /// class behind one address gets its messages as quickly as it opens them; an attacker who signs up with
    /// strangers' addresses does not.
    pub(in crate::auth) async fn return_sign_up(
        &self,
        tx: &mut Tx,
        user: UserId,
    ) -> Result<(), Error> {
        if let Some(charge) = tx.take_sign_up_charge(user, self.clock.now() - HOUR).await? {
            tx.refund(&charge).await?;
            tx.update_next_due(charge.key, self.clock.now()).await?;
        }
        Ok(())
    }

    fn sign_up_rate(&self, allowance: i64) -> Rate {
        let most = self.config.throttle.signups_by_ip.saturating_mul(allowance);
        Rate { most, per: HOUR }
    }

    fn reset_rate(&self, address: IpAddr, allowance: i64) -> Rate {
        let most = self.config.throttle.emails_by_ip.saturating_mul(allowance);
        Rate { most: most.saturating_mul(customers(address)), per: HOUR }
    }

    /// Counts a message to an unverified address that shares its mailbox with others.
    pub(in crate::auth) async fn charge_mailbox(
        &self,
        tx: &mut Tx,
        email: &Email,
        allowance: i64,
    ) -> Result<Quota, Error> {
        let Some(mailbox) = email.shared_mailbox() else { return Ok(Quota::Counted(())) };
        let key = self.throttle_key.key(&Bucket::Mailbox(&mailbox));
        let most = self.most_of_mailbox(allowance);
        tx.charge_rate(key, Rate { most, per: HOUR }, self.clock.now()).await
    }

    /// Counts a link to an address whose mailbox has used up its quota. By site: strangers elsewhere must not use
    /// up the owner's links.
    pub(in crate::auth) async fn charge_mailbox_link(
        &self,
        tx: &mut Tx,
        email: &Email,
        asked_by: &Client,
    ) -> Result<Quota, Error> {
        let Some(mailbox) = email.shared_mailbox() else { return Ok(Quota::Counted(())) };
        let (now, most) = (self.clock.now(), self.most_of_mailbox(1));
        for (bucket, most) in [
            (Bucket::MailboxLinks(&mailbox, asked_by), most),
            (Bucket::AllMailboxLinks(&mailbox), most.saturating_mul(SITES_OF_A_MAILBOX)),
        ] {
            let window = FixedWindow { most, per: HOUR };
            let room = tx.charge_window(self.throttle_key.key(&bucket), window, now).await?;
            if !room.is_counted() {
                return Ok(room.for_good());
            }
        }
        Ok(Quota::Counted(()))
    }

    fn most_of_mailbox(&self, allowance: i64) -> i64 {
        let most = self.config.throttle.emails_to_address.saturating_mul(OF_A_MAILBOX);
        most.saturating_mul(allowance)
    }

    /// Counts a message of this kind to this address.
    pub(in crate::auth) async fn charge_message_to_address(
        &self,
        tx: &mut Tx,
        message: Message,
        email: &Email,
    ) -> Result<Quota, Error> {
        let key = self.throttle_key.key(&Bucket::Messages(message, email));
        let window = FixedWindow { most: self.config.throttle.emails_to_address, per: HOUR };
        Ok(tx.charge_window(key, window, self.clock.now()).await?.for_good())
    }

    /// Whether a notice to a user may leave. Always, if the address is verified; if it is not, it may be a
    /// stranger's, and counts against the client that causes it. `has_room`: of the outbox.
    pub(in crate::auth) async fn may_notify(
        &self,
        tx: &mut Tx,
        user: &User,
        has_room: bool,
        client: &Client,
    ) -> Result<bool, Error> {
        Ok(user.email_verified_at.is_some()
            || (has_room
                && self.charge_message_from_client(tx, client).await?.is_counted()
                && self.charge_mailbox(tx, &user.email, client.allowance).await?.is_counted()))
    }

    /// Counts a message that this client causes.
    pub(in crate::auth) async fn charge_message_from_client(
        &self,
        tx: &mut Tx,
        client: &Client,
    ) -> Result<Quota, Error> {
        let most = self.config.throttle.emails_by_ip.saturating_mul(client.allowance);
        let most = most.saturating_mul(customers(client.address));
        let key = self.throttle_key.key(&Bucket::MessagesOf(client));
        let window = FixedWindow { most, per: HOUR };
        Ok(tx.charge_window(key, window, self.clock.now()).await?.for_good())
    }
}
