//! The event log of one organization: every change of an object, successive updates consolidated.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::ids;
use super::stamp;

/// A change to be logged.
#[derive(Debug)]
pub(super) struct Happening {
    /// The object's own date of the change.
    pub(super) date: Timestamp,
    pub(super) object_type: &'static str,
    pub(super) object_id: String,
    pub(super) lead_id: String,
    pub(super) action: &'static str,
    /// The object before the change, if it was there.
    pub(super) before: Option<Map<String, Value>>,
    /// The object after the change, if it still is.
    pub(super) after: Option<Map<String, Value>>,
    pub(super) meta: Value,
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) date_created: Timestamp,
    pub(super) date_updated: Timestamp,
    pub(super) object_type: &'static str,
    pub(super) object_id: String,
    pub(super) lead_id: String,
    pub(super) action: &'static str,
    changed_fields: BTreeSet<String>,
    data: Value,
    previous_data: Map<String, Value>,
    meta: Value,
    /// A delivery is waiting that will carry whatever the entry then holds.
    pub(super) scheduled: bool,
}

/// The entries, oldest first.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    pub(super) entries: Vec<Entry>,
    /// The position of each object's newest entry.
    newest: HashMap<String, usize>,
}

impl EventLog {
    /// Logs a change and returns the position of the entry that now holds it.
    ///
    /// An update that follows another of the same object within `consolidation` of the first is merged into its entry:
    /// same id and `date_created`, newer `date_updated` and data, previous values of the first.
    pub(super) fn append(&mut self, happening: Happening, consolidation: SignedDuration) -> usize {
        let entry = Entry::new(happening);
        if let Some(position) = self.newest.get(&entry.object_id).copied()
            && self.entries[position].absorbs(&entry, consolidation)
        {
            self.entries[position].absorb(entry);
            return position;
        }
        let position = self.entries.len();
        self.newest.insert(entry.object_id.clone(), position);
        self.entries.push(entry);
        position
    }
}

impl Entry {
    /// The entry as the API and webhooks show it.
    pub(super) fn render(&self, organization_id: &str, user_id: &str) -> Value {
        json!({
            "id": self.id,
            "date_created": stamp::naive(self.date_created),
            "date_updated": stamp::naive(self.date_updated),
            "organization_id": organization_id,
            "user_id": user_id,
            "request_id": null,
            "api_key_id": null,
            "object_type": self.object_type,
            "object_id": self.object_id,
            "lead_id": self.lead_id,
            "action": self.action,
            "changed_fields": self.changed_fields,
            "data": self.data,
            "previous_data": self.previous_data,
            "meta": self.meta,
        })
    }

    fn new(happening: Happening) -> Self {
        let previous_data = previous_data(&happening);
        let changed_fields = match happening.after {
            Some(_) => previous_data.keys().cloned().collect(),
            None => BTreeSet::new(),
        };
        // The log stamps an entry a few milliseconds after the object was stamped.
        let date = happening.date + SignedDuration::from_millis(fastrand::i64(2..10));
        Self {
            id: ids::short("ev"),
            date_created: date,
            date_updated: date,
            object_type: happening.object_type,
            object_id: happening.object_id,
            lead_id: happening.lead_id,
            action: happening.action,
            changed_fields,
            data: happening.after.map_or(Value::Null, Value::Object),
            previous_data,
            meta: happening.meta,
            scheduled: false,
        }
    }

    fn absorbs(&self, later: &Self, consolidation: SignedDuration) -> bool {
        self.action == "updated"
            && later.action == "updated"
            && later.date_updated.duration_since(self.date_created) < consolidation
    }

    fn absorb(&mut self, later: Self) {
        self.date_updated = self.date_updated.max(later.date_updated);
        self.changed_fields.extend(later.changed_fields);
        self.data = later.data;
        for (field, value) in later.previous_data {
            self.previous_data.entry(field).or_insert(value);
        }
    }
}

/// The old values of what changed; of a deleted object all of it.
fn previous_data(happening: &Happening) -> Map<String, Value> {
    match (&happening.before, &happening.after) {
        (None, _) => Map::new(),
        (Some(before), None) => before.clone(),
        (Some(before), Some(after)) => {
            let fields: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            fields
                .into_iter()
                .filter(|field| before.get(*field) != after.get(*field))
                .map(|field| {
                    (
                        field.clone(),
                        before.get(field).cloned().unwrap_or_default(),
                    )
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, title: &str) -> Map<String, Value> {
        Map::from_iter([
            ("name".to_owned(), name.into()),
            ("title".to_owned(), title.into()),
        ])
    }

    fn updated(second: i64, before: Map<String, Value>, after: Map<String, Value>) -> Happening {
        Happening {
            date: Timestamp::from_second(second).unwrap(),
            object_type: "contact",
            object_id: "cont_1".to_owned(),
            lead_id: "lead_1".to_owned(),
            action: "updated",
            before: Some(before),
            after: Some(after),
            meta: json!({}),
        }
    }

    #[test]
    fn successive_updates_become_one_entry_with_the_first_previous_data() {
        let mut log = EventLog::default();
        let window = SignedDuration::from_secs(10);
        log.append(updated(100, object("A", "x"), object("B", "x")), window);
        log.append(updated(105, object("B", "x"), object("C", "y")), window);
        let [entry] = &log.entries[..] else {
            panic!("{log:?}")
        };
        assert_eq!(entry.data["name"], "C");
        assert_eq!(entry.previous_data, object("A", "x"));
        assert!(entry.date_created < entry.date_updated);
    }

    #[test]
    fn an_update_after_the_window_is_its_own_entry() {
        let mut log = EventLog::default();
        let window = SignedDuration::from_secs(3);
        log.append(updated(100, object("A", "x"), object("B", "x")), window);
        log.append(updated(105, object("B", "x"), object("B", "y")), window);
        assert_eq!(log.entries.len(), 2);
        assert_eq!(
            log.entries[1].changed_fields,
            BTreeSet::from(["title".to_owned()])
        );
    }

    #[test]
    fn entries_have_the_keys_of_the_sample() {
        let sample = include_str!("samples/event-lead-updated-consolidated.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        let entry = Entry::new(updated(1, Map::new(), Map::new())).render("orga_1", "user_1");
        let keys: Vec<_> = entry.as_object().unwrap().keys().collect();
        assert_eq!(keys, sample.as_object().unwrap().keys().collect::<Vec<_>>());
    }
}
