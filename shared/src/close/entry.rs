//! An entry of Close's event log; a webhook delivers the same.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{json, timestamp};
use crate::change::{Change, EventType, Identity, object_href};
use crate::event::EventId;

/// Close stamps an entry a few ms after the object it is about. An object stamped longer before was not touched by the
/// action, so its date would collide with an older change.
const STAMPING_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// What is read of an entry; the rest passes through in `raw`.
#[derive(Debug, Deserialize)]
struct Entry<'a> {
    id: Option<String>,
    object_type: Option<String>,
    object_id: Option<String>,
    action: Option<String>,
    date_updated: Option<String>,
    date_created: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The JSON is not an entry of Close's event log.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A known key holds something else than Close puts there.
    #[error("expected an entry of Close's event log: {0}")]
    Malformed(#[source] serde_json::Error),
    /// Keys without which nobody can say what changed.
    #[error("expected an entry of Close's event log, but it has no {}", keys.join(", no "))]
    Incomplete {
        /// All that are missing.
        keys: Vec<&'static str>,
    },
}

/// Reads an entry as a change. `raw` is what the event will carry: the entry, or the webhook body around it.
/// `received` dates a change for which Close gave no time.
///
/// # Errors
/// When the entry does not say which object changed and how.
pub fn to_change(
    json: &RawValue,
    raw: Arc<RawValue>,
    received: Timestamp,
) -> Result<Change, EntryError> {
    let mended = crate::json::mended(json);
    let entry: Entry<'_> = crate::json::read(mended.get()).map_err(EntryError::Malformed)?;
    let (Some(object_type), Some(object_id), Some(action)) =
        (&entry.object_type, &entry.object_id, &entry.action)
    else {
        return Err(EntryError::Incomplete {
            keys: entry.missing_keys(),
        });
    };
    let date = entry.date();
    let href = match &entry.id {
        Some(id) => format!("event/{id}/"),
        None => object_href(object_type, object_id),
    };
    Ok(Change {
        event_type: EventType::of(object_type, action),
        date: date.unwrap_or(received),
        identity: date.map_or_else(|| Identity::of_bytes(json), |_| Identity::Date),
        data_hidden: entry.data.is_none() && action != "deleted",
        href,
        object_type: object_type.clone(),
        object_id: object_id.clone(),
        action: action.clone(),
        raw,
    })
}

/// Tells an entry in its present form from all others, and from itself before Close put another update into it.
pub fn version(json: &RawValue) -> Option<EventId> {
    let (id, date) = (
        json::text_at(json, "id")?,
        json::text_at(json, "date_updated")?,
    );
    Some(EventId::of_parts(&[id, date]))
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

impl Entry<'_> {
    fn missing_keys(&self) -> Vec<&'static str> {
        let keys = [
            ("object_type", &self.object_type),
            ("object_id", &self.object_id),
            ("action", &self.action),
        ];
        keys.into_iter()
            .filter(|(_, value)| value.is_none())
            .map(|(key, _)| key)
            .collect()
    }

    /// The object's own date where the action touched the object, so that a poll of the object finds the same;
    /// else the entry's.
    fn date(&self) -> Option<Timestamp> {
        let parsed = |text: &Option<String>| timestamp::parse(text.as_deref()?);
        let own = parsed(&self.date_updated).or_else(|| parsed(&self.date_created));
        let object = self
            .data
            .and_then(|data| timestamp::parse(&json::text_at(data, "date_updated")?));
        match (own, object) {
            (Some(own), Some(object)) if is_stamped_just_before(object, own) => Some(object),
            _ => own.or(object),
        }
    }
}

fn is_stamped_just_before(object: Timestamp, entry: Timestamp) -> bool {
    let ahead = entry.duration_since(object);
    SignedDuration::ZERO <= ahead && ahead <= STAMPING_DELAY
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use serde_json::json;
    use serde_json::value::{RawValue, to_raw_value};

    use super::{EntryError, to_change};
    use crate::change::{Change, EventType, Identity};

    fn change(entry: &serde_json::Value) -> Result<Change, EntryError> {
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
        change(&entry).unwrap().date.to_string()
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
        let change = change(&entry).unwrap();
        assert_eq!(change.date, Timestamp::UNIX_EPOCH);
        assert_eq!(
            change.identity,
            Identity::of_bytes(&to_raw_value(&entry).unwrap())
        );
        assert_eq!(change.href, "event/ev_1/");
    }

    #[test]
    fn hidden_data_is_said_and_a_deletion_has_none_to_hide() {
        let entry = |action: &str| json!({"object_type": "lead", "object_id": "lead_1", "action": action, "data": null});
        assert!(change(&entry("updated")).unwrap().data_hidden);
        let deleted = change(&entry("deleted")).unwrap();
        assert_eq!(
            (deleted.data_hidden, deleted.event_type),
            (false, EventType::Deleted)
        );
    }

    #[test]
    fn all_missing_keys_are_named_at_once() {
        let error = change(&json!({"object_id": "lead_1"})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected an entry of Close's event log, but it has no object_type, no action"
        );
    }
}
