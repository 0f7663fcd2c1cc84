//! A thread that hashes passwords.

use std::hint::black_box;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eksblowfish::Batch;
use log::error;
use rocket::tokio::sync::oneshot;

use super::queue::{Done, Queue, Task};
use crate::auth::password::hash::Bcrypt;
use crate::config::PasswordConfig;

pub(super) struct Worker {
    pub(super) queue: Arc<Queue>,
    pub(super) policy: PasswordConfig,
    /// The maximum number of hashes at once; 0 uses the `bcrypt` crate, one hash after the other.
    pub(super) batch: usize,
}

/// A hash in a batch.
pub(super) struct Running {
    /// The result, once only dummy rounds are left.
    pub(super) hash: Option<[u8; 24]>,
    pub(super) then: Range<u32>,
    pub(super) waited: Duration,
    pub(super) began_at: Instant,
    pub(super) reply: oneshot::Sender<Done<[u8; 24]>>,
}

/// Salt and key of dummy hashes.
pub(super) const NOTHING: ([u8; 16], &[u8]) = ([0x5a; 16], b"nothing\0");

/// Every this many turns, a millisecond or two, a worker looks for further jobs. A hash joins a batch that is under
/// way and leaves when it is done, so that no hash waits for others.
pub(super) const TURNS: u64 = 32;

/// The minimum number of turns between two strength checks: many of them slow the hashes down but do not stop them.
pub(super) const TURNS_BETWEEN_OTHERS: u64 = 8 * TURNS;

impl Worker {
    pub(super) fn work(&self) {
        // Pages stay fast during many sign-ins. 10, not 19, so that other busy processes do not starve sign-ins. If
        // the system refuses, hashing merely competes.
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
                let is_late = waited > job.at_most || job.task.is_abandoned();
                match (!is_late).then(|| self.begin(job.task, waited, &mut batch)) {
                    Some(Some(hash)) => running.push(hash),
                    Some(None) if is_idle => self.queue.finished(),
                    Some(None) => {
                        self.queue.finished();
                        turns = TURNS_BETWEEN_OTHERS;
                        break;
                    }
                    // It has waited too long: dropping the reply answers "busy".
                    None => self.queue.finished(),
                }
            }
            batch.advance(turns);
            while let Some((lane, output)) = batch.pop_done() {
                let mut done = running.swap_remove(lane);
                let hash = *done.hash.get_or_insert(output);
                if let Some(cost) = done.then.next() {
                    batch.push(cost, NOTHING.0, NOTHING.1);
                    running.push(done);
                } else {
                    self.queue.finished();
                    // It is no error if the receiver is gone.
                    let Running { waited, began_at, reply, .. } = done;
                    let _ = reply.send(Done { answer: hash, waited, took: began_at.elapsed() });
                }
            }
        }
    }

    /// Begins a hash; other tasks are completed at once.
    pub(super) fn begin(&self, task: Task, waited: Duration, batch: &mut Batch) -> Option<Running> {
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
                // Strangers choose the input of zxcvbn; a panic in it must fail one request, not the worker.
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

/// Whether a batch of this size computes the same hashes as the `bcrypt` crate, on this machine and in this build.
/// If not, the crate is used alone. Takes milliseconds.
pub(super) fn agrees_with_the_crate(size: usize) -> bool {
    let mut batch = Batch::default();
    let mut left: Vec<u8> = (0..16).take(size).collect();
    for n in &left {
        batch.push(4, [*n; 16], &[b'a' + n, 0]);
    }
    batch.advance(1 << 4);
    while let Some((lane, hash)) = batch.pop_done() {
        let n = left.swap_remove(lane);
        if hash != bcrypt::bcrypt(4, [n; 16], &[b'a' + n, 0]) {
            return false;
        }
    }
    left.is_empty()
}

/// How long a hash of this cost takes in this build, estimated from the quickest of some of the lowest cost: the first
/// is slower than all others.
pub(crate) fn time_of_hash(cost: u32) -> Duration {
    const LOWEST: u32 = 4;
    let mut batch = Batch::default();
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        batch.push(LOWEST, [0; 16], b"\0");
        batch.advance(1 << LOWEST);
        batch.pop_done();
        quickest = quickest.min(begun.elapsed());
    }
    quickest.saturating_mul(1 << cost.saturating_sub(LOWEST).min(30))
}

#[cfg(test)]
mod tests {
    use super::super::queue::tests::queue;
    use super::*;
    use crate::auth::Password;
    use crate::auth::password::hash::PasswordHash;

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
}
