//! A cache of full buckets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::bucket::BucketKey;
use crate::clock::Timestamp;

/// Recently full buckets. Further requests of the same client are refused without the database. Entries last a
/// second only: successful attempts are refunded and let others in.
#[derive(Default)]
pub(in crate::auth) struct ClosedBuckets(Mutex<HashMap<BucketKey, ClosedUntil>>);

#[derive(Clone, Copy)]
pub(super) struct ClosedUntil {
    pub(super) closed_at: Timestamp,
    pub(super) until: Timestamp,
}

impl ClosedBuckets {
    /// The maximum number of entries; further buckets are checked in the database.
    pub(super) const MOST: usize = 10_000;
    /// How long an entry lasts.
    pub(super) const FOR: Duration = Duration::from_secs(1);

    pub(super) fn until(&self, key: BucketKey, now: Timestamp) -> Option<Timestamp> {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ClosedUntil { closed_at, until } = *closed.get(&key)?;
        // If the clock was set back, the entry counts as old.
        if closed_at <= now && now.since(closed_at) < Self::FOR && until > now {
            return Some(until);
        }
        closed.remove(&key);
        None
    }

    pub(super) fn close(&self, key: BucketKey, until: Timestamp, closed_at: Timestamp) {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.len() >= Self::MOST {
            closed.clear();
        }
        closed.insert(key, ClosedUntil { closed_at, until });
    }

    pub(super) fn open(&self, key: BucketKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}
