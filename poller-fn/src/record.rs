//! A record of Close's, and the change that it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::close::timestamp;
use shared::event::change::{Change, EventType, Identity, object_href};
use shared::event::id::EventId;
use shared::event::log_entry;
use shared::json::path;
use shared::polling::resource::{Resource, Source};

/// Where every object of Close's has its own id, by which changes are told apart, and the date that counts.
const ID: &str = "id";
const DATE_UPDATED: &str = "date_updated";
const DATE_CREATED: &str = "date_created";
/// Where a task says what kind of task it is.
const TASK_KIND: &str = "_type";
/// Close's own default.
const DEFAULT_TASK_KIND: &str = "lead";

/// An object or an entry of the event log. What every walk needs of it is read once, where its page is.
#[derive(Debug, Clone)]
pub struct Record {
    /// What Close sent.
    pub raw: Arc<RawValue>,
    /// Close's own id.
    pub id: Option<String>,
    /// When it changed last, by Close's own date: nothing moves by any other.
    pub updated: Option<Timestamp>,
    /// When Close says that it was created. This date never changes.
    pub created: Option<Timestamp>,
    /// The text of `updated`, as Close writes it: a form of an entry is told from another by its text.
    date_updated: Option<String>,
}

impl Record {
    /// Reads a record.
    pub fn read(raw: Box<RawValue>) -> Self {
        let [id, date_updated, created] = path::texts(&raw, [ID, DATE_UPDATED, DATE_CREATED]);
        let date = |text: &Option<String>| timestamp::parse(text.as_deref()?);
        Self {
            id,
            updated: date(&date_updated),
            created: date(&created),
            date_updated,
            raw: raw.into(),
        }
    }

    /// The id and the `date_updated` as Close writes it, which tell the record from itself before and after a change.
    pub fn version(&self) -> Option<(&str, &str)> {
        self.id.as_deref().zip(self.date_updated.as_deref())
    }

    /// The same of an entry of the event log, as an id.
    pub fn entry_version(&self) -> Option<EventId> {
        let (id, date_updated) = self.version()?;
        Some(log_entry::version_of(
            id.to_owned(),
            date_updated.to_owned(),
        ))
    }
}

/// Reads a record as a change. One made after `watermark`, where this poll began, is new to whoever follows.
/// A record without a date is dated `now`. A record without a date or an id is identified by a hash of its bytes. The
/// resource's paths lead through `resolved`, which is the same record.
pub fn to_change(
    record: &Record,
    resolved: &RawValue,
    resource: &Resource,
    watermark: Timestamp,
    now: Timestamp,
) -> Change {
    let object_type = object_type(&record.raw, resource);
    let own_id = record.id.clone();
    let identity = match own_id.as_ref().and(record.updated) {
        Some(_) => Identity::Date,
        None => Identity::of_bytes(&record.raw),
    };
    let object_id = path::text_at(resolved, &resource.id_field).or_else(|| own_id.clone());
    let object_id = object_id.unwrap_or_default();
    let own_id = own_id.unwrap_or_else(|| object_id.clone());
    let action = if is_new(resolved, resource, watermark) {
        "created"
    } else {
        "updated"
    };
    Change {
        event_type: EventType::of(&object_type, action),
        date: record.updated.unwrap_or(now),
        identity,
        data_hidden: false,
        is_unreadable: false,
        entry: None,
        href: object_href(&object_type, &own_id),
        object_type,
        object_id,
        own_id,
        action: action.to_owned(),
        raw: Arc::clone(&record.raw),
    }
}

/// Close's own type, as its event log has it.
fn object_type(record: &RawValue, resource: &Resource) -> String {
    match resource.source {
        Source::Search(object_type) => object_type.as_str().to_owned(),
        Source::Opportunities => "opportunity".to_owned(),
        Source::Tasks | Source::EventLog => {
            let kind = path::text_at(record, TASK_KIND);
            format!("task.{}", kind.as_deref().unwrap_or(DEFAULT_TASK_KIND))
        }
    }
}

fn is_new(record: &RawValue, resource: &Resource, watermark: Timestamp) -> bool {
    let Some(created) = resource.created.read(record) else {
        return false;
    };
    let updated = resource.updated.read(record);
    let is_untouched =
        updated.is_some_and(|updated| is_within(created, updated, resource.created_tolerance));
    is_untouched || watermark < created
}

fn is_within(created: Timestamp, updated: Timestamp, tolerance: Duration) -> bool {
    updated.duration_since(created).unsigned_abs() <= tolerance
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};
    use shared::event::change::{Change, EventType, Identity};
    use shared::polling::poller_configuration::parse;

    use super::{Record, to_change};

    fn change(configuration: &Value, record: &Value) -> Change {
        let resource = parse(&json!({"contacts": configuration}).to_string())
            .unwrap()
            .remove(0);
        let watermark = "2026-06-19T12:00:00Z".parse().unwrap();
        let record = Record::read(to_raw_value(record).unwrap());
        to_change(
            &record,
            &record.raw,
            &resource,
            watermark,
            Timestamp::UNIX_EPOCH,
        )
    }

    fn read(json: &str) -> Record {
        Record::read(shared::json::raw(json).unwrap())
    }

    #[test]
    fn what_every_walk_needs_is_read_once() {
        let json = r#"{"id" : "cont_1", "date_created":"2026-06-19T11:00:00+00:00","date_updated":"2026-06-19T11:30:00.5"}"#;
        let record = read(json);
        assert_eq!(record.raw.get(), json);
        assert_eq!(record.id.as_deref(), Some("cont_1"));
        assert_eq!(record.created, "2026-06-19T11:00:00Z".parse().ok());
        assert_eq!(record.updated, "2026-06-19T11:30:00.5Z".parse().ok());
        let version = ("cont_1", "2026-06-19T11:30:00.5");
        assert_eq!(record.version(), Some(version));
    }

    #[test]
    fn what_is_missing_or_cannot_be_read_is_nothing() {
        for json in [
            "{}",
            "[]",
            "7",
            r#"{"id":null,"date_updated":true,"date_created":[]}"#,
        ] {
            let record = read(json);
            assert_eq!(
                (&record.id, record.updated, record.created),
                (&None, None, None),
                "{json}"
            );
            assert_eq!(
                (record.version(), record.entry_version()),
                (None, None),
                "{json}"
            );
        }
        let undated = read(r#"{"id":7,"date_updated":"soon"}"#);
        assert_eq!(
            (undated.updated, undated.version()),
            (None, Some(("7", "soon")))
        );
    }

    #[test]
    fn a_form_of_an_entry_is_told_by_its_id_and_the_text_of_its_date() {
        let version_of = |json| read(json).entry_version();
        let known = version_of(r#"{"id":"ev_1","date_updated":"2026-06-19T12:04:01.705000"}"#);
        assert!(known.is_some());
        let hidden =
            r#"{"date_updated":"2026-06-19T12:04:01.705000","data":null,"\u0069d":"ev_1"}"#;
        assert_eq!(version_of(hidden), known);
        for other in [
            r#"{"id":"ev_2","date_updated":"2026-06-19T12:04:01.705000"}"#,
            r#"{"id":"ev_1","date_updated":"2026-06-19T12:04:01.706000"}"#,
            r#"{"id":"ev_1","date_updated":"2026-06-19T12:04:01.705"}"#,
        ] {
            let other = version_of(other);
            assert!(other.is_some() && other != known);
        }
        assert_eq!(version_of(r#"{"id":"ev_1"}"#), None);
        assert_eq!(
            version_of(r#"{"date_updated":"2026-06-19T12:04:01"}"#),
            None
        );
    }

    fn event_type(created: &str, updated: &str) -> EventType {
        let record = json!({"id": "cont_1", "date_created": created, "date_updated": updated});
        change(&json!({"url": "/hubs/crm/contacts"}), &record).event_type
    }

    #[test]
    fn untouched_since_its_creation_or_newer_than_the_watermark_is_created() {
        assert_eq!(
            event_type("2026-06-19T11:00:00+00:00", "2026-06-19T11:00:10+00:00"),
            EventType::Created
        );
        assert_eq!(
            event_type("2026-06-19T11:00:00+00:00", "2026-06-19T11:00:10.001+00:00"),
            EventType::Updated
        );
        assert_eq!(
            event_type("2026-06-19T12:00:00.001+00:00", "2026-06-19T12:30:00+00:00"),
            EventType::Created
        );
        assert_eq!(
            event_type("2026-06-19T12:00:00+00:00", "2026-06-19T12:30:00+00:00"),
            EventType::Updated
        );
    }

    #[test]
    fn id_and_dates_are_found_by_path_but_the_date_is_closes_own() {
        let configuration = json!({
            "url": "/hubs/crm/contacts?where=m.updated>'${epoch}'", "idField": "m.key", "createdCheckTolerance": 1,
            "datesConfiguration": {"updatedDateField": "m.updated", "updatedDateFormat": "milliseconds", "createdDateField": "m.created"},
        });
        let record = json!({"id": "cont_1", "date_updated": "2026-06-19T11:30:00+00:00", "m": {"key": 7, "updated": 1000, "created": "0"}});
        let change = change(&configuration, &record);
        assert_eq!(
            (change.object_id.as_str(), change.event_type),
            ("7", EventType::Created)
        );
        assert_eq!(change.own_id, "cont_1");
        assert_eq!(change.href, "contact/cont_1/");
        assert_eq!(
            (change.date.to_string().as_str(), change.identity),
            ("2026-06-19T11:30:00Z", Identity::Date)
        );
    }

    #[test]
    fn without_an_id_of_its_own_it_is_told_by_its_bytes() {
        let configuration = json!({"url": "/hubs/crm/contacts", "idField": "lead_id"});
        let record =
            json!({"lead_id": "lead_1", "date_updated": "2026-06-19T11:30:00+00:00", "name": "A"});
        let change = change(&configuration, &record);
        assert_eq!(change.object_id, "lead_1");
        assert_eq!(change.date.to_string(), "2026-06-19T11:30:00Z");
        assert!(matches!(change.identity, Identity::Parts(_)));
    }

    #[test]
    fn without_a_readable_date_it_is_told_by_its_bytes() {
        let change = change(
            &json!({"url": "/hubs/crm/contacts"}),
            &json!({"id": "cont_1", "date_updated": null}),
        );
        assert_eq!(
            (change.date, change.event_type),
            (Timestamp::UNIX_EPOCH, EventType::Updated)
        );
        assert!(matches!(change.identity, Identity::Parts(_)));
    }
}
