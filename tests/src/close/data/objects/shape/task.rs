//! A task: one of a lead, which people make, or one that Close makes.

use serde_json::{Map, Value, json};

use super::parts::{Surroundings, into_map, set};
use crate::close::data::objects::record::Record;
use crate::close::data::objects::task_type::TaskType;
use crate::close::data::time::stamp;

pub(crate) fn defaults(record: &Record, of: &TaskType, around: Surroundings<'_>) -> Value {
    let identity = around.identity;
    let common = json!({
        "_type": of.name,
        "assigned_to": identity.user_id,
        "assigned_to_name": identity.user_name,
        "contact_id": null,
        "created_by": identity.user_id,
        "created_by_name": identity.user_name,
        "date": stamp::day(record.date_created),
        "date_created": stamp::zoned(record.date_created),
        "date_updated": stamp::zoned(record.date_updated),
        "id": *record.id,
        "is_complete": false,
        "lead_id": record.lead_id.as_deref(),
        "lead_name": around.lead_name,
        "object_id": null,
        "object_type": of.about,
        "organization_id": identity.organization_id,
        "updated_by": identity.user_id,
        "updated_by_name": identity.user_name,
    });
    let own = match of.name {
        "lead" => of_lead(around),
        "opportunity_due" => json!({
            "opportunity_note": "",
            "opportunity_value": null,
            "opportunity_value_formatted": null,
            "opportunity_value_period": "one_time",
        }),
        "email_followup" | "incoming_email" => json!({
            "body_preview": "",
            "contact_name": around.contact_name,
            "email_id": null,
            "subject": "",
        }),
        _ => json!({ "contact_name": around.contact_name }),
    };
    let mut task = into_map(common);
    task.extend(into_map(own));
    task.into()
}

fn of_lead(around: Surroundings<'_>) -> Value {
    json!({
        "agent_config_id": null,
        "contact_name": around.contact_name,
        "deduplication_key": null,
        "is_primary_lead_notification": true,
        "priority": "medium",
        "resolution": null,
        "sequence_id": null,
        "sequence_subscription_id": null,
        "text": "",
    })
}

/// Sets the fields that follow from others.
pub(crate) fn derive(object: &mut Map<String, Value>, record: &Record, of: &TaskType) {
    let is_complete = object["is_complete"] == Value::Bool(true);
    set(
        object,
        "view",
        if is_complete { "archive" } else { "inbox" },
    );
    let due_date = object["date"].clone();
    if due_date.is_null() {
        set(object, "date", stamp::day(record.date_created));
    }
    if of.name == "lead" {
        set(object, "is_dateless", due_date.is_null());
        set(object, "due_date", due_date);
    }
}
