//! What all shapes are made of.

use serde_json::{Map, Value};

/// Who an organization's objects belong to and who changed them.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) organization_id: String,
    pub(crate) organization_name: String,
    pub(crate) user_id: String,
    pub(crate) user_name: String,
}

/// What an object shows of the objects around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) lead_name: Option<&'a str>,
    pub(crate) contact_name: Option<&'a str>,
}

/// What an object is made of.
pub(crate) fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// Sets a key.
pub(crate) fn set(object: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    object.insert(field.to_owned(), value.into());
}
