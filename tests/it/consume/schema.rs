//! The schema is one of the whole event.

use serde_json::Value;

use crate::webhook;
use crate::world::{SCHEMA, World};

#[tokio::test]
async fn envelope_and_detail_are_both_validated() {
    let world = World::start().await;
    let url = world.known_instance(20_931, None).await;
    let body = webhook::sample("event-lead-created");
    world.deliver(&url, &[], body).await;
    let event: Value = serde_json::from_str(&world.events()[0].to_json().unwrap()).unwrap();
    assert!(SCHEMA.is_valid(&event));

    for member in [
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    ] {
        let mut broken = event.clone();
        broken[member] = Value::Null;
        assert!(!SCHEMA.is_valid(&broken), "{member}");
        broken.as_object_mut().unwrap().shift_remove(member);
        assert!(!SCHEMA.is_valid(&broken), "{member}");
    }
    let members = event["detail"].as_object().unwrap().keys();
    for member in members.filter(|member| *member != "raw") {
        let mut broken = event.clone();
        broken["detail"][member] = Value::Null;
        assert!(!SCHEMA.is_valid(&broken), "{member}");
    }
    world.finish().await;
}
