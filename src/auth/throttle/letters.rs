//! How many letters may be asked for.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use super::bucket::{Bucket, BucketKey, Pace, Window};
use super::{HOUR, MINUTE, Wait};
use crate::Error;
use crate::auth::outbox::Letter;
use crate::auth::store::{FURTHEST, OutboxRow, Place, Room, Tx};
use crate::auth::{Auth, Client, Email, Limited, UserId};

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

impl Auth {
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
}
