//! All that the simulator serves, asked for and held against the export.

use std::collections::BTreeSet;

use local_stack::close::data::change::Change;
use reqwest::Method;
use serde_json::{Value, json};

use super::asked::Asked;
use super::export::{ELSEWHERE, covers, faults, unexported};

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
