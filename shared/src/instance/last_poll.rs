//! The counts of an instance's last poll, for each resource. They show a condition that no record meets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::polling::paths::paths;
use crate::polling::resource::{Resource, Source};

/// So many paths are looked for: what is stored of an instance must fit its item.
const MAX_PATHS: usize = 50;

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
    /// Of what the query names, what no record has had yet; nothing before a record was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
    /// What the query names.
    #[serde(skip)]
    paths: Vec<String>,
}

impl LastPoll {
    /// The counts of a poll of these resources that has read nothing yet. `before` is the stored JSON of the poll before.
    pub fn begin<'a>(
        date: Timestamp,
        resources: impl IntoIterator<Item = &'a Resource>,
        before: Option<&str>,
    ) -> Self {
        let mut before = before
            .and_then(|text| json::read::<Self>(text).ok())
            .map(|before| before.resources)
            .unwrap_or_default();
        let mut room = MAX_PATHS;
        let begin = |resource: &Resource| {
            let before = before.remove(&resource.name).unwrap_or_default();
            let paths: Vec<_> = own_paths(resource).take(room).map(str::to_owned).collect();
            room -= paths.len();
            let found = Found {
                last_match: before.last_match,
                missing: before.missing,
                paths,
                ..Found::default()
            };
            (resource.name.clone(), found)
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

    /// Whether there is a path of a resource's query that no record has had yet.
    pub fn is_lacking(&self, resource: &str) -> bool {
        let found = self.resources.get(resource);
        let missing = found.map(|found| found.missing.as_ref().unwrap_or(&found.paths));
        missing.is_some_and(|missing| !missing.is_empty())
    }

    /// Notes a record of a resource by which of the paths of the query lead somewhere in it.
    pub fn carries(&mut self, resource: &str, leads: impl Fn(&str) -> bool) {
        if let Some(found) = self.resources.get_mut(resource) {
            let missing = found.missing.get_or_insert_with(|| found.paths.clone());
            missing.retain(|path| !leads(path));
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

/// What a query names, beside what every record has.
fn own_paths(resource: &Resource) -> impl Iterator<Item = &str> {
    let is_logged = resource.source == Source::EventLog;
    let condition = resource.query.filter.iter().flat_map(|expr| expr.fields());
    let condition: Vec<_> = condition.collect();
    let paths = paths(resource).into_iter();
    // An entry of the event log says itself what it is about, and when.
    paths.filter(move |path| !is_logged || condition.contains(path))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::LastPoll;
    use crate::json::tree;
    use crate::polling::poller_configuration::parse;
    use crate::polling::resource::Resource;

    fn shown(poll: &LastPoll) -> Value {
        tree(&poll.to_json()).unwrap()
    }

    fn resources(json: &Value) -> Vec<Resource> {
        parse(&json.to_string()).unwrap()
    }

    #[test]
    fn the_last_match_outlives_polls_that_find_none() {
        let resource = |name: &str| json!({"url": format!("/hubs/crm/{name}")});
        let both = resources(&json!({"leads": resource("leads"), "tasks": resource("tasks")}));
        let first = "2026-06-19T12:00:00.9Z".parse().unwrap();
        let mut poll = LastPoll::begin(first, &both, None);
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
        let leads = resources(&json!({"leads": resource("leads")}));
        let mut next = LastPoll::begin(second, &leads, Some(&poll.to_json()));
        next.read("leads", false);
        next.read("tasks", true);
        let leads = json!({"read": 1, "matched": 0, "published": 0, "lastMatch": match_of_first});
        assert_eq!(shown(&next)["resources"], json!({"leads": leads}));
        next.read("leads", true);
        let last_match = &shown(&next)["resources"]["leads"]["lastMatch"];
        assert_eq!(*last_match, "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_path_is_missing_until_a_record_of_any_poll_has_it() {
        let url = "/hubs/crm/leads?where=nmae='x' AND custom.cf_1='y'";
        let logged =
            json!({"url": "/hubs/crm/leads?where=a=1", "source": "event-log", "idField": "b"});
        let both = resources(&json!({"leads": {"url": url, "idField": "url"}, "logged": logged}));
        let missing =
            |poll: &LastPoll, name: &str| shown(poll)["resources"][name]["missing"].take();
        let begin = |before: Option<&LastPoll>| {
            let before = before.map(LastPoll::to_json);
            LastPoll::begin(Timestamp::UNIX_EPOCH, &both, before.as_deref())
        };
        let mut first = begin(None);
        assert_eq!(missing(&first, "leads"), Value::Null, "nothing was read");
        assert!(first.is_lacking("leads") && first.is_lacking("logged"));
        first.carries("leads", |path| path.starts_with("date_"));
        first.carries("logged", |_| false);
        let expected = json!(["custom.cf_1", "nmae", "url"]);
        assert_eq!(missing(&first, "leads"), expected);
        assert_eq!(missing(&first, "logged"), json!(["a"]));

        let mut second = begin(Some(&first));
        assert_eq!(missing(&second, "leads"), expected);
        second.carries("leads", |path| path == "custom.cf_1");
        second.carries("leads", |path| path == "url");
        assert_eq!(missing(&begin(Some(&second)), "leads"), json!(["nmae"]));
        second.carries("leads", |path| path == "nmae");
        assert!(!begin(Some(&second)).is_lacking("leads"));
    }

    #[test]
    fn fifty_paths_are_looked_for() {
        let terms: Vec<_> = (0..80).map(|number| format!("a{number}=1")).collect();
        let url = format!("/hubs/crm/leads?where={}", terms.join(" AND "));
        let both = resources(&json!({"one": {"url": url}, "other": {"url": url}}));
        let mut poll = LastPoll::begin(Timestamp::UNIX_EPOCH, &both, None);
        for name in ["one", "other"] {
            poll.carries(name, |_| false);
        }
        let count = |name: &str| {
            shown(&poll)["resources"][name]["missing"]
                .as_array()
                .map(Vec::len)
        };
        assert_eq!([count("one"), count("other")], [Some(50), Some(0)]);
    }

    #[test]
    fn what_cannot_be_read_of_the_poll_before_is_nothing() {
        let leads = resources(&json!({"leads": {"url": "/hubs/crm/leads"}}));
        let poll = LastPoll::begin(Timestamp::UNIX_EPOCH, &leads, Some("{"));
        let none = LastPoll::begin(Timestamp::UNIX_EPOCH, &leads, None);
        assert_eq!(poll, none);
    }
}
