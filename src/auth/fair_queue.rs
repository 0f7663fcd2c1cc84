//! A fair queue: each visitor is served in turn, however many jobs they bring.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Each visitor has a queue of their own, and the queues are served round-robin: another visitor's ten thousand
/// jobs delay a single job by one. Visitors belong to groups, which are served round-robin too: one attacker with
/// many visitor keys, such as the owner of an IPv6 network, is still one group.
pub(in crate::auth) struct FairQueue<G, K, T> {
    groups: HashMap<G, Group<K, T>>,
    /// The order in which groups are served.
    order: VecDeque<G>,
    len: usize,
    most: usize,
    most_of_one: usize,
}

struct Group<K, T> {
    visitors: HashMap<K, VecDeque<T>>,
    order: VecDeque<K>,
    len: usize,
}

impl<G: Copy + Eq + Hash, K: Copy + Eq + Hash, T> FairQueue<G, K, T> {
    /// `most` limits the jobs of all groups, `most_of_one` those of one group.
    pub(in crate::auth) fn new(most: usize, most_of_one: usize) -> Self {
        let (groups, order) = (HashMap::new(), VecDeque::new());
        Self { groups, order, len: 0, most, most_of_one }
    }

    pub(in crate::auth) fn len(&self) -> usize {
        self.len
    }

    /// Adds a job. If the queue is full, returns the last job of the busiest visitor in the busiest group, which
    /// may be this job.
    pub(in crate::auth) fn push(&mut self, group: G, key: K, job: T) -> Option<T> {
        let Some((loser, most)) = self.loser(group, key) else {
            self.add(group, key, job);
            return None;
        };
        let dropped = self.drop_last(loser, most);
        if dropped.is_none() {
            return Some(job);
        }
        self.add(group, key, job);
        dropped
    }

    /// Whether a job of this visitor would be accepted now.
    pub(in crate::auth) fn has_room(&self, group: G, key: K) -> bool {
        let Some((loser, most)) = self.loser(group, key) else { return true };
        let of_loser = self.groups.get(&loser).map(|loser| loser.visitors.values());
        of_loser.is_some_and(|mut visitors| visitors.any(|jobs| jobs.len() > most))
    }

    /// The group that would lose a job, and the number of jobs a visitor in it must exceed to lose one; `None` if
    /// there is room.
    fn loser(&self, group: G, key: K) -> Option<(G, usize)> {
        let of_group = self.groups.get(&group).map_or(0, |group| group.len);
        let loser = if of_group >= self.most_of_one {
            group
        } else if self.len < self.most {
            return None;
        } else {
            let longest = self.groups.iter().max_by_key(|(_, group)| group.len);
            let longest = longest.filter(|(_, longest)| longest.len > of_group + 1);
            longest.map_or(group, |(group, _)| *group)
        };
        let own = self.groups.get(&group).map_or(0, |group| group.waiting(&key));
        // Within its own group, the newcomer takes precedence over visitors with more jobs.
        Some((loser, if loser == group { own + 1 } else { 0 }))
    }

    fn add(&mut self, group: G, key: K, job: T) {
        let order = &mut self.order;
        let group = self.groups.entry(group).or_insert_with(|| {
            order.push_back(group);
            Group { visitors: HashMap::new(), order: VecDeque::new(), len: 0 }
        });
        let jobs = group.visitors.entry(key).or_default();
        if jobs.is_empty() {
            group.order.push_back(key);
        }
        jobs.push_back(job);
        group.len += 1;
        self.len += 1;
    }

    /// Removes the last job of the busiest visitor in the group, if that visitor has more than `more_than`.
    fn drop_last(&mut self, group: G, more_than: usize) -> Option<T> {
        let of_group = self.groups.get(&group)?;
        let (key, jobs) = of_group.visitors.iter().max_by_key(|(_, jobs)| jobs.len())?;
        let (key, last) = (*key, jobs.len() - 1);
        if jobs.len() > more_than { self.remove(group, key, last) } else { None }
    }

    /// The next job: the first one of the next visitor in the next group.
    pub(in crate::auth) fn pop(&mut self) -> Option<T> {
        let group = *self.order.front()?;
        let key = *self.groups.get(&group)?.order.front()?;
        let job = self.remove(group, key, 0);
        // A group that still has jobs goes to the end.
        if self.order.front() == Some(&group) {
            self.order.rotate_left(1);
        }
        if let Some(group) = self.groups.get_mut(&group)
            && group.order.front() == Some(&key)
        {
            group.order.rotate_left(1);
        }
        job
    }

    /// Removes a job that is still in the queue.
    pub(in crate::auth) fn withdraw(
        &mut self,
        group: G,
        key: K,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let at = self.groups.get(&group)?.visitors.get(&key)?.iter().position(is_it)?;
        self.remove(group, key, at)
    }

    fn remove(&mut self, group: G, key: K, at: usize) -> Option<T> {
        let of_group = self.groups.get_mut(&group)?;
        let jobs = of_group.visitors.get_mut(&key)?;
        let job = jobs.remove(at)?;
        if jobs.is_empty() {
            of_group.visitors.remove(&key);
            of_group.order.retain(|other| *other != key);
        }
        of_group.len -= 1;
        if of_group.len == 0 {
            self.groups.remove(&group);
            self.order.retain(|other| *other != group);
        }
        self.len -= 1;
        Some(job)
    }
}

impl<K: Eq + Hash, T> Group<K, T> {
    fn waiting(&self, key: &K) -> usize {
        self.visitors.get(key).map_or(0, VecDeque::len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_and_visitors_take_turns() {
        let mut queue = FairQueue::new(100, 10);
        for n in 0..3 {
            assert!(queue.push("big", 'a', ('a', n)).is_none());
            assert!(queue.push("big", 'b', ('b', n)).is_none());
        }
        assert!(queue.push("small", 'c', ('c', 0)).is_none());
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(who, _)| who).collect();
        assert_eq!(order, "acbabab");
    }

    #[test]
    fn a_full_queue_takes_from_whoever_has_most() {
        let mut queue = FairQueue::new(6, 5);
        for n in 0..7 {
            assert_eq!(queue.push('a', 'a', n), (n >= 5).then_some(n), "five of one");
        }
        assert_eq!(queue.push('b', 'b', 10), None);
        assert_eq!(queue.push('c', 'c', 20), Some(4), "the last of the one with five");
        assert_eq!(queue.push('c', 'c', 21), Some(3));
        assert_eq!(queue.push('c', 'c', 22), Some(22), "three and two: its own");
        assert_eq!(queue.withdraw('b', 'b', |n| *n == 10), Some(10));
        assert_eq!(queue.withdraw('b', 'b', |n| *n == 10), None);
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [0, 20, 1, 21, 2]);
        assert_eq!(queue.len(), 0);
    }

    /// One client with a whole network of addresses gets a quarter of the queue and every other slot.
    #[test]
    fn many_visitors_of_one_group_turn_nobody_else_away() {
        let mut queue = FairQueue::new(40, 10);
        let refused = (0..200).filter(|n| queue.push("thief", *n, "thief").is_some()).count();
        assert_eq!((refused, queue.len()), (190, 10));
        for n in 0..30 {
            assert_eq!(queue.push("honest", n, "honest"), None.or((n >= 10).then_some("honest")));
        }
        assert_eq!(queue.push("late", 0, "late"), None);
        let first: Vec<_> = (0..3).filter_map(|_| queue.pop()).collect();
        assert_eq!(first, ["thief", "honest", "late"]);
    }

    #[test]
    fn within_a_full_group_who_has_little_comes_before_who_has_much() {
        let mut queue = FairQueue::new(100, 4);
        for n in 0..4 {
            assert_eq!(queue.push('a', "greedy", n), None);
        }
        assert_eq!(queue.push('a', "modest", 10), Some(3));
        assert_eq!(queue.push('a', "modest", 11), Some(2));
        assert_eq!(queue.push('a', "modest", 12), Some(12), "two and two");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_stays(
            acts in prop::collection::vec((0_u8..3, 0_u8..3, 0_u8..4), 0..300)
        ) {
            let mut queue = FairQueue::new(10, 5);
            let (mut pushed, mut out) = (0, 0);
            for (n, (group, who, act)) in acts.into_iter().enumerate() {
                match act {
                    0 => out += usize::from(queue.pop().is_some()),
                    1 => out += usize::from(queue.withdraw(group, who, |_| true).is_some()),
                    _ => {
                        pushed += 1;
                        let has_room = queue.has_room(group, who);
                        let dropped = queue.push(group, who, n);
                        prop_assert_eq!(has_room, dropped != Some(n));
                        out += usize::from(dropped.is_some());
                    }
                }
                prop_assert!(queue.len() <= 10);
                prop_assert_eq!(queue.len(), pushed - out);
                prop_assert_eq!(queue.order.len(), queue.groups.len());
                let mut all = 0;
                for group in queue.groups.values() {
                    let of_group: usize = group.visitors.values().map(VecDeque::len).sum();
                    prop_assert!(of_group == group.len && of_group > 0 && of_group <= 5);
                    prop_assert_eq!(group.order.len(), group.visitors.len());
                    all += of_group;
                }
                prop_assert_eq!(queue.len(), all);
            }
        }
    }
}
