//! Whatever keeps an instance from being subscribed leaves nothing behind.

use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::ThrottleBody;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::creations;
use crate::owner::{Owner, body, count, subscribing};
use crate::world::{API_KEY, Answer, World, texts};

/// All that an instance needs to be subscribed.
fn configuration(api_key: &str) -> Value {
    subscribing(&json!({
        "username": api_key,
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
    }))
}

async fn provision(world: &World) -> Answer {
    let body = body(&configuration(API_KEY));
    world.call("POST", "/instances", None, body).await
}

/// There is neither an instance nor a subscription.
async fn assert_nothing_is_left(world: &World) {
    assert_eq!(count(world, "InstancesTable").await, 0);
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_refused_api_key_is_named() {
    let world = World::start().await;
    let wrong = "api_wrong_secret_of_the_tests";
    world.keep_secret(wrong);
    let body = body(&configuration(wrong));
    let answer = world.call("POST", "/instances", None, body).await;

    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(texts(errors, "field"), ["configuration.username"]);
    assert_eq!(
        errors[0]["message"],
        "Close refused this API key with status 401"
    );
    assert_nothing_is_left(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn what_close_says_against_the_subscription_is_passed_on() {
    let world = World::start().await;
    for _ in 0..40 {
        let url = format!("http://127.0.0.1:9/{}", world.organization.webhooks().len());
        let events = [("lead", "created")];
        world.organization.create_webhook(&url, &events).unwrap();
    }
    let answer = provision(&world).await;

    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = &answer.body["errors"][0];
    assert_eq!(error["field"], "configuration.event.webhook.subscribe");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("at most 40"), "{message}");
    assert_eq!(count(&world, "InstancesTable").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_close_that_does_not_work_is_a_503() {
    let world = World::start().await;
    let throttled = CloseFault::throttled(std::time::Duration::from_secs(1), ThrottleBody::Empty);
    for fault in [
        CloseFault::status(503),
        CloseFault::CloseConnection,
        CloseFault::json(200, json!("not a subscription")),
        CloseFault::unauthorized(),
        throttled,
    ] {
        world.close.fail(creations(), fault.clone());
        let answer = provision(&world).await;
        assert_eq!(
            answer.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{fault:?}: {}",
            answer.body
        );
        assert_nothing_is_left(&world).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn while_nobody_knows_what_close_has_the_instance_is_left_to_be_removed() {
    let world = World::start().await;
    let creation = CloseFault::LoseAnswer;
    world.close.fail(creations(), creation);
    let lists = RequestMatch::to("/webhook/").method("GET");
    world.close.fail(lists, CloseFault::status(502));
    let answer = provision(&world).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);

    let listed = world.call("GET", "/instances", None, "").await.body;
    let message = answer.body["message"].as_str().unwrap();
    let left = format!("instance {} may be left", listed[0]["id"]);
    assert!(message.contains(&left), "{message}");
    assert_eq!(listed[0]["valid"], false);
    assert_eq!(world.organization.webhooks().len(), 1);
    let owner = Owner {
        world: &world,
        id: listed[0]["id"].as_u64().unwrap(),
        token: String::new(),
        url: String::new(),
    };
    for (method, path) in [("PATCH", ""), ("PUT", "/enabled"), ("DELETE", "/enabled")] {
        let answer = owner.call(method, path, &json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{method}");
    }
    owner.remove().await;
    assert_nothing_is_left(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_whose_answer_came_too_late_is_removed() {
    let world = World::start().await;
    let answer = world.close.hold(creations());
    let provisioned = provision(&world).await;
    assert_eq!(provisioned.status, StatusCode::SERVICE_UNAVAILABLE);
    answer.release();
    assert_nothing_is_left(&world).await;
    world.finish().await;
}

fn no_updates() -> Fault {
    let updates = Calls::of("UpdateItem").table("InstancesTable");
    Fault::new(Failure::Internal, updates).times(3)
}

#[tokio::test]
async fn a_subscription_that_could_not_be_stored_is_removed() {
    let world = World::start().await;
    world.stack.store().fail(no_updates());
    let answer = provision(&world).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.close.count(&creations()), 1);
    assert_nothing_is_left(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn one_that_was_stored_all_the_same_stays() {
    let world = World::start().await;
    let updates = Calls::of("UpdateItem").table("InstancesTable");
    let lost = Fault::new(Failure::Disconnected, updates).after_performing();
    world.stack.store().fail(lost.with_retries());
    let answer = provision(&world).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let id = answer.body["id"].as_u64().unwrap();
    let stored = world.instance_table().get(id.try_into().unwrap()).await;
    let subscription_id = stored.unwrap().unwrap().subscription_id.unwrap();
    assert_eq!(
        texts(&world.organization.webhooks(), "id"),
        [subscription_id]
    );
    world.finish().await;
}

#[tokio::test]
async fn while_nobody_knows_what_is_stored_nothing_is_removed() {
    let world = World::start().await;
    let store = world.stack.store();
    let updates = Calls::of("UpdateItem").table("InstancesTable");
    let lost = Fault::new(Failure::Disconnected, updates).after_performing();
    store.fail(lost.with_retries());
    let reads = Calls::of("GetItem").table("InstancesTable");
    store.fail(Fault::new(Failure::Internal, reads).times(usize::MAX));

    let answer = provision(&world).await;

    store.clear_faults();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let listed = world.call("GET", "/instances", None, "").await.body;
    let message = answer.body["message"].as_str().unwrap();
    let left = format!("instance {} may be left", listed[0]["id"]);
    assert!(message.contains(&left), "{message}");
    let path = format!("/instances/{}", listed[0]["id"]);
    let shown = world.call("GET", &path, None, "").await.body;
    assert_eq!(shown["webhook"]["status"], "active", "{shown}");
    world.finish().await;
}

#[tokio::test]
async fn what_could_not_be_removed_is_still_known() {
    let world = World::start().await;
    world.stack.store().fail(no_updates());
    let removals = RequestMatch::to("/webhook/*").method("DELETE");
    world.close.fail(removals, CloseFault::status(503));
    let answer = provision(&world).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.organization.webhooks().len(), 1);

    let listed = world.call("GET", "/instances", None, "").await.body;
    assert_eq!(listed[0]["valid"], false);
    let owner = Owner {
        world: &world,
        id: listed[0]["id"].as_u64().unwrap(),
        token: String::new(),
        url: String::new(),
    };
    owner.remove().await;
    assert_nothing_is_left(&world).await;
    world.finish().await;
}
