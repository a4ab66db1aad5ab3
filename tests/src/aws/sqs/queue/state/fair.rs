//! Which message is received next: of a group that is not noisy, if there is one, and then the one that has been ready longest.
//!
//! A group is what shares a `MessageGroupId`; a message without one is a group of its own. The other measure by which SQS
//! finds noisy groups, their recent share of the time that messages take, is left out: AWS does not say what recent is.
//! Source: docs.aws.amazon.com, SQS, "How Amazon SQS fair queues work".

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A noisy group has at least so many messages in flight.
const NOISY_IN_FLIGHT: usize = 30;
/// And it has more than one of so many that the queue has in flight.
const NOISY_SHARE: usize = 10;

/// Since when a message is ready, and which.
pub(crate) type Turn = (i64, u64);

/// The messages that are ready, and how many are in flight.
#[derive(Debug, Default)]
pub(crate) struct Fair {
    /// The first message of each group, with the group's name.
    first: BTreeMap<Turn, Option<String>>,
    groups: HashMap<String, Group>,
    ready: usize,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Group {
    ready: BTreeSet<Turn>,
    in_flight: usize,
}

impl Fair {
    /// How many messages are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// How many messages are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The message that is received next. Fewer than ten groups can be noisy at once, so that this looks at ten at most.
    pub(crate) fn next(&self) -> Option<u64> {
        let is_quiet =
            |name: &Option<String>| !name.as_deref().is_some_and(|name| self.is_noisy(name));
        let quiet = self.first.iter().find(|(_, name)| is_quiet(name));
        let next = quiet.or_else(|| self.first.first_key_value());
        next.map(|((_, arrival), _)| *arrival)
    }

    /// Takes in a message that is ready.
    pub(crate) fn insert(&mut self, entry: Turn, group: Option<&str>) {
        self.ready += 1;
        let Some(name) = group else {
            self.first.insert(entry, None);
            return;
        };
        self.change(name, |group| {
            group.ready.insert(entry);
        });
    }

    /// Takes out a message that was ready.
    pub(crate) fn remove(&mut self, entry: Turn, group: Option<&str>) {
        self.ready -= 1;
        let Some(name) = group else {
            self.first.remove(&entry);
            return;
        };
        self.change(name, |group| {
            group.ready.remove(&entry);
        });
    }

    /// Counts a message as in flight.
    pub(crate) fn depart(&mut self, group: Option<&str>) {
        self.in_flight += 1;
        if let Some(name) = group {
            self.change(name, |group| group.in_flight += 1);
        }
    }

    /// Counts a message as in flight no longer.
    pub(crate) fn land(&mut self, group: Option<&str>) {
        self.in_flight -= 1;
        if let Some(name) = group {
            self.change(name, |group| group.in_flight -= 1);
        }
    }

    fn is_noisy(&self, name: &str) -> bool {
        let in_flight = self.groups.get(name).map_or(0, |group| group.in_flight);
        NOISY_IN_FLIGHT <= in_flight && self.in_flight < in_flight * NOISY_SHARE
    }

    /// Changes a group, and then what its first message is.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(name.to_owned()).or_default();
        let before = group.ready.first().copied();
        change(group);
        let after = group.ready.first().copied();
        if after.is_none() && group.in_flight == 0 {
            self.groups.remove(name);
        }
        if before == after {
            return;
        }
        if let Some(entry) = before {
            self.first.remove(&entry);
        }
        if let Some(entry) = after {
            self.first.insert(entry, Some(name.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many messages of a group called `noisy`, the first of which are in flight.
    fn noisy(in_flight: usize) -> Fair {
        let mut fair = Fair::default();
        for arrival in 0..10 {
            fair.insert((0, arrival), Some("noisy"));
        }
        (0..in_flight).for_each(|_| fair.depart(Some("noisy")));
        fair
    }

    #[test]
    fn a_group_is_noisy_from_thirty_messages_in_flight() {
        for (in_flight, next) in [(29, 0), (30, 10)] {
            let mut fair = noisy(in_flight);
            fair.insert((1, 10), Some("quiet"));
            assert_eq!(fair.next(), Some(next), "{in_flight}");
        }
    }

    #[test]
    fn a_group_is_noisy_above_a_tenth_of_what_is_in_flight() {
        for (others, next) in [(269, 10), (270, 0)] {
            let mut fair = noisy(30);
            (0..others).for_each(|_| fair.depart(None));
            fair.insert((1, 10), None);
            assert_eq!(fair.next(), Some(next), "{others}");
        }
    }

    #[test]
    fn a_noisy_group_gets_what_is_left_and_may_become_quiet() {
        let mut fair = noisy(30);
        fair.insert((1, 10), None);
        fair.remove((1, 10), None);
        assert_eq!(fair.next(), Some(0), "there is nothing else");
        fair.insert((1, 11), None);
        assert_eq!(fair.next(), Some(11));
        fair.land(Some("noisy"));
        assert_eq!(fair.next(), Some(0), "it is quiet again");
    }

    #[test]
    fn within_a_group_the_older_message_goes_first() {
        let mut fair = Fair::default();
        for entry in [(5, 1), (3, 2), (3, 0)] {
            fair.insert(entry, Some("group"));
        }
        for entry in [(3, 0), (3, 2), (5, 1)] {
            assert_eq!(fair.next(), Some(entry.1));
            fair.remove(entry, Some("group"));
        }
        assert_eq!((fair.next(), fair.ready(), fair.groups.len()), (None, 0, 0));
    }
}
