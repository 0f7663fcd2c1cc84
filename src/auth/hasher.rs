//! The threads that hash passwords: a fixed number, of low priority, behind one queue.
//!
//! A hash takes a quarter of a second of one core. On the async threads it would hold up every other
//! request; on threads of its own without a bound, a crowd of logins would hold up the machine.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::error;
use rocket::tokio::sync::oneshot;

use super::password::{Bcrypt, NewPassword, Password, PasswordHash, WeakPassword};
use crate::Error;
use crate::config::{Config, PasswordConfig};

/// The only user of bcrypt. The last handle to go ends the threads.
pub(in crate::auth) struct Hasher {
    queue: Arc<Queue>,
    policy: PasswordConfig,
    max_wait: Duration,
    dummy: PasswordHash,
}

struct Queue {
    jobs: Mutex<Jobs>,
    ready: Condvar,
    /// Most jobs in a lane.
    most: usize,
}

/// Where a job waits. Workers take from both in turn, so that a crowd of strangers holds up nobody who
/// has been here before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Lane {
    /// Browsers that opened the account before.
    Known,
    /// Everybody else.
    Strangers,
}

#[derive(Default)]
struct Jobs {
    known: VecDeque<Job>,
    strangers: VecDeque<Job>,
    /// Whether the next job comes from the known, if there is one.
    known_next: bool,
    closed: bool,
}

impl Jobs {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Job> {
        match lane {
            Lane::Known => &mut self.known,
            Lane::Strangers => &mut self.strangers,
        }
    }

    fn pop(&mut self) -> Option<Job> {
        self.known_next = !self.known_next;
        if self.known_next {
            self.known.pop_front().or_else(|| self.strangers.pop_front())
        } else {
            self.strangers.pop_front().or_else(|| self.known.pop_front())
        }
    }
}

struct Job {
    queued_at: Instant,
    task: Task,
}

enum Task {
    Hash(Bcrypt, oneshot::Sender<[u8; 24]>),
    Check(Password, Vec<String>, oneshot::Sender<Result<NewPassword, WeakPassword>>),
}

impl Task {
    fn run(self, policy: &PasswordConfig) {
        // An answer that nobody waits for any more is no fault.
        match self {
            Self::Hash(Bcrypt { cost, salt, key }, reply) => {
                let _ = reply.send(bcrypt::bcrypt(cost, salt, &key));
            }
            Self::Check(password, context, reply) => {
                let _ = reply.send(password.meets(policy, &context));
            }
        }
    }
}

impl Hasher {
    /// Starts the workers.
    pub(in crate::auth) fn start(config: &Config) -> std::io::Result<Self> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let queue = Arc::new(Queue {
            jobs: Mutex::default(),
            ready: Condvar::new(),
            most: config.hashing.queue,
        });
        let max_wait = config.hashing.max_wait.get();
        for n in 0..config.hashing.workers.unwrap_or_else(cores) {
            let (queue, policy) = (queue.clone(), config.password.clone());
            thread::Builder::new()
                .name(format!("hash-{n}"))
                .spawn(move || work(&queue, &policy, max_wait))?;
        }
        let policy = config.password.clone();
        let dummy = PasswordHash::dummy(policy.cost);
        Ok(Self { queue, policy, max_wait, dummy })
    }

    /// What to check the password of an account against that does not exist.
    pub(in crate::auth) fn dummy(&self) -> &PasswordHash {
        &self.dummy
    }

    /// The hash to store of `password`.
    pub(in crate::auth) async fn hash(&self, password: &Password) -> Result<PasswordHash, Error> {
        let bcrypt = PasswordHash::begin(password, self.policy.cost)?;
        let (cost, salt) = (bcrypt.cost, bcrypt.salt);
        Ok(PasswordHash::finish(cost, salt, self.compute(bcrypt, Lane::Strangers).await?))
    }

    /// Whether `password` is the one of `hash`. A wrong one takes as long against an imported hash of
    /// lower cost as against any other: the missing rounds are done for nothing, so that the clock
    /// does not tell which accounts exist.
    pub(in crate::auth) async fn verify(
        &self,
        password: &Password,
        hash: &PasswordHash,
        lane: Lane,
    ) -> Result<bool, Error> {
        if hash.is(self.compute(hash.attempt(password), lane).await?) {
            return Ok(true);
        }
        // 2^c + (2^c + 2^(c+1) + … + 2^(cost-1)) = 2^cost
        for cost in hash.cost()..self.policy.cost {
            self.compute(PasswordHash::dummy(cost).attempt(password), lane).await?;
        }
        Ok(false)
    }

    /// Whether `hash` should be replaced now that its password is known.
    pub(in crate::auth) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        hash.is_outdated(self.policy.cost)
    }

    /// Whether `password` may be set. `context`: words that an attacker would try first.
    pub(in crate::auth) async fn check(
        &self,
        password: Password,
        context: Vec<String>,
    ) -> Result<Result<NewPassword, WeakPassword>, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(Lane::Strangers, Task::Check(password, context, reply));
        answer.await.map_err(|_| self.busy())
    }

    async fn compute(&self, bcrypt: Bcrypt, lane: Lane) -> Result<[u8; 24], Error> {
        let (reply, answer) = oneshot::channel();
        // A full lane drops the reply, which is the answer "busy".
        self.queue.push(lane, Task::Hash(bcrypt, reply));
        answer.await.map_err(|_| self.busy())
    }

    fn busy(&self) -> Error {
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
        let lane = jobs.lane(lane);
        if lane.len() < self.most {
            lane.push_back(Job { queued_at: Instant::now(), task });
            self.ready.notify_one();
        }
    }

    /// The next job; `None` when the service is gone.
    fn next(&self) -> Option<Job> {
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

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(queue: &Queue, policy: &PasswordConfig, max_wait: Duration) {
    // Pages stay quick beside a crowd of logins; 10, not 19, so that a busy neighbour on the machine
    // does not starve logins. Where the system refuses, hashing merely competes.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
    while let Some(Job { queued_at, task }) = queue.next() {
        if queued_at.elapsed() > max_wait {
            // Whoever asked has been kept too long: dropping the reply answers "busy".
            continue;
        }
        // Strangers choose what zxcvbn looks at; a panic in there must cost an answer, not a worker.
        let done = catch_unwind(AssertUnwindSafe(|| task.run(policy)));
        if done.is_err() {
            error!("a hash worker met a fault in a library and goes on");
        }
    }
}
