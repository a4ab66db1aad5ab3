//! Which fields a change may set, and those that follow from it for good.

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::record::{ObjectKind, Record};
use super::shape::{OPPORTUNITY_STATUSES, STATUSES};
use super::valuation::Period;
use crate::close::data::time::stamp;

/// Fields that no change may set: Close sets them, or they are objects of their own.
const READ_ONLY: [&str; 22] = [
    "_type",
    "annualized_expected_value",
    "annualized_value",
    "contact_name",
    "contacts",
    "date_created",
    "date_updated",
    "display_name",
    "expected_value",
    "html_url",
    "id",
    "lead_id",
    "lead_name",
    "opportunities",
    "organization_id",
    "status_display_name",
    "status_label",
    "status_type",
    "tasks",
    // The organization's.
    "value_currency",
    "value_formatted",
    "view",
];

/// Refuses fields that cannot be set to that.
pub(crate) fn check(kind: ObjectKind, fields: &Map<String, Value>) -> anyhow::Result<()> {
    for field in READ_ONLY {
        ensure!(!fields.contains_key(field), "{field} cannot be set");
    }
    match kind {
        ObjectKind::Lead => check_choice(fields, "status_id", |status| {
            STATUSES.iter().any(|(id, _)| *id == status)
        }),
        ObjectKind::Opportunity => check_opportunity(fields),
        ObjectKind::Contact | ObjectKind::Task(_) | ObjectKind::Activity(_) => Ok(()),
    }
}

fn check_opportunity(fields: &Map<String, Value>) -> anyhow::Result<()> {
    check_choice(fields, "status_id", |status| {
        opportunity_status(status).is_some()
    })?;
    check_choice(fields, "value_period", |period| {
        Period::from_name(period).is_some()
    })?;
    for field in ["value", "confidence"] {
        let number = fields.get(field).filter(|value| !value.is_null());
        let is_whole = number.is_none_or(|number| number.as_i64().is_some());
        ensure!(is_whole, "{field} must be a whole number");
    }
    Ok(())
}

fn check_choice(
    fields: &Map<String, Value>,
    field: &str,
    knows: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let Some(value) = fields.get(field) else {
        return Ok(());
    };
    let is_one = value.as_str().is_some_and(knows);
    is_one
        .then_some(())
        .with_context(|| format!("{value} is no {field}"))
}

/// Sets what follows from a change of an opportunity's status for good: when it was won or lost.
pub(crate) fn complete(after: &mut Record, before: &Map<String, Value>, now: Timestamp) {
    if after.kind != ObjectKind::Opportunity
        || before.get("status_id") == after.fields.get("status_id")
    {
        return;
    }
    let status = after.text("status_id").and_then(opportunity_status);
    let (field, value) = match status {
        Some("won") => ("date_won", json!(stamp::day(now))),
        Some("lost") => ("date_lost", json!(stamp::zoned(now))),
        _ => return,
    };
    after.fields.entry(field).or_insert(value);
}

/// The type of an opportunity's status: active, won or lost.
fn opportunity_status(id: &str) -> Option<&'static str> {
    let known = OPPORTUNITY_STATUSES.iter().find(|(known, ..)| *known == id);
    known.map(|(_, _, of)| *of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(kind: ObjectKind, fields: &Value) {
        assert!(check(kind, fields.as_object().unwrap()).is_err());
    }

    #[test]
    fn what_close_sets_itself_and_what_is_no_choice_is_refused() {
        refused(ObjectKind::Lead, &json!({ "id": "lead_1" }));
        refused(ObjectKind::Lead, &json!({ "status_id": "stat_unknown" }));
        refused(
            ObjectKind::Opportunity,
            &json!({ "status_id": STATUSES[0].0 }),
        );
        refused(ObjectKind::Opportunity, &json!({ "value": 1.5 }));
        refused(
            ObjectKind::Opportunity,
            &json!({ "value_period": "weekly" }),
        );
        let fine = json!({ "value": null, "status_id": OPPORTUNITY_STATUSES[2].0 });
        assert!(check(ObjectKind::Opportunity, fine.as_object().unwrap()).is_ok());
    }
}
