//! Objects as JSON: the keys, their order (alphabetical) and the defaults of the recorded responses of 2026.

pub(crate) mod activity;
pub(crate) mod contact;
pub(crate) mod lead;
pub(crate) mod opportunity;
pub(crate) mod parts;
pub(crate) mod task;

use serde_json::{Map, Value};

use self::parts::{Surroundings, into_map};
use crate::close::data::objects::record::{ObjectKind, Record};

pub(crate) use self::lead::STATUSES;
pub(crate) use self::opportunity::STATUSES as OPPORTUNITY_STATUSES;

/// The object as events and legacy webhooks carry it: a lead without what hangs on it.
pub(crate) fn bare(record: &Record, around: Surroundings<'_>) -> Map<String, Value> {
    let identity = around.identity;
    let mut object = into_map(match record.kind {
        ObjectKind::Lead => lead::defaults(record, identity),
        ObjectKind::Contact => contact::defaults(record, identity),
        ObjectKind::Opportunity => opportunity::defaults(record, around),
        ObjectKind::Task(of) => task::defaults(record, of, around),
        ObjectKind::Activity(of) => activity::defaults(record, of, identity),
    });
    object.extend(record.fields.clone());
    match record.kind {
        ObjectKind::Lead => lead::derive(&mut object),
        ObjectKind::Contact => contact::derive(&mut object),
        ObjectKind::Opportunity => opportunity::derive(&mut object, record.valuation),
        ObjectKind::Task(of) => task::derive(&mut object, record, of),
        ObjectKind::Activity(of) => activity::derive(&mut object, of),
    }
    object.sort_keys();
    object
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::close::data::objects::activity_type::ActivityType;
    use crate::close::data::objects::shape::parts::Identity;
    use crate::close::data::objects::task_type::TaskType;

    fn record(kind: ObjectKind) -> Record {
        Record {
            version: 1,
            tie: 0,
            kind,
            id: "x_1".into(),
            lead_id: (kind != ObjectKind::Lead).then(|| "lead_1".into()),
            date_created: Timestamp::UNIX_EPOCH,
            date_updated: Timestamp::UNIX_EPOCH,
            fields: Map::new(),
            valuation: None,
        }
    }

    /// The same keys as recorded, in alphabetical order.
    #[track_caller]
    fn check(kind: ObjectKind, recorded: &Value) {
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
        let event = sample(include_str!(
            "../../../samples/event-lead-updated-consolidated.json"
        ));
        check(ObjectKind::Lead, &event["data"]);
        check(
            ObjectKind::Contact,
            &sample(include_str!("../../../samples/contact.json")),
        );
        check(
            ObjectKind::Opportunity,
            &sample(include_str!("../../../samples/opportunity.json")),
        );
    }

    #[test]
    fn tasks_of_every_kind_have_the_keys_of_the_recorded_ones() {
        let check = |name, recorded| {
            check(
                ObjectKind::Task(TaskType::from_name(name).unwrap()),
                &sample(recorded),
            );
        };
        check("lead", include_str!("../../../samples/task.json"));
        check(
            "email_followup",
            include_str!("../../../samples/task-email_followup.json"),
        );
        check(
            "opportunity_due",
            include_str!("../../../samples/task-opportunity_due.json"),
        );
    }

    #[test]
    fn activities_of_every_recorded_kind_have_the_keys_of_the_recorded_ones() {
        // Recordings of before there was `activity_at`, and one of before there was `users` on it.
        let check = |path: &str, mut recorded: Value| {
            recorded["activity_at"] = Value::Null;
            recorded["users"] = Value::Null;
            let of = ActivityType::from_path(&format!("activity/{path}"));
            check(ObjectKind::Activity(of.unwrap()), &recorded);
        };
        check(
            "call",
            sample(include_str!("../../../samples/activity-call.json")),
        );
        check(
            "email",
            sample(include_str!("../../../samples/activity-email.json")),
        );
        check(
            "meeting",
            sample(include_str!("../../../samples/activity-meeting.json")),
        );
        check(
            "note",
            sample(include_str!("../../../samples/activity-note.json")),
        );
        check(
            "sms",
            sample(include_str!("../../../samples/activity-sms.json")),
        );
        check(
            "status_change/opportunity",
            sample(include_str!(
                "../../../samples/activity-opportunity-status-change.json"
            )),
        );
        let list = sample(include_str!("../../../samples/list-activities.json"));
        check("created", list["data"][0].clone());
        check("task_completed", list["data"][2].clone());
    }
}
