//! The counts of an instance's last poll, for each resource. They show a condition that no record meets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::json;

/// The counts of a poll. They are stored as JSON, in the form that the instance API shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPoll {
    /// When the poll began, in whole seconds.
    date: Timestamp,
    /// The counts of each resource, by its name.
    resources: BTreeMap<String, Found>,
}

/// The counts of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// Records, as often as Close showed them. Earlier polls have read those of the overlap.
    read: u64,
    /// Of these, how many met the condition.
    matched: u64,
    /// Events that are on the bus.
    published: u64,
    /// When the last poll began that read a record which met the condition.
    last_match: Option<Timestamp>,
}

impl LastPoll {
    /// The counts of a poll of these resources that has read nothing yet. `before` is the stored JSON of the poll before.
    pub fn begin<'a>(
        date: Timestamp,
        resources: impl IntoIterator<Item = &'a str>,
        before: Option<&str>,
    ) -> Self {
        let before = before.and_then(|text| json::read::<Self>(text).ok());
        let last_match = |name: &str| before.as_ref()?.resources.get(name)?.last_match;
        let begin = |name: &str| {
            let found = Found {
                last_match: last_match(name),
                ..Found::default()
            };
            (name.to_owned(), found)
        };
        Self {
            date: Timestamp::from_second(date.as_second()).unwrap_or(date),
            resources: resources.into_iter().map(begin).collect(),
        }
    }

    /// Notes a record of a resource, and whether it met the condition.
    pub fn read(&mut self, resource: &str, is_match: bool) {
        if let Some(found) = self.resources.get_mut(resource) {
            found.read += 1;
            if is_match {
                found.matched += 1;
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

    /// The poll as it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::LastPoll;
    use crate::json::tree;

    fn shown(poll: &LastPoll) -> Value {
        tree(&poll.to_json()).unwrap()
    }

    #[test]
    fn the_last_match_outlives_polls_that_find_none() {
        let first = "2026-06-19T12:00:00.9Z".parse().unwrap();
        let mut poll = LastPoll::begin(first, ["leads", "tasks"], None);
        poll.read("leads", true);
        poll.read("leads", false);
        poll.published("leads");
        let match_of_first = json!("2026-06-19T12:00:00Z");
        let expected = json!({"date": match_of_first, "resources": {
            "leads": {"read": 2, "matched": 1, "published": 1, "lastMatch": match_of_first},
            "tasks": {"read": 0, "matched": 0, "published": 0, "lastMatch": null},
        }});
        assert_eq!(shown(&poll), expected);

        let second = Timestamp::UNIX_EPOCH;
        let mut next = LastPoll::begin(second, ["leads"], Some(&poll.to_json()));
        next.read("leads", false);
        next.read("tasks", true);
        let leads = json!({"read": 1, "matched": 0, "published": 0, "lastMatch": match_of_first});
        assert_eq!(shown(&next)["resources"], json!({"leads": leads}));
        next.read("leads", true);
        let last_match = &shown(&next)["resources"]["leads"]["lastMatch"];
        assert_eq!(*last_match, "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_cannot_be_read_of_the_poll_before_is_nothing() {
        let poll = LastPoll::begin(Timestamp::UNIX_EPOCH, ["leads"], Some("{"));
        let none = LastPoll::begin(Timestamp::UNIX_EPOCH, ["leads"], None);
        assert_eq!(poll, none);
    }
}
