//! Objects as JSON: the keys, their order (alphabetical) and the defaults of the recorded responses of 2026.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::record::{Kind, Record};
use super::stamp;

/// Who an organization's objects belong to and who changed them.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) organization_id: String,
    pub(super) organization_name: String,
    pub(super) user_id: String,
    pub(super) user_name: String,
}

/// The lead statuses of every organization, the default first.
pub(super) const STATUSES: [(&str, &str); 4] = [
    (
        "stat_rwLb2E0AwC3tKywza0PJdUVPWIPNuImjJEF1gHIknMN",
        "Potential",
    ),
    (
        "stat_49RT0nHxnafd0FHTgOAoLCwo76fAToCPb4Cy0X2TPbt",
        "Interested",
    ),
    (
        "stat_B5rGAKZyrJTz1Wsi1Fstmg6r3Hnw9OfYUsA6KTtzynM",
        "Qualified",
    ),
    (
        "stat_qmxXIhiqHc2Mpfi8kDIcURT217mMudLwBwzS8fcbU9V",
        "Customer",
    ),
];

/// The object as events and legacy webhooks carry it: a lead without what hangs on it.
pub(super) fn bare(record: &Record, identity: &Identity) -> Map<String, Value> {
    let defaults = match record.kind {
        Kind::Lead => lead(record, identity),
        Kind::Contact => contact(record, identity),
    };
    let mut object = into_map(defaults);
    object.extend(record.fields.clone());
    derive(&mut object);
    object.sort_keys();
    object
}

/// The object as the API returns it: a lead with its contacts.
pub(super) fn full(
    record: &Record,
    identity: &Identity,
    contacts: &[Arc<Record>],
) -> Map<String, Value> {
    let mut object = bare(record, identity);
    if record.kind == Kind::Lead {
        let nested = contacts
            .iter()
            .map(|contact| Value::from(bare(contact, identity)));
        object.insert("contacts".to_owned(), nested.collect());
        object.insert("opportunities".to_owned(), json!([]));
        object.insert("tasks".to_owned(), json!([]));
        object.sort_keys();
    }
    object
}

/// The label of a lead status.
pub(super) fn status_label(status_id: &str) -> Option<&'static str> {
    let mut statuses = STATUSES.iter();
    statuses
        .find(|(id, _)| *id == status_id)
        .map(|(_, label)| *label)
}

fn lead(record: &Record, identity: &Identity) -> Value {
    json!({
        "addresses": [],
        "created_by": identity.user_id,
        "created_by_name": identity.user_name,
        "custom": {},
        "date_created": stamp::zoned(record.date_created),
        "date_updated": stamp::zoned(record.date_updated),
        "description": "",
        "display_name": "",
        "html_url": format!("https://app.close.com/lead/{}/", record.id),
        "id": *record.id,
        "integration_links": [],
        "name": "",
        "organization_id": identity.organization_id,
        "status_id": STATUSES[0].0,
        "status_label": STATUSES[0].1,
        "updated_by": identity.user_id,
        "updated_by_name": identity.user_name,
        "url": null,
    })
}

fn contact(record: &Record, identity: &Identity) -> Value {
    json!({
        "created_by": identity.user_id,
        "date_created": stamp::zoned(record.date_created),
        "date_updated": stamp::zoned(record.date_updated),
        "display_name": "",
        "emails": [],
        "id": *record.id,
        "integration_links": [],
        "lead_id": record.lead_id.as_deref(),
        "name": "",
        "organization_id": identity.organization_id,
        "phones": [],
        "timezone": null,
        "timezone_source": null,
        "title": null,
        "updated_by": identity.user_id,
        "urls": [],
    })
}

/// Sets the fields that follow from others.
fn derive(object: &mut Map<String, Value>) {
    let name = object.get("name").cloned().unwrap_or_default();
    object.insert("display_name".to_owned(), name);
    let status_id = object.get("status_id").and_then(Value::as_str);
    if let Some(label) = status_id.and_then(status_label) {
        object.insert("status_label".to_owned(), label.into());
    }
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn identity() -> Identity {
        Identity {
            organization_id: "orga_1".to_owned(),
            organization_name: "Acme".to_owned(),
            user_id: "user_1".to_owned(),
            user_name: "Sample User".to_owned(),
        }
    }

    fn record(kind: Kind) -> Record {
        Record {
            version: 1,
            tie: 0,
            kind,
            id: "x_1".into(),
            lead_id: (kind == Kind::Contact).then(|| "lead_1".into()),
            date_created: Timestamp::UNIX_EPOCH,
            date_updated: Timestamp::UNIX_EPOCH,
            fields: Map::new(),
        }
    }

    /// The same keys in the same order.
    #[track_caller]
    fn check(object: &Map<String, Value>, recorded: &Value) {
        let recorded = recorded.as_object().unwrap();
        let keys: Vec<_> = object.keys().collect();
        assert_eq!(keys, recorded.keys().collect::<Vec<_>>());
    }

    #[test]
    fn objects_have_the_keys_of_the_recorded_ones() {
        let recorded: Value = serde_json::from_str(include_str!("samples/lead.json")).unwrap();
        let contacts = [Arc::new(record(Kind::Contact))];
        let lead = full(&record(Kind::Lead), &identity(), &contacts);
        check(&lead, &recorded);
        check(
            lead["contacts"][0].as_object().unwrap(),
            &recorded["contacts"][0],
        );
        let recorded = serde_json::from_str(include_str!("samples/contact.json")).unwrap();
        check(&full(&record(Kind::Contact), &identity(), &[]), &recorded);
    }

    #[test]
    fn events_carry_a_lead_with_the_keys_of_the_sample() {
        let sample = include_str!("samples/event-lead-updated-consolidated.json");
        let event: Value = serde_json::from_str(sample).unwrap();
        check(&bare(&record(Kind::Lead), &identity()), &event["data"]);
    }
}
