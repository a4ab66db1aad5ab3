//! What the receiver makes of each body that Close is known to send.

use std::path::Path;
use std::sync::Arc;

use local_stack::aws::eventbridge::event::Event;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

mod accepted;
mod body;
mod failures;
mod refused;
mod signature;
mod unreadable;

/// The instance of the documentation's example URL.
const INSTANCE: u64 = 20931;

/// A recorded body as it would be delivered, whole.
pub(crate) fn sample(name: &str) -> String {
    let path = samples().join(format!("{name}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    if name.starts_with("event-") {
        // An entry of the event log, which a webhook wraps.
        format!(r#"{{"event": {text}, "subscription_id": "whsub_1"}}"#)
    } else {
        text
    }
}

fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/it/samples"))
}

/// The names of all recorded bodies.
pub(crate) fn sample_names() -> Vec<String> {
    let files = samples().read_dir().unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let names = files.map(|file| stem(&file.unwrap().path()));
    let mut names: Vec<_> = names.filter(|name| is_body(name)).collect();
    names.sort();
    names
}

fn is_body(name: &str) -> bool {
    ["event-", "legacy-webhook-", "webhook-delivery-"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// An unsigned body of today's format, about a lead.
fn entry(object_id: &str) -> String {
    let event = json!({
        "id": "ev_1",
        "object_type": "lead",
        "object_id": object_id,
        "action": "updated",
        "date_updated": "2026-06-19T12:04:01.705000",
        "data": {"id": object_id, "date_updated": "2026-06-19T12:04:01.697000+00:00"},
    });
    json!({"event": event, "subscription_id": "whsub_1"}).to_string()
}

#[tokio::test]
async fn every_recorded_body_becomes_its_events() {
    let names = sample_names();
    assert_eq!(names.len(), 16, "{names:?}");
    for name in names {
        // One world each: several are about one change, of which the second would be a duplicate.
        let world = World::start().await;
        let url = world.known_instance(INSTANCE, None).await;
        let body = sample(&name);

        let answer = world.deliver(&url, &[], body.clone()).await;

        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.body);
        let events = world.events();
        let ids: Vec<_> = world
            .details()
            .iter()
            .map(|detail| detail["id"].clone())
            .collect();
        assert_eq!(answer.body, json!({"events": ids}), "{name}");
        let shown: Vec<_> = events.iter().map(|event| shown(event, &body)).collect();
        insta::assert_snapshot!(name, shown.join("\n"));
        world.finish().await;
    }
}

/// An event for a snapshot. What differs from run to run is named, and `raw` is checked and shortened.
fn shown(event: &Arc<Event>, body: &str) -> String {
    let raw = format!(r#","raw":{}}}"#, body.trim());
    assert!(event.detail.get().ends_with(&raw), "{event:?}");
    let mut json: Value = serde_json::from_str(&event.to_json().unwrap()).unwrap();
    json["id"] = json!("[envelope id]");
    json["detail"]["raw"] = json!("[raw]");
    if !body.contains("date_updated") {
        json["time"] = json!("[receipt]");
        json["detail"]["date"] = json!("[receipt]");
    }
    format!("{json:#}")
}
