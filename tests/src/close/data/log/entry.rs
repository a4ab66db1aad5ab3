//! One entry of the event log.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::close::data::ids;
use crate::close::data::objects::record::Record;
use crate::close::data::time::stamp;

/// A change to be logged.
#[derive(Debug)]
pub(crate) struct Happening {
    /// The object's own date of the change.
    pub(crate) date: Timestamp,
    /// The entry's date, if it is not to follow from the object's.
    pub(crate) logged_at: Option<Timestamp>,
    pub(crate) action: &'static str,
    /// The object after the change, or before it if it is gone.
    pub(crate) object: Arc<Record>,
    pub(crate) gone: bool,
    /// The old values of what changed.
    pub(crate) previous_data: Map<String, Value>,
    pub(crate) meta: Value,
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    pub(crate) id: Arc<str>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
    pub(crate) object_type: Cow<'static, str>,
    pub(crate) object_id: Arc<str>,
    pub(crate) lead_id: Option<Arc<str>>,
    pub(crate) action: Cow<'static, str>,
    /// How many updates it has taken in.
    pub(crate) revision: u32,
    changed_fields: BTreeSet<String>,
    data: Content,
    previous_data: Content,
    meta: Value,
}

/// An object, written out when it is shown, or what stands there instead.
#[derive(Debug, Clone)]
enum Content {
    Version(Arc<Record>),
    Json(Value),
}

impl LogEntry {
    /// The entry about a change of an object of this organization.
    pub(crate) fn new(happening: Happening) -> Self {
        // The log stamps an entry a few milliseconds after the object was stamped.
        let lag = SignedDuration::from_millis(fastrand::i64(2..10));
        let stamp = happening.logged_at.unwrap_or(happening.date + lag);
        let object = happening.object;
        let changed_fields = happening.previous_data.keys().cloned().collect();
        let (object_id, lead_id) = (Arc::clone(&object.id), Some(object.lead()));
        let object_type = object.kind.object_type().into();
        let previous_data = Content::Json(happening.previous_data.into());
        let (data, previous_data) = if happening.gone {
            (Content::Json(Value::Null), Content::Version(object))
        } else {
            (Content::Version(object), previous_data)
        };
        Self {
            id: ids::short("ev").into(),
            date_created: stamp,
            date_updated: stamp,
            object_type,
            object_id,
            lead_id,
            action: happening.action.into(),
            revision: 0,
            changed_fields,
            data,
            previous_data,
            meta: happening.meta,
        }
    }

    /// An entry about something that is not simulated, as the API would show it; what is left out is empty.
    pub(crate) fn foreign(shown: &Value, date: Timestamp) -> anyhow::Result<Self> {
        let shown = shown.as_object().context("an entry is a JSON object")?;
        if let Some(unknown) = shown.keys().find(|key| !GIVEN.contains(&key.as_str())) {
            bail!("{unknown} of an entry cannot be set");
        }
        let text = |key: &str| shown.get(key).and_then(Value::as_str);
        let required = |key: &str| {
            text(key)
                .map(str::to_owned)
                .with_context(|| format!("an entry needs {key}"))
        };
        let json = |key: &str, default| shown.get(key).cloned().unwrap_or(default);
        let changed_fields = shown.get("changed_fields").and_then(Value::as_array);
        let changed_fields = changed_fields.into_iter().flatten();
        Ok(Self {
            id: ids::short("ev").into(),
            date_created: date,
            date_updated: date,
            object_type: required("object_type")?.into(),
            object_id: required("object_id")?.into(),
            lead_id: text("lead_id").map(Arc::from),
            action: required("action")?.into(),
            revision: 0,
            changed_fields: changed_fields
                .filter_map(|field| field.as_str().map(str::to_owned))
                .collect(),
            data: Content::Json(json("data", Value::Null)),
            previous_data: Content::Json(json("previous_data", json!({}))),
            meta: json("meta", json!({})),
        })
    }

    /// The entry as the API and webhooks show it; `write` writes an object out.
    pub(crate) fn render(
        &self,
        organization_id: &str,
        user_id: &str,
        write: impl Fn(&Record) -> Map<String, Value>,
    ) -> Map<String, Value> {
        let content = |content: &Content| match content {
            Content::Version(record) => Value::from(write(record)),
            Content::Json(value) => value.clone(),
        };
        let members = [
            ("id", json!(*self.id)),
            ("date_created", stamp::naive(self.date_created).into()),
            ("date_updated", stamp::naive(self.date_updated).into()),
            ("organization_id", organization_id.into()),
            ("user_id", user_id.into()),
            ("request_id", Value::Null),
            ("api_key_id", Value::Null),
            ("object_type", self.object_type.as_ref().into()),
            ("object_id", json!(*self.object_id)),
            ("lead_id", json!(self.lead_id.as_deref())),
            ("action", self.action.as_ref().into()),
            ("changed_fields", json!(self.changed_fields)),
            ("data", content(&self.data)),
            ("previous_data", content(&self.previous_data)),
            ("meta", self.meta.clone()),
        ];
        members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// Whether `later` becomes part of this entry.
    pub(crate) fn absorbs(&self, later: &Self, consolidation: SignedDuration) -> bool {
        self.action == "updated"
            && later.action == "updated"
            && later.date_updated.duration_since(self.date_created) < consolidation
    }

    /// This entry with `later` in it.
    #[must_use]
    pub(crate) fn absorb(&self, later: Self) -> Self {
        let mut merged = self.clone();
        merged.revision += 1;
        merged.date_updated = self.date_updated.max(later.date_updated);
        merged.changed_fields.extend(later.changed_fields);
        merged.data = later.data;
        if let (Content::Json(Value::Object(first)), Content::Json(Value::Object(then))) =
            (&mut merged.previous_data, later.previous_data)
        {
            for (field, value) in then {
                first.entry(field).or_insert(value);
            }
        }
        merged
    }
}

/// What may be given of an entry about something that is not simulated.
const GIVEN: [&str; 8] = [
    "action",
    "changed_fields",
    "data",
    "lead_id",
    "meta",
    "object_id",
    "object_type",
    "previous_data",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn updated(second: i64, data: &Value, previous_data: &Value) -> LogEntry {
        let entry = json!({
            "action": "updated",
            "changed_fields": previous_data.as_object().unwrap().keys().collect::<Vec<_>>(),
            "data": data,
            "object_id": "cont_1",
            "object_type": "contact",
            "previous_data": previous_data,
        });
        LogEntry::foreign(&entry, at(second)).unwrap()
    }

    #[test]
    fn successive_updates_become_one_entry_with_the_first_previous_data() {
        let first = updated(100, &json!({"name": "B"}), &json!({"name": "A"}));
        let second = updated(
            105,
            &json!({"name": "C", "title": "y"}),
            &json!({"name": "B", "title": "x"}),
        );
        assert!(first.absorbs(&second, SignedDuration::from_secs(10)));
        assert!(!first.absorbs(&second, SignedDuration::from_secs(5)));
        let merged = first
            .absorb(second)
            .render("orga_1", "user_1", |_| Map::new());
        assert_eq!(merged["data"]["name"], "C");
        assert_eq!(merged["previous_data"], json!({"name": "A", "title": "x"}));
        assert_eq!(merged["changed_fields"], json!(["name", "title"]));
        assert_eq!(merged["id"], *first.id);
        assert!(merged["date_created"].as_str() < merged["date_updated"].as_str());
    }

    #[test]
    fn entries_have_the_keys_of_the_recorded_one() {
        let recorded = include_str!("../../samples/event-phone_number-updated.json");
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let entry = updated(1, &json!({}), &json!({})).render("orga_1", "user_1", |_| Map::new());
        let keys: Vec<_> = entry.keys().collect();
        let recorded: Vec<_> = recorded.as_object().unwrap().keys().collect();
        assert_eq!(keys, recorded);
    }

    #[test]
    fn an_entry_about_something_else_needs_an_object_and_an_action() {
        assert!(LogEntry::foreign(&json!({"action": "updated"}), at(1)).is_err());
        assert!(LogEntry::foreign(&json!({"id": "ev_1"}), at(1)).is_err());
    }
}
