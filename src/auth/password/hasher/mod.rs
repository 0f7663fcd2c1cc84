//! The threads that hash passwords: a fixed number, of low priority, behind one queue. Each works on several hashes
//! at once, see [`eksblowfish`].
//!
//! A hash takes a quarter of a second of one core. On the async threads it would delay every other request; with an
//! unlimited number of threads, a burst of sign-ins would slow the whole machine.

mod queue;
mod worker;

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use log::{error, warn};
use rocket::tokio::sync::oneshot;
use rocket::tokio::time::timeout;

pub(in crate::auth) use queue::HashSlot;
use queue::{Done, Jobs, Known, Lane, MOST_OF_ONE, Queue, Source, Task};
pub(crate) use worker::time_of_hash;
use worker::{Worker, agrees_with_the_crate};

use super::Spelling;
use super::hash::{Bcrypt, MAX_COST, PasswordHash};
use crate::Error;
use crate::auth::{Client, NewPassword, Password, Refused, UserId, WeakPassword};
use crate::config::Config;
use crate::seldom::Seldom;

/// The only user of bcrypt. Dropping the last handle ends the threads.
pub(in crate::auth) struct Hasher {
    queue: Arc<Queue>,
    cost: u32,
    /// The largest known cost of any stored hash.
    largest_cost: AtomicU32,
    max_wait: Duration,
    dummy: PasswordHash,
    crowds: Seldom,
}

/// The result of verifying a password.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Verdict {
    /// The spelling of the password that matches.
    pub(in crate::auth) matches: Option<Spelling>,
    /// How much longer a hash of the largest stored cost would have taken. A refused client waits for that, or
    /// timing would reveal which accounts exist.
    pub(in crate::auth) shortfall: Duration,
}

impl Hasher {
    /// Starts the workers.
    pub(in crate::auth) fn start(config: &Config) -> std::io::Result<Self> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = config.hashing.workers.unwrap_or_else(cores);
        let jobs = Mutex::new(Jobs::new(config.hashing.queue));
        let queue = Arc::new(Queue { jobs, ready: Condvar::new(), workers });
        // A build for another processor or with another compiler falls back to the `bcrypt` crate if results
        // differ, however slow that is.
        let batch =
            if agrees_with_the_crate(config.hashing.batch) { config.hashing.batch } else { 0 };
        if batch == 0 {
            error!(
                "hashing several passwords at once gives wrong hashes on this machine: the bcrypt crate hashes alone"
            );
        }
        for n in 0..workers {
            let (queue, policy) = (queue.clone(), config.password.clone());
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || Worker { queue, policy, batch }.work())?;
        }
        let cost = config.password.cost;
        Ok(Self {
            queue,
            cost,
            largest_cost: AtomicU32::new(cost),
            max_wait: config.hashing.max_wait,
            dummy: PasswordHash::dummy(cost),
            crowds: Seldom::default(),
        })
    }

    /// The hash to verify against if the account does not exist.
    pub(in crate::auth) fn dummy(&self) -> &PasswordHash {
        &self.dummy
    }

    /// A slot for a known client; `None` if this account or site has enough of them.
    pub(in crate::auth) fn slot_for_known(
        &self,
        user: UserId,
        client: &Client,
    ) -> Option<HashSlot> {
        let known = Known { user, site: client.ip_site() };
        let mut jobs = self.queue.lock();
        if jobs.known_slots.iter().filter(|other| known.resembles(**other)).count() >= MOST_OF_ONE {
            return None;
        }
        jobs.known_slots.push(known);
        Some(self.turn(Lane::Known(known)))
    }

    /// A slot for a stranger.
    pub(in crate::auth) fn slot_for_stranger(&self, client: &Client) -> HashSlot {
        self.turn(Lane::Stranger(client.ip_site(), Source::Network(client.ip_prefix())))
    }

    /// Returns an error if a stranger's job would find the queue full. Checked before the attempt is counted, which
    /// costs two writes to disk.
    pub(in crate::auth) fn look_for_room(&self, client: &Client) -> Result<(), Error> {
        let source = Source::Network(client.ip_prefix());
        let has_room = self.queue.lock().strangers.has_room(source.group(client.ip_site()), source);
        if has_room { Ok(()) } else { Err(self.busy()) }
    }

    /// A slot for a client with a session or a valid link, or whose browser has opened the account before.
    pub(in crate::auth) fn slot_for(&self, user: UserId, client: &Client) -> HashSlot {
        self.slot_for_known(user, client).unwrap_or_else(|| {
            let (site, own) = (client.ip_site(), Source::Account(user));
            // If other accounts of the site have filled the queue, use the strangers' part.
            let has_room = self.queue.lock().strangers.has_room(own.group(site), own);
            let source = if has_room { own } else { Source::Network(client.ip_prefix()) };
            self.turn(Lane::Stranger(site, source))
        })
    }

    fn turn(&self, lane: Lane) -> HashSlot {
        HashSlot { queue: self.queue.clone(), lane, left: self.max_wait, has_hashed: false }
    }

    /// Hashes `password` for storage.
    pub(in crate::auth) async fn hash(
        &self,
        password: &Password,
        slot: &mut HashSlot,
    ) -> Result<PasswordHash, Error> {
        let bcrypt = PasswordHash::begin(password, self.cost)?;
        let (cost, salt) = (bcrypt.cost, bcrypt.salt);
        Ok(PasswordHash::finish(cost, salt, self.compute(bcrypt, 0..0, slot).await?.answer))
    }

    /// Whether `password` matches `hash`. An imported hash of lower cost takes as long as any other: the missing
    /// rounds are computed on a dummy, within the same job, so that neither timing nor load reveals which accounts
    /// exist.
    ///
    /// White space at the ends is forgiven in the slot of a known client alone: a second hash for each wrong password
    /// would double what strangers can make this machine compute.
    pub(in crate::auth) async fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        slot: &mut HashSlot,
    ) -> Result<Verdict, Error> {
        self.note_cost(hash.cost());
        let mut verdict = Verdict { matches: None, shortfall: Duration::ZERO };
        for (spelling, bcrypt) in hash.attempts(password) {
            if spelling == Spelling::Trimmed && !slot.is_known() {
                break;
            }
            // 2^c + (2^c + 2^(c+1) + … + 2^(cost-1)) = 2^cost
            let missing = hash.cost()..self.cost;
            let done = self.compute(bcrypt, missing, slot).await?;
            let doublings = self.largest_cost().saturating_sub(hash.cost().max(self.cost));
            verdict.shortfall += done.took * ((1 << doublings) - 1);
            if hash.is(done.answer) {
                verdict.matches = Some(spelling);
                break;
            }
        }
        Ok(verdict)
    }

    /// Records the cost of a stored hash. Ignores those that are too costly to be verified.
    pub(in crate::auth) fn note_cost(&self, cost: u32) {
        if cost <= MAX_COST.max(self.cost) {
            self.largest_cost.fetch_max(cost, Ordering::Relaxed);
        }
    }

    fn largest_cost(&self) -> u32 {
        self.largest_cost.load(Ordering::Relaxed)
    }

    /// Whether `hash` should be replaced now that its password is known, and how it was spelled.
    pub(in crate::auth) fn is_outdated(&self, hash: &PasswordHash, spelling: Spelling) -> bool {
        hash.is_outdated(self.cost) || spelling == Spelling::Typed
    }

    /// Whether `password` may be set. `context` are words that an attacker would try first.
    pub(in crate::auth) async fn check(
        &self,
        password: Password,
        context: Vec<String>,
        slot: &mut HashSlot,
    ) -> Result<NewPassword, Refused<WeakPassword>> {
        let (reply, answer) = oneshot::channel();
        let done = self.wait(Task::Check(password, context, reply), answer, slot).await?;
        done.answer.map_err(Refused::Because)
    }

    async fn compute(
        &self,
        bcrypt: Bcrypt,
        then: Range<u32>,
        slot: &mut HashSlot,
    ) -> Result<Done<[u8; 24]>, Error> {
        let (reply, answer) = oneshot::channel();
        let done = self.wait(Task::Hash(bcrypt, then, reply), answer, slot).await?;
        slot.has_hashed = true;
        Ok(done)
    }

    /// Queues a task and waits for the result. The time in the queue is limited by the slot.
    async fn wait<T>(
        &self,
        task: Task,
        mut answer: oneshot::Receiver<Done<T>>,
        slot: &mut HashSlot,
    ) -> Result<Done<T>, Error> {
        // If the queue is full, the reply is dropped, which means "busy".
        let id = self.queue.push(slot.lane, slot.left, task);
        let done = match timeout(slot.left, &mut answer).await {
            Ok(done) => done,
            Err(_) if self.queue.withdraw(slot.lane, id) => return Err(self.busy()),
            // A worker has already taken it.
            Err(_) => answer.await,
        };
        let done = done.map_err(|_| self.busy())?;
        slot.left = slot.left.saturating_sub(done.waited);
        Ok(done)
    }

    fn busy(&self) -> Error {
        self.crowds.note(|times| {
            warn!(
                "too many passwords to hash at once: {times} requests were asked to come back later"
            );
        });
        Error::busy("too many passwords to hash at once", self.max_wait)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.ready.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::IpAddr;

    use rocket::futures::future::{join, join_all};
    use rocket::tokio::sync::oneshot::error::TryRecvError;

    use super::queue::tests::{push, waiting};
    use super::*;

    fn client(n: u8) -> Client {
        Client::new(IpAddr::from([203, 0, 113, n]), "")
    }

    fn hasher(workers: usize) -> Hasher {
        let mut config = Config::default();
        config.hashing.workers = Some(workers);
        config.password.cost = 4;
        Hasher::start(&config).unwrap()
    }

    /// Promise 26: seventy browsers known to one account, five requests each at once.
    #[test]
    fn neither_one_network_nor_one_account_has_more_than_a_few_turns_among_the_known() {
        let hasher = hasher(1);
        let network: Vec<_> =
            (0..9).filter_map(|_| hasher.slot_for_known(UserId::new(), &client(1))).collect();
        assert_eq!(network.len(), 4);
        let user = UserId::new();
        let account: Vec<_> =
            (10..19).filter_map(|n| hasher.slot_for_known(user, &client(n))).collect();
        assert_eq!(account.len(), 4);
        assert!(hasher.slot_for_known(UserId::new(), &client(2)).is_some());
        assert!(!hasher.slot_for(user, &client(3)).is_known(), "the others are strangers");
        drop((network, account));
        assert!(hasher.slot_for_known(user, &client(1)).is_some(), "until those are done");
        assert!(hasher.queue.lock().known_slots.is_empty());
        let neighbour = |n: u16| Client::new(IpAddr::from([0x2001, 0xdb8, 1, n, 0, 0, 0, 1]), "");
        let site: Vec<_> =
            (0..9).filter_map(|n| hasher.slot_for_known(UserId::new(), &neighbour(n))).collect();
        assert_eq!(site.len(), 4, "an IPv6 site is one");
    }

    /// Promise 26: an account with a hundred requests at once takes no slots from others at its address.
    #[test]
    fn an_account_beyond_its_turns_stands_in_no_neighbour_s_way() {
        let hasher = hasher(0);
        let user = UserId::new();
        let mut turns: Vec<_> = (0..100).map(|_| hasher.slot_for(user, &client(1))).collect();
        let mut crowd: Vec<_> =
            turns.iter_mut().map(|slot| push(&hasher.queue, slot.lane)).collect();
        let neighbours = [
            hasher.slot_for(UserId::new(), &client(1)),
            hasher.slot_for(UserId::new(), &client(1)),
            hasher.slot_for_stranger(&client(1)),
        ];
        assert!(hasher.look_for_room(&client(1)).is_ok());
        let mut theirs: Vec<_> =
            neighbours.iter().map(|slot| push(&hasher.queue, slot.lane)).collect();
        let still_waits = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Err(TryRecvError::Empty))
        };
        assert!(theirs.iter_mut().all(still_waits), "nobody is turned away");
        // Jobs of known clients come in between.
        for _ in 0..8 {
            hasher.queue.wait();
        }
        let has_had_its_turn = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Err(TryRecvError::Closed))
        };
        assert!(theirs.iter_mut().all(has_had_its_turn));
        assert!(crowd.iter_mut().any(still_waits), "while the crowd waits");
    }

    /// Promise 26: nor do many accounts take slots from strangers there.
    #[test]
    fn many_accounts_leave_every_other_turn_to_strangers_at_their_address() {
        let hasher = hasher(0);
        let turns: Vec<_> = (0..70).map(|_| hasher.slot_for(UserId::new(), &client(1))).collect();
        let _crowd: Vec<_> = turns.iter().map(|slot| push(&hasher.queue, slot.lane)).collect();
        assert!(hasher.look_for_room(&client(1)).is_ok());
        let mut newcomer = push(&hasher.queue, hasher.slot_for_stranger(&client(1)).lane);
        for _ in 0..4 {
            assert!(matches!(newcomer.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)));
            hasher.queue.wait();
        }
        assert!(matches!(newcomer.try_recv(), Err(TryRecvError::Closed)), "it has had its turn");
        assert!(hasher.queue.lock().strangers.len() > 20);
    }

    /// Promise 26: a waiting client gets its answer on time, whether or not a worker is free.
    #[rocket::async_test]
    async fn nobody_waits_for_longer_than_was_promised() {
        let mut config = Config::default();
        config.hashing.workers = Some(0);
        config.hashing.max_wait = Duration::from_millis(20);
        let hasher = Hasher::start(&config).unwrap();
        let password: Password = "seven purple lanterns".parse().unwrap();
        let hash = hasher.hash(&password, &mut hasher.slot_for_stranger(&client(1))).await;
        assert!(hash.is_err_and(|error| error.busy_for().is_some()));
        assert_eq!(waiting(&hasher.queue), (0, 0), "nobody hashes it afterwards");
    }

    /// Promise 9: timing does not reveal which account has an imported hash of higher cost.
    #[rocket::async_test]
    async fn a_refusal_makes_up_for_the_largest_cost_in_the_table() {
        let hasher = hasher(1);
        let password: Password = "seven purple lanterns".parse().unwrap();
        let mut slot = hasher.slot_for_stranger(&client(1));
        let before = hasher.verify(&password, hasher.dummy(), &mut slot).await.unwrap();
        assert_eq!(before.shortfall, Duration::ZERO);
        hasher.note_cost(31);
        let same = hasher.verify(&password, hasher.dummy(), &mut slot).await.unwrap();
        assert_eq!(same.shortfall, Duration::ZERO, "nobody verifies that one");
        hasher.note_cost(10);
        let low = hasher.verify(&password, hasher.dummy(), &mut slot).await.unwrap();
        let high = hasher.verify(&password, &PasswordHash::dummy(10), &mut slot).await.unwrap();
        assert!(low.shortfall > Duration::ZERO);
        assert_eq!(high.shortfall, Duration::ZERO);
    }

    /// Promise 26: white space at the ends of a password does not double what strangers cause.
    #[rocket::async_test]
    async fn a_second_try_without_white_space_is_for_known_clients() {
        let hasher = hasher(1);
        let wrong: Password = " seven purple lanterns\n".parse().unwrap();
        let count = async |mut slot: HashSlot| {
            let before = hasher.queue.lock().next_id;
            hasher.verify(&wrong, hasher.dummy(), &mut slot).await.unwrap();
            hasher.queue.lock().next_id - before
        };
        assert_eq!(count(hasher.slot_for_stranger(&client(1))).await, 1);
        assert_eq!(count(hasher.slot_for_known(UserId::new(), &client(1)).unwrap()).await, 2);
    }

    /// Promise 26: a strength check takes milliseconds, and any signed-in client can request it.
    #[rocket::async_test]
    async fn a_flood_of_strength_checks_stops_no_hash() {
        let hasher = hasher(1);
        let password: Password = "seven purple lanterns".parse().unwrap();
        let checked = Cell::new(0);
        let hash = async {
            hasher.hash(&password, &mut hasher.slot_for_stranger(&client(1))).await.unwrap();
            checked.get()
        };
        let flood = join_all((2..202).map(|n| {
            let (hasher, checked) = (&hasher, &checked);
            async move {
                let weak = "111111111111".parse().unwrap();
                let mut slot = hasher.slot_for_stranger(&client(n));
                let refused = hasher.check(weak, Vec::new(), &mut slot).await;
                assert!(matches!(refused, Err(Refused::Because(_))));
                checked.set(checked.get() + 1);
            }
        }));
        let (checked_before, _) = join(hash, flood).await;
        assert!(checked_before < 100, "{checked_before} of 200 came first");
        assert_eq!(checked.get(), 200);
    }
}
