//! The requests in flight: the database stays open until the last one has its response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::tokio::sync::Notify;

use super::Store;

impl Store {
    /// Counts a request as in flight; see [`InFlight`].
    pub(in crate::auth) fn enter(&self) -> InFlight {
        self.requests.count.fetch_add(1, Ordering::AcqRel);
        InFlight(self.requests.clone())
    }
}

/// The number of requests in flight.
#[derive(Default)]
pub(super) struct Requests {
    count: AtomicUsize,
    none_left: Notify,
}

impl Requests {
    /// Returns when no request is in flight.
    pub(super) async fn all_gone(&self) {
        loop {
            let left = self.none_left.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }
}

/// A guard for a request in flight.
pub(crate) struct InFlight(Arc<Requests>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}
