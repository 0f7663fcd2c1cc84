//! Messages that are on their way, and what they keep from others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rocket::tokio::task::{self, JoinSet};

use super::LOOK_EVERY;
use crate::Error;
use crate::auth::store::{Busy, Priority};

/// How many messages of one site, or to one domain, have places at a time: what many ask for leaves places to the
/// others.
pub(super) const MOST_ALIKE: usize = 2;

/// How many to one domain are under way, and how many of one site that nobody has asked for by address: what is slow
/// there holds up the others no longer than it keeps a place.
pub(super) const MOST_LATE: usize = 8;

/// The messages that are on their way, and the places that they keep.
pub(super) struct UnderWay {
    /// Tasks, so that each goes on whatever the others wait for; dropping the set ends them.
    pub(super) tasks: JoinSet<Result<(), Error>>,
    pub(super) messages: HashMap<task::Id, OnItsWay>,
    /// When somebody last looked whose time is over.
    pub(super) looked_at: Instant,
}

/// What a message keeps from others while it is on its way.
pub(super) struct OnItsWay {
    pub(super) priority: Priority,
    /// The key of its site, and that of its domain.
    pub(super) keys: [Option<Vec<u8>>; 2],
    /// Whether a stranger asked for it by address: nothing may tell how long it takes.
    pub(super) is_asked_for: bool,
    pub(super) has_left: bool,
    /// Until when it has a place.
    pub(super) place_until: Instant,
    /// From when it counts among those of its domain.
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
    /// Whether a round is over.
    pub(super) fn is_empty(&self) -> bool {
        let now = Instant::now();
        self.tasks.is_empty() && !self.messages.values().any(|message| message.has_place(now))
    }

    /// A message has left; whether another one may have waited for that.
    pub(super) fn end(&mut self, id: task::Id) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        message.has_left = true;
        !message.is_asked_for
    }

    /// Whether a place has ended since the last look: at fixed times, whatever became of the messages.
    pub(super) fn end_kept(&mut self) -> bool {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.looked_at, now);
        let has_ended = |end: Instant| before < end && end <= now;
        let mut messages = self.messages.values();
        let has_room = messages.any(|message| has_ended(message.place_until));
        self.messages.retain(|_, message| message.has_place(now) || !message.has_left);
        has_room
    }

    /// When to look again if nothing else happens.
    pub(super) fn next_end(&self) -> Duration {
        let now = Instant::now();
        let ends = self.messages.values().map(|message| message.place_until);
        let next = ends.filter(|end| *end > now).min();
        next.map_or(LOOK_EVERY, |end| (end - now).min(LOOK_EVERY))
    }

    /// How many of this priority have places.
    pub(super) fn of(&self, priority: Priority) -> usize {
        let now = Instant::now();
        let of_it = self.messages.values().filter(|message| message.priority == priority);
        of_it.filter(|message| message.has_place(now)).count()
    }

    /// The sites and the domains that have as many messages under way as they may.
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
