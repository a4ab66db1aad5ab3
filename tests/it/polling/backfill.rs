//! A span of the past, published without touching the watermark.

use axum::http::StatusCode;
use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use serde_json::{Value, json};

use crate::world::{World, ago, query, texts};

async fn backfill(world: &World, id: u64, resource: &str, from: i64, to: i64) {
    let body = json!({"resource": resource, "from": ago(from), "to": ago(to)});
    let path = format!("/instances/{id}/backfill");
    let answer = world.call("POST", &path, None, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

/// The instance's backfill, as it is shown.
async fn shown(world: &World, id: u64) -> Value {
    let answer = world
        .call("GET", &format!("/instances/{id}"), None, "")
        .await;
    answer.body["backfill"].clone()
}

/// What is stored of the resource itself.
async fn watermark(world: &World, resource: &str) -> String {
    let items = world.items("WatermarksTable").await;
    let mut items = items.iter();
    let item = items.find(|item| item["resource"].as_s().unwrap() == resource);
    item.unwrap()["watermark"].as_n().unwrap().clone()
}

#[tokio::test]
async fn a_span_is_published_with_the_same_ids_and_the_watermark_stays() {
    let world = World::start().await;
    let create = |seconds| {
        let change = Change::at(ago(seconds)).quiet();
        world
            .organization
            .create_leads(1, change)
            .unwrap()
            .remove(0)
    };
    let (early, middle, late) = (create(90_000), create(80_000), create(70_000));
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    let before = watermark(&world, "leads").await;

    backfill(&world, id, "leads", 85_000, 75_000).await;
    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(1), &json!({}))
    );
    let details = world.details();
    let published = texts(&details, "objectId");
    assert_eq!(published, [early, middle.clone(), late, middle]);
    assert_eq!(details[1]["id"], details[3]["id"]);
    assert_eq!(watermark(&world, "leads").await, before);
    let shown = shown(&world, id).await;
    assert_eq!(
        (&shown["status"], &shown["published"]),
        (&json!("done"), &json!(1))
    );
    // And again nothing, but what is left of it goes.
    assert_eq!(world.poll(id).await["published"], 0);
    // The watermark, what was seen, and the custom fields.
    assert_eq!(world.items("WatermarksTable").await.len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn one_that_breaks_off_goes_on_where_it_was_and_repeats_nothing() {
    let world = World::start().await;
    for second in 0..250 {
        let change = Change::at(ago(90_000 - second)).quiet();
        world.organization.create_leads(1, change).unwrap();
    }
    let id = world
        .polling_since(
            &ago(60).to_string(),
            json!({"leads": {"url": query("leads")}}),
        )
        .await;
    world.poll(id).await;
    backfill(&world, id, "leads", 100_000, 50_000).await;
    // A request for the resource itself, one of the backfill, and then Close is down.
    let down = RequestMatch::to("/data/search/").after(2).times(4);
    world.close.fail(down, CloseFault::status(503));

    let summary = world.poll(id).await;

    assert_eq!(
        summary["failed"],
        json!({"backfill of leads": "CloseUnavailable"})
    );
    let halfway = shown(&world, id).await;
    assert_eq!(
        (&halfway["status"], &halfway["published"]),
        (&json!("pending"), &json!(100))
    );
    assert_eq!(world.poll(id).await["published"], 150);
    let done = shown(&world, id).await;
    assert_eq!(
        (&done["status"], &done["published"]),
        (&json!("done"), &json!(250))
    );
    let mut ids = texts(&world.details(), "id");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 250);
    world.finish().await;
}

#[tokio::test]
async fn the_event_log_is_filled_from_as_well() {
    let world = World::start().await;
    let create = |seconds| {
        world
            .organization
            .create_lead(json!({}), Change::at(ago(seconds)))
            .unwrap()
    };
    let wanted = create(9_000);
    create(8_000);
    let id = world
        .polling_since(
            &ago(60).to_string(),
            json!({"all": {"url": query("events")}}),
        )
        .await;
    backfill(&world, id, "all", 9_500, 8_500).await;

    world.poll(id).await;

    assert_eq!(texts(&world.details(), "objectId"), [wanted]);
    assert_eq!(shown(&world, id).await["status"], "done");
    world.finish().await;
}

#[tokio::test]
async fn one_of_a_resource_that_is_no_longer_polled_fails() {
    let world = World::start().await;
    let id = world.polling(&["leads", "contacts"]).await;
    backfill(&world, id, "contacts", 9_000, 8_000).await;
    let change = json!({"configuration": {"event.poller.configuration": {"leads": {"url": query("leads")}}}});
    let path = format!("/instances/{id}");
    let answer = world.call("PATCH", &path, None, change.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);

    world.poll(id).await;

    let shown = shown(&world, id).await;
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["reason"], "contacts is no longer polled");
    world.finish().await;
}
