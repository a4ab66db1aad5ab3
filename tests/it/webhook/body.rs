//! What becomes of the body itself: unchanged where EventBridge takes it, else in another form.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::INSTANCE;
use crate::world::{World, texts};

/// Delivers a body to an instance and returns the detail of its one event, as it was published.
async fn published(world: &World, body: &str) -> String {
    let url = world.webhook_url("MjA5MzE=");
    let answer = world.deliver(&url, &[], body.to_owned()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let events = world.events();
    assert_eq!(answer.body["events"].as_array().unwrap().len(), 1);
    events.last().unwrap().detail.get().to_owned()
}

#[tokio::test]
async fn raw_is_the_body_byte_for_byte() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let body = "{ \"subscription_id\" : \"whsub_1\",\r\n\t\"event\":{\"z\":1.10e2, \"object_type\":\"lead\",\
                \"action\":\"updated\",\"a\":-0.0,\"n\":[-9223372036854775808,9223372036854775807,1E+400],\
                \"object_id\":\"lead_1\",\"date_updated\":\"2026-06-19T12:04:01.705000\",\"é\":\"é \\u00e9\",\
                \"data\":{\"s\":\"\\/ \\\" \\\\ \\ud83d\\ude00 \u{1f600} \\u0000\",\"b\":0.10,\"e\":{  },\"l\":[ ] }}}";

    let detail = published(&world, body).await;

    let raw = format!(r#","raw":{body}}}"#);
    assert!(detail.ends_with(&raw), "{detail}");
    world.finish().await;
}

#[tokio::test]
async fn a_body_too_large_for_an_event_is_published_with_where_to_read_it() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let filler = "x".repeat(5_500_000);
    let event = json!({"id": "ev_1", "object_type": "lead", "object_id": "lead_1", "action": "updated", "data": {"description": filler}});
    let body = json!({"event": event}).to_string();

    let detail: Value = serde_json::from_str(&published(&world, &body).await).unwrap();

    let href = "https://api.close.com/api/v1/event/ev_1/";
    let omitted = json!({"bytes": body.len(), "href": href});
    assert_eq!(detail["rawOmitted"].to_string(), omitted.to_string());
    assert_eq!((detail.get("raw"), detail.get("rawText")), (None, None));
    world.finish().await;
}

#[tokio::test]
async fn what_eventbridge_does_not_take_as_json_is_published_as_text() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let with = |value: &str| {
        format!(
            r#"{{"event": {{"object_type": "lead", "object_id": "lead_1", "action": "updated", "data": {value}}}}}"#
        )
    };
    // The value stands on the third level.
    let deep = format!("{}{}", "[".repeat(499), "]".repeat(499));
    for body in [with("9223372036854775808"), with(&deep)] {
        let detail: Value = serde_json::from_str(&published(&world, &body).await).unwrap();
        assert_eq!(detail["rawText"], body);
        assert_eq!(detail.get("raw"), None);
    }
    let deep = format!("{}{}", "[".repeat(498), "]".repeat(498));
    let body = with(&deep);
    let detail = published(&world, &body).await;
    assert!(detail.ends_with(&format!(r#","raw":{body}}}"#)), "{detail}");
    // No finish: it would read this event with a parser that takes 128 levels.
    world.stack.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_close_has_added_since_is_published_as_unknown() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let today = |object_type: &str, action: &str| {
        let event = json!({"object_type": object_type, "object_id": "x_1", "action": action});
        json!({"event": event}).to_string()
    };
    let of_2014 = |model: &str, event: &str| {
        json!({"model": model, "event": event, "data": {"id": "x_1"}}).to_string()
    };
    let long = "starship.".repeat(15);
    for body in [
        today("lead", "teleported"),
        today("starship", "created"),
        of_2014("starship", "create"),
        of_2014("lead", "teleport"),
        today(&long, "created"),
    ] {
        published(&world, &body).await;
    }

    assert_eq!(texts(&world.details(), "eventType"), ["UNKNOWN"; 5]);
    assert_eq!(
        texts(&world.details(), "action"),
        ["teleported", "created", "created", "teleport", "created"]
    );
    let events = world.events();
    let types: Vec<_> = events
        .iter()
        .map(|event| event.detail_type.as_str())
        .collect();
    assert_eq!(
        types[..4],
        [
            "lead.unknown",
            "starship.unknown",
            "starship.unknown",
            "lead.unknown"
        ]
    );
    assert_eq!(types[4], &long[..128]);
    assert_eq!(texts(&world.details(), "objectType")[4], long);
    world.finish().await;
}
