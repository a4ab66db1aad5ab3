//! The attributes of a message, as they travel.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::parse;
use crate::aws::sqs::queue::message::{Attribute, AttributeValue};
use crate::aws::sqs::queue::rejection::Rejection;

/// An attribute on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WireAttribute {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

pub(crate) fn read_attributes(wire: &Value) -> Result<BTreeMap<String, Attribute>, Rejection> {
    let Value::Object(members) = wire else {
        return Ok(BTreeMap::new());
    };
    let attributes = members.iter().map(|(name, value)| {
        let Value::Object(members) = value.clone() else {
            return Err(Rejection::missing("DataType"));
        };
        let wire: WireAttribute = parse(members)?;
        let value = match (wire.string_value, wire.binary_value) {
            (Some(text), None) => Some(AttributeValue::Text(text)),
            (None, Some(text)) => STANDARD.decode(text).ok().map(AttributeValue::Binary),
            _ => None,
        };
        let problem = || {
            Rejection::invalid(format!(
                "The message (user) attribute '{name}' must contain one value."
            ))
        };
        let attribute = Attribute {
            data_type: wire.data_type,
            value: value.ok_or_else(problem)?,
        };
        Ok((name.clone(), attribute))
    });
    attributes.collect()
}

/// The one attribute of SQS's own that a sender may set.
pub(crate) fn read_trace(wire: &Value) -> Result<Option<String>, Rejection> {
    let mut attributes = read_attributes(wire)?;
    let trace = attributes.remove("AWSTraceHeader");
    if let Some(name) = attributes.keys().next() {
        return Err(Rejection::invalid(format!(
            "Message system attribute name '{name}' is invalid."
        )));
    }
    Ok(trace.and_then(|trace| match trace.value {
        AttributeValue::Text(text) => Some(text),
        AttributeValue::Binary(_) => None,
    }))
}

pub(crate) fn written(attribute: &Attribute) -> Value {
    match &attribute.value {
        AttributeValue::Text(text) => {
            json!({"DataType": attribute.data_type, "StringValue": text})
        }
        AttributeValue::Binary(bytes) => {
            json!({"DataType": attribute.data_type, "BinaryValue": STANDARD.encode(bytes)})
        }
    }
}
