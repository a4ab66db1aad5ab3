//! The ledger, which both channels keep.

use local_stack::close::data::change::Change;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::{Value, json};
use shared::instance::health::Health;
use shared::instance::stream::Stream;

use super::{pause, published, reconciled};
use crate::owner::set_attribute;
use crate::world::{PATIENCE, World, ago, query};

#[tokio::test]
async fn a_poll_and_a_webhook_of_one_change_are_one_event() {
    let world = World::start().await;
    let more = json!({
        "event.vendor.type": "polling",
        "event.poller.start": "2026-01-01T00:00:00Z",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
        "event.objects": "lead",
    });
    let owner = reconciled(&world, more).await;
    let lead = world
        .organization
        .create_lead(json!({}), Change::at(ago(100)))
        .unwrap();
    owner.events(1).await;
    world.close.wait_until_delivered(PATIENCE).await.unwrap();
    let summary = world.poll(owner.id).await;
    assert_eq!(summary["published"], 0);
    assert_eq!(published(&world), [(lead, false)]);
    world.finish().await;
}

#[tokio::test]
async fn a_reconciliation_without_the_ledger_publishes_nothing_and_keeps_its_watermark() {
    let world = World::start().await;
    let owner = reconciled(&world, json!({"event.objects": "lead"})).await;
    pause(&owner).await;
    let lead = world
        .organization
        .create_lead(json!({}), Change::at(ago(100)))
        .unwrap();
    let calls = Calls::of("BatchGetItem").table("LedgerTable");
    world
        .stack
        .store()
        .fail(Fault::new(Failure::Bare { status: 400 }, calls));
    let summary = world.poll(owner.id).await;
    assert_eq!(summary["failed"]["webhooks"], "TableUnavailable");
    assert_eq!(published(&world), []);
    world.poll(owner.id).await;
    assert_eq!(published(&world), [(lead, true)]);
    world.finish().await;
}

#[tokio::test]
async fn a_reconciliation_alone_says_nothing_of_resources_that_are_not_due() {
    let world = World::start().await;
    let more = json!({
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": 600,
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    let owner = reconciled(&world, more).await;
    world.poll(owner.id).await;
    let before = owner.stored().await.unwrap();
    let health = Health {
        refusals: 3,
        reason: Some("leads: Unauthorized".to_owned()),
        ..before.health
    };
    let stream = Stream {
        next_reconciliation_at: Some(ago(60)),
        next_polling_at: Some(ago(-3_600)),
        ..*before.stream
    };
    let attribute = serde_dynamo::to_attribute_value(&health).unwrap();
    set_attribute(&world, owner.id, "health", attribute).await;
    let attribute = serde_dynamo::to_attribute_value(&stream).unwrap();
    set_attribute(&world, owner.id, "stream", attribute).await;

    let summary = world.poll(owner.id).await;
    assert_eq!(summary["lagSeconds"], Value::Null);
    let stored = owner.stored().await.unwrap();
    assert_eq!(stored.health, health);
    assert_eq!(stored.stream.next_polling_at, stream.next_polling_at);
    assert!(stored.stream.next_reconciliation_at.unwrap() < ago(-31 * 60));
    world.finish().await;
}
