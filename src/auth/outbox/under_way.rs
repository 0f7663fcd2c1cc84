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

    /// The number of messages of this priority with a slot.
    pub(super) fn of(&self, priority: Priority) -> usize {
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
