//! The counts of the last poll, as `GET /instances/{id}` shows them.

use local_stack::close::data::change::Change;
use serde_json::{Value, json};

use crate::world::{World, ago, query};

async fn last_poll(world: &World, id: u64) -> Value {
    let path = format!("/instances/{id}");
    world.call("GET", &path, None, "").await.body["lastPoll"].clone()
}

fn found(read: u64, matched: u64, published: u64, last_match: &Value) -> Value {
    json!({"read": read, "matched": matched, "published": published, "lastMatch": last_match})
}

#[tokio::test]
async fn a_condition_that_nothing_meets_shows_beside_one_that_something_does() {
    let world = World::start().await;
    let create = |name: &str, seconds| {
        let change = Change::at(ago(seconds)).quiet();
        let lead = json!({"name": name});
        world.organization.create_lead(lead, change).unwrap();
    };
    create("Wanted", 400);
    create("Other", 300);
    let leads = json!({"url": "/hubs/crm/leads?where=name='Wanted'"});
    let none = json!({"url": "/hubs/crm/leads?where=nmae='Wanted'"});
    let contacts = json!({"url": query("contacts")});
    let resources = json!({"leads": leads, "none": none, "contacts": contacts});
    let id = world.polling_with(resources).await;
    assert_eq!(last_poll(&world, id).await, Value::Null);

    world.poll(id).await;
    let first = last_poll(&world, id).await;
    let date = &first["date"];
    assert!(date.is_string());
    let nothing = found(0, 0, 0, &Value::Null);
    let expected = json!({
        "leads": found(2, 1, 1, date), "none": found(2, 0, 0, &Value::Null), "contacts": nothing,
    });
    assert_eq!(first["resources"], expected);

    create("Unwanted", 200);
    world.poll(id).await;
    let second = last_poll(&world, id).await;
    let shown = &second["resources"]["leads"];
    assert_eq!(*shown, found(3, 1, 0, &second["date"]), "of the overlap");

    // Whoever changes the condition sees what the new one finds.
    let path = format!("/instances/{id}");
    let changed = world.call("PATCH", &path, None, r#"{"name":"New"}"#).await;
    assert_eq!(changed.body.get("lastPoll"), None);
    assert_eq!(last_poll(&world, id).await, Value::Null);
    world.finish().await;
}
