//! A fair semaphore for the database. Connections are few, and SQLite has a single one that writes. Permits are
//! given to sites in turn, so that a client with a thousand cheap requests at once delays only itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocket::tokio::sync::oneshot;
use rocket::tokio::task_local;

use super::conn::RawConn;
use crate::auth::fair_queue::FairQueue;

task_local! {
    /// The site on whose behalf the current task works.
    static SITE: Option<IpAddr>;
}

/// The maximum number of waiting requests, in total and per site; beyond it the service is busy.
const MOST: usize = 40_000;
const MOST_OF_ONE: usize = MOST / 8;

/// Runs `work` on behalf of a site, or of the service itself if `None`, which counts as one more site. Code outside
/// of this function, such as background jobs, also counts as the service.
pub(crate) async fn on_behalf_of<F: Future>(site: Option<IpAddr>, work: F) -> F::Output {
    SITE.scope(site, work).await
}

/// A semaphore that serves sites in turn.
pub(super) struct FairSemaphore(Mutex<State>);

struct State {
    free: usize,
    waiting: FairQueue<Option<IpAddr>, (), oneshot::Sender<Permit>>,
}

/// Allows its holder to use the database until dropped.
pub(super) struct Permit {
    /// `None` once it has been passed on.
    permits: Option<Arc<FairSemaphore>>,
    /// The connection of the previous holder: a trip through the pool would cost as much as a statement.
    pub(super) link: Option<RawConn>,
}

impl FairSemaphore {
    pub(super) fn new(at_a_time: usize) -> Arc<Self> {
        let waiting = FairQueue::new(MOST, MOST_OF_ONE);
        Arc::new(Self(Mutex::new(State { free: at_a_time, waiting })))
    }

    /// Waits for a permit; `None` if too many requests are waiting.
    pub(super) async fn next(self: &Arc<Self>) -> Option<Permit> {
        let waits = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Permit { permits: Some(self.clone()), link: None });
            }
            let site = SITE.try_with(|site| *site).ok().flatten();
            let (permit, waits) = oneshot::channel();
            // The request whose sender is dropped, this one or another, notices that it was refused.
            let _dropped = state.waiting.push(site, (), permit);
            waits
        };
        waits.await.ok()
    }

    fn give_on(self: Arc<Self>, link: Option<RawConn>) {
        let mut permit = Permit { permits: Some(self.clone()), link };
        loop {
            let mut state = self.lock();
            let Some(next) = state.waiting.pop() else {
                state.free += 1;
                permit.permits = None;
                drop(state);
                if let Some(link) = permit.link.take() {
                    link.go_back();
                }
                return;
            };
            drop(state);
            match next.send(permit) {
                Ok(()) => return,
                // The receiver has given up.
                Err(back) => permit = back,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permits) = self.permits.take() {
            permits.give_on(self.link.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::futures::FutureExt;
    use rocket::futures::future::{join_all, join5};

    use super::*;

    /// Promise 26: a thousand requests of one address delay another's single request by one permit.
    #[rocket::async_test]
    async fn sites_take_turns() {
        let permits = FairSemaphore::new(1);
        let first = permits.next().await.unwrap();
        let order = Mutex::new(Vec::new());
        let wait = |name: &'static str, n: u8| {
            let (permits, order) = (&permits, &order);
            let work = async move {
                let _turn = permits.next().await.unwrap();
                order.lock().unwrap().push(name);
            };
            on_behalf_of(Some(IpAddr::from([203, 0, 113, n])), work)
        };
        let crowd = join_all((0..1000).map(|_| wait("crowd", 1)));
        let other = wait("other", 2);
        let job = async {
            let _turn = permits.next().await.unwrap();
            order.lock().unwrap().push("job");
        };
        // Work on behalf of the service does not wait with the client that causes it.
        let look = async {
            let _turn = permits.next().await.unwrap();
            order.lock().unwrap().push("look");
        };
        let look = on_behalf_of(Some(IpAddr::from([203, 0, 113, 1])), on_behalf_of(None, look));
        let begin = async { drop(first) };
        join5(crowd, other, job, look, begin).await;
        let order = order.lock().unwrap();
        assert_eq!(order[..5], ["crowd", "other", "job", "crowd", "look"]);
        assert_eq!(permits.lock().free, 1);
    }

    #[rocket::async_test]
    async fn whoever_gives_up_takes_no_turn_with_them() {
        let permits = FairSemaphore::new(1);
        let first = permits.next().await;
        let mut waits = Box::pin(permits.next());
        assert!((&mut waits).now_or_never().is_none());
        drop(waits);
        let mut late = Box::pin(permits.next());
        assert!((&mut late).now_or_never().is_none());
        drop(first);
        drop(late);
        assert_eq!(permits.lock().free, 1);
        assert!(permits.next().now_or_never().flatten().is_some());
    }
}
