//! Wakes the delivery job.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rocket::tokio::sync::Notify;
use rocket::tokio::time::sleep_until;

/// Wakes the delivery job after a random delay. An attacker who requests a reset and immediately writes something
/// else would otherwise wait for the transaction that makes the link, and so learn that there is an account.
#[derive(Default)]
pub(in crate::auth) struct Wakeup {
    /// When the job wakes up. Fixed by the first call of `wake`; later calls do not change it.
    pub(super) at: Mutex<Option<Instant>>,
    pub(super) notify: Notify,
}

impl Wakeup {
    pub(super) fn wake(&self) {
        self.at().get_or_insert_with(|| Instant::now() + moment());
        self.notify.notify_one();
    }

    pub(super) async fn woken(&self) {
        loop {
            let at = *self.at();
            match at {
                Some(at) => {
                    sleep_until(at.into()).await;
                    *self.at() = None;
                    return;
                }
                None => self.notify.notified().await,
            }
        }
    }

    pub(super) fn at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random time of up to a second.
pub(super) fn moment() -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(4 * u64::from(byte[0]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rocket::futures::FutureExt;

    use super::*;

    /// Promise 10.
    #[rocket::async_test]
    async fn delivery_begins_after_a_random_delay() {
        let wakes_at_once = |_: &i32| {
            let wakeup = Wakeup::default();
            wakeup.wake();
            wakeup.woken().now_or_never().is_some()
        };
        assert!((0..100).filter(wakes_at_once).count() < 10);
        let moments: HashSet<Duration> = (0..100).map(|_| moment()).collect();
        assert!(moments.len() > 30, "{moments:?}");
        assert!(moments.iter().all(|moment| *moment < Duration::from_millis(1100)));
    }

    /// Promise 10: other work in between does not change the moment.
    #[rocket::async_test]
    async fn the_moment_is_fixed_by_the_first_wake() {
        let wakeup = Wakeup::default();
        wakeup.wake();
        let at = *wakeup.at();
        assert!(at.is_some());
        for _ in 0..100 {
            if wakeup.woken().now_or_never().is_some() {
                return;
            }
            wakeup.wake();
            assert_eq!(*wakeup.at(), at);
        }
        wakeup.woken().await;
        assert!(Some(Instant::now()) >= at);
    }
}
