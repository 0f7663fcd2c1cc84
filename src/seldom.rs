//! Rate-limited log lines for events that strangers can cause: one per minute, with a count.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60);

/// An event that may happen rarely or very often.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// Counts the event. Calls `write` the first time, and then at most once a minute, with the number of events
    /// since the last call.
    pub(crate) fn note(&self, write: impl FnOnce(u64)) {
        let times = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.times += 1;
            if state.last.is_some_and(|last| last.elapsed() < EVERY) {
                return;
            }
            state.last = Some(Instant::now());
            std::mem::take(&mut state.times)
        };
        write(times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line() {
        let (seldom, mut lines) = (Seldom::default(), Vec::new());
        for _ in 0..1_000 {
            seldom.note(|times| lines.push(times));
        }
        assert_eq!(lines, [1]);
        seldom.0.lock().unwrap().last = None;
        seldom.note(|times| lines.push(times));
        assert_eq!(lines, [1, 1_000]);
    }
}
