//! The threads that hash passwords: a fixed number, of low priority, behind one queue. Each works on
//! several hashes side by side, see [`eksblowfish`].
//!
//! A hash takes a quarter of a second of one core. On the async threads it would hold up every other
//! request; on threads of its own without a bound, a crowd of logins would hold up the machine.

use std::hint::black_box;
use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use eksblowfish::Batch;
use log::{error, warn};
use rocket::tokio::sync::oneshot;
use rocket::tokio::time::timeout;

use super::fair_queue::FairQueue;
use super::password::{Bcrypt, MAX_COST, NewPassword, Password, PasswordHash, WeakPassword};
use super::{Client, Refused, UserId};
use crate::Error;
use crate::config::{Config, PasswordConfig};
use crate::seldom::Seldom;

/// The only user of bcrypt. The last handle to go ends the threads.
pub(in crate::auth) struct Hasher {
    queue: Arc<Queue>,
    cost: u32,
    /// The largest cost of any stored hash, as far as is known.
    largest_cost: AtomicU32,
    max_wait: Duration,
    dummy: PasswordHash,
    crowds: Seldom,
}

struct Queue {
    jobs: Mutex<Jobs>,
    ready: Condvar,
    workers: usize,
}

/// A place among those whose passwords are hashed, for one request: in which lane, and how long it may
/// still wait there, all its hashes together.
pub(in crate::auth) struct Turn {
    queue: Arc<Queue>,
    place: Place,
    left: Duration,
    has_hashed: bool,
}

/// Workers take from both lanes in turn, so that a crowd of strangers holds up nobody who has been here
/// before; and within a lane from each visitor in turn.
#[derive(Clone, Copy)]
enum Place {
    /// Browsers that opened the account before, and whoever has a session or a good link.
    Known(Known),
    /// Everybody else, by site.
    Stranger(Option<IpAddr>, Visitor),
}

/// Which of a site take turns with each other, and with those of other sites.
type Group = (Option<IpAddr>, bool);

/// Whose turn it is among the strangers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Visitor {
    /// A network; `None`: those whose address says nothing.
    Network(Option<IpAddr>),
    /// An account that has enough turns among the known: however many more it takes, it stands in nobody else's way.
    Account(UserId),
}

impl Visitor {
    /// However many accounts come from a site, every other of its turns is for those who have none.
    fn group(self, site: Option<IpAddr>) -> Group {
        (site, matches!(self, Self::Account(_)))
    }
}

/// Who is known.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    user: UserId,
    /// From where, if limits by address are fair.
    site: Option<IpAddr>,
}

impl Known {
    /// Whether it may well be the same person.
    fn resembles(self, other: Self) -> bool {
        self.user == other.user || (self.site.is_some() && self.site == other.site)
    }
}

/// Most requests of one account or one site among the known. Anybody can have an account, and with it
/// come back a hundred times at once; the others then are strangers.
const MOST_OF_ONE: usize = 4;

struct Jobs {
    known: FairQueue<UserId, UserId, Job>,
    strangers: FairQueue<Group, Visitor, Job>,
    /// Those who have a [`Turn`] among the known.
    known_turns: Vec<Known>,
    /// Whether the next job comes from the known, if there is one.
    known_next: bool,
    /// Jobs that workers have in hand.
    in_hand: usize,
    next_id: u64,
    closed: bool,
}

impl Jobs {
    fn new(most: usize) -> Self {
        // A quarter for one site: a class logs in at once, and three quarters are for others.
        let of_one = most.div_ceil(4);
        Self {
            known: FairQueue::new(most, MOST_OF_ONE.min(most)),
            strangers: FairQueue::new(most, of_one),
            known_turns: Vec::new(),
            known_next: false,
            in_hand: 0,
            next_id: 0,
            closed: false,
        }
    }

    fn pop(&mut self) -> Option<Job> {
        self.known_next = !self.known_next;
        let job = if self.known_next {
            self.known.pop().or_else(|| self.strangers.pop())
        } else {
            self.strangers.pop().or_else(|| self.known.pop())
        };
        self.in_hand += usize::from(job.is_some());
        job
    }

    fn waiting(&self) -> usize {
        self.known.len() + self.strangers.len()
    }
}

struct Job {
    id: u64,
    queued_at: Instant,
    /// How long it may wait.
    at_most: Duration,
    task: Task,
}

enum Task {
    /// A hash; afterwards those of these costs are done for nothing.
    Hash(Bcrypt, Range<u32>, oneshot::Sender<Done<[u8; 24]>>),
    Check(Password, Vec<String>, oneshot::Sender<Done<Result<NewPassword, WeakPassword>>>),
}

impl Task {
    /// Whether nobody waits for it any more.
    fn is_given_up(&self) -> bool {
        match self {
            Self::Hash(_, _, reply) => reply.is_closed(),
            Self::Check(_, _, reply) => reply.is_closed(),
        }
    }
}

/// What a worker found.
struct Done<T> {
    answer: T,
    /// How long it waited for its turn.
    waited: Duration,
    /// How long the turn was.
    took: Duration,
}

/// Whether a password is the one of a hash.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Verdict {
    pub(in crate::auth) matches: bool,
    /// How much longer it would have taken against the largest cost of any stored hash. Whoever is refused
    /// has to wait for it, or the clock would tell which accounts exist.
    pub(in crate::auth) shortfall: Duration,
}

impl Hasher {
    /// Starts the workers.
    pub(in crate::auth) fn start(config: &Config) -> std::io::Result<Self> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = config.hashing.workers.unwrap_or_else(cores);
        let jobs = Mutex::new(Jobs::new(config.hashing.queue));
        let queue = Arc::new(Queue { jobs, ready: Condvar::new(), workers });
        // Whoever builds this for another processor or with another compiler gets the crate's hashes,
        // quick or not.
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
            max_wait: config.hashing.max_wait.get(),
            dummy: PasswordHash::dummy(cost),
            crowds: Seldom::default(),
        })
    }

    /// What to check the password of an account against that does not exist.
    pub(in crate::auth) fn dummy(&self) -> &PasswordHash {
        &self.dummy
    }

    /// A turn among the known; `None` if this account or site has enough of them.
    pub(in crate::auth) fn turn_of_known(&self, user: UserId, client: &Client) -> Option<Turn> {
        let known = Known { user, site: client.own_site() };
        let mut jobs = self.queue.lock();
        if jobs.known_turns.iter().filter(|other| known.resembles(**other)).count() >= MOST_OF_ONE {
            return None;
        }
        jobs.known_turns.push(known);
        Some(self.turn(Place::Known(known)))
    }

    /// A turn among the strangers.
    pub(in crate::auth) fn turn_of_stranger(&self, client: &Client) -> Turn {
        self.turn(Place::Stranger(client.own_site(), Visitor::Network(client.own_network())))
    }

    /// Busy, if a stranger's job would find no room just now: looked at before anything is counted, which costs
    /// two writes to disk.
    pub(in crate::auth) fn look_for_room(&self, client: &Client) -> Result<(), Error> {
        let visitor = Visitor::Network(client.own_network());
        let has_room =
            self.queue.lock().strangers.has_room(visitor.group(client.own_site()), visitor);
        if has_room { Ok(()) } else { Err(self.busy()) }
    }

    /// A turn for somebody with a session or a good link, or whose browser has opened the account before.
    pub(in crate::auth) fn turn_of(&self, user: UserId, client: &Client) -> Turn {
        self.turn_of_known(user, client).unwrap_or_else(|| {
            let (site, own) = (client.own_site(), Visitor::Account(user));
            // Where others of the site have filled it with their accounts, it goes with the strangers.
            let has_room = self.queue.lock().strangers.has_room(own.group(site), own);
            let visitor = if has_room { own } else { Visitor::Network(client.own_network()) };
            self.turn(Place::Stranger(site, visitor))
        })
    }

    fn turn(&self, place: Place) -> Turn {
        Turn { queue: self.queue.clone(), place, left: self.max_wait, has_hashed: false }
    }

    /// The hash to store of `password`.
    pub(in crate::auth) async fn hash(
        &self,
        password: &Password,
        turn: &mut Turn,
    ) -> Result<PasswordHash, Error> {
        let bcrypt = PasswordHash::begin(password, self.cost)?;
        let (cost, salt) = (bcrypt.cost, bcrypt.salt);
        Ok(PasswordHash::finish(cost, salt, self.compute(bcrypt, 0..0, turn).await?.answer))
    }

    /// Whether `password` is the one of `hash`. It takes as long against an imported hash of lower cost
    /// as against any other: the missing rounds are done for nothing, and in the same turn, so that
    /// neither the clock nor a crowd tells which accounts exist.
    pub(in crate::auth) async fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        turn: &mut Turn,
    ) -> Result<Verdict, Error> {
        self.note_cost(hash.cost());
        let mut verdict = Verdict { matches: false, shortfall: Duration::ZERO };
        for bcrypt in hash.attempts(password) {
            // 2^c + (2^c + 2^(c+1) + … + 2^(cost-1)) = 2^cost
            let missing = hash.cost()..self.cost;
            let done = self.compute(bcrypt, missing, turn).await?;
            let doublings = self.largest_cost().saturating_sub(hash.cost().max(self.cost));
            verdict.shortfall += done.took * ((1 << doublings) - 1);
            verdict.matches = hash.is(done.answer);
            if verdict.matches {
                break;
            }
        }
        Ok(verdict)
    }

    /// There is a stored hash of this cost. One that is never verified holds nobody up.
    pub(in crate::auth) fn note_cost(&self, cost: u32) {
        if cost <= MAX_COST.max(self.cost) {
            self.largest_cost.fetch_max(cost, Ordering::Relaxed);
        }
    }

    fn largest_cost(&self) -> u32 {
        self.largest_cost.load(Ordering::Relaxed)
    }

    /// Whether `hash` should be replaced now that its password is known.
    pub(in crate::auth) fn is_outdated(&self, hash: &PasswordHash, password: &Password) -> bool {
        hash.is_outdated(self.cost) || password.was_typed_otherwise()
    }

    /// Whether `password` may be set. `context`: words that an attacker would try first.
    pub(in crate::auth) async fn check(
        &self,
        password: Password,
        context: Vec<String>,
        turn: &mut Turn,
    ) -> Result<NewPassword, Refused<WeakPassword>> {
        let (reply, answer) = oneshot::channel();
        let done = self.wait(Task::Check(password, context, reply), answer, turn).await?;
        done.answer.map_err(Refused::Because)
    }

    async fn compute(
        &self,
        bcrypt: Bcrypt,
        then: Range<u32>,
        turn: &mut Turn,
    ) -> Result<Done<[u8; 24]>, Error> {
        let (reply, answer) = oneshot::channel();
        let done = self.wait(Task::Hash(bcrypt, then, reply), answer, turn).await?;
        turn.has_hashed = true;
        Ok(done)
    }

    /// Queues a task and waits for its answer; for its turn no longer than is left.
    async fn wait<T>(
        &self,
        task: Task,
        mut answer: oneshot::Receiver<Done<T>>,
        turn: &mut Turn,
    ) -> Result<Done<T>, Error> {
        // No room drops the reply, which is the answer "busy".
        let id = self.queue.push(turn.place, turn.left, task);
        let done = match timeout(turn.left, &mut answer).await {
            Ok(done) => done,
            Err(_) if self.queue.withdraw(turn.place, id) => return Err(self.busy()),
            // It is having its turn.
            Err(_) => answer.await,
        };
        let done = done.map_err(|_| self.busy())?;
        turn.left = turn.left.saturating_sub(done.waited);
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

impl Turn {
    /// How long it may still wait.
    pub(in crate::auth) fn left(&self) -> Duration {
        self.left
    }

    /// Whether a hash was computed in it, so that it may have told something.
    pub(in crate::auth) fn has_hashed(&self) -> bool {
        self.has_hashed
    }

    /// Lets it wait no longer than this.
    pub(in crate::auth) fn wait_at_most(&mut self, left: Duration) {
        self.left = self.left.min(left);
    }

    /// Whether it is among the known.
    #[cfg(test)]
    fn is_known(&self) -> bool {
        matches!(self.place, Place::Known(_))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Place::Known(known) = self.place {
            let turns = &mut self.queue.lock().known_turns;
            if let Some(own) = turns.iter().position(|other| *other == known) {
                turns.swap_remove(own);
            }
        }
    }
}

impl Queue {
    /// Puts a job into its lane, or drops it if there is no room.
    fn push(&self, place: Place, at_most: Duration, task: Task) -> u64 {
        let mut jobs = self.lock();
        let id = jobs.next_id;
        jobs.next_id += 1;
        let job = Job { id, queued_at: Instant::now(), at_most, task };
        // Whoever is dropped, this one or another, is answered "busy" by that.
        let _dropped = match place {
            Place::Known(Known { user, .. }) => jobs.known.push(user, user, job),
            Place::Stranger(site, visitor) => {
                jobs.strangers.push(visitor.group(site), visitor, job)
            }
        };
        self.ready.notify_one();
        id
    }

    /// Takes a job back; `false` if a worker has it already.
    fn withdraw(&self, place: Place, id: u64) -> bool {
        let mut jobs = self.lock();
        match place {
            Place::Known(Known { user, .. }) => jobs.known.withdraw(user, user, |job| job.id == id),
            Place::Stranger(site, visitor) => {
                jobs.strangers.withdraw(visitor.group(site), visitor, |job| job.id == id)
            }
        }
        .is_some()
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
        let all = jobs.in_hand + jobs.waiting();
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
    /// Most hashes side by side; 0: the crate hashes, one after the other.
    batch: usize,
}

/// A hash on its way through a batch.
struct Running {
    /// Set when only what is done for nothing is left.
    hash: Option<[u8; 24]>,
    then: Range<u32>,
    waited: Duration,
    began_at: Instant,
    reply: oneshot::Sender<Done<[u8; 24]>>,
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
                let waited = job.queued_at.elapsed();
                let is_late = waited > job.at_most || job.task.is_given_up();
                match (!is_late).then(|| self.begin(job.task, waited, &mut batch)) {
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
                    let Running { waited, began_at, reply, .. } = done;
                    let _ = reply.send(Done { answer: hash, waited, took: began_at.elapsed() });
                }
            }
        }
    }

    /// Begins a hash; anything else is done at once.
    fn begin(&self, task: Task, waited: Duration, batch: &mut Batch) -> Option<Running> {
        let began_at = Instant::now();
        match task {
            Task::Hash(Bcrypt { cost, salt, key }, then, reply) if self.batch > 0 => {
                batch.push(cost, salt, &key);
                Some(Running { hash: None, then, waited, began_at, reply })
            }
            Task::Hash(Bcrypt { cost, salt, key }, then, reply) => {
                let hash = bcrypt::bcrypt(cost, salt, &key);
                for cost in then {
                    black_box(bcrypt::bcrypt(cost, NOTHING.0, NOTHING.1));
                }
                let _ = reply.send(Done { answer: hash, waited, took: began_at.elapsed() });
                None
            }
            Task::Check(password, context, reply) => {
                // Strangers choose what zxcvbn looks at; a panic in there must cost an answer, not a
                // worker.
                let check = AssertUnwindSafe(|| password.meets(&self.policy, &context));
                match catch_unwind(check) {
                    Ok(answer) => {
                        drop(reply.send(Done { answer, waited, took: began_at.elapsed() }));
                    }
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
    use rocket::tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::config::Span;

    fn queue(workers: usize) -> Queue {
        Queue { jobs: Mutex::new(Jobs::new(100)), ready: Condvar::new(), workers }
    }

    /// A task, and who waits for it.
    fn task() -> (Task, oneshot::Receiver<Done<[u8; 24]>>) {
        let bcrypt = Bcrypt { cost: 4, salt: [0; 16], key: vec![0].into() };
        let (reply, answer) = oneshot::channel();
        (Task::Hash(bcrypt, 0..0, reply), answer)
    }

    fn push(queue: &Queue, place: Place) -> oneshot::Receiver<Done<[u8; 24]>> {
        let (task, answer) = task();
        queue.push(place, Duration::from_secs(5), task);
        answer
    }

    fn stranger(n: u8) -> Place {
        let address = Some(IpAddr::from([203, 0, 113, n]));
        Place::Stranger(address, Visitor::Network(address))
    }

    fn waiting(queue: &Queue) -> (usize, usize) {
        let jobs = queue.lock();
        (jobs.known.len(), jobs.strangers.len())
    }

    fn client(n: u8) -> Client {
        Client::new(IpAddr::from([203, 0, 113, n]), "")
    }

    fn hasher(workers: usize) -> Hasher {
        let mut config = Config::default();
        config.hashing.workers = Some(workers);
        config.password.cost = 4;
        Hasher::start(&config).unwrap()
    }

    /// Promise 26.
    #[test]
    fn who_is_known_does_not_queue_behind_strangers() {
        let queue = queue(1);
        let _waiting: Vec<_> = (0..9).map(|n| push(&queue, stranger(n))).collect();
        let known = Known { user: UserId::new(), site: None };
        let _known = push(&queue, Place::Known(known));
        assert_eq!(waiting(&queue), (1, 9));
        queue.wait();
        queue.wait();
        assert_eq!(waiting(&queue), (0, 8));
    }

    /// Promise 26: seventy browsers that are known to one account, five times each at once.
    #[test]
    fn neither_one_network_nor_one_account_has_more_than_a_few_turns_among_the_known() {
        let hasher = hasher(1);
        let network: Vec<_> =
            (0..9).filter_map(|_| hasher.turn_of_known(UserId::new(), &client(1))).collect();
        assert_eq!(network.len(), 4);
        let user = UserId::new();
        let account: Vec<_> =
            (10..19).filter_map(|n| hasher.turn_of_known(user, &client(n))).collect();
        assert_eq!(account.len(), 4);
        assert!(hasher.turn_of_known(UserId::new(), &client(2)).is_some());
        assert!(!hasher.turn_of(user, &client(3)).is_known(), "the others are strangers");
        drop((network, account));
        assert!(hasher.turn_of_known(user, &client(1)).is_some(), "until those are done");
        assert!(hasher.queue.lock().known_turns.is_empty());
        let neighbour = |n: u16| Client::new(IpAddr::from([0x2001, 0xdb8, 1, n, 0, 0, 0, 1]), "");
        let site: Vec<_> =
            (0..9).filter_map(|n| hasher.turn_of_known(UserId::new(), &neighbour(n))).collect();
        assert_eq!(site.len(), 4, "an IPv6 site is one");
    }

    /// Promise 26: however many come from one network, somebody from another is next but one.
    #[test]
    fn no_network_makes_another_wait() {
        let queue = queue(1);
        let mut crowd: Vec<_> = (0..80).map(|_| push(&queue, stranger(1))).collect();
        assert_eq!(waiting(&queue), (0, 25), "a quarter of the lane");
        let is_refused = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Err(TryRecvError::Closed))
        };
        assert_eq!(crowd.iter_mut().map(is_refused).filter(|refused| *refused).count(), 55);
        let mut other = push(&queue, stranger(2));
        queue.wait();
        let job = queue.wait().unwrap();
        let Task::Hash(_, _, reply) = job.task else { panic!("a hash") };
        let zero = Duration::ZERO;
        assert!(reply.send(Done { answer: [7; 24], waited: zero, took: zero }).is_ok());
        assert_eq!(other.try_recv().unwrap().answer, [7; 24]);
    }

    /// Promise 26: an account that comes a hundred times at once takes no turns from others at its address.
    #[test]
    fn an_account_beyond_its_turns_stands_in_no_neighbour_s_way() {
        let hasher = hasher(0);
        let user = UserId::new();
        let mut turns: Vec<_> = (0..100).map(|_| hasher.turn_of(user, &client(1))).collect();
        let mut crowd: Vec<_> =
            turns.iter_mut().map(|turn| push(&hasher.queue, turn.place)).collect();
        let neighbours = [
            hasher.turn_of(UserId::new(), &client(1)),
            hasher.turn_of(UserId::new(), &client(1)),
            hasher.turn_of_stranger(&client(1)),
        ];
        assert!(hasher.look_for_room(&client(1)).is_ok());
        let mut theirs: Vec<_> =
            neighbours.iter().map(|turn| push(&hasher.queue, turn.place)).collect();
        let still_waits = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Err(TryRecvError::Empty))
        };
        assert!(theirs.iter_mut().all(still_waits), "nobody is turned away");
        // The known come in between.
        for _ in 0..8 {
            hasher.queue.wait();
        }
        let has_had_its_turn = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Err(TryRecvError::Closed))
        };
        assert!(theirs.iter_mut().all(has_had_its_turn));
        assert!(crowd.iter_mut().any(still_waits), "while the crowd waits");
    }

    /// Promise 26: nor do many accounts from strangers there.
    #[test]
    fn many_accounts_leave_every_other_turn_to_strangers_at_their_address() {
        let hasher = hasher(0);
        let turns: Vec<_> = (0..70).map(|_| hasher.turn_of(UserId::new(), &client(1))).collect();
        let _crowd: Vec<_> = turns.iter().map(|turn| push(&hasher.queue, turn.place)).collect();
        assert!(hasher.look_for_room(&client(1)).is_ok());
        let mut newcomer = push(&hasher.queue, hasher.turn_of_stranger(&client(1)).place);
        for _ in 0..4 {
            assert!(matches!(newcomer.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)));
            hasher.queue.wait();
        }
        assert!(matches!(newcomer.try_recv(), Err(TryRecvError::Closed)), "it has had its turn");
        assert!(hasher.queue.lock().strangers.len() > 20);
    }

    #[test]
    fn each_worker_takes_its_share() {
        let queue = queue(2);
        let _waiting: Vec<_> = (0..4).map(|n| push(&queue, stranger(n))).collect();
        assert!(queue.wait().is_some() && queue.join(1).is_some());
        assert!(queue.join(2).is_none(), "the other two are for the other worker");
        assert!(queue.wait().is_some() && queue.join(1).is_some());
        let _fifth = push(&queue, stranger(5));
        assert!(queue.join(2).is_some(), "an odd one is for whoever comes first");
        for _ in 0..5 {
            queue.finished();
        }
        assert_eq!(queue.lock().in_hand, 0);
    }

    /// Promise 26: whoever waits is told so when the time is over, whether or not a worker comes by.
    #[rocket::async_test]
    async fn nobody_waits_for_longer_than_was_promised() {
        let mut config = Config::default();
        config.hashing.workers = Some(0);
        config.hashing.max_wait = Span::new(Duration::from_millis(20));
        let hasher = Hasher::start(&config).unwrap();
        let password: Password = "seven purple lanterns".parse().unwrap();
        let hash = hasher.hash(&password, &mut hasher.turn_of_stranger(&client(1))).await;
        assert!(hash.is_err_and(|error| error.busy_for().is_some()));
        assert_eq!(waiting(&hasher.queue), (0, 0), "nobody hashes it afterwards");
    }

    /// Promise 9: the clock does not tell which account has an imported hash of higher cost.
    #[rocket::async_test]
    async fn a_refusal_makes_up_for_the_largest_cost_in_the_table() {
        let hasher = hasher(1);
        let password: Password = "seven purple lanterns".parse().unwrap();
        let mut turn = hasher.turn_of_stranger(&client(1));
        let before = hasher.verify(&password, hasher.dummy(), &mut turn).await.unwrap();
        assert_eq!(before.shortfall, Duration::ZERO);
        hasher.note_cost(31);
        let same = hasher.verify(&password, hasher.dummy(), &mut turn).await.unwrap();
        assert_eq!(same.shortfall, Duration::ZERO, "nobody verifies that one");
        hasher.note_cost(10);
        let low = hasher.verify(&password, hasher.dummy(), &mut turn).await.unwrap();
        let high = hasher.verify(&password, &PasswordHash::dummy(10), &mut turn).await.unwrap();
        assert!(low.shortfall > Duration::ZERO);
        assert_eq!(high.shortfall, Duration::ZERO);
    }

    #[test]
    fn hashes_are_worked_on_side_by_side_where_that_gives_the_same() {
        assert!(agrees_with_the_crate(4));
        let (queue, policy) = (Arc::new(queue(1)), PasswordConfig::default());
        let password: Password = "seven purple lanterns".parse().unwrap();
        for (batch, is_begun) in [(4, true), (0, false)] {
            let worker = Worker { queue: queue.clone(), policy: policy.clone(), batch };
            let (reply, mut answer) = oneshot::channel();
            let task = Task::Hash(PasswordHash::begin(&password, 4).unwrap(), 0..0, reply);
            let begun = worker.begin(task, Duration::ZERO, &mut Batch::default());
            assert_eq!(begun.is_some(), is_begun);
            assert_eq!(answer.try_recv().is_ok(), !is_begun);
        }
    }

    /// Promise 26: looking at a password costs milliseconds, and whoever has a session can ask for it.
    #[rocket::async_test]
    async fn a_flood_of_strength_checks_stops_no_hash() {
        let hasher = hasher(1);
        let password: Password = "seven purple lanterns".parse().unwrap();
        let checked = Cell::new(0);
        let hash = async {
            hasher.hash(&password, &mut hasher.turn_of_stranger(&client(1))).await.unwrap();
            checked.get()
        };
        let flood = join_all((2..202).map(|n| {
            let (hasher, checked) = (&hasher, &checked);
            async move {
                let weak = "111111111111".parse().unwrap();
                let mut turn = hasher.turn_of_stranger(&client(n));
                let refused = hasher.check(weak, Vec::new(), &mut turn).await;
                assert!(matches!(refused, Err(Refused::Because(_))));
                checked.set(checked.get() + 1);
            }
        }));
        let (checked_before, _) = join(hash, flood).await;
        assert!(checked_before < 100, "{checked_before} of 200 came first");
        assert_eq!(checked.get(), 200);
    }
}
