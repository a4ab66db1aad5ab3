//! What `GET /instances/{id}` says of the subscription.

use local_stack::close::CloseSimulator;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::Settings;
use reqwest::StatusCode;
use serde_json::json;

use crate::owner::Owner;
use crate::world::{World, ago};

#[tokio::test]
async fn the_subscriptions_state_at_close_is_shown() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    assert_eq!(
        owner.shown().await["webhook"],
        json!({"id": id, "status": "active", "pauseReason": null})
    );

    let reason = "consecutive_failures";
    world.organization.pause_webhook(&id, reason).unwrap();
    assert_eq!(
        owner.shown().await["webhook"],
        json!({"id": id, "status": "paused", "pauseReason": reason})
    );

    world.organization.delete_webhook(&id).unwrap();
    assert_eq!(
        owner.shown().await["webhook"],
        json!({"id": id, "status": "missing"})
    );
    world.finish().await;
}

#[tokio::test]
async fn a_close_that_does_not_say_is_said_so() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let reads = || RequestMatch::to("/webhook/*").method("GET");
    for fault in [CloseFault::status(502), CloseFault::CloseConnection] {
        world.close.fail(reads(), fault);
        let webhook = owner.shown().await["webhook"].clone();
        assert_eq!(webhook["status"], "unknown");
        let reason = webhook["reason"].as_str().unwrap();
        assert!(reason.starts_with("Close is unavailable"), "{reason}");
    }
    world.organization.revoke_key(crate::world::API_KEY);
    let webhook = owner.shown().await["webhook"].clone();
    assert_eq!(webhook["status"], "unknown");
    assert!(webhook["reason"].as_str().unwrap().contains("status 401"));
    world.finish().await;
}

#[tokio::test]
async fn an_instance_without_a_subscription_shows_none() {
    let world = World::start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    assert_eq!(owner.shown().await.get("webhook"), None);
    assert_eq!(world.close.count(&RequestMatch::to("*")), 0);
    world.finish().await;
}

#[tokio::test]
async fn the_instances_own_token_shows_it_too() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let element = format!("Element {}", owner.token);
    let path = format!("/instances/{}", owner.id);
    let answer = world.call("GET", &path, Some(&element), "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["webhook"]["status"], "active");
    world.finish().await;
}

#[tokio::test]
async fn a_base_url_that_the_operator_has_withdrawn_is_sent_nothing() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let withdrawn = CloseSimulator::start(Settings::quick()).await.unwrap();
    let mut instance = owner.stored().await.unwrap();
    instance
        .configuration
        .set("base.url", &withdrawn.base_url());
    let table = world.instance_table();
    table.replace(&instance, false, ago(0)).await.unwrap();

    assert_eq!(owner.shown().await["webhook"]["status"], "unknown");
    let path = format!("/instances/{}", owner.id);
    let removed = world.call("DELETE", &path, None, "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.body);

    assert_eq!(withdrawn.requests().len(), 0);
    world.finish().await;
}
