//! One that does not answer, among many that do.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use local_stack::queue::message::{Attribute, Message};
use serde_json::{Value, json};
use shared::callback::{CallbackChange, Circuit, Count};

use super::receiver::Reply;
use super::{Called, DEAD_LETTERS, FIRST, RETRIES, Stage, number};
use crate::world::{PATIENCE, ago};

const LIVE: usize = 50;

/// Instances that are called back at `/live/0`, `/live/1` and so on.
async fn live(stage: &Stage) -> Vec<Called> {
    let mut live = Vec::new();
    for number in 0..LIVE {
        live.push(stage.instance(&format!("/live/{number}"), json!({})).await);
    }
    live
}

async fn publish_all(stage: &Stage, live: &[Called]) {
    for called in live {
        stage.publish(called, "1").await;
    }
}

async fn all_are_delivered(stage: &Stage) {
    for number in 0..LIVE {
        stage.receiver.wait_for(&format!("/live/{number}"), 1).await;
    }
}

/// Notes of an instance's callback what a thousand failures would.
async fn open_circuit(stage: &Stage, dead: &Called) {
    let change = CallbackChange {
        now: ago(0),
        waiting: Count::Set(1_000),
        is_delivered: false,
        failure: Some("Timeout".to_owned()),
        gone_url: None,
        circuit: Circuit::Open(ago(0) + SignedDuration::from_mins(5)),
    };
    let table = stage.world.instance_table();
    let id = dead.id.try_into().unwrap();
    table.note_callback(id, &change).await.unwrap();
}

#[tokio::test]
async fn fifty_others_do_not_wait_for_the_one_that_does_not_answer() {
    let stage = Stage::start().await;
    stage.receiver.reply("/dead", [Reply::Silence]);
    let dead = stage.instance("/dead", json!({})).await;
    let live = live(&stage).await;
    stage.world.stack.disable_mappings();
    for lead in ["1", "2", "3"] {
        stage.publish(&dead, lead).await;
    }
    publish_all(&stage, &live).await;
    stage.message(FIRST, 3 + LIVE).await;
    stage.world.stack.enable_mappings();

    all_are_delivered(&stage).await;
    // All of that while the dead one was still waited for.
    let retries = stage.queue(RETRIES).messages();
    assert_eq!(retries.snapshot().len(), 0);
    stage.receiver.wait_for("/dead", 1).await;

    let waiting = retries.wait_for_count(3, PATIENCE).await.unwrap();
    for message in &waiting {
        assert_eq!(message.text("reason"), Some("Timeout"));
        assert_eq!(number(message, "attempt"), 1);
    }
    stage.drained(FIRST).await;
    let callback = &stage.shown(&dead).await["callback"];
    assert_eq!(
        (&callback["reason"], &callback["pending"]),
        (&json!("Timeout"), &json!(3))
    );
    stage.finish().await;
}

#[tokio::test]
async fn with_a_thousand_waiting_further_ones_are_given_up_without_a_request() {
    let stage = Stage::start().await;
    let dead = stage.instance("/dead", json!({})).await;
    let live = live(&stage).await;
    open_circuit(&stage, &dead).await;
    stage.publish(&dead, "1").await;
    let event = stage.message(FIRST, 1).await;
    stage.message(DEAD_LETTERS, 1).await;
    stage.world.stack.disable_mappings();
    for _ in 0..200 {
        stage.queue(FIRST).send(Message::new(&event.body)).unwrap();
    }
    publish_all(&stage, &live).await;
    stage.world.stack.enable_mappings();

    all_are_delivered(&stage).await;
    let dead_letters = stage.queue(DEAD_LETTERS).messages();
    let dead_letters = dead_letters.wait_for_count(201, PATIENCE).await.unwrap();
    let reasons = dead_letters.iter().map(|message| message.text("reason"));
    assert!(
        reasons
            .into_iter()
            .all(|reason| reason == Some("CircuitOpen"))
    );
    assert_eq!(stage.receiver.requests("/dead").len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn a_retry_that_is_delivered_lets_the_others_through() {
    let stage = Stage::start().await;
    stage
        .receiver
        .reply("/hook", [Reply::status(500), Reply::status(200)]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;
    stage.message(RETRIES, 1).await;
    stage.drained(FIRST).await;
    open_circuit(&stage, &called).await;
    stage.publish(&called, "2").await;
    let refused = stage.message(DEAD_LETTERS, 1).await;
    assert_eq!(refused.text("reason"), Some("CircuitOpen"));

    stage.make_due().await;
    stage.drained(RETRIES).await;
    assert_eq!(stage.shown(&called).await["callback"]["pending"], 999);
    stage.publish(&called, "3").await;
    stage.receiver.wait_for("/hook", 3).await;
    stage.finish().await;
}

#[tokio::test]
async fn nor_do_they_wait_for_130_000_that_wait_for_another_attempt() {
    let stage = Stage::start().await;
    let dead = stage.instance("/dead", json!({})).await;
    let live = live(&stage).await;
    let body = waiting_event(&dead);
    let later = Attribute::number((ago(0) + SignedDuration::from_hours(1)).as_millisecond());
    let waiting = Message::new(body).with("notBefore", later);
    let retries = stage.queue(RETRIES);
    for _ in 0..130_000 {
        retries.send(waiting.clone()).unwrap();
    }
    publish_all(&stage, &live).await;

    all_are_delivered(&stage).await;
    let depth = retries.depth();
    assert_eq!(depth.ready + depth.in_flight, 130_000);
    assert_eq!(stage.receiver.requests("/dead").len(), 0);
    stage.finish().await;
}

fn waiting_event(dead: &Called) -> String {
    let detail = json!({
        "id": "479e76ad29a077976e08103ed6e66062", "instanceId": dead.id, "instanceName": "Test", "instanceTags": [],
        "elementKey": "closeio", "objectType": "lead", "objectId": "lead_1", "eventType": "UPDATED", "action": "updated",
        "date": "2026-06-19T12:06:45.242Z", "channel": "webhook", "callback": true, "raw": {},
    });
    json!({"source": "closeio", "detail": detail}).to_string()
}

#[tokio::test]
async fn an_instance_from_before_callbacks_is_noted_of_as_any_other() {
    let stage = Stage::start().await;
    let called = stage.instance("/hook", json!({})).await;
    let store = stage.world.stack.store();
    let remove = store.client().update_item();
    let remove = remove
        .table_name(store.table("InstancesTable").unwrap())
        .key("id", AttributeValue::N(called.id.to_string()))
        .update_expression("REMOVE callback");
    remove.send().await.unwrap();

    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    stage.drained(FIRST).await;
    let callback: Value = stage.shown(&called).await["callback"].clone();
    assert!(callback["lastSuccess"].is_string(), "{callback}");
    stage.finish().await;
}
