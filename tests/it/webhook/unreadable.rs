//! Webhooks with an event that does not say which object changed and how, or not as Close does.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::INSTANCE;
use crate::functions::WEBHOOK;
use crate::metric_lines::last;
use crate::world::World;

const DATE: &str = "2026-06-19T12:04:01.705000";

/// A sound event with a member that holds something else. Each has an id of its own.
fn with(key: &str, value: Value) -> Value {
    let mut event = json!({
        "id": format!("ev_{key}_{value}"), "object_type": "lead", "object_id": "lead_1", "action": "updated", "date_updated": DATE,
        "changed_fields": ["name"], "data": {"id": "lead_1"},
    });
    event[key] = value;
    event
}

#[tokio::test]
async fn it_is_published_once_as_unknown_with_what_it_has() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    for (event, detail_type, said) in [
        (
            with("object_id", Value::Null),
            "lead.unknown",
            ["lead", "", "updated"],
        ),
        (
            with("object_id", json!(7)),
            "lead.unknown",
            ["lead", "", "updated"],
        ),
        (
            with("date_updated", json!(1)),
            "lead.unknown",
            ["lead", "lead_1", "updated"],
        ),
        (
            with("action", Value::Null),
            "lead.unknown",
            ["lead", "lead_1", ""],
        ),
        (
            with("object_type", json!({})),
            "unknown",
            ["", "lead_1", "updated"],
        ),
        (
            with("data", json!("lead_1")),
            "lead.unknown",
            ["lead", "lead_1", "updated"],
        ),
        (
            json!({"object_id": "lead_1"}),
            "unknown",
            ["", "lead_1", ""],
        ),
        (json!({"id": "ev_2"}), "unknown", ["", "", ""]),
    ] {
        let body = json!({"event": event, "subscription_id": "whsub_1"});
        let published = world.events().len();

        let answer = world.deliver(&url, &[], body.to_string()).await;

        assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.body);
        let line = last(&world, WEBHOOK);
        assert_eq!(line.value("UnreadableEntries"), Some(1.0), "{body}");
        let newest = world.events().pop().unwrap();
        assert_eq!(newest.detail_type, detail_type, "{body}");
        let detail: Value = newest.parse_detail().unwrap();
        let words = ["objectType", "objectId", "action"].map(|key| &detail[key]);
        assert_eq!(words, said, "{body}");
        assert_eq!(
            (&detail["eventType"], &detail["raw"]),
            (&json!("UNKNOWN"), &body)
        );

        let again = world.deliver(&url, &[], body.to_string()).await;
        assert_eq!(again.body, json!({"duplicate": true}), "{body}");
        assert_eq!(last(&world, WEBHOOK).value("UnreadableEntries"), None);
        assert_eq!(world.events().len(), published + 1, "{body}");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_can_be_read_is_not_counted() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let unknown = with("object_type", json!("starship"));
    for event in [with("id", json!("ev_1")), unknown] {
        let body = json!({"event": event, "subscription_id": "whsub_1"});
        world.deliver(&url, &[], body.to_string()).await;
        assert_eq!(last(&world, WEBHOOK).value("UnreadableEntries"), None);
    }
    let ids: BTreeSet<_> = world.ledger().await;
    assert_eq!(ids.len(), 2);
    world.finish().await;
}
