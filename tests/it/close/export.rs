//! The simulated Close, held against Close's export of its API, of which `.ci/close_openapi.py` made `openapi.json`. The export
//! is incomplete: what it does not have is served for a reason.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use local_stack::close::CloseSimulator;
use serde_json::{Value, json};

static EXPORT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("openapi.json")).unwrap());

/// Operations (those of all paths are `*`), or single parameters of them, that are not in the export, and where they are
/// known from.
pub(super) const ELSEWHERE: [(&str, &str, &str); 6] = [
    (
        "*",
        "_fields",
        "developer.close.com/topics/fields: of any GET",
    ),
    (
        "POST /data/search/",
        "",
        "developer.close.com/resources/advanced-filtering",
    ),
    (
        "GET /custom_fields/lead/",
        "",
        "the path before /custom_field/lead/, which the public Singer tap asks",
    ),
    (
        "GET /event/",
        "_cursor",
        "developer.close.com/resources/event-log",
    ),
    (
        "GET /event/",
        "request_id",
        "developer.close.com/resources/event-log",
    ),
    (
        "GET /lead/",
        "query",
        "the older search, which Close's own client and the public Singer tap send",
    ),
];

/// Fails if something was answered that Close does not have.
#[track_caller]
pub(crate) fn check(close: &CloseSimulator) {
    let mut unexported = unexported(close);
    unexported.retain(|found| !ELSEWHERE.iter().any(|reason| covers(reason, found)));
    assert_eq!(unexported, BTreeSet::new());
}

/// Whether a reason is one for this operation and parameter.
pub(super) fn covers(reason: &(&str, &str, &str), found: &(String, String)) -> bool {
    let (operation, parameter, _) = *reason;
    let is_of = operation == "*" || operation == found.0;
    is_of && (parameter.is_empty() || parameter == found.1)
}

/// The operations, and parameters of operations, that were served and are not in the export.
pub(super) fn unexported(close: &CloseSimulator) -> BTreeSet<(String, String)> {
    let mut unexported = BTreeSet::new();
    for (operation, parameters) in close.served() {
        let Some(exported) = EXPORT["operations"].get(&operation) else {
            unexported.insert((operation, String::new()));
            continue;
        };
        let exported = exported["parameters"].as_array().unwrap();
        let missing = parameters
            .into_iter()
            .filter(|name| !exported.contains(&json!(name)));
        unexported.extend(missing.map(|name| (operation.clone(), name)));
    }
    unexported
}

/// What is wrong with the answer to an operation, by Close's own type of it; nothing where Close has typed nothing.
pub(super) fn faults(operation: &str, answer: &Value) -> Vec<String> {
    let Some(name) = EXPORT["operations"][operation]["answer"].as_str() else {
        return Vec::new();
    };
    let validator = validator(name);
    let list = operation.replace("{id}/", "");
    let faults = validator.iter_errors(answer).map(|error| {
        let place = error.instance_path().to_string();
        let place = place.trim_start_matches("/data/0");
        format!("{list}{place}: {error}")
    });
    faults.collect()
}

fn validator(name: &str) -> Validator {
    let schema = json!({
        "$ref": format!("#/components/schemas/{name}"),
        "components": EXPORT["components"],
    });
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

#[test]
fn a_wrong_answer_is_noticed() {
    let answer = json!({"data": [{"id": 1}], "has_more": "no"});
    let faults = faults("GET /contact/", &answer);
    for place in ["GET /contact//has_more: ", "GET /contact//id: "] {
        let mut named = faults.iter().filter(|fault| fault.starts_with(place));
        assert!(named.next().is_some(), "{place} {faults:?}");
    }
}
