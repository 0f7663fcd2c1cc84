//! A queue that serves everybody in turn, whoever has brought how much.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Each visitor has a queue of their own, and they are served in rotation: ten thousand jobs of one cost
/// another's single job one turn.
pub(in crate::auth) struct FairQueue<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// Whose turn it is, and who follows.
    order: VecDeque<K>,
    len: usize,
    most: usize,
    most_of_one: usize,
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// At most so many wait in all, and of one visitor.
    pub(in crate::auth) fn new(most: usize, most_of_one: usize) -> Self {
        let (waiting, order) = (HashMap::new(), VecDeque::new());
        Self { waiting, order, len: 0, most, most_of_one }
    }

    pub(in crate::auth) fn len(&self) -> usize {
        self.len
    }

    /// Lets a job wait. If there is no room, the last one of whoever has most waiting is returned: it may
    /// be this one.
    pub(in crate::auth) fn push(&mut self, key: K, job: T) -> Option<T> {
        let own = self.waiting.get(&key).map_or(0, VecDeque::len);
        if own >= self.most_of_one {
            return Some(job);
        }
        let mut dropped = None;
        if self.len >= self.most {
            let longest = self.waiting.iter().max_by_key(|(_, jobs)| jobs.len());
            let longest = longest.filter(|(_, jobs)| jobs.len() > own + 1).map(|(key, _)| *key);
            let Some(longest) = longest else { return Some(job) };
            dropped = self.waiting.get_mut(&longest).and_then(VecDeque::pop_back);
            self.len -= usize::from(dropped.is_some());
        }
        let jobs = self.waiting.entry(key).or_default();
        if jobs.is_empty() {
            self.order.push_back(key);
        }
        jobs.push_back(job);
        self.len += 1;
        dropped
    }

    /// The next job: the first of whoever's turn it is.
    pub(in crate::auth) fn pop(&mut self) -> Option<T> {
        let key = self.order.pop_front()?;
        let jobs = self.waiting.get_mut(&key)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.order.push_back(key);
        }
        self.len -= usize::from(job.is_some());
        job
    }

    /// Takes a job out of the queue, if it is still there.
    pub(in crate::auth) fn withdraw(&mut self, key: K, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let jobs = self.waiting.get_mut(&key)?;
        let job = jobs.iter().position(is_it).and_then(|at| jobs.remove(at))?;
        if jobs.is_empty() {
            self.waiting.remove(&key);
            self.order.retain(|other| *other != key);
        }
        self.len -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn visitors_take_turns() {
        let mut queue = FairQueue::new(100, 10);
        for n in 0..5 {
            assert!(queue.push('a', ('a', n)).is_none());
        }
        assert!(queue.push('b', ('b', 0)).is_none());
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(who, _)| who).collect();
        assert_eq!(order, "abaaaa");
    }

    #[test]
    fn a_full_queue_takes_from_whoever_has_most() {
        let mut queue = FairQueue::new(6, 5);
        for n in 0..7 {
            assert_eq!(queue.push('a', n), (n >= 5).then_some(n), "five of one");
        }
        assert_eq!(queue.push('b', 10), None);
        assert_eq!(queue.push('c', 20), Some(4), "the last of the one with five");
        assert_eq!(queue.push('c', 21), Some(3));
        assert_eq!(queue.push('c', 22), Some(22), "three and two: its own");
        assert_eq!(queue.withdraw('b', |n| *n == 10), Some(10));
        assert_eq!(queue.withdraw('b', |n| *n == 10), None);
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [0, 20, 1, 21, 2]);
        assert_eq!(queue.len(), 0);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_stays(acts in prop::collection::vec((0_u8..4, 0_u8..3), 0..200)) {
            let mut queue = FairQueue::new(10, 4);
            let (mut pushed, mut out) = (0, 0);
            for (n, (who, act)) in acts.into_iter().enumerate() {
                match act {
                    0 => out += usize::from(queue.pop().is_some()),
                    1 => out += usize::from(queue.withdraw(who, |_| true).is_some()),
                    _ => {
                        pushed += 1;
                        out += usize::from(queue.push(who, n).is_some());
                    }
                }
                prop_assert!(queue.len() <= 10);
                prop_assert_eq!(queue.len(), pushed - out);
                prop_assert_eq!(queue.len(), queue.waiting.values().map(VecDeque::len).sum::<usize>());
                prop_assert_eq!(queue.order.len(), queue.waiting.len());
            }
        }
    }
}
