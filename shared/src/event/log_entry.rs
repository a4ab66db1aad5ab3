//! An entry of Close's event log; a webhook delivers the same.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::close::timestamp;
use crate::event::change::{Change, EntryKey, EventType, Identity, object_href};
use crate::event::id::EventId;
use crate::json::path;

/// Close stamps an entry a few ms after the object it is about. An object stamped longer before was not stamped by the
/// action, so its date would collide with an older change.
const STAMPING_DELAY: SignedDuration = SignedDuration::from_secs(1);
/// The field that an action changes which stamps its object.
const DATE_UPDATED: &str = "date_updated";

/// What is read of an entry; the rest passes through in `raw`.
#[derive(Debug, Default)]
struct LogEntry<'a> {
    id: Option<String>,
    object_type: Option<String>,
    object_id: Option<String>,
    action: Option<String>,
    date_updated: Option<String>,
    date_created: Option<String>,
    changed_fields: Option<Vec<String>>,
    data: Option<&'a RawValue>,
    /// Whether it says which object changed and how, and each known key holds what Close puts there.
    is_readable: bool,
}

/// The members of an object, as they are read.
struct Members<'a> {
    members: HashMap<String, &'a RawValue>,
    /// Whether some known key holds something else than Close puts there.
    is_strange: bool,
}

/// Reads an entry as a change. `raw` is what the event will carry: the entry, or the webhook body around it.
/// `received` dates a change for which Close gave no time.
///
/// An entry that does not say which object changed and how is a change all the same, of an unknown kind, with what the entry
/// has.
pub fn to_change(json: &RawValue, raw: Arc<RawValue>, received: Timestamp) -> Change {
    let mended = crate::json::mended(json);
    let entry = LogEntry::read(&mended);
    let date = entry.date();
    let (identity, event_type) = (entry.identity(json, date), entry.event_type());
    let (href, data_hidden) = (entry.href(), entry.hides_data());
    let key = entry.key();
    let object_id = entry.object_id.unwrap_or_default();
    Change {
        event_type,
        date: date.unwrap_or(received),
        identity,
        data_hidden,
        is_unreadable: !entry.is_readable,
        entry: key,
        href,
        object_type: entry.object_type.unwrap_or_default(),
        own_id: object_id.clone(),
        object_id,
        action: entry.action.unwrap_or_default(),
        raw,
    }
}

/// Whether JSON looks like an entry at all: it has one of the keys that say what changed.
pub fn is_entry(json: &RawValue) -> bool {
    let known = ["id", "object_type", "object_id", "action"];
    let mended = crate::json::mended(json);
    let Some(members) = Members::of(&mended) else {
        return false;
    };
    known.iter().any(|key| members.find(key).is_some())
}

/// Tells an entry in its present form, by its id and its `date_updated` as Close writes it, from all others, and from itself
/// before Close put another update into it.
pub fn version_of(id: String, date_updated: String) -> EventId {
    EventId::of_parts(&[id, date_updated])
}

/// What an entry is about: the object as it was after the change, or, where it is gone, before. Nothing where Close hides
/// it from the API key.
pub fn object(json: &RawValue) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Objects<'a> {
        action: Option<String>,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
        #[serde(borrow)]
        previous_data: Option<&'a RawValue>,
    }
    let mended = crate::json::mended(json);
    let objects: Objects<'_> = crate::json::read(mended.get()).ok()?;
    let is_gone = objects.action.as_deref() == Some("deleted");
    let before = objects.previous_data.filter(|_| is_gone);
    objects.data.or(before).map(ToOwned::to_owned)
}

impl<'a> LogEntry<'a> {
    fn read(json: &'a RawValue) -> Self {
        let Some(mut members) = Members::of(json) else {
            return Self::default();
        };
        let data = members.find("data");
        let is_object = data.is_none_or(|data| data.get().starts_with('{'));
        let entry = Self {
            id: members.read("id"),
            object_type: members.read("object_type"),
            object_id: members.read("object_id"),
            action: members.read("action"),
            date_updated: members.read(DATE_UPDATED),
            date_created: members.read("date_created"),
            changed_fields: members.read("changed_fields"),
            data: data.filter(|_| is_object),
            is_readable: false,
        };
        let said = [&entry.object_type, &entry.object_id, &entry.action];
        let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let is_readable = said.into_iter().all(is_said) && is_object && !members.is_strange;
        Self {
            is_readable,
            ..entry
        }
    }

    fn event_type(&self) -> EventType {
        match (&self.object_type, &self.action) {
            (Some(object_type), Some(action)) if self.is_readable => {
                EventType::of(object_type, action)
            }
            _ => EventType::Unknown,
        }
    }

    /// By its date it is the same as a poll of the object finds. One that cannot be read has no part in that.
    fn identity(&self, json: &RawValue, date: Option<Timestamp>) -> Identity {
        let version = path::texts(json, ["id", DATE_UPDATED]);
        match version {
            _ if self.is_readable && date.is_some() => Identity::Date,
            [Some(id), Some(date)] if !self.is_readable => Identity::Parts(vec![id, date]),
            _ => Identity::of_bytes(json),
        }
    }

    /// Of an entry that cannot be read nobody knows whether it should have data.
    fn hides_data(&self) -> bool {
        self.is_readable && self.data.is_none() && self.action.as_deref() != Some("deleted")
    }

    fn key(&self) -> Option<EntryKey> {
        let (id, date) = (self.id.clone()?, self.own_date()?);
        let object_id = self.object_id.clone().unwrap_or_default();
        Some(EntryKey {
            id,
            date,
            object_id,
        })
    }

    fn href(&self) -> String {
        match (&self.id, &self.object_type, &self.object_id) {
            (Some(id), _, _) => format!("event/{id}/"),
            (None, Some(object_type), Some(object_id)) => object_href(object_type, object_id),
            _ => "event/".to_owned(),
        }
    }

    /// The object's own date where the action stamped the object, so that a poll of the object comes to the same id; else
    /// the entry's.
    fn date(&self) -> Option<Timestamp> {
        let own = self.own_date();
        let object = self
            .data
            .and_then(|data| timestamp::parse(&path::text_at(data, DATE_UPDATED)?));
        match (own, object) {
            (Some(own), Some(object)) if self.stamps_object() && is_just_before(object, own) => {
                Some(object)
            }
            _ => own.or(object),
        }
    }

    fn own_date(&self) -> Option<Timestamp> {
        let parsed = |text: &Option<String>| timestamp::parse(text.as_deref()?);
        parsed(&self.date_updated).or_else(|| parsed(&self.date_created))
    }

    /// Whether the action may have stamped the object. An update that leaves `date_updated` alone did not, though the object may
    /// bear the date of another update a moment before.
    fn stamps_object(&self) -> bool {
        let is_birth_or_end = matches!(self.action.as_deref(), Some("created" | "deleted"));
        let mut changed = self.changed_fields.iter().flatten();
        is_birth_or_end
            || self.changed_fields.is_none()
            || changed.any(|field| field == DATE_UPDATED)
    }
}

impl<'a> Members<'a> {
    fn of(json: &'a RawValue) -> Option<Self> {
        Some(Self {
            members: crate::json::read(json.get()).ok()?,
            is_strange: false,
        })
    }

    /// What a key holds, if it holds anything.
    fn find(&self, key: &str) -> Option<&'a RawValue> {
        let found = self.members.get(key).copied();
        found.filter(|value| value.get() != "null")
    }

    /// The same as what Close puts there.
    fn read<T: Deserialize<'a>>(&mut self, key: &str) -> Option<T> {
        let read = crate::json::read(self.find(key)?.get());
        self.is_strange |= read.is_err();
        read.ok()
    }
}

fn is_just_before(object: Timestamp, entry: Timestamp) -> bool {
    let ahead = entry.duration_since(object);
    SignedDuration::ZERO <= ahead && ahead <= STAMPING_DELAY
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use serde_json::json;
    use serde_json::value::{RawValue, to_raw_value};

    use super::{is_entry, object, to_change};
    use crate::event::change::{Change, EventType, Identity};

    fn change(entry: &serde_json::Value) -> Change {
        let entry = to_raw_value(entry).unwrap();
        to_change(
            &entry,
            Arc::from(RawValue::NULL.to_owned()),
            Timestamp::UNIX_EPOCH,
        )
    }

    fn date(entry: &str, object: Option<&str>) -> String {
        let data = object.map(|date_updated| json!({"date_updated": date_updated}));
        let entry = json!({"object_type": "lead", "object_id": "lead_1", "action": "updated", "date_updated": entry, "data": data});
        change(&entry).date.to_string()
    }

    /// Once the time between the two stamps alone decided: up to a second, and the object's date counted, so that a poll of the
    /// object and the log come to one id. Two changes within a second had one id then, and the second was lost as a duplicate.
    #[test]
    fn of_two_entries_within_a_second_each_has_a_date_of_its_own() {
        let entry = |action: &str, changed: serde_json::Value| {
            let data = json!({"date_updated": "2026-06-19T12:04:01.100000+00:00"});
            let entry = json!({"object_type": "lead", "object_id": "lead_1", "action": action, "date_updated": "2026-06-19T12:04:01.705000", "changed_fields": changed, "data": data});
            change(&entry).date.to_string()
        };
        let (own, object) = ("2026-06-19T12:04:01.705Z", "2026-06-19T12:04:01.1Z");
        for (action, changed, date) in [
            ("updated", json!(["date_updated", "name"]), object),
            ("updated", json!(["name"]), own),
            ("updated", json!([]), own),
            ("updated", json!(null), object),
            ("completed", json!(["date_updated", "is_complete"]), object),
            ("merged", json!([]), own),
            ("created", json!([]), object),
            ("deleted", json!([]), object),
        ] {
            assert_eq!(entry(action, changed.clone()), date, "{action} {changed}");
        }
    }

    #[test]
    fn the_date_is_the_objects_when_the_action_stamped_the_object() {
        assert_eq!(
            date(
                "2026-06-19T12:04:01.705000",
                Some("2026-06-19T12:04:01.697000+00:00")
            ),
            "2026-06-19T12:04:01.697Z"
        );
        assert_eq!(
            date(
                "2026-06-19T12:04:01.000000",
                Some("2026-06-19T12:04:00+00:00")
            ),
            "2026-06-19T12:04:00Z"
        );
    }

    #[test]
    fn the_date_is_the_entrys_when_the_object_is_older_or_newer_or_hidden() {
        for object in [
            Some("2026-06-19T12:04:00.704000+00:00"),
            Some("2026-06-19T12:04:01.706000+00:00"),
            Some("soon"),
            None,
        ] {
            assert_eq!(
                date("2026-06-19T12:04:01.705000", object),
                "2026-06-19T12:04:01.705Z",
                "{object:?}"
            );
        }
    }

    #[test]
    fn an_entry_without_a_time_is_told_by_its_bytes() {
        let entry = json!({"id": "ev_1", "object_type": "lead", "object_id": "lead_1", "action": "updated"});
        let change = change(&entry);
        assert_eq!(change.date, Timestamp::UNIX_EPOCH);
        assert_eq!(
            change.identity,
            Identity::of_bytes(&to_raw_value(&entry).unwrap())
        );
        assert_eq!(change.href, "event/ev_1/");
    }

    #[test]
    fn an_entry_with_a_time_is_told_by_it() {
        let entry = json!({"object_type": "lead", "object_id": "lead_1", "action": "updated", "date_updated": DATE});
        assert_eq!(change(&entry).identity, Identity::Date);
    }

    #[test]
    fn an_entry_that_can_be_read_is_never_told_by_its_version() {
        let entry = json!({"id": "ev_1", "object_type": "lead", "object_id": "lead_1", "action": "updated", "date_updated": "soon"});
        let bytes = Identity::of_bytes(&to_raw_value(&entry).unwrap());
        assert_eq!(change(&entry).identity, bytes);
    }

    #[test]
    fn an_entry_without_an_id_links_to_its_object() {
        let entry = json!({"object_type": "lead", "object_id": "lead_1", "action": "updated"});
        assert_eq!(change(&entry).href, "lead/lead_1/");
    }

    #[test]
    fn the_object_is_the_one_after_the_change_and_before_a_deletion() {
        let of = |action: &str, data: serde_json::Value| {
            let entry = json!({"action": action, "data": data, "previous_data": {"id": "before"}});
            object(&to_raw_value(&entry).unwrap()).map(|object| object.get().to_owned())
        };
        let after = json!({"id": "after"});
        assert_eq!(of("updated", after.clone()).unwrap(), after.to_string());
        assert_eq!(of("updated", json!(null)), None);
        assert_eq!(of("deleted", json!(null)).unwrap(), r#"{"id":"before"}"#);
    }

    #[test]
    fn hidden_data_is_said_and_a_deletion_has_none_to_hide() {
        let entry = |action: &str| json!({"object_type": "lead", "object_id": "lead_1", "action": action, "data": null});
        assert!(change(&entry("updated")).data_hidden);
        let deleted = change(&entry("deleted"));
        assert_eq!(
            (deleted.data_hidden, deleted.event_type),
            (false, EventType::Deleted)
        );
    }

    /// A sound entry with a member that holds something else.
    fn with(key: &str, value: serde_json::Value) -> serde_json::Value {
        let mut entry = json!({
            "id": "ev_1", "object_type": "lead", "object_id": "lead_1", "action": "updated", "date_updated": DATE,
            "date_created": DATE, "changed_fields": [], "data": {},
        });
        entry[key] = value;
        entry
    }

    const DATE: &str = "2026-06-19T12:04:01.705000";

    #[test]
    fn what_cannot_be_read_is_an_unknown_change_with_what_it_has() {
        assert!(!change(&with("id", json!("ev_1"))).is_unreadable);
        for (key, value) in [
            ("id", json!(7)),
            ("object_type", json!(null)),
            ("object_type", json!("")),
            ("object_id", json!(null)),
            ("object_id", json!({"id": "lead_1"})),
            ("action", json!(["updated"])),
            ("date_updated", json!(1_781_870_641)),
            ("date_created", json!(true)),
            ("changed_fields", json!("name")),
            ("changed_fields", json!([1])),
            ("data", json!("lead_1")),
        ] {
            let change = change(&with(key, value.clone()));
            assert!(change.is_unreadable, "{key} {value}");
            assert_eq!(change.event_type, EventType::Unknown, "{key} {value}");
            assert!(!change.data_hidden, "{key} {value}");
            let text = |of: &str, otherwise: &str| {
                let is_there = key != of;
                (if is_there { otherwise } else { "" }).to_owned()
            };
            assert_eq!(change.object_type, text("object_type", "lead"));
            assert_eq!(change.object_id, text("object_id", "lead_1"));
            assert_eq!(change.action, text("action", "updated"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_known_by_its_id_and_date_or_by_its_bytes() {
        let identity = |entry: &serde_json::Value| change(entry).identity;
        let of_bytes =
            |entry: &serde_json::Value| Identity::of_bytes(&to_raw_value(entry).unwrap());
        let parts =
            |parts: &[&str]| Identity::Parts(parts.iter().map(ToString::to_string).collect());
        let no_object = with("object_id", json!(null));
        assert_eq!(identity(&no_object), parts(&["ev_1", DATE]));
        let a_number = with("date_updated", json!(1_781_870_641));
        assert_eq!(identity(&a_number), parts(&["ev_1", "1781870641"]));
        for entry in [
            json!({"object_id": 7, "date_updated": DATE}),
            json!({"id": "ev_1", "object_type": "lead"}),
            json!({}),
            json!(null),
            json!([1]),
            json!("ev_1"),
        ] {
            assert_eq!(identity(&entry), of_bytes(&entry), "{entry}");
            assert!(change(&entry).is_unreadable, "{entry}");
        }
    }

    #[test]
    fn what_cannot_be_read_bears_its_date_if_that_can_be_read() {
        let dated = |entry: &serde_json::Value| change(entry).date.to_string();
        assert_eq!(
            dated(&with("object_id", json!(null))),
            "2026-06-19T12:04:01.705Z"
        );
        assert_eq!(dated(&json!({"date_updated": 7})), "1970-01-01T00:00:00Z");
        assert_eq!(change(&json!({})).href, "event/");
    }

    #[test]
    fn an_entry_has_a_key_that_says_what_changed() {
        let is_entry = |json| is_entry(&to_raw_value(&json).unwrap());
        assert!(is_entry(json!({"object_id": 7})));
        assert!(is_entry(json!({"id": "ev_1"})));
        assert!(!is_entry(json!({"id": null, "data": {}})));
        assert!(!is_entry(json!({})));
        assert!(!is_entry(json!(["id"])));
    }
}
