//! What the last poll of an instance found, by resource: a condition that nothing meets is as silent as a quiet Close.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A poll that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPoll {
    /// When it began.
    pub date: Timestamp,
    /// What it found of each resource.
    pub resources: BTreeMap<String, Found>,
}

/// What a poll found of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Records that Close showed, with those of the overlap, which polls before have read.
    pub read: u64,
    /// Of these, how many met the condition.
    pub matched: u64,
    /// Of these, how many were new and are on the bus.
    pub published: u64,
    /// When a new record met the condition last, in this poll or one before.
    #[serde(default)]
    pub last_match: Option<Timestamp>,
}

impl LastPoll {
    /// A poll that has found nothing yet, of these resources. When they were met last stands in the poll before.
    pub fn begin<'a>(
        date: Timestamp,
        resources: impl IntoIterator<Item = &'a str>,
        before: Option<&Self>,
    ) -> Self {
        let last_match = |name: &str| before?.resources.get(name)?.last_match;
        let begin = |name: &str| {
            let found = Found {
                last_match: last_match(name),
                ..Found::default()
            };
            (name.to_owned(), found)
        };
        Self {
            date,
            resources: resources.into_iter().map(begin).collect(),
        }
    }

    /// Notes a record of a resource: whether it met the condition, and whether it was new.
    pub fn read(&mut self, resource: &str, is_matched: bool, is_new: bool) {
        let Some(found) = self.resources.get_mut(resource) else {
            return;
        };
        found.read += 1;
        if is_matched {
            found.matched += 1;
            if is_new {
                found.last_match = Some(self.date);
            }
        }
    }

    /// Notes that an event of a resource is on the bus.
    pub fn published(&mut self, resource: &str) {
        if let Some(found) = self.resources.get_mut(resource) {
            found.published += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Found, LastPoll};

    #[test]
    fn the_last_match_outlives_polls_that_find_none() {
        let [first, second] = [1, 2].map(|second| Timestamp::from_second(second).unwrap());
        let mut poll = LastPoll::begin(first, ["leads", "tasks"], None);
        poll.read("leads", true, true);
        poll.read("leads", true, false);
        poll.read("leads", false, true);
        poll.published("leads");
        let leads = Found {
            read: 3,
            matched: 2,
            published: 1,
            last_match: Some(first),
        };
        assert_eq!(poll.resources["leads"], leads);
        assert_eq!(poll.resources["tasks"], Found::default());

        let mut next = LastPoll::begin(second, ["leads"], Some(&poll));
        next.read("leads", true, false);
        next.read("leads", false, true);
        next.read("tasks", true, true);
        assert_eq!(next.resources["leads"].last_match, Some(first));
        assert_eq!(next.resources.len(), 1);
    }
}
