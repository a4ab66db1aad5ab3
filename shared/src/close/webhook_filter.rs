//! Close's webhook filters, evaluated here where an entry of the event log stands for a delivery.
//!
//! Source: developer.close.com/api/resources/webhooks/webhook-filters.

use serde_json::Value;

/// Whether every operator of a filter is known, so that [`passes`] can tell.
pub fn is_known(filter: &Value) -> bool {
    evaluate(filter, &Value::Null).is_some()
}

/// Whether an event, an entry of the event log, passes a filter; nothing where the filter has an operator that is not known.
pub fn passes(filter: &Value, event: &Value) -> Option<bool> {
    evaluate(filter, event)
}

/// Every part is evaluated, so that an unknown operator is found whatever the event holds.
fn evaluate(filter: &Value, value: &Value) -> Option<bool> {
    let expected = || filter.get("value");
    let inner = |value: &Value| evaluate(filter.get("filter")?, value);
    let all = || {
        let filters = filter.get("filters")?.as_array()?.iter();
        filters
            .map(|filter| evaluate(filter, value))
            .collect::<Option<Vec<_>>>()
    };
    match filter.get("type")?.as_str()? {
        "equals" => Some(value == expected()?),
        "not_equals" => Some(value != expected()?),
        "is_null" => Some(value.is_null()),
        "non_null" => Some(!value.is_null()),
        "contains" => Some(contains(value, expected()?)),
        "and" => Some(all()?.into_iter().all(|passes| passes)),
        "or" => Some(all()?.into_iter().any(|passes| passes)),
        "not" => inner(value).map(|passes| !passes),
        "field_accessor" => {
            let field = filter.get("field")?.as_str()?;
            inner(value.get(field).unwrap_or(&Value::Null))
        }
        "any_array_value" => {
            inner(&Value::Null)?;
            let elements = value.as_array().into_iter().flatten();
            let passes = elements.map(inner).collect::<Option<Vec<_>>>()?;
            Some(passes.contains(&true))
        }
        _ => None,
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Array(elements), _) => elements.contains(part),
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_known, passes};

    fn field(name: &str, filter: &Value) -> Value {
        json!({"type": "field_accessor", "field": name, "filter": filter})
    }

    #[test]
    fn each_operator_decides() {
        let event = json!({
            "changed_fields": ["status_id"],
            "user_id": null,
            "data": {"status_id": "stat_1", "name": "Acme Inc", "contacts": [{"id": "cont_1"}]},
        });
        let status = |filter: Value| field("data", &field("status_id", &filter));
        let equals = |value: &str| json!({"type": "equals", "value": value});
        let contact = json!({"type": "any_array_value", "filter": field("id", &equals("cont_1"))});
        let contains = |part: &str| json!({"type": "contains", "value": part});
        for (filter, expected) in [
            (status(equals("stat_1")), true),
            (
                status(json!({"type": "not_equals", "value": "stat_1"})),
                false,
            ),
            (field("user_id", &json!({"type": "is_null"})), true),
            (field("absent", &json!({"type": "non_null"})), false),
            (field("changed_fields", &contains("status_id")), true),
            (field("data", &field("name", &contains("Inc"))), true),
            (field("data", &field("contacts", &contact)), true),
            (
                json!({"type": "not", "filter": status(equals("stat_1"))}),
                false,
            ),
            (
                json!({"type": "and", "filters": [status(equals("stat_1")), contains("x")]}),
                false,
            ),
            (
                json!({"type": "or", "filters": [status(equals("stat_1")), contains("x")]}),
                true,
            ),
        ] {
            assert_eq!(passes(&filter, &event), Some(expected), "{filter}");
        }
    }

    #[test]
    fn an_operator_that_is_not_known_is_found_wherever_it_stands() {
        let unknown = json!({"type": "greater_than", "value": 1});
        let known = json!({"type": "is_null"});
        for filter in [
            unknown.clone(),
            json!({"type": "or", "filters": [known, unknown]}),
            json!({"type": "any_array_value", "filter": unknown}),
            json!({"type": "and", "filters": "x"}),
            json!("equals"),
        ] {
            assert!(!is_known(&filter), "{filter}");
        }
    }
}
