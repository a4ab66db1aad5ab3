//! A lead, without what hangs on it.

use serde_json::{Map, Value, json};

use super::parts::{Identity, set};
use crate::close::data::objects::record::Record;
use crate::close::data::time::stamp;

/// The lead statuses of every organization, the default first.
pub(crate) const STATUSES: [(&str, &str); 4] = [
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

pub(crate) fn defaults(record: &Record, identity: &Identity) -> Value {
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

/// Sets the fields that follow from others.
pub(crate) fn derive(object: &mut Map<String, Value>) {
    let name = object.get("name").cloned().unwrap_or_default();
    set(object, "display_name", name);
    let status_id = object.get("status_id").and_then(Value::as_str);
    let known = STATUSES.iter().find(|(id, _)| Some(*id) == status_id);
    if let Some((_, label)) = known {
        set(object, "status_label", *label);
    }
}
