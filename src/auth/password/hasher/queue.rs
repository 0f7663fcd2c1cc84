//! Whose password is hashed next.

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

/// A lane among those whose passwords are hashed, for one request: in which lane, and how long it may
/// still wait there, all its hashes together.
pub(in crate::auth) struct HashSlot {
    pub(super) queue: Arc<Queue>,
    pub(super) lane: Lane,
    pub(super) left: Duration,
    pub(super) has_hashed: bool,
}

/// Workers take from both lanes in turn, so that a crowd of strangers holds up nobody who has been here
/// before; and within a lane from each source in slot.
#[derive(Clone, Copy)]
pub(super) enum Lane {
    /// Browsers that opened the account before, and whoever has a session or a good link.
    Known(Known),
    /// Everybody else, by site.
    Stranger(Option<IpAddr>, Source),
}

/// Which of a site take turns with each other, and with those of other sites.
pub(super) type Group = (Option<IpAddr>, bool);

/// Whose turn it is among the strangers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A network; `None`: those whose address says nothing.
    Network(Option<IpAddr>),
    /// An account that has enough turns among the known: however many more it takes, it stands in nobody else's way.
    Account(UserId),
}

impl Source {
    /// However many accounts come from a site, every other of its turns is for those who have none.
    pub(super) fn group(self, site: Option<IpAddr>) -> Group {
        (site, matches!(self, Self::Account(_)))
    }
}

/// Who is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) user: UserId,
    /// From where, if limits by address are fair.
    pub(super) site: Option<IpAddr>,
}

impl Known {
    /// Whether it may well be the same person.
    pub(super) fn resembles(self, other: Self) -> bool {
        self.user == other.user || (self.site.is_some() && self.site == other.site)
    }
}

/// Most requests of one account or one site among the known. Anybody can have an account, and with it
/// come back a hundred times at once; the others then are strangers.
pub(super) const MOST_OF_ONE: usize = 4;

pub(super) struct Jobs {
    pub(super) known: FairQueue<UserId, UserId, Job>,
    pub(super) strangers: FairQueue<Group, Source, Job>,
    /// Those who have a [`HashSlot`] among the known.
    pub(super) known_slots: Vec<Known>,
    /// Whether the next job comes from the known, if there is one.
    pub(super) known_next: bool,
    /// Jobs that workers have in hand.
    pub(super) in_hand: usize,
    pub(super) next_id: u64,
    pub(super) closed: bool,
}

impl Jobs {
    pub(super) fn new(most: usize) -> Self {
        // A quarter for one site: a class logs in at once, and three quarters are for others.
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
    /// How long it may wait.
    pub(super) at_most: Duration,
    pub(super) task: Task,
}

pub(super) enum Task {
    /// A hash; afterwards those of these costs are done for nothing.
    Hash(Bcrypt, Range<u32>, oneshot::Sender<Done<[u8; 24]>>),
    Check(Password, Vec<String>, oneshot::Sender<Done<Result<NewPassword, WeakPassword>>>),
}

impl Task {
    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        match self {
            Self::Hash(_, _, reply) => reply.is_closed(),
            Self::Check(_, _, reply) => reply.is_closed(),
        }
    }
}

/// What a worker found.
pub(super) struct Done<T> {
    pub(super) answer: T,
    /// How long it waited for its slot.
    pub(super) waited: Duration,
    /// How long the turn was.
    pub(super) took: Duration,
}

impl HashSlot {
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
    /// Puts a job into its lane, or drops it if there is no room.
    pub(super) fn push(&self, lane: Lane, at_most: Duration, task: Task) -> u64 {
        let mut jobs = self.lock();
        let id = jobs.next_id;
        jobs.next_id += 1;
        let job = Job { id, queued_at: Instant::now(), at_most, task };
        // Whoever is dropped, this one or another, is answered "busy" by that.
        let _dropped = match lane {
            Lane::Known(Known { user, .. }) => jobs.known.push(user, user, job),
            Lane::Stranger(site, source) => jobs.strangers.push(source.group(site), source, job),
        };
        self.ready.notify_one();
        id
    }

    /// Takes a job back; `false` if a worker has it already.
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

    /// The next job; waits for one. `None` when the service is gone.
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

    /// Another job for a worker that has some already, up to its share: the more side by side, the
    /// longer each takes, so all workers should have the same number.
    pub(super) fn join(&self, has: usize) -> Option<Job> {
        let mut jobs = self.lock();
        let all = jobs.in_hand + jobs.waiting();
        if has < all.div_ceil(self.workers) { jobs.pop() } else { None }
    }

    /// A worker has finished a job.
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

    /// A task, and who waits for it.
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
