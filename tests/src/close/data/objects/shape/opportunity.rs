//! An opportunity.

use serde_json::{Map, Value, json};

use super::parts::{Surroundings, set};
use crate::close::data::objects::record::Record;
use crate::close::data::objects::valuation::{CONFIDENCE, Valuation};
use crate::close::data::time::stamp;

/// The opportunity statuses of every organization, the default first: id, label and type.
pub(crate) const STATUSES: [(&str, &str, &str); 4] = [
    (
        "stat_7eTKROGcyUm5uLsS35qI2EpHR2P1y22Q6eFtJPTKeRZ",
        "Proposal Sent",
        "active",
    ),
    (
        "stat_iiXQb3H5TTBB8HUZs7PpuqMWqNDHHMgIbgESYVMyxAU",
        "Demo Completed",
        "active",
    ),
    (
        "stat_wMS9M6HC2O3CSEOzF5g2vEGt6RM5R3RfhIQixdnmjf2",
        "Won",
        "won",
    ),
    (
        "stat_3FD9DnGUCJzccBKTh8LiiKoyVPpMJsOkJdcGoA5AYKH",
        "Lost",
        "lost",
    ),
];

pub(crate) fn defaults(record: &Record, around: Surroundings<'_>) -> Value {
    let identity = around.identity;
    json!({
        "attachments": [],
        "confidence": CONFIDENCE,
        "contact_id": null,
        "contact_name": around.contact_name,
        "created_by": identity.user_id,
        "created_by_name": identity.user_name,
        "date_created": stamp::zoned(record.date_created),
        "date_lost": null,
        "date_updated": stamp::zoned(record.date_updated),
        "date_won": null,
        "id": *record.id,
        "integration_links": [],
        "lead_id": record.lead_id.as_deref(),
        "lead_name": around.lead_name,
        "note": "",
        "organization_id": identity.organization_id,
        "pipeline_id": "pipe_4tpWfhCr5JiYxm0BrTkNuS",
        "pipeline_name": "Sales",
        "status_id": STATUSES[0].0,
        "updated_by": identity.user_id,
        "updated_by_name": identity.user_name,
        "user_id": identity.user_id,
        "user_name": identity.user_name,
        "value": null,
        "value_currency": "USD",
        "value_period": "one_time",
    })
}

/// Sets the fields that follow from others.
pub(crate) fn derive(object: &mut Map<String, Value>, valuation: Option<Valuation>) {
    let status_id = object.get("status_id").and_then(Value::as_str);
    let mut statuses = STATUSES.iter();
    let known = statuses.find(|(id, ..)| Some(*id) == status_id);
    let (_, label, of) = known.unwrap_or(&STATUSES[0]);
    set(object, "status_display_name", *label);
    set(object, "status_label", *label);
    set(object, "status_type", *of);
    let note = object.get("note").and_then(Value::as_str);
    let note = format!("<body><p>{}</p></body>", note.unwrap_or_default());
    set(object, "note_html", note);
    let amount = |amount: fn(Valuation) -> i64| json!(valuation.map(amount));
    set(object, "expected_value", amount(|one| one.expected));
    set(
        object,
        "annualized_value",
        amount(|one| one.annualized(one.value)),
    );
    let expected = amount(|one| one.annualized(one.expected));
    set(object, "annualized_expected_value", expected);
    set(
        object,
        "value_formatted",
        json!(valuation.map(Valuation::formatted)),
    );
}
