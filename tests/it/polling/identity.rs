//! Two changes never have one id, and one change has one id on both channels.

use jiff::SignedDuration;
use local_stack::close::data::change::Change;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::id::InstanceId;

use super::set;
use crate::world::{World, ago, query, texts};

/// Sends an entry of the event log to an instance, and returns the ids of its events.
async fn deliver(world: &World, id: u64, entry: &Value) -> Value {
    let id: InstanceId = id.try_into().unwrap();
    let url = world.webhook_url(&id.to_base64());
    let body = json!({"event": entry, "subscription_id": "whsub_1"});
    let answer = world.deliver(&url, &[], body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn an_id_field_names_the_object_and_closes_own_id_tells_changes_apart() {
    let world = World::start().await;
    let organization = &world.organization;
    let change = || Change::at(ago(100)).quiet();
    let lead = organization.create_lead(json!({}), change()).unwrap();
    let stamp = ago(50);
    let create = || {
        let contact = Change::at(stamp).quiet();
        organization
            .create_contact(&lead, json!({}), contact)
            .unwrap()
    };
    let contacts = [create(), create()];
    let contact = json!({"url": query("contacts"), "idField": "lead_id"});
    let id = world.polling_with(json!({"contacts": contact})).await;

    assert_eq!(world.poll(id).await["published"], 2);
    assert_eq!(world.poll(id).await["published"], 0);

    let details = world.details();
    assert_eq!(texts(&details, "objectId"), [lead.as_str(), &lead]);
    let ids = set(texts(&details, "id"));
    assert_eq!(ids.len(), 2);
    let shown = |detail: &Value| detail["raw"]["id"].as_str().unwrap().to_owned();
    assert_eq!(set(details.iter().map(shown)), set(contacts.clone()));
    // A webhook says Close's id, and has the same.
    for contact in &contacts {
        let entry = json!({
            "id": format!("ev_{contact}"), "object_type": "contact", "object_id": contact, "action": "created",
            "date_updated": stamp, "changed_fields": [], "data": {"id": contact, "date_updated": stamp},
        });
        let delivered = deliver(&world, id, &entry).await;
        assert!(ids.contains(delivered["events"][0].as_str().unwrap()));
    }
    world.finish().await;
}

/// Two updates of a lead within a second, of which the second leaves the lead's date alone.
fn twice(stamp: jiff::Timestamp) -> [(Value, jiff::Timestamp); 2] {
    let entry = |name: &str, changed: &[&str], after: i64| {
        let entry = json!({
            "object_type": "lead", "object_id": "lead_1", "action": "updated", "changed_fields": changed,
            "data": {"id": "lead_1", "name": name, "date_updated": stamp},
        });
        (entry, stamp + SignedDuration::from_millis(after))
    };
    [
        entry("A", &["date_updated", "name"], 5),
        entry("B", &["name"], 605),
    ]
}

#[tokio::test]
async fn two_log_entries_within_a_second_are_two_events_of_a_poll() {
    let world = World::start().await;
    for (entry, logged_at) in twice(ago(100)) {
        world
            .organization
            .log(&entry, Change::at(logged_at))
            .unwrap();
    }
    let leads = json!({"leads": {"url": query("leads"), "source": "event-log"}});
    let id = world.polling_with(leads).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["duplicates"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(set(texts(&world.details(), "id")).len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn two_log_entries_within_a_second_are_two_events_of_webhooks() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    for (number, (mut entry, logged_at)) in twice(ago(100)).into_iter().enumerate() {
        entry["id"] = json!(format!("ev_{number}"));
        entry["date_updated"] = json!(logged_at);
        let delivered = deliver(&world, id, &entry).await;
        assert_eq!(delivered.get("duplicate"), None, "{entry}");
    }
    assert_eq!(set(texts(&world.details(), "id")).len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn an_update_has_one_id_by_webhook_by_search_and_by_the_event_log() {
    let world = World::start().await;
    let organization = &world.organization;
    let created = Change::at(ago(100)).quiet();
    let lead = organization.create_lead(json!({}), created).unwrap();
    let update = json!({"name": "Hooli"});
    organization
        .edit_lead(&lead, update, Change::at(ago(50)))
        .unwrap();
    let entry = organization.events().pop().unwrap();
    assert_eq!(entry["changed_fields"][0], "date_updated");
    let both = json!({
        "leads": {"url": query("leads")},
        "accounts": {"url": query("accounts"), "source": "event-log"},
    });
    let id = world.polling_with(both).await;

    let delivered = deliver(&world, id, &entry).await;
    assert_eq!(world.poll(id).await["published"], 2);

    let ids = set(texts(&world.details(), "id"));
    assert_eq!(world.details().len(), 3);
    assert_eq!(json!(ids), delivered["events"]);
    world.finish().await;
}
