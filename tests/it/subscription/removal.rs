//! `DELETE /instances/{id}` of an instance that is subscribed at Close.

use jiff::Timestamp;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::{Instance, Phase};

use crate::owner::{Owner, count, plant, stored_configuration};
use crate::world::{API_KEY, World};

#[tokio::test]
async fn the_subscription_goes_with_the_instance() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    owner.remove().await;
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    assert_eq!(count(&world, "InstancesTable").await, 0);
    let again = owner.call("DELETE", "", &json!({})).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    world.finish().await;
}

#[tokio::test]
async fn a_removal_that_broke_off_is_ended_by_the_same_request() {
    let world = World::start().await;
    for fault in [CloseFault::status(503), CloseFault::unauthorized()] {
        let owner = Owner::subscribed(&world, json!({})).await;
        let removals = RequestMatch::to("/webhook/*").method("DELETE");
        world.close.fail(removals, fault);
        let answer = owner.call("DELETE", "", &json!({})).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let read = owner.call("GET", "", &json!({})).await;
        assert_eq!(read.status, StatusCode::NOT_FOUND);

        owner.remove().await;
        assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
        assert_eq!(count(&world, "InstancesTable").await, 0);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_or_out_of_reach_hinders_nobody() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    world.organization.delete_webhook(&id).unwrap();
    owner.remove().await;

    let owner = Owner::subscribed(&world, json!({})).await;
    world.organization.revoke_key(API_KEY);
    owner.remove().await;
    assert_eq!(count(&world, "InstancesTable").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn what_a_provisioning_left_that_broke_off_is_removed() {
    let world = World::start().await;
    let configuration = json!({
        "username": API_KEY,
        "base.url": world.close.base_url(),
        "event.notification.enabled": "true",
        "event.notification.type": "eventbridge",
        "event.vendor.type": "webhook",
        "event.webhook.subscribe": "true",
    });
    let id = 20_931_u64.try_into().unwrap();
    let configuration = stored_configuration(configuration);
    let mut instance = Instance::new(id, "Half", configuration, Timestamp::UNIX_EPOCH);
    instance.phase = Phase::Provisioning;
    plant(&world, &instance).await;
    let url = format!(
        "{}/elements/api-v2/events/closeio/MjA5MzE=",
        world.stack.url()
    );
    let events = [("lead", "created")];
    world.organization.create_webhook(&url, &events).unwrap();
    let other = "http://127.0.0.1:9/";
    let other = world.organization.create_webhook(other, &events).unwrap();
    let owner = Owner {
        world: &world,
        id: 20_931,
        token: String::new(),
        url,
    };
    let shown = owner.shown().await;
    // Without a key as yet, it takes no webhooks.
    for name in ["valid", "unsignedWebhooks"] {
        assert_eq!(shown[name], false, "{name}");
    }

    owner.remove().await;

    let left = world.organization.webhooks();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], other.id);
    assert_eq!(count(&world, "InstancesTable").await, 0);
    world.finish().await;
}
