//! Writes of an instance while a transaction, a poll's commit, holds its item.

use local_stack::close::data::change::Change;
use local_stack::control::fault::Calls;
use local_stack::control::hold::Hold;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::owner::{Owner, count};
use crate::polling::dispatch::next_poll;
use crate::world::{Answer, PATIENCE, World, ago, query};

/// More than the SDK makes attempts.
const CONFLICTS: usize = 4;
const INSTANCES: &str = "InstancesTable";

/// An instance that polls leads, of which there is one more.
async fn polling(world: &World) -> Owner<'_> {
    let created = Change::at(ago(60)).quiet();
    world.organization.create_lead(json!({}), created).unwrap();
    let configuration = json!({
        "event.vendor.type": "polling",
        "event.poller.start": "2026-01-01T00:00:00Z",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    Owner::of(world, configuration).await
}

/// Every request that writes an instance that is there, in an order in which each can be done.
fn writers() -> [(&'static str, &'static str, Value); 6] {
    let backfill = json!({"resource": "leads", "from": "2026-01-01T00:00:00Z"});
    [
        ("PATCH", "", json!({"name": "Other"})),
        ("POST", "/backfill", backfill),
        ("DELETE", "/enabled", json!({})),
        ("PUT", "/enabled", json!({})),
        ("PUT", "", Value::Null),
        ("DELETE", "", json!({})),
    ]
}

/// Sends one of these requests. What is put is what is shown.
async fn send(owner: &Owner<'_>, (method, path, body): &(&str, &str, Value)) -> Answer {
    let shown = owner.shown().await;
    let body = if body.is_null() { &shown } else { body };
    owner.call(method, path, body).await
}

fn is_done(answer: &Answer) -> bool {
    [StatusCode::OK, StatusCode::ACCEPTED].contains(&answer.status)
}

/// Waits for the first write that meets a transaction, and lets the transaction end.
async fn end_once_met(world: &World, transaction: Hold) {
    let met = world.stack.store().met();
    met.wait_for_count(1, PATIENCE).await.unwrap();
    transaction.release();
}

#[tokio::test]
async fn every_request_waits_for_a_commit_that_is_under_way() {
    let world = World::start().await;
    for writer in writers() {
        let owner = polling(&world).await;
        if writer.0 == "PUT" && writer.1 == "/enabled" {
            // Nothing would be polled otherwise, so that there would be no commit.
            owner.enable(true).await;
        }
        world.stack.store().met().clear();
        let commit = world.stack.store().hold(Calls::of("TransactWriteItems"));
        let (answer, poll) = tokio::join!(
            async {
                commit.reached().await.unwrap();
                let request = send(&owner, &writer);
                let (answer, ()) = tokio::join!(request, end_once_met(&world, commit));
                answer
            },
            world.poll(owner.id),
        );
        assert!(is_done(&answer), "{writer:?}: {}", answer.body);
        assert!(poll["polled"] == true, "{writer:?}: {poll}");
    }
    world.finish().await;
}

#[tokio::test]
async fn every_request_outlasts_conflicts() {
    let world = World::start().await;
    let store = world.stack.store();
    let owner = polling(&world).await;
    world.poll(owner.id).await;
    for writer in writers() {
        store.met().clear();
        store.meet_transaction(Calls::any().table(INSTANCES), CONFLICTS);
        let answer = send(&owner, &writer).await;
        assert!(is_done(&answer), "{writer:?}: {}", answer.body);
        assert_eq!(store.met().snapshot().len(), CONFLICTS, "{writer:?}");
    }
    assert_eq!(count(&world, INSTANCES).await, 0);

    store.meet_transaction(Calls::any().table(INSTANCES), CONFLICTS);
    let owner = polling(&world).await;
    world.poll(owner.id).await;
    let watermarks = Calls::any().table("WatermarksTable");
    store.meet_transaction(watermarks, CONFLICTS);
    owner.remove().await;
    assert_eq!(count(&world, "WatermarksTable").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn every_step_of_a_poll_outlasts_conflicts() {
    // The lease, the commit and the release, by what they do.
    for (operation, skipped) in [
        ("UpdateItem", 0),
        ("TransactWriteItems", 0),
        ("UpdateItem", 1),
    ] {
        let world = World::start().await;
        let owner = polling(&world).await;
        let calls = Calls::of(operation).table(INSTANCES).after_first(skipped);
        world.stack.store().meet_transaction(calls, CONFLICTS);

        let poll = world.poll(owner.id).await;

        assert_eq!(world.stack.store().met().snapshot().len(), CONFLICTS);
        assert_eq!(
            (&poll["published"], &poll["failed"]),
            (&json!(1), &json!({})),
            "{operation}"
        );
        assert!(ago(0) < next_poll(&world, owner.id).await, "{operation}");
        assert_eq!(world.poll(owner.id).await["published"], 0);
        world.finish().await;
    }
}

#[tokio::test]
async fn an_instance_is_deferred_in_spite_of_conflicts() {
    let world = World::start_with(|builder| builder.without_rule("PollRequestedRule")).await;
    let owner = polling(&world).await;
    let store = world.stack.store();
    store.meet_transaction(Calls::of("UpdateItem").table(INSTANCES), CONFLICTS);

    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );

    assert_eq!(store.met().snapshot().len(), CONFLICTS);
    assert!(ago(0) < next_poll(&world, owner.id).await);
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );
    world.finish().await;
}

#[tokio::test]
async fn conflicts_without_an_end_are_a_503() {
    let world = World::start().await;
    let owner = polling(&world).await;
    let calls = Calls::of("UpdateItem").table(INSTANCES);
    world.stack.store().meet_transaction(calls, usize::MAX);

    let answer = owner.call("PATCH", "", &json!({"name": "Other"})).await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let met = world.stack.store().met().snapshot().len();
    assert!(CONFLICTS < met, "{met}");
    world.finish().await;
}
