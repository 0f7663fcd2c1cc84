//! Messages in delivery and the slots they occupy.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rocket::tokio::task::{self, JoinSet};

use super::LOOK_EVERY;
use crate::Error;
use crate::auth::store::{Busy, Priority};

/// The number of slots for messages of one site, or to one domain, so that others get slots too.
pub(super) const MOST_ALIKE: usize = 2;

/// The number of messages in delivery to one domain, and of one site if not requested by address: a slow domain
/// delays others no longer than its slots last.
pub(super) const MOST_LATE: usize = 8;

/// The maximum number of messages in delivery.
const MOST_UNDER_WAY: usize = 200;

/// How many of these are reserved for messages that somebody is waiting for.
const KEPT_FREE: usize = 20;

/// The messages in delivery and the slots they occupy.
pub(super) struct UnderWay {
    /// One task per message, so that none waits for another. Dropping the set cancels them.
    pub(super) tasks: JoinSet<Result<(), Error>>,
    pub(super) messages: HashMap<task::Id, OnItsWay>,
    /// When slots were last checked for expiry.
    pub(super) looked_at: Instant,
}

/// A message in delivery, and the limits it counts towards.
pub(super) struct OnItsWay {
    pub(super) priority: Priority,
    /// The keys of its site and of its domain.
    pub(super) keys: [Option<Vec<u8>>; 2],
    /// Whether a stranger requested it by address: its duration must not be observable.
    pub(super) is_asked_for: bool,
    pub(super) has_left: bool,
    /// When its slot expires.
    pub(super) place_until: Instant,
    /// When it begins to count as late.
    pub(super) late_from: Instant,
}

impl OnItsWay {
    pub(super) fn has_place(&self, now: Instant) -> bool {
        self.place_until > now && (self.is_asked_for || !self.has_left)
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        !self.has_left && self.late_from <= now
    }
}

impl Default for UnderWay {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), messages: HashMap::new(), looked_at: Instant::now() }
    }
}

impl UnderWay {
    /// Whether all messages are done and all slots have expired.
    pub(super) fn is_empty(&self) -> bool {
        let now = Instant::now();
        self.tasks.is_empty() && !self.messages.values().any(|message| message.has_place(now))
    }

    /// Marks a message as finished. Returns whether that frees a slot.
    pub(super) fn end(&mut self, id: task::Id) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        message.has_left = true;
        !message.is_asked_for
    }

    /// Whether a slot has expired since the last check. Slots expire at fixed times, whatever happens to the
    /// messages.
    pub(super) fn end_kept(&mut self) -> bool {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.looked_at, now);
        let has_ended = |end: Instant| before < end && end <= now;
        let mut messages = self.messages.values();
        let has_room = messages.any(|message| has_ended(message.place_until));
        self.messages.retain(|_, message| message.has_place(now) || !message.has_left);
        has_room
    }

    /// The time until the next check if nothing else happens.
    pub(super) fn next_end(&self) -> Duration {
        let now = Instant::now();
        let ends = self.messages.values().map(|message| message.place_until);
        let next = ends.filter(|end| *end > now).min();
        next.map_or(LOOK_EVERY, |end| (end - now).min(LOOK_EVERY))
    }

    /// Whether one more message of this priority may be begun, if that many of them may have a slot.
    pub(super) fn has_room_for(&self, priority: Priority, places: usize) -> bool {
        let kept_free = if priority == Priority::Awaited { 0 } else { KEPT_FREE };
        self.of(priority) < places && self.tasks.len() + kept_free < MOST_UNDER_WAY
    }

    /// The number of messages of this priority with a slot.
    fn of(&self, priority: Priority) -> usize {
        let now = Instant::now();
        let of_it = self.messages.values().filter(|message| message.priority == priority);
        of_it.filter(|message| message.has_place(now)).count()
    }

    /// The sites and the domains that are at their limits.
    pub(super) fn busy(&self) -> (Busy, Busy) {
        let now = Instant::now();
        let of = |which: usize, counts: fn(&OnItsWay) -> bool| {
            let mut times: HashMap<&[u8], (usize, usize)> = HashMap::new();
            for message in self.messages.values() {
                if let Some(key) = message.keys[which].as_deref() {
                    let (places, late) = times.entry(key).or_default();
                    *places += usize::from(message.has_place(now));
                    *late += usize::from(message.is_late(now) && counts(message));
                }
            }
            let full = times
                .into_iter()
                .filter(|(_, (places, late))| *places >= MOST_ALIKE || *late >= MOST_LATE);
            full.flat_map(|(key, _)| key.to_vec()).collect()
        };
        (of(0, |message| !message.is_asked_for), of(1, |_| true))
    }
}

#[cfg(test)]
mod tests {
    use rocket::futures::future::pending;

    use super::*;

    impl UnderWay {
        /// Begins messages that never leave; with a slot if they are not late.
        fn begin(&mut self, n: usize, priority: Priority, is_late: bool) {
            let now = Instant::now();
            let place_until = if is_late { now } else { now + Duration::from_hours(1) };
            for _ in 0..n {
                let begun = self.tasks.spawn(pending());
                let message = OnItsWay {
                    priority,
                    keys: [None, None],
                    is_asked_for: false,
                    has_left: false,
                    place_until,
                    late_from: now,
                };
                self.messages.insert(begun.id(), message);
            }
        }
    }

    /// Promise 31: many messages of one priority take no slots from the others.
    #[rocket::async_test]
    async fn each_priority_has_slots_of_its_own() {
        let mut under_way = UnderWay::default();
        under_way.begin(2, Priority::First, false);
        assert!(under_way.has_room_for(Priority::First, 3));
        under_way.begin(1, Priority::First, false);
        assert!(!under_way.has_room_for(Priority::First, 3));
        assert!(under_way.has_room_for(Priority::Later, 3));
    }

    /// Promise 31: messages that the mail server is slow to take leave room for those that somebody waits for.
    #[rocket::async_test]
    async fn some_room_is_reserved_for_awaited_messages() {
        let mut under_way = UnderWay::default();
        under_way.begin(179, Priority::Later, true);
        assert!(under_way.has_room_for(Priority::Later, 3));
        under_way.begin(1, Priority::Later, true);
        assert!(!under_way.has_room_for(Priority::Later, 3));
        under_way.begin(19, Priority::Awaited, true);
        assert!(under_way.has_room_for(Priority::Awaited, 4));
        under_way.begin(1, Priority::Awaited, true);
        assert!(!under_way.has_room_for(Priority::Awaited, 4));
    }
}
