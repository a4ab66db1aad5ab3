//! A contact.

use serde_json::{Map, Value, json};

use super::parts::{Identity, set};
use crate::close::data::objects::record::Record;
use crate::close::data::time::stamp;

pub(crate) fn defaults(record: &Record, identity: &Identity) -> Value {
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
pub(crate) fn derive(object: &mut Map<String, Value>) {
    let name = object.get("name").cloned().unwrap_or_default();
    set(object, "display_name", name);
}
