//! Webhooks that are refused: with which status, and in which words.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::StatusCode;

use super::{INSTANCE, entry};
use crate::world::{Answer, PATIENCE, World};

/// The status and the words; that the answer bears its request's id is checked on the way.
fn refusal(answer: &Answer) -> String {
    let id = answer.headers["elements-request-id"].to_str().unwrap();
    assert!(!id.is_empty());
    assert_eq!(answer.body["requestId"], id);
    let keys: Vec<_> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["requestId", "message"]);
    let message = answer.body["message"].as_str().unwrap();
    format!("{} {message}", answer.status.as_u16())
}

async fn refused(world: &World, encoded_id: &str, body: impl Into<reqwest::Body>) -> String {
    let url = world.webhook_url(encoded_id);
    refusal(&world.deliver(&url, &[], body).await)
}

#[tokio::test]
async fn an_id_that_is_none_is_400_and_one_of_nobody_404() {
    let world = World::start().await;
    let refused = |encoded_id: &'static str| refused(&world, encoded_id, entry("lead_1"));
    insta::assert_snapshot!(refused("20931").await, @"400 expected the base64 of an instance id, such as MjA5MzE= for 20931");
    insta::assert_snapshot!(refused("M!").await, @"400 expected the base64 of an instance id, such as MjA5MzE= for 20931");
    insta::assert_snapshot!(refused("MA==").await, @"400 expected an instance id of 1 to 16 digits, 1 to 9007199254740991");
    insta::assert_snapshot!(refused("%20").await, @"400 expected the base64 of an instance id, such as MjA5MzE= for 20931");
    insta::assert_snapshot!(refused("MjA5MzE=").await, @"404 there is no instance 20931");
    world.finish().await;
}

#[tokio::test]
async fn a_disabled_instance_is_403() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let store = world.stack.store();
    let update = store.client().update_item();
    let update = update.table_name(store.table("InstancesTable").unwrap());
    let update = update.key("id", AttributeValue::N(INSTANCE.to_string()));
    let update = update.update_expression("SET disabled = :true");
    let update = update.expression_attribute_values(":true", AttributeValue::Bool(true));
    update.send().await.unwrap();

    insta::assert_snapshot!(refused(&world, "MjA5MzE=", entry("lead_1")).await, @"403 instance 20931 is disabled");
    assert_eq!(world.events().len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_body_that_is_no_webhook_is_400_and_says_what_is_missing() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let refused = |body: &'static [u8]| refused(&world, "MjA5MzE=", body);
    insta::assert_snapshot!(refused(b"").await, @"400 expected JSON: EOF while parsing a value at line 1 column 0");
    insta::assert_snapshot!(refused(b"{'model': 'lead'}").await, @"400 expected JSON: key must be a string at line 1 column 2");
    insta::assert_snapshot!(refused(b"{}").await, @"400 expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
    insta::assert_snapshot!(refused(b"{\"model\": \"lead\xff\"}").await, @"400 expected JSON: invalid utf-8 sequence of 1 bytes from index 15");
    insta::assert_snapshot!(refused(b"{\"event\": {\"data\": {\"id\": \"lead_1\"}}}").await, @"400 expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
    insta::assert_snapshot!(refused(b"{\"event\": {\"id\": null}}").await, @"400 expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
    insta::assert_snapshot!(refused(b"{\"event\": [\"object_id\"]}").await, @"400 expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
    insta::assert_snapshot!(refused(b"{\"model\": \"lead\", \"event\": \"merge\", \"data\": {\"id\": \"lead_1\"}}").await, @"400 expected `data` to have a source_id and a destination_id");
    assert_eq!(world.stack.bus().calls().snapshot().len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn every_answer_bears_an_id_that_is_in_the_log() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let accepted = world.deliver(&url, &[], entry("lead_1")).await;
    let duplicate = world.deliver(&url, &[], entry("lead_1")).await;
    let refused = world.deliver(&url, &[], "{}").await;

    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let function = world.stack.function("WebhookFunction").unwrap();
    for answer in [accepted, duplicate, refused] {
        let id = answer.headers["elements-request-id"].to_str().unwrap();
        assert!(!id.is_empty());
        function
            .wait_for_output(PATIENCE, |line| line.contains(id))
            .await
            .unwrap();
    }
    world.finish().await;
}
