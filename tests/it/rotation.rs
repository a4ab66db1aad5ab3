//! Two signature keys are good while one replaces the other.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::StatusCode;
use serde_json::json;

use crate::owner::{Owner, deliver_signed, delivery, set_attribute};
use crate::world::{PATIENCE, SIGNATURE_KEY, World, ago};

const NEW_KEY: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";
const NEWER_KEY: &str = "2f2e2d2c2b2a292827262524232221202f2e2d2c2b2a29282726252423222120";
const NOBODYS_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

const KEY: &str = "event.webhook.signature.key";

async fn start(world: &World) -> Owner<'_> {
    for key in [NEW_KEY, NEWER_KEY, NOBODYS_KEY] {
        world.keep_secret(key);
    }
    let configuration = json!({"event.vendor.type": "webhook", KEY: SIGNATURE_KEY});
    Owner::of(world, configuration).await
}

/// The answers to deliveries signed with each of these keys.
async fn statuses(owner: &Owner<'_>, first: usize, keys: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (number, key) in (first..).zip(keys) {
        let status = deliver_signed(owner.world, &owner.url, key, delivery(number)).await;
        statuses.push(status.as_u16());
    }
    statuses
}

/// What 72 hours do to the keys that were replaced.
async fn expire(owner: &Owner<'_>) {
    let mut stored = owner.stored().await.unwrap();
    for previous in &mut stored.previous_keys {
        let past = previous.good_until - jiff::SignedDuration::from_hours(73);
        previous.good_until = past;
    }
    let previous = stored.previous_keys.iter().map(|previous| {
        let member = |text: &str| AttributeValue::S(text.to_owned());
        let members = [
            ("key".to_owned(), member(&previous.key)),
            (
                "goodUntil".to_owned(),
                member(&previous.good_until.to_string()),
            ),
        ];
        AttributeValue::M(members.into())
    });
    let previous = AttributeValue::L(previous.collect());
    set_attribute(owner.world, owner.id, "previousKeys", previous).await;
    // Another sandbox has no instance in memory.
    let function = owner.world.stack.function("WebhookFunction").unwrap();
    function.kill().await;
}

#[tokio::test]
async fn the_old_key_is_good_for_72_hours_more() {
    let world = World::start().await;
    let owner = start(&world).await;
    assert_eq!(
        statuses(&owner, 0, &[SIGNATURE_KEY, NEW_KEY]).await,
        [200, 401]
    );

    let changed = owner.configure(json!({KEY: NEW_KEY})).await;
    assert_eq!(changed["configuration"][KEY], "********");
    assert_eq!(
        statuses(&owner, 10, &[SIGNATURE_KEY, NEW_KEY, NOBODYS_KEY]).await,
        [200, 200, 401]
    );

    expire(&owner).await;
    assert_eq!(
        statuses(&owner, 20, &[SIGNATURE_KEY, NEW_KEY]).await,
        [401, 200]
    );
    assert_eq!(world.events().len(), 4);
    world.finish().await;
}

#[tokio::test]
async fn one_change_upon_another_loses_no_key() {
    let world = World::start().await;
    let owner = start(&world).await;
    owner.configure(json!({KEY: NEW_KEY})).await;
    owner.configure(json!({KEY: NEWER_KEY, "other": 1})).await;
    let all = [SIGNATURE_KEY, NEW_KEY, NEWER_KEY, NOBODYS_KEY];
    assert_eq!(statuses(&owner, 0, &all).await, [200, 200, 200, 401]);

    // Another change, and the same key once more, are no rotation.
    owner.configure(json!({"other": 2, KEY: NEWER_KEY})).await;
    let stored = owner.stored().await.unwrap();
    assert_eq!(stored.previous_keys.len(), 2);

    // Back to the first: it is the configured one, and the others are good for a while.
    owner.configure(json!({KEY: SIGNATURE_KEY})).await;
    assert_eq!(statuses(&owner, 10, &all).await, [200, 200, 200, 401]);
    expire(&owner).await;
    assert_eq!(statuses(&owner, 20, &all).await, [200, 401, 401, 401]);
    world.finish().await;
}

#[tokio::test]
async fn a_masked_key_that_comes_back_is_no_rotation() {
    let world = World::start().await;
    let owner = start(&world).await;
    let shown = owner.shown().await;
    let answer = owner.call("PUT", "", &shown).await;
    assert_eq!(answer.status, StatusCode::OK);
    owner.configure(json!({KEY: "********"})).await;
    let stored = owner.stored().await.unwrap();
    assert_eq!(stored.previous_keys, []);
    assert_eq!(
        statuses(&owner, 0, &[SIGNATURE_KEY, NEW_KEY]).await,
        [200, 401]
    );
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_the_old_one_stays() {
    let world = World::start().await;
    let owner = start(&world).await;
    let body = json!({"configuration": {KEY: "not hex"}});
    let answer = owner.call("PATCH", "", &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body["errors"][0]["field"],
        "configuration.event.webhook.signature.key"
    );
    assert_eq!(statuses(&owner, 0, &[SIGNATURE_KEY]).await, [200]);
    world.finish().await;
}

#[tokio::test]
async fn without_a_key_there_is_nothing_to_be_signed_with() {
    let world = World::start().await;
    let owner = start(&world).await;
    assert_eq!(owner.shown().await["unsignedWebhooks"], false);
    let changed = owner.configure(json!({KEY: null})).await;
    assert_eq!(changed["unsignedWebhooks"], true);
    assert_eq!(owner.stored().await.unwrap().previous_keys, []);
    let attempt = world
        .close
        .post_legacy(&owner.url, "lead", "delete", json!({"id": "lead_1"}))
        .await;
    assert_eq!(attempt.status, Some(200), "{}", attempt.answer);
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_was_changed_behind_a_warm_function_is_found_within_seconds() {
    let world = World::start().await;
    let owner = start(&world).await;
    assert_eq!(statuses(&owner, 0, &[SIGNATURE_KEY]).await, [200]);
    // As another sandbox of the function would have stored it.
    let mut instance = owner.stored().await.unwrap();
    instance.configuration.set(KEY, NEW_KEY);
    let table = world.instance_table();
    table.replace(&instance, false, ago(0)).await.unwrap();
    let taken = async { while statuses(&owner, 10, &[NEW_KEY]).await != [200] {} };
    tokio::time::timeout(PATIENCE, taken).await.unwrap();
    assert_eq!(statuses(&owner, 11, &[SIGNATURE_KEY]).await, [401]);
    world.finish().await;
}

#[tokio::test]
async fn an_instance_that_a_wrong_signature_shows_to_be_disabled_takes_nothing_any_more() {
    let world = World::start().await;
    for (name, value, status) in [
        ("disabled", AttributeValue::Bool(true), 403),
        ("phase", AttributeValue::S("removing".to_owned()), 404),
    ] {
        let owner = start(&world).await;
        assert_eq!(statuses(&owner, 0, &[SIGNATURE_KEY]).await, [200]);
        // As another sandbox of the function would have stored it: this one admits what it remembers.
        set_attribute(&world, owner.id, name, value).await;
        assert_eq!(statuses(&owner, 1, &[SIGNATURE_KEY]).await, [200]);
        let noticed = async { while statuses(&owner, 2, &[NOBODYS_KEY]).await != [status] {} };
        tokio::time::timeout(PATIENCE, noticed).await.unwrap();
        assert_eq!(statuses(&owner, 3, &[SIGNATURE_KEY]).await, [status]);
    }
    world.finish().await;
}
