//! A cache of recently used sessions, which saves pages a database query. In return, a session revoked by *another*
//! node stays valid here for `session.cache_for`, at most one second. Revocations by this node take effect at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Session;
use crate::auth::UserId;
use crate::auth::token::Digest;
use crate::clock::Timestamp;

/// Several locks instead of one, so that threads rarely contend.
const SHARDS: usize = 16;

/// The maximum number of sessions in a shard. A full shard is emptied, which only costs some queries.
const MOST: usize = 4096;

/// Likewise for cookies.
const MOST_UNSEALED: usize = 1024;

/// The number of entries at which a shard is first swept.
const FEW: usize = 64;

pub(in crate::auth) struct SessionCache {
    keep_for: Duration,
    shards: [Mutex<Shard>; SHARDS],
    /// What sealed cookies hold, which never changes, by a hash of 128 bits under keys of this process: nothing here
    /// opens a session.
    unsealed: [Mutex<HashMap<[u64; 2], Digest>>; SHARDS],
    hashers: [RandomState; 2],
    /// The number of revocations so far.
    revocations: AtomicU64,
}

#[derive(Default)]
struct Shard {
    /// When the use of a session was last recorded.
    recorded: HashMap<Digest, Timestamp>,
    entries: HashMap<Digest, Entry>,
    /// The number of entries at which the shard is swept next.
    sweep_at: usize,
}

impl Shard {
    /// Removes old entries, to keep memory at about twice the live set. Sweeps are so rare that their cost per
    /// entry is constant.
    fn make_room(&mut self, is_fresh: impl Fn(&Entry) -> bool) {
        if self.entries.len() < self.sweep_at.max(FEW) {
            return;
        }
        self.entries.retain(|_, entry| is_fresh(entry));
        if self.entries.len() >= MOST {
            self.entries.clear();
        }
        self.sweep_at = (2 * self.entries.len()).min(MOST);
    }
}

struct Entry {
    session: Arc<Session>,
    found_at: Timestamp,
}

/// A database query in progress. If a session was revoked since it began, its result must not be cached.
#[derive(Clone, Copy)]
pub(in crate::auth) struct Lookup(u64);

impl SessionCache {
    /// Keeps sessions for this long; zero disables the cache.
    pub(in crate::auth) fn new(keep_for: Duration) -> Self {
        let (shards, unsealed, hashers) = Default::default();
        Self { keep_for, shards, unsealed, hashers, revocations: AtomicU64::default() }
    }

    /// The digest of the token in a sealed cookie. Unsealing it and hashing the token take as long as a tenth of a page,
    /// so this is done once for each cookie.
    pub(in crate::auth) fn digest_of(
        &self,
        sealed: &str,
        unseal: impl FnOnce() -> Option<Digest>,
    ) -> Option<Digest> {
        let key = [0, 1].map(|n| self.hashers[n].hash_one(sealed));
        let shard = &self.unsealed[usize::try_from(key[0] % SHARDS as u64).unwrap_or_default()];
        if let Some(digest) = lock(shard).get(&key) {
            return Some(*digest);
        }
        let digest = unseal()?;
        let mut unsealed = lock(shard);
        if unsealed.len() >= MOST_UNSEALED {
            unsealed.clear();
        }
        unsealed.insert(key, digest);
        Some(digest)
    }

    /// Returns the session if it is cached.
    pub(in crate::auth) fn get(&self, digest: Digest, now: Timestamp) -> Option<Arc<Session>> {
        let shard = self.shard(digest);
        shard
            .entries
            .get(&digest)
            .filter(|entry| self.is_fresh(entry, now))
            .map(|entry| entry.session.clone())
    }

    fn is_fresh(&self, entry: &Entry, now: Timestamp) -> bool {
        // If the clock was set back, the entry counts as old.
        entry.found_at <= now && entry.found_at + self.keep_for > now
    }

    /// Must be called before the database query.
    pub(in crate::auth) fn begin_lookup(&self) -> Lookup {
        Lookup(self.revocations.load(Ordering::SeqCst))
    }

    /// Caches the result, unless a session was revoked since the query began.
    pub(in crate::auth) fn put(
        &self,
        lookup: Lookup,
        digest: Digest,
        session: &Arc<Session>,
        now: Timestamp,
    ) {
        if self.keep_for.is_zero() {
            return;
        }
        let mut shard = self.shard(digest);
        // Checked under the lock: a revocation increments the counter first, then locks the shards.
        if self.revocations.load(Ordering::SeqCst) == lookup.0 {
            shard.make_room(|entry| self.is_fresh(entry, now));
            shard.entries.insert(digest, Entry { session: session.clone(), found_at: now });
        }
    }

    /// Whether this request should record that the session is in use: of many concurrent ones, only one writes.
    pub(in crate::auth) fn is_first_to_record(
        &self,
        digest: Digest,
        now: Timestamp,
        every: Duration,
    ) -> bool {
        let mut shard = self.shard(digest);
        let is_recent = |at: &Timestamp| *at <= now && now.since(*at) < every;
        if shard.recorded.get(&digest).is_some_and(is_recent) {
            return false;
        }
        if shard.recorded.len() >= MOST {
            shard.recorded.retain(|_, at| is_recent(at));
        }
        if shard.recorded.len() >= MOST {
            shard.recorded.clear();
        }
        shard.recorded.insert(digest, now);
        true
    }

    /// Must be called after a session was ended in the database.
    pub(in crate::auth) fn forget(&self, digest: Digest) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.shard(digest).entries.remove(&digest);
    }

    /// Must be called after a user, or all their sessions, changed in the database.
    pub(in crate::auth) fn forget_user(&self, user: UserId) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            lock(shard).entries.retain(|_, entry| entry.session.user.id != user);
        }
    }

    fn shard(&self, digest: Digest) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(digest.first_byte()) % SHARDS])
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::SessionToken;
    use crate::auth::{Email, User};

    fn session() -> (Digest, Arc<Session>) {
        let at = Timestamp::from_millis(0);
        let email: Email = "ada@example.com".parse().unwrap();
        let user = User {
            id: UserId::new(),
            email,
            name: None,
            email_verified_at: None,
            email_refused_at: None,
            disabled_at: None,
            delete_at: None,
            new_email: None,
            is_admin: false,
            created_at: at,
        };
        let id = uuid::Uuid::now_v7();
        let digest = SessionToken::new().unwrap().digest();
        let [created_at, last_seen_at, authenticated_at, expires_at] = [at; 4];
        (
            digest,
            Arc::new(Session {
                id,
                user,
                remembered: false,
                created_at,
                last_seen_at,
                authenticated_at,
                expires_at,
            }),
        )
    }

    /// Promise 45.
    #[test]
    fn a_session_that_was_revoked_during_its_look_up_is_not_kept() {
        let (cache, now) = (SessionCache::new(Duration::from_secs(1)), Timestamp::from_millis(5));
        let (digest, session) = session();
        for revoke in [SessionCache::forget, |c: &SessionCache, _| c.forget_user(UserId::new())] {
            let lookup = cache.begin_lookup();
            revoke(&cache, digest);
            cache.put(lookup, digest, &session, now);
            assert!(cache.get(digest, now).is_none());
        }
        cache.put(cache.begin_lookup(), digest, &session, now);
        assert!(cache.get(digest, now).is_some());
        cache.forget_user(session.user.id);
        assert!(cache.get(digest, now).is_none());
    }

    /// Promise 45.
    #[test]
    fn a_session_is_kept_for_a_moment_whatever_the_clock_does() {
        let (digest, session) = session();
        let cache = SessionCache::new(Duration::from_secs(1));
        let at = Timestamp::from_millis;
        cache.put(cache.begin_lookup(), digest, &session, at(5_000));
        assert!(cache.get(digest, at(5_999)).is_some());
        assert!(cache.get(digest, at(6_000)).is_none());
        assert!(cache.get(digest, at(4_999)).is_none());
        let off = SessionCache::new(Duration::ZERO);
        off.put(off.begin_lookup(), digest, &session, at(0));
        assert!(off.get(digest, at(0)).is_none());
    }

    /// Promise 26: a thousand requests with one cookie write once.
    #[test]
    fn one_of_many_notes_that_a_session_is_in_use() {
        let cache = SessionCache::new(Duration::from_secs(1));
        let (minute, at) = (Duration::from_secs(60), Timestamp::from_millis);
        let (digest, other) = (session().0, session().0);
        let firsts = (0..100).filter(|n| cache.is_first_to_record(digest, at(1_000 + n), minute));
        assert_eq!(firsts.count(), 1);
        assert!(cache.is_first_to_record(other, at(1_000), minute));
        for _ in 0..200 {
            assert!(cache.is_first_to_record(session().0, at(1_000), minute));
        }
        assert!(!cache.is_first_to_record(digest, at(1_100), minute), "whatever others do");
        assert!(cache.is_first_to_record(digest, at(61_000), minute));
        assert!(cache.is_first_to_record(digest, at(5), minute), "the clock was set back");
    }

    /// The memory contains no cookie, and another cookie is never taken for one that was unsealed.
    #[test]
    fn a_cookie_is_unsealed_once() {
        let cache = SessionCache::new(Duration::from_secs(1));
        let digests: Vec<Digest> = (0..20_000).map(|_| session().0).collect();
        for (n, digest) in digests.iter().enumerate() {
            let sealed = format!("cookie {n}==");
            assert_eq!(cache.digest_of(&sealed, || Some(*digest)), Some(*digest));
            assert_eq!(cache.digest_of(&sealed, || panic!("once is enough")), Some(*digest));
        }
        for (n, digest) in digests.iter().enumerate().skip(19_900) {
            let sealed = format!("cookie {n}==");
            assert_eq!(cache.digest_of(&sealed, || panic!("it is still known")), Some(*digest));
        }
        assert_eq!(cache.digest_of("forged", || None), None);
        assert_eq!(cache.digest_of("forged", || Some(digests[0])), Some(digests[0]), "not kept");
        let kept: usize = cache.unsealed.iter().map(|shard| lock(shard).len()).sum();
        assert!((1..=SHARDS * MOST_UNSEALED).contains(&kept), "{kept}");
    }

    #[test]
    fn old_entries_do_not_pile_up() {
        let cache = SessionCache::new(Duration::from_secs(1));
        for n in 0..20_000 {
            let (digest, session) = session();
            let now = Timestamp::from_millis(n * 10);
            cache.put(cache.begin_lookup(), digest, &session, now);
        }
        let kept: usize = cache.shards.iter().map(|shard| lock(shard).entries.len()).sum();
        assert!(kept <= SHARDS * FEW, "a hundred are fresh, {kept} are kept");
    }

    /// Sweeping at every insertion would take time in the square of the number of sessions in use.
    #[test]
    fn a_sweep_of_many_fresh_entries_is_rare() {
        let (mut shard, looked_at) = (Shard::default(), std::cell::Cell::new(0));
        let found_at = Timestamp::from_millis(0);
        for _ in 0..MOST {
            shard.make_room(|_| {
                looked_at.set(looked_at.get() + 1);
                true
            });
            let (digest, session) = session();
            shard.entries.insert(digest, Entry { session, found_at });
        }
        assert!(looked_at.get() <= 2 * MOST, "{} looks at {MOST} entries", looked_at.get());
        assert_eq!(shard.entries.len(), MOST, "and none is lost");
    }
}
