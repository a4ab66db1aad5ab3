//! The simulated Close, held against Close's export of its API, of which `.ci/close_openapi.py` made `openapi.json`. The export
//! is incomplete: what it does not have is served for a reason.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use local_stack::close::CloseSimulator;
use local_stack::close::change::Change;
use reqwest::Method;
use serde_json::{Value, json};

use super::Asked;

static EXPORT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("openapi.json")).unwrap());

/// Operations (those of all paths are `*`), or single parameters of them, that are not in the export, and where they are
/// known from.
const ELSEWHERE: [(&str, &str, &str); 6] = [
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

/// Where a recorded answer of Close differs from the export, the simulator follows the recording.
const RECORDED: [&str; 8] = [
    r#"GET /activity/call/: "outcome_id" is a required property"#,
    r#"GET /activity/email/: "followup_sequence_add_cc_bcc" is a required property"#,
    r#"GET /activity/email/: "send_as_id" is a required property"#,
    r#"GET /activity/sms/: "cost" is a required property"#,
    r#"GET /activity/sms/: "local_country_iso" is a required property"#,
    r#"GET /activity/sms/: "remote_country_iso" is a required property"#,
    r#"GET /activity/sms/: "template_id" is a required property"#,
    r#"GET /lead/: "contact_ids" is a required property"#,
];

/// Fails if something was answered that Close does not have.
#[track_caller]
pub(crate) fn check(close: &CloseSimulator) {
    let mut unexported = unexported(close);
    unexported.retain(|found| !ELSEWHERE.iter().any(|reason| covers(reason, found)));
    assert_eq!(unexported, BTreeSet::new());
}

fn covers(reason: &(&str, &str, &str), found: &(String, String)) -> bool {
    let (operation, parameter, _) = *reason;
    let is_of = operation == "*" || operation == found.0;
    is_of && (parameter.is_empty() || parameter == found.1)
}

/// The operations, and parameters of operations, that were served and are not in the export.
fn unexported(close: &CloseSimulator) -> BTreeSet<(String, String)> {
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
fn faults(operation: &str, answer: &Value) -> Vec<String> {
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

/// An organization with something of every kind, and the paths of all of it, each beside its operation.
fn filled(asked: &Asked) -> Vec<(String, String)> {
    let organization = &asked.organization;
    let now = Change::now;
    let lead = super::recorded::lead(organization);
    let field = organization.create_custom_field("lead", "Region", "text");
    let field = field.unwrap();
    let region = json!({ format!("custom.{field}"): "EMEA" });
    organization.edit_lead(&lead, region, now()).unwrap();
    let contact = organization.contact_ids().remove(0);
    let opportunity = json!({ "value": 25_000, "confidence": 50, "contact_id": contact });
    let opportunity = organization.create_opportunity(&lead, opportunity, now());
    let opportunity = opportunity.unwrap();
    let won = json!({ "status_id": "stat_wMS9M6HC2O3CSEOzF5g2vEGt6RM5R3RfhIQixdnmjf2" });
    organization
        .edit_opportunity(&opportunity, won, now())
        .unwrap();
    let task = organization.create_task(&lead, "lead", json!({}), now());
    let mut objects = vec![
        ("lead".to_owned(), lead.clone()),
        ("contact".to_owned(), contact),
        ("opportunity".to_owned(), opportunity),
        ("task".to_owned(), task.unwrap()),
        ("custom_field/lead".to_owned(), field),
        ("user".to_owned(), organization.user_id()),
        (
            "event".to_owned(),
            organization.events()[0]["id"].as_str().unwrap().to_owned(),
        ),
    ];
    for kind in [
        "call",
        "created",
        "custom",
        "email",
        "emailthread",
        "form_submission",
        "lead_merge",
        "meeting",
        "note",
        "sms",
        "status_change/lead",
        "status_change/opportunity",
        "task_completed",
        "whatsapp_message",
    ] {
        let created = organization.create_activity(&lead, kind, json!({}), now());
        objects.push((format!("activity/{kind}"), created.unwrap()));
    }
    let one = objects
        .iter()
        .map(|(path, id)| (format!("GET /{path}/{{id}}/"), format!("/{path}/{id}/")));
    let lists = [
        "activity",
        "custom_field/activity",
        "custom_field/contact",
        "custom_field/custom_object_type",
        "custom_field/opportunity",
        "custom_field/shared",
        "custom_fields/lead",
        "integration_link",
        "me",
        "webhook",
    ];
    let lists = lists
        .into_iter()
        .chain(objects.iter().map(|(path, _)| path.as_str()));
    let lists = lists.map(|path| (format!("GET /{path}/"), format!("/{path}/")));
    let schema = (
        "GET /custom_field_schema/{object_type}/".to_owned(),
        "/custom_field_schema/lead/".to_owned(),
    );
    one.chain(lists).chain([schema]).collect()
}

#[tokio::test]
async fn what_is_served_is_in_the_export_or_has_a_reason() {
    let asked = Asked::start().await;
    for (_, path) in filled(&asked) {
        asked.get(&path).await;
        // Some parameters are for one lead only.
        asked.get(&format!("{path}?lead_id=lead_1")).await;
    }
    asked.get("/integration_link/link_1/").await;
    let query = json!({"type": "object_type", "object_type": "lead"});
    asked.post("/data/search/", &json!({"query": query})).await;
    let events = json!([{ "object_type": "lead", "action": "created" }]);
    let body = json!({ "url": "http://127.0.0.1:9/", "events": events });
    let created = asked.post("/webhook/", &body).await;
    let webhook = format!("/webhook/{}/", created["id"].as_str().unwrap());
    asked.get(&webhook).await;
    let paused = json!({"status": "paused"});
    asked.send(Method::PUT, &webhook, &paused).await;
    asked.send(Method::DELETE, &webhook, &Value::Null).await;

    let unexported = unexported(&asked.close);
    for reason in &ELSEWHERE {
        let is_needed = unexported.iter().any(|found| covers(reason, found));
        assert!(is_needed, "nothing of it is served: {reason:?}");
    }
    asked.finish();
}

#[tokio::test]
async fn what_close_has_typed_is_answered_in_that_type() {
    let asked = Asked::start().await;
    let mut found = BTreeSet::new();
    for (operation, path) in filled(&asked) {
        let answer = asked.get(&path).await;
        found.extend(faults(&operation, &answer));
    }
    assert_eq!(found, BTreeSet::from(RECORDED.map(str::to_owned)));
    asked.finish();
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
