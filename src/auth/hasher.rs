//! The threads that hash passwords: a fixed number, of low priority, behind one queue. Each works on
//! several hashes side by side, see [`eksblowfish`].
//!
//! A hash takes a quarter of a second of one core. On the async threads it would hold up every other
//! request; on threads of its own without a bound, a crowd of logins would hold up the machine.

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use eksblowfish::Batch;
use log::{error, warn};
use rocket::tokio::sync::oneshot;

use super::password::{Bcrypt, NewPassword, Password, PasswordHash, WeakPassword};
use super::{Client, UserId};
use crate::Error;
use crate::config::{Config, PasswordConfig};

/// The only user of bcrypt. The last handle to go ends the threads.
pub(in crate::auth) struct Hasher {
    queue: Arc<Queue>,
    cost: u32,
    max_wait: Duration,
    dummy: PasswordHash,
}

struct Queue {
    jobs: Mutex<Jobs>,
    ready: Condvar,
    /// Most jobs in a lane.
    most: usize,
    workers: usize,
}

/// Where a job waits. Workers take from both in turn, so that a crowd of strangers holds up nobody who
/// has been here before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Lane {
    /// Browsers that opened the account before, and whoever has a session or a good link.
    Known(Known),
    /// Everybody else.
    Strangers,
}

/// Who is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) struct Known {
    user: UserId,
    /// From where, if limits by address are fair.
    network: Option<IpAddr>,
}

impl Lane {
    /// The lane of a client that is known to this account.
    pub(in crate::auth) fn known(user: UserId, client: &Client) -> Self {
        Self::Known(Known { user, network: (!client.is_shared).then(|| client.network()) })
    }
}

impl Known {
    /// Whether it may well be the same person.
    fn resembles(self, other: Self) -> bool {
        self.user == other.user || (self.network.is_some() && self.network == other.network)
    }
}

/// Most jobs of one account or one network that wait among the known. Anybody can have an account, and with
/// it come back a hundred times at once; the others then wait among the strangers.
const MOST_OF_ONE: usize = 4;

#[derive(Default)]
struct Jobs {
    known: VecDeque<Job>,
    strangers: VecDeque<Job>,
    /// Whether the next job comes from the known, if there is one.
    known_next: bool,
    /// Jobs that workers have in hand.
    in_hand: usize,
    closed: bool,
}

impl Jobs {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Job> {
        let is_alike = |known, job: &&Job| matches!(job.lane, Lane::Known(k) if k.resembles(known));
        let alike = |known| self.known.iter().filter(|job| is_alike(known, job)).count();
        match lane {
            Lane::Known(known) if alike(known) < MOST_OF_ONE => &mut self.known,
            _ => &mut self.strangers,
        }
    }

    fn pop(&mut self) -> Option<Job> {
        self.known_next = !self.known_next;
        let job = if self.known_next {
            self.known.pop_front().or_else(|| self.strangers.pop_front())
        } else {
            self.strangers.pop_front().or_else(|| self.known.pop_front())
        };
        self.in_hand += usize::from(job.is_some());
        job
    }
}

struct Job {
    queued_at: Instant,
    /// The lane that it came for.
    lane: Lane,
    task: Task,
}

enum Task {
    /// A hash; afterwards those of these costs are done for nothing.
    Hash(Bcrypt, Range<u32>, oneshot::Sender<[u8; 24]>),
    Check(Password, Vec<String>, oneshot::Sender<Result<NewPassword, WeakPassword>>),
}

impl Hasher {
    /// Starts the workers.
    pub(in crate::auth) fn start(config: &Config) -> std::io::Result<Self> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = config.hashing.workers.unwrap_or_else(cores);
        let (jobs, ready, most) = (Mutex::default(), Condvar::new(), config.hashing.queue);
        let queue = Arc::new(Queue { jobs, ready, most, workers });
        // Whoever builds this for another processor or with another compiler gets the crate's hashes,
        // quick or not.
        let batch =
            if agrees_with_the_crate(config.hashing.batch) { config.hashing.batch } else { 0 };
        if batch == 0 {
            error!(
                "hashing several passwords at once gives wrong hashes on this machine: the bcrypt crate hashes alone"
            );
        }
        let max_wait = config.hashing.max_wait.get();
        for n in 0..workers {
            let (queue, policy) = (queue.clone(), config.password.clone());
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || Worker { queue, policy, max_wait, batch }.work())?;
        }
        let cost = config.password.cost;
        Ok(Self { queue, cost, max_wait, dummy: PasswordHash::dummy(cost) })
    }

    /// What to check the password of an account against that does not exist.
    pub(in crate::auth) fn dummy(&self) -> &PasswordHash {
        &self.dummy
    }

    /// The hash to store of `password`.
    pub(in crate::auth) async fn hash(
        &self,
        password: &Password,
        lane: Lane,
    ) -> Result<PasswordHash, Error> {
        let bcrypt = PasswordHash::begin(password, self.cost)?;
        let (cost, salt) = (bcrypt.cost, bcrypt.salt);
        Ok(PasswordHash::finish(cost, salt, self.compute(bcrypt, 0..0, lane).await?))
    }

    /// Whether `password` is the one of `hash`. It takes as long against an imported hash of lower cost
    /// as against any other: the missing rounds are done for nothing, and in the same turn, so that
    /// neither the clock nor a crowd tells which accounts exist.
    pub(in crate::auth) async fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        lane: Lane,
    ) -> Result<bool, Error> {
        // 2^c + (2^c + 2^(c+1) + … + 2^(cost-1)) = 2^cost
        let missing = hash.cost()..self.cost;
        Ok(hash.is(self.compute(hash.attempt(password), missing, lane).await?))
    }

    /// Whether `hash` should be replaced now that its password is known.
    pub(in crate::auth) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        hash.is_outdated(self.cost)
    }

    /// Whether `password` may be set. `context`: words that an attacker would try first.
    pub(in crate::auth) async fn check(
        &self,
        password: Password,
        context: Vec<String>,
        lane: Lane,
    ) -> Result<Result<NewPassword, WeakPassword>, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(lane, Task::Check(password, context, reply));
        answer.await.map_err(|_| self.busy())
    }

    async fn compute(
        &self,
        bcrypt: Bcrypt,
        then: Range<u32>,
        lane: Lane,
    ) -> Result<[u8; 24], Error> {
        let (reply, answer) = oneshot::channel();
        // A full lane drops the reply, which is the answer "busy".
        self.queue.push(lane, Task::Hash(bcrypt, then, reply));
        answer.await.map_err(|_| self.busy())
    }

    fn busy(&self) -> Error {
        warn!("too many passwords to hash at once: somebody was asked to come back later");
        Error::busy("too many passwords to hash at once", self.max_wait)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.ready.notify_all();
    }
}

impl Queue {
    /// Puts a job into its lane, or drops it if the lane is full.
    fn push(&self, lane: Lane, task: Task) {
        let mut jobs = self.lock();
        let waiting = jobs.lane(lane);
        if waiting.len() < self.most {
            waiting.push_back(Job { queued_at: Instant::now(), lane, task });
            self.ready.notify_one();
        }
    }

    /// The next job; waits for one. `None` when the service is gone.
    fn wait(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            if let Some(job) = jobs.pop() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs = self.ready.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Another job for a worker that has some already, up to its share: the more side by side, the
    /// longer each takes, so all workers should have the same number.
    fn join(&self, has: usize) -> Option<Job> {
        let mut jobs = self.lock();
        let all = jobs.in_hand + jobs.known.len() + jobs.strangers.len();
        if has < all.div_ceil(self.workers) { jobs.pop() } else { None }
    }

    /// A worker has finished a job.
    fn finished(&self) {
        self.lock().in_hand -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Worker {
    queue: Arc<Queue>,
    policy: PasswordConfig,
    max_wait: Duration,
    /// Most hashes side by side; 0: the crate hashes, one after the other.
    batch: usize,
}

/// A hash on its way through a batch.
struct Running {
    /// Set when only what is done for nothing is left.
    hash: Option<[u8; 24]>,
    then: Range<u32>,
    reply: oneshot::Sender<[u8; 24]>,
}

/// What is hashed for nothing: a salt and a key.
const NOTHING: ([u8; 16], &[u8]) = ([0x5a; 16], b"nothing\0");

/// After so many turns, a millisecond or two, a worker looks whether somebody else waits: a hash joins
/// those that are under way, and leaves when it is done, so that nobody waits for company.
const TURNS: u64 = 32;

/// So many turns lie between two jobs that are no hashes: a flood of them slows down the hashes under way
/// and does not stop them.
const TURNS_BETWEEN_OTHERS: u64 = 8 * TURNS;

impl Worker {
    fn work(&self) {
        // Pages stay quick beside a crowd of logins; 10, not 19, so that a busy neighbour on the
        // machine does not starve logins. Where the system refuses, hashing merely competes.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 10);
        let (mut batch, mut running) = (Batch::default(), Vec::<Running>::new());
        loop {
            let mut turns = TURNS;
            while batch.len() < self.batch.max(1) {
                let is_idle = batch.is_empty();
                let next = if is_idle { self.queue.wait() } else { self.queue.join(batch.len()) };
                let Some(job) = next else {
                    if is_idle {
                        return;
                    }
                    break;
                };
                let is_late = job.queued_at.elapsed() > self.max_wait;
                match (!is_late).then(|| self.begin(job.task, &mut batch)) {
                    Some(Some(hash)) => running.push(hash),
                    Some(None) if is_idle => self.queue.finished(),
                    Some(None) => {
                        self.queue.finished();
                        turns = TURNS_BETWEEN_OTHERS;
                        break;
                    }
                    // Whoever has been kept too long is not served any more: dropping the reply answers
                    // "busy".
                    None => self.queue.finished(),
                }
            }
            batch.advance(turns);
            while let Some((place, output)) = batch.pop_done() {
                let mut done = running.swap_remove(place);
                let hash = *done.hash.get_or_insert(output);
                if let Some(cost) = done.then.next() {
                    batch.push(cost, NOTHING.0, NOTHING.1);
                    running.push(done);
                } else {
                    self.queue.finished();
                    // An answer that nobody waits for any more is no fault.
                    let _ = done.reply.send(hash);
                }
            }
        }
    }

    /// Begins a hash; anything else is done at once.
    fn begin(&self, task: Task, batch: &mut Batch) -> Option<Running> {
        match task {
            Task::Hash(Bcrypt { cost, salt, key }, then, reply) if self.batch > 0 => {
                batch.push(cost, salt, &key);
                Some(Running { hash: None, then, reply })
            }
            Task::Hash(Bcrypt { cost, salt, key }, then, reply) => {
                let hash = bcrypt::bcrypt(cost, salt, &key);
                for cost in then {
                    black_box(bcrypt::bcrypt(cost, NOTHING.0, NOTHING.1));
                }
                let _ = reply.send(hash);
                None
            }
            Task::Check(password, context, reply) => {
                // Strangers choose what zxcvbn looks at; a panic in there must cost an answer, not a
                // worker.
                let check = AssertUnwindSafe(|| password.meets(&self.policy, &context));
                match catch_unwind(check) {
                    Ok(checked) => drop(reply.send(checked)),
                    Err(_) => error!("the strength of a password could not be estimated"),
                }
                None
            }
        }
    }
}

/// Whether a small batch of this size gives the same bytes as the `bcrypt` crate, on this machine, as it
/// was built: milliseconds. If it ever does not, the crate hashes alone.
fn agrees_with_the_crate(size: usize) -> bool {
    let mut batch = Batch::default();
    let mut left: Vec<u8> = (0..16).take(size).collect();
    for n in &left {
        batch.push(4, [*n; 16], &[b'a' + n, 0]);
    }
    batch.advance(1 << 4);
    while let Some((place, hash)) = batch.pop_done() {
        let n = left.swap_remove(place);
        if hash != bcrypt::bcrypt(4, [n; 16], &[b'a' + n, 0]) {
            return false;
        }
    }
    left.is_empty()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rocket::futures::future::{join, join_all};

    use super::*;

    fn queue(workers: usize) -> Queue {
        Queue { jobs: Mutex::default(), ready: Condvar::new(), most: 100, workers }
    }

    fn task() -> Task {
        let bcrypt = Bcrypt { cost: 4, salt: [0; 16], key: vec![0].into() };
        Task::Hash(bcrypt, 0..0, oneshot::channel().0)
    }

    /// Somebody with an account of their own.
    fn known(network: Option<[u8; 4]>) -> Lane {
        Lane::Known(Known { user: UserId::new(), network: network.map(IpAddr::from) })
    }

    fn waiting(queue: &Queue) -> (usize, usize) {
        let jobs = queue.lock();
        (jobs.known.len(), jobs.strangers.len())
    }

    /// Promise 26.
    #[test]
    fn who_is_known_does_not_queue_behind_strangers() {
        let queue = queue(1);
        for _ in 0..9 {
            queue.push(Lane::Strangers, task());
        }
        queue.push(known(None), task());
        assert_eq!(waiting(&queue), (1, 9));
        queue.wait();
        queue.wait();
        assert_eq!(waiting(&queue), (0, 8));
    }

    /// Promise 26.
    #[test]
    fn neither_one_network_nor_one_account_fills_the_lane_of_the_known() {
        let queue = queue(1);
        for _ in 0..9 {
            queue.push(known(Some([203, 0, 113, 1])), task());
        }
        assert_eq!(waiting(&queue), (4, 5));
        queue.push(known(Some([203, 0, 113, 2])), task());
        // Nobody knows whose network it is.
        for _ in 0..5 {
            queue.push(known(None), task());
        }
        assert_eq!(waiting(&queue), (10, 5));
        let user = UserId::new();
        for n in 0..9 {
            let network = Some(IpAddr::from([198, 51, 100, n]));
            queue.push(Lane::Known(Known { user, network }), task());
        }
        assert_eq!(waiting(&queue), (14, 10));
    }

    #[test]
    fn a_full_lane_takes_no_more() {
        let queue = queue(1);
        for _ in 0..150 {
            queue.push(Lane::Strangers, task());
        }
        assert_eq!(waiting(&queue), (0, 100));
    }

    #[test]
    fn each_worker_takes_its_share() {
        let queue = queue(2);
        for _ in 0..4 {
            queue.push(Lane::Strangers, task());
        }
        assert!(queue.wait().is_some() && queue.join(1).is_some());
        assert!(queue.join(2).is_none(), "the other two are for the other worker");
        assert!(queue.wait().is_some() && queue.join(1).is_some());
        queue.push(Lane::Strangers, task());
        assert!(queue.join(2).is_some(), "an odd one is for whoever comes first");
        for _ in 0..5 {
            queue.finished();
        }
        assert_eq!(queue.lock().in_hand, 0);
    }

    /// Promise 26: looking at a password costs milliseconds, and whoever has a session can ask for it.
    #[rocket::async_test]
    async fn a_flood_of_strength_checks_stops_no_hash() {
        let mut config = Config::default();
        config.hashing.workers = Some(1);
        config.password.cost = 4;
        let hasher = Hasher::start(&config).unwrap();
        let password: Password = "seven purple lanterns".parse().unwrap();
        let checked = Cell::new(0);
        let hash = async {
            hasher.hash(&password, Lane::Strangers).await.unwrap();
            checked.get()
        };
        let flood = join_all((0..200).map(|_| async {
            let weak = "111111111111".parse().unwrap();
            let _ = hasher.check(weak, Vec::new(), Lane::Strangers).await.unwrap();
            checked.set(checked.get() + 1);
        }));
        let (checked_before, _) = join(hash, flood).await;
        assert!(checked_before < 100, "{checked_before} of 200 came first");
        assert_eq!(checked.get(), 200);
    }
}
