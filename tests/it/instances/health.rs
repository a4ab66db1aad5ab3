//! What is shown of how Close answers an instance's polls, and what an owner's change does about it.

use serde_json::{Value, json};
use shared::instance::health::Health;

use super::poller::{Poll, next_poll_at, refused};
use crate::owner::Owner;
use crate::world::{World, ago, query};

async fn polled(world: &World) -> Owner<'_> {
    let configuration = json!({
        "event.vendor.type": "polling",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    Owner::of(world, configuration).await
}

/// What is shown of it, alone and in a list.
async fn health(owner: &Owner<'_>) -> (Value, Option<Value>) {
    let shown = owner.shown().await;
    let listed = owner.world.call("GET", "/instances", None, "").await;
    assert_eq!(listed.body, json!([shown]));
    (shown["valid"].clone(), shown.get("polling").cloned())
}

#[tokio::test]
async fn an_instance_is_not_valid_while_close_refuses_its_polls() {
    let world = World::start().await;
    let owner = polled(&world).await;
    assert_eq!(health(&owner).await, (json!(true), None));

    refused(&owner, 1).await;
    let polling = json!({"refusals": 1, "reason": "leads: Unauthorized", "suspended": false});
    assert_eq!(health(&owner).await, (json!(false), Some(polling)));

    refused(&owner, 100).await;
    let (valid, polling) = health(&owner).await;
    assert_eq!(
        (valid, polling.unwrap()["suspended"].clone()),
        (json!(false), json!(true))
    );

    let poll = Poll::begin(&owner).await;
    poll.end(ago(-60), &Health::default()).await.unwrap();
    assert_eq!(health(&owner).await, (json!(true), None));
    world.finish().await;
}

#[tokio::test]
async fn every_change_by_its_owner_begins_anew_and_polls_at_once() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let whole = json!({
        "element": {"key": "closeio"}, "name": "Other", "configuration": {
            "username": "********", "event.notification.enabled": true, "event.notification.type": "eventbridge",
            "event.vendor.type": "polling", "event.poller.configuration": {"leads": {"url": query("leads")}},
        },
    });
    for (method, path, body) in [
        ("PATCH", "", json!({"name": "Other"})),
        ("PUT", "", whole),
        ("PUT", "/enabled", json!({})),
    ] {
        refused(&owner, 100).await;
        assert!(ago(0).as_millisecond() < next_poll_at(&owner).await.unwrap());

        let answer = owner.call(method, path, &body).await;

        assert_eq!(
            answer.body["valid"], true,
            "{method} {path}: {}",
            answer.body
        );
        assert_eq!(answer.body.get("polling"), None);
        assert_eq!(health(&owner).await, (json!(true), None));
        assert!(next_poll_at(&owner).await.unwrap() <= ago(0).as_millisecond());
    }
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_began_before_a_change_says_nothing_about_it() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let poll = Poll::begin(&owner).await;
    let before = ago(0).as_millisecond();
    owner
        .configure(json!({"event.poller.refresh_interval": 5}))
        .await;

    let late = Health {
        refusals: 7,
        reason: Some("leads: Unauthorized".to_owned()),
        ..Health::default()
    };
    poll.end(ago(-3600), &late).await.unwrap();

    assert_eq!(health(&owner).await, (json!(true), None));
    let next = next_poll_at(&owner).await.unwrap();
    assert!((before..=ago(0).as_millisecond()).contains(&next));

    // The next one knows of the change.
    let poll = Poll::begin(&owner).await;
    poll.end(ago(-3600), &late).await.unwrap();
    assert_eq!(health(&owner).await.0, false);
    assert!(ago(0).as_millisecond() < next_poll_at(&owner).await.unwrap());
    world.finish().await;
}

#[tokio::test]
async fn what_is_disabled_or_polls_no_more_is_not_due_and_has_no_lease() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let poll = Poll::begin(&owner).await;
    owner.enable(false).await;
    poll.end(ago(0), &Health::default()).await.unwrap_err();
    assert_eq!(next_poll_at(&owner).await, None);

    owner.enable(true).await;
    assert!(next_poll_at(&owner).await.is_some());
    let poll = Poll::begin(&owner).await;
    owner
        .configure(json!({"event.vendor.type": "webhook"}))
        .await;
    poll.end(ago(0), &Health::default()).await.unwrap_err();
    let item = world.items("InstancesTable").await.remove(0);
    for name in [
        "shard",
        "nextPollAt",
        "changedAt",
        "leaseToken",
        "health",
        "dueSince",
    ] {
        assert_eq!(item.get(name), None, "{name}");
    }
    world.finish().await;
}
