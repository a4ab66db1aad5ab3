//! The custom fields that an organization has defined for its leads, contacts and opportunities.

use anyhow::ensure;
use serde_json::{Map, Value, json};

use super::record::{Family, ObjectKind};

/// What the keys of custom fields' values begin with.
pub(crate) const PREFIX: &str = "custom.";

/// A custom field. A deleted one stays, for entries of the event log that were written before show its values.
#[derive(Debug, Clone)]
pub(crate) struct CustomField {
    /// `cf_…`
    pub(crate) id: String,
    pub(crate) name: String,
    /// `text`, `number`, `choices`, …
    pub(crate) of_type: String,
    pub(crate) accepts_multiple_values: bool,
    pub(crate) is_deleted: bool,
}

impl CustomField {
    /// The key of its values.
    pub(crate) fn key(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }
}

/// The family of objects of that name, if they can have custom fields.
pub(crate) fn family(name: &str) -> Option<Family> {
    Family::from_name(name)
        .filter(|family| matches!(family, Family::Lead | Family::Contact | Family::Opportunity))
}

/// Whether a key is that of a custom field which exists.
pub(crate) fn exists(fields: &[CustomField], key: &str) -> bool {
    let mut existing = fields.iter().filter(|field| !field.is_deleted);
    existing.any(|field| field.key() == key)
}

/// Refuses to set what is no custom field of these objects, and to set one to what it does not take.
pub(crate) fn check(
    kind: ObjectKind,
    fields: &[CustomField],
    values: &Map<String, Value>,
) -> anyhow::Result<()> {
    for (key, value) in values.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
        let mut existing = fields.iter().filter(|field| !field.is_deleted);
        let field = existing.find(|field| field.key() == *key);
        let of = kind.family().name();
        ensure!(field.is_some(), "{key} is no custom field of a {of}");
        let takes_list = field.is_some_and(|field| field.accepts_multiple_values);
        ensure!(
            value.is_null() || value.is_array() == takes_list,
            "{key} takes {}",
            if takes_list { "a list" } else { "one value" }
        );
    }
    Ok(())
}

/// The deprecated object of values by the fields' names. Of two fields of one name it has the later one's value.
pub(crate) fn aggregate<'a>(
    fields: impl IntoIterator<Item = &'a CustomField>,
    object: &Map<String, Value>,
) -> Map<String, Value> {
    let mut aggregate = Map::new();
    for field in fields {
        let value = object.get(&field.key()).cloned();
        aggregate.extend(value.map(|value| (field.name.clone(), value)));
    }
    aggregate
}

/// The answer to `GET /custom_field_schema/{type}/`.
pub(crate) fn schema(fields: &[CustomField]) -> Value {
    let shown = fields.iter().filter(|field| !field.is_deleted);
    let shown = shown.map(|field| {
        json!({
            "accepts_multiple_values": field.accepts_multiple_values,
            "id": field.id,
            "name": field.name,
            "type": field.of_type,
        })
    });
    json!({ "fields": shown.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::close::data::moment::Moment;
    use crate::close::data::tenant::Tenant;

    fn field(id: &str, name: &str, accepts_multiple_values: bool) -> CustomField {
        CustomField {
            id: id.to_owned(),
            name: name.to_owned(),
            of_type: "text".to_owned(),
            accepts_multiple_values,
            is_deleted: false,
        }
    }

    #[test]
    fn values_are_shown_by_id_and_those_of_a_lead_by_name_as_well() {
        let mut tenant = Tenant::new("Acme", Timestamp::UNIX_EPOCH);
        let fields = [field("cf_1", "Owner", false), field("cf_2", "Tags", true)];
        tenant.collection_mut(Family::Lead).custom_fields = fields.to_vec();
        let moment = Moment::new(Timestamp::UNIX_EPOCH);
        let values = json!({ "custom.cf_1": "Ann", "custom.cf_2": ["a", "b"] });
        let id = tenant.create_lead(values, &moment).unwrap();
        let cleared = json!({ "custom.cf_1": null });
        tenant.edit(Family::Lead, &id, cleared, &moment).unwrap();
        let lead = tenant.get(Family::Lead, &id).unwrap();
        let shown = tenant.render(&lead);
        assert_eq!(shown["custom"], json!({ "Tags": ["a", "b"] }));
        assert_eq!(shown["custom.cf_2"], json!(["a", "b"]));
        assert!(!shown.contains_key("custom.cf_1"));
        let entry = tenant.render_entry(&tenant.log.entries[1]);
        assert_eq!(entry["previous_data"]["custom.cf_1"], "Ann");

        tenant.collection_mut(Family::Lead).custom_fields[1].is_deleted = true;
        assert_eq!(tenant.render(&lead)["custom"], json!({}));
        assert!(!tenant.render(&lead).contains_key("custom.cf_2"));
        let entry = tenant.render_entry(&tenant.log.entries[1]);
        assert_eq!(entry["data"]["custom.cf_2"], json!(["a", "b"]));
        let schema = schema(tenant.custom_fields(ObjectKind::Lead));
        let shown = json!({ "accepts_multiple_values": false, "id": "cf_1", "name": "Owner", "type": "text" });
        assert_eq!(schema, json!({ "fields": [shown] }));
    }

    #[test]
    fn only_a_field_that_exists_is_set_and_only_to_what_it_takes() {
        let mut fields = [field("cf_1", "Owner", false), field("cf_2", "Tags", true)];
        let mut check = |value: Value, is_deleted| {
            fields[1].is_deleted = is_deleted;
            check(ObjectKind::Contact, &fields, value.as_object().unwrap()).is_ok()
        };
        assert!(check(json!({ "custom.cf_1": "Ann", "name": "Bob" }), false));
        assert!(check(
            json!({ "custom.cf_2": ["a"], "custom.cf_1": null }),
            false
        ));
        assert!(!check(json!({ "custom.cf_2": "a" }), false));
        assert!(!check(json!({ "custom.cf_1": ["a"] }), false));
        assert!(!check(json!({ "custom.cf_2": ["a"] }), true));
        assert!(!check(json!({ "custom.cf_3": "a" }), false));
    }
}
