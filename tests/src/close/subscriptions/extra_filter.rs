//! The filter of a subscription's events. Source: developer.close.com/api/resources/webhooks/webhook-filters.

use serde_json::{Value, json};

use crate::close::wire::answer::Refusal;

/// What an event must fulfil to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExtraFilter {
    Equals(Value),
    NotEquals(Value),
    IsNull,
    NonNull,
    /// An element of a list, or a part of a text.
    Contains(Value),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// Of a field of an object.
    Field(String, Box<Self>),
    /// Of an element of a list.
    AnyArrayValue(Box<Self>),
}

impl ExtraFilter {
    /// Reads a filter.
    pub(crate) fn parse(filter: &Value) -> Result<Self, Refusal> {
        let invalid = || Refusal::Field("events", format!("Invalid extra_filter: {filter}"));
        let value = || filter.get("value").cloned().ok_or_else(invalid);
        let inner = || Self::parse(&filter["filter"]).map(Box::new);
        let several = || {
            let filters = filter["filters"].as_array().ok_or_else(invalid)?;
            filters.iter().map(Self::parse).collect::<Result<_, _>>()
        };
        match filter["type"].as_str().unwrap_or_default() {
            "equals" => Ok(Self::Equals(value()?)),
            "not_equals" => Ok(Self::NotEquals(value()?)),
            "is_null" => Ok(Self::IsNull),
            "non_null" => Ok(Self::NonNull),
            "contains" => Ok(Self::Contains(value()?)),
            "and" => Ok(Self::And(several()?)),
            "or" => Ok(Self::Or(several()?)),
            "not" => Ok(Self::Not(inner()?)),
            "field_accessor" => {
                let field = filter["field"].as_str().ok_or_else(invalid)?;
                Ok(Self::Field(field.to_owned(), inner()?))
            }
            "any_array_value" => Ok(Self::AnyArrayValue(inner()?)),
            _ => Err(invalid()),
        }
    }

    /// The filter as the API shows it.
    pub(crate) fn render(&self) -> Value {
        let several = |filters: &[Self]| filters.iter().map(Self::render).collect::<Vec<_>>();
        match self {
            Self::Equals(value) => json!({ "type": "equals", "value": value }),
            Self::NotEquals(value) => json!({ "type": "not_equals", "value": value }),
            Self::IsNull => json!({ "type": "is_null" }),
            Self::NonNull => json!({ "type": "non_null" }),
            Self::Contains(value) => json!({ "type": "contains", "value": value }),
            Self::And(filters) => json!({ "type": "and", "filters": several(filters) }),
            Self::Or(filters) => json!({ "type": "or", "filters": several(filters) }),
            Self::Not(filter) => json!({ "type": "not", "filter": filter.render() }),
            Self::Field(field, filter) => {
                json!({ "type": "field_accessor", "field": field, "filter": filter.render() })
            }
            Self::AnyArrayValue(filter) => {
                json!({ "type": "any_array_value", "filter": filter.render() })
            }
        }
    }

    /// Whether a value, at first the whole event, fulfils the filter.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Equals(expected) => value == expected,
            Self::NotEquals(expected) => value != expected,
            Self::IsNull => value.is_null(),
            Self::NonNull => !value.is_null(),
            Self::Contains(part) => match (value, part) {
                (Value::Array(elements), _) => elements.contains(part),
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                _ => false,
            },
            Self::And(filters) => filters.iter().all(|filter| filter.matches(value)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(value)),
            Self::Not(filter) => !filter.matches(value),
            Self::Field(field, filter) => filter.matches(value.get(field).unwrap_or(&Value::Null)),
            Self::AnyArrayValue(filter) => {
                let mut elements = value.as_array().into_iter().flatten();
                elements.any(|element| filter.matches(element))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_decides_and_is_shown_as_it_was_given() {
        let event = json!({
            "user_id": "user_1", "request_id": null, "changed_fields": ["name", "url"],
            "data": { "name": "Acme Corp", "contacts": [{ "name": "Ann" }] },
        });
        let field = |field: &str, filter: &Value| json!({ "type": "field_accessor", "field": field, "filter": filter });
        let equals = |value: &str| json!({ "type": "equals", "value": value });
        let contains = |value: &str| json!({ "type": "contains", "value": value });
        let named_ann =
            json!({ "type": "any_array_value", "filter": field("name", &equals("Ann")) });
        for (filter, expected) in [
            (field("user_id", &equals("user_1")), true),
            (
                field(
                    "user_id",
                    &json!({ "type": "not_equals", "value": "user_1" }),
                ),
                false,
            ),
            (field("request_id", &json!({ "type": "is_null" })), true),
            (field("absent", &json!({ "type": "non_null" })), false),
            (field("changed_fields", &contains("url")), true),
            (field("changed_fields", &contains("ur")), false),
            (field("data", &field("name", &contains("Corp"))), true),
            (field("data", &field("contacts", &named_ann)), true),
            (
                json!({ "type": "not", "filter": field("user_id", &equals("user_1")) }),
                false,
            ),
            (
                json!({ "type": "and", "filters": [field("user_id", &equals("user_1")), equals("x")] }),
                false,
            ),
            (
                json!({ "type": "or", "filters": [field("user_id", &equals("user_1")), equals("x")] }),
                true,
            ),
        ] {
            let parsed = ExtraFilter::parse(&filter).unwrap();
            assert_eq!(parsed.matches(&event), expected, "{filter}");
            assert_eq!(parsed.render(), filter);
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for filter in [
            json!({}),
            json!("x"),
            json!({ "type": "like" }),
            json!({ "type": "equals" }),
        ] {
            assert!(ExtraFilter::parse(&filter).is_err(), "{filter}");
        }
    }
}
