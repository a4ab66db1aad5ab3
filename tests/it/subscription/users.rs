//! Keys of other users: a subscription belongs to the user whose key made it.

use local_stack::close::data::change::Change;
use local_stack::close::settings::UnknownEvents;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{API_KEY, World, texts};

const USER_KEY: &str = "api_of_a_user";

async fn start() -> World {
    let world = World::start().await;
    world.organization.add_user_key(USER_KEY);
    world.keep_secret(USER_KEY);
    world
}

async fn lead_arrives(world: &World, owner: &Owner<'_>, count: usize) {
    let lead = world
        .organization
        .create_lead(json!({}), Change::now())
        .unwrap();
    assert_eq!(owner.events(count).await[count - 1]["objectId"], lead);
}

#[tokio::test]
async fn a_user_who_may_not_change_the_subscription_gets_one_of_the_users_own() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let before = owner.subscription_id().await;

    let changed = owner.configure(json!({"username": USER_KEY})).await;

    let subscriptions = world.organization.webhooks();
    let after = owner.subscription_id().await;
    assert_ne!(after, before);
    assert_eq!(texts(&subscriptions, "id"), [after.unwrap()]);
    assert_eq!(changed["webhook"]["status"], "active");
    assert_eq!(changed.get("warnings"), None);
    lead_arrives(&world, &owner, 1).await;
    owner.enable(false).await;
    assert_eq!(world.organization.webhooks()[0]["status"], "paused");
    owner.remove().await;
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    world.finish().await;
}

#[tokio::test]
async fn other_events_and_another_users_key_at_once_leave_one_subscription() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "contact"})).await;
    owner
        .configure(json!({"username": USER_KEY, "event.objects": "lead"}))
        .await;
    let subscriptions = world.organization.webhooks();
    let id = owner.subscription_id().await.unwrap();
    assert_eq!(texts(&subscriptions, "id"), [id]);
    lead_arrives(&world, &owner, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_neither_key_may_change_stays_and_that_is_said() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    world.organization.revoke_key(API_KEY);

    let changed = owner.configure(json!({"username": USER_KEY})).await;

    assert_eq!(owner.subscription_id().await.as_ref(), Some(&id));
    assert_eq!(changed["webhook"]["status"], "active");
    lead_arrives(&world, &owner, 1).await;
    // Other events, or none, are more than the key may ask for.
    let answer = owner.call("DELETE", "/enabled", &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let webhook = &answer.body["webhook"];
    assert_eq!(webhook["status"], "active");
    let reason = webhook["reason"].as_str().unwrap();
    assert!(reason.contains("another user's"), "{reason}");
    let answer = owner.call("DELETE", "", &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let warning = answer.body["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains(&format!("{id} stays at Close")),
        "{warning}"
    );
    assert_eq!(texts(&world.organization.webhooks(), "id"), [id]);
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_no_key_may_remove_is_named_where_another_takes_its_place() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    world.organization.revoke_key(API_KEY);
    owner.configure(json!({"username": USER_KEY})).await;

    let changed = owner.configure(json!({"event.objects": "lead"})).await;

    assert_ne!(owner.subscription_id().await.as_ref(), Some(&id));
    let warning = changed["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains(&format!("{id} stays at Close")),
        "{warning}"
    );
    world.close.withhold(&[], UnknownEvents::RefusedByName);
    lead_arrives(&world, &owner, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn why_close_has_paused_it_and_what_failed_last_is_shown() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    world
        .organization
        .pause_webhook(&id, "permission_revoked")
        .unwrap();
    let webhook = owner.shown().await["webhook"].clone();
    assert_eq!(webhook["status"], "paused");
    assert_eq!(webhook["pauseReason"], "permission_revoked");
    world.finish().await;
}
