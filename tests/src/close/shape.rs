//! Objects as JSON: the keys, their order (alphabetical) and the defaults of the recorded responses of 2026.

mod activity;
mod contact;
mod lead;
mod opportunity;
mod task;

use serde_json::{Map, Value};

use super::record::{Kind, Record};

pub(super) use self::lead::STATUSES;
pub(super) use self::opportunity::STATUSES as OPPORTUNITY_STATUSES;

/// Who an organization's objects belong to and who changed them.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) organization_id: String,
    pub(super) organization_name: String,
    pub(super) user_id: String,
    pub(super) user_name: String,
}

/// What an object shows of the objects around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) identity: &'a Identity,
    pub(super) lead_name: Option<&'a str>,
    pub(super) contact_name: Option<&'a str>,
}

/// The object as events and legacy webhooks carry it: a lead without what hangs on it.
pub(super) fn bare(record: &Record, around: Surroundings<'_>) -> Map<String, Value> {
    let identity = around.identity;
    let mut object = into_map(match record.kind {
        Kind::Lead => lead::defaults(record, identity),
        Kind::Contact => contact::defaults(record, identity),
        Kind::Opportunity => opportunity::defaults(record, around),
        Kind::Task(of) => task::defaults(record, of, around),
        Kind::Activity(of) => activity::defaults(record, of, identity),
    });
    object.extend(record.fields.clone());
    match record.kind {
        Kind::Lead => lead::derive(&mut object),
        Kind::Contact => contact::derive(&mut object),
        Kind::Opportunity => opportunity::derive(&mut object, record.valuation),
        Kind::Task(of) => task::derive(&mut object, record, of),
        Kind::Activity(of) => activity::derive(&mut object, of),
    }
    object.sort_keys();
    object
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

fn set(object: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    object.insert(field.to_owned(), value.into());
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::activity_type::ActivityType;
    use super::super::task_type::TaskType;
    use super::*;

    fn record(kind: Kind) -> Record {
        Record {
            version: 1,
            tie: 0,
            kind,
            id: "x_1".into(),
            lead_id: (kind != Kind::Lead).then(|| "lead_1".into()),
            date_created: Timestamp::UNIX_EPOCH,
            date_updated: Timestamp::UNIX_EPOCH,
            fields: Map::new(),
            valuation: None,
        }
    }

    /// The same keys as recorded, in alphabetical order.
    #[track_caller]
    fn check(kind: Kind, recorded: &Value) {
        let identity = Identity {
            organization_id: "orga_1".to_owned(),
            organization_name: "Acme".to_owned(),
            user_id: "user_1".to_owned(),
            user_name: "Sample User".to_owned(),
        };
        let around = Surroundings {
            identity: &identity,
            lead_name: None,
            contact_name: None,
        };
        let object = bare(&record(kind), around);
        let mut recorded = recorded.as_object().unwrap().clone();
        recorded.sort_keys();
        let keys: Vec<_> = object.keys().collect();
        assert_eq!(keys, recorded.keys().collect::<Vec<_>>());
    }

    fn sample(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn objects_have_the_keys_of_the_recorded_ones() {
        let event = sample(include_str!("samples/event-lead-updated-consolidated.json"));
        check(Kind::Lead, &event["data"]);
        check(Kind::Contact, &sample(include_str!("samples/contact.json")));
        check(
            Kind::Opportunity,
            &sample(include_str!("samples/opportunity.json")),
        );
    }

    #[test]
    fn tasks_of_every_kind_have_the_keys_of_the_recorded_ones() {
        let check = |name, recorded| {
            check(
                Kind::Task(TaskType::from_name(name).unwrap()),
                &sample(recorded),
            );
        };
        check("lead", include_str!("samples/task.json"));
        check(
            "email_followup",
            include_str!("samples/task-email_followup.json"),
        );
        check(
            "opportunity_due",
            include_str!("samples/task-opportunity_due.json"),
        );
    }

    #[test]
    fn activities_of_every_recorded_kind_have_the_keys_of_the_recorded_ones() {
        // Recordings of before there was `activity_at`, and one of before there was `users` on it.
        let check = |path: &str, mut recorded: Value| {
            recorded["activity_at"] = Value::Null;
            recorded["users"] = Value::Null;
            let of = ActivityType::from_path(&format!("activity/{path}"));
            check(Kind::Activity(of.unwrap()), &recorded);
        };
        check("call", sample(include_str!("samples/activity-call.json")));
        check("email", sample(include_str!("samples/activity-email.json")));
        check(
            "meeting",
            sample(include_str!("samples/activity-meeting.json")),
        );
        check("note", sample(include_str!("samples/activity-note.json")));
        check("sms", sample(include_str!("samples/activity-sms.json")));
        check(
            "status_change/opportunity",
            sample(include_str!(
                "samples/activity-opportunity-status-change.json"
            )),
        );
        let list = sample(include_str!("samples/list-activities.json"));
        check("created", list["data"][0].clone());
        check("task_completed", list["data"][2].clone());
    }
}
