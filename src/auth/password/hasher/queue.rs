//! The order in which passwords are hashed.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rocket::tokio::sync::oneshot;

use crate::auth::fair_queue::FairQueue;
use crate::auth::password::hash::Bcrypt;
use crate::auth::{NewPassword, Password, UserId, WeakPassword};

pub(super) struct Queue {
    pub(super) jobs: Mutex<Jobs>,
    pub(super) ready: Condvar,
    pub(super) workers: usize,
}

/// The right to hash for one request: its lane, and how long all its hashes together may still wait.
pub(in crate::auth) struct HashSlot {
    pub(super) queue: Arc<Queue>,
    pub(super) lane: Lane,
    pub(super) left: Duration,
    pub(super) has_hashed: bool,
}

/// Workers alternate between the lanes, so that many strangers do not delay known clients; within a lane, sources
/// are served round-robin.
#[derive(Clone, Copy)]
pub(super) enum Lane {
    /// Clients with a session or a valid link, and browsers that have opened the account before.
    Known(Known),
    /// All others, by site.
    Stranger(Option<IpAddr>, Source),
}

/// Strangers are served round-robin by group: a site, and whether its jobs are for accounts.
pub(super) type Group = (Option<IpAddr>, bool);

/// What counts as one client among the strangers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// An IP prefix; `None` for all clients whose address does not tell them apart.
    Network(Option<IpAddr>),
    /// An account that has used up its slots among the known clients. Its further jobs delay nobody else.
    Account(UserId),
}

impl Source {
    /// Half of a site's slots are for clients without an account, however many accounts there are.
    pub(super) fn group(self, site: Option<IpAddr>) -> Group {
        (site, matches!(self, Self::Account(_)))
    }
}

/// A known client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) user: UserId,
    /// The site, if limits by address are fair for it.
    pub(super) site: Option<IpAddr>,
}

impl Known {
    /// Whether both may be the same person.
    pub(super) fn resembles(self, other: Self) -> bool {
        self.user == other.user || (self.site.is_some() && self.site == other.site)
    }
}

/// The number of requests of one account or one site among the known clients. Anybody can sign up and send a
/// hundred requests at once; the rest count as strangers.
pub(super) const MOST_OF_ONE: usize = 4;

pub(super) struct Jobs {
    pub(super) known: FairQueue<UserId, UserId, Job>,
    pub(super) strangers: FairQueue<Group, Source, Job>,
    /// The clients that have a [`HashSlot`] among the known.
    pub(super) known_slots: Vec<Known>,
    /// Whether the next job comes from the lane of known clients, if it has one.
    pub(super) known_next: bool,
    /// Jobs that workers are running.
    pub(super) in_hand: usize,
    pub(super) next_id: u64,
    pub(super) closed: bool,
}

impl Jobs {
    pub(super) fn new(most: usize) -> Self {
        // A quarter for one site: a class signs in at once, and three quarters remain for others.
        let of_one = most.div_ceil(4);
        Self {
            known: FairQueue::new(most, MOST_OF_ONE.min(most)),
            strangers: FairQueue::new(most, of_one),
            known_slots: Vec::new(),
            known_next: false,
            in_hand: 0,
            next_id: 0,
            closed: false,
        }
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        self.known_next = !self.known_next;
        let job = if self.known_next {
            self.known.pop().or_else(|| self.strangers.pop())
        } else {
            self.strangers.pop().or_else(|| self.known.pop())
        };
        self.in_hand += usize::from(job.is_some());
        job
    }

    pub(super) fn waiting(&self) -> usize {
        self.known.len() + self.strangers.len()
    }
}

pub(super) struct Job {
    pub(super) id: u64,
    pub(super) queued_at: Instant,
    /// The longest time in the queue.
    pub(super) at_most: Duration,
    pub(super) task: Task,
}

pub(super) enum Task {
    /// A hash, followed by dummy hashes of these costs.
    Hash(Bcrypt, Range<u32>, oneshot::Sender<Done<[u8; 24]>>),
    Check(Password, Vec<String>, oneshot::Sender<Done<Result<NewPassword, WeakPassword>>>),
}

impl Task {
    /// Whether the receiver is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Hash(_, _, reply) => reply.is_closed(),
            Self::Check(_, _, reply) => reply.is_closed(),
        }
    }
}

/// The result of a task.
pub(super) struct Done<T> {
    pub(super) answer: T,
    /// The time in the queue.
    pub(super) waited: Duration,
    /// The time of the work.
    pub(super) took: Duration,
}

impl HashSlot {
    /// The remaining time that it may wait.
    pub(in crate::auth) fn left(&self) -> Duration {
        self.left
    }

    /// Whether a hash was computed, so that its result may have become observable.
    pub(in crate::auth) fn has_hashed(&self) -> bool {
        self.has_hashed
    }

    /// Limits the remaining time.
    pub(in crate::auth) fn wait_at_most(&mut self, left: Duration) {
        self.left = self.left.min(left);
    }

    /// Whether it belongs to a known client.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.lane, Lane::Known(_))
    }
}

impl Drop for HashSlot {
    fn drop(&mut self) {
        if let Lane::Known(known) = self.lane {
            let turns = &mut self.queue.lock().known_slots;
            if let Some(own) = turns.iter().position(|other| *other == known) {
                turns.swap_remove(own);
            }
        }
    }
}

impl Queue {
    /// Adds a job to its lane. If the lane is full, a job is dropped.
    pub(super) fn push(&self, lane: Lane, at_most: Duration, task: Task) -> u64 {
        let mut jobs = self.lock();
        let id = jobs.next_id;
        jobs.next_id += 1;
        let job = Job { id, queued_at: Instant::now(), at_most, task };
        // Dropping a job, this one or another, answers its client with "busy".
        let _dropped = match lane {
            Lane::Known(Known { user, .. }) => jobs.known.push(user, user, job),
            Lane::Stranger(site, source) => jobs.strangers.push(source.group(site), source, job),
        };
        self.ready.notify_one();
        id
    }

    /// Removes a job from the queue; `false` if a worker has already taken it.
    pub(super) fn withdraw(&self, lane: Lane, id: u64) -> bool {
        let mut jobs = self.lock();
        match lane {
            Lane::Known(Known { user, .. }) => jobs.known.withdraw(user, user, |job| job.id == id),
            Lane::Stranger(site, source) => {
                jobs.strangers.withdraw(source.group(site), source, |job| job.id == id)
            }
        }
        .is_some()
    }

    /// Waits for the next job. `None` when the service ends.
    pub(super) fn wait(&self) -> Option<Job> {
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

    /// Another job for a worker that already has some, up to its share: the more hashes in one worker, the longer
    /// each takes, so all workers should have the same number.
    pub(super) fn join(&self, has: usize) -> Option<Job> {
        let mut jobs = self.lock();
        let all = jobs.in_hand + jobs.waiting();
        if has < all.div_ceil(self.workers) { jobs.pop() } else { None }
    }

    /// Records that a worker has finished a job.
    pub(super) fn finished(&self) {
        self.lock().in_hand -= 1;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rocket::tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    pub(in crate::auth::password::hasher) fn queue(workers: usize) -> Queue {
        Queue { jobs: Mutex::new(Jobs::new(100)), ready: Condvar::new(), workers }
    }

    /// A task and the receiver of its result.
    fn task() -> (Task, oneshot::Receiver<Done<[u8; 24]>>) {
        let bcrypt = Bcrypt { cost: 4, salt: [0; 16], key: vec![0].into() };
        let (reply, answer) = oneshot::channel();
        (Task::Hash(bcrypt, 0..0, reply), answer)
    }

    pub(in crate::auth::password::hasher) fn push(
        queue: &Queue,
        lane: Lane,
    ) -> oneshot::Receiver<Done<[u8; 24]>> {
        let (task, answer) = task();
        queue.push(lane, Duration::from_secs(5), task);
        answer
    }

    fn stranger(n: u8) -> Lane {
        let address = Some(IpAddr::from([203, 0, 113, n]));
        Lane::Stranger(address, Source::Network(address))
    }

    pub(in crate::auth::password::hasher) fn waiting(queue: &Queue) -> (usize, usize) {
        let jobs = queue.lock();
        (jobs.known.len(), jobs.strangers.len())
    }

    /// Promise 26.
    #[test]
    fn who_is_known_does_not_queue_behind_strangers() {
        let queue = queue(1);
        let _waiting: Vec<_> = (0..9).map(|n| push(&queue, stranger(n))).collect();
        let known = Known { user: UserId::new(), site: None };
        let _known = push(&queue, Lane::Known(known));
        assert_eq!(waiting(&queue), (1, 9));
        queue.wait();
        queue.wait();
        assert_eq!(waiting(&queue), (0, 8));
    }

    /// Promise 26: however many jobs one client queues, another client is next but one.
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
}
