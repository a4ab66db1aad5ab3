//! One that does not answer, among many that do.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::aws::dynamodb::TableCall;
use local_stack::aws::sqs::queue::message::{Attribute, Message};
use serde_json::{Value, json};
use shared::instance::callback_state::CallbackState;

use super::receiver::Reply;
use super::{Called, DEAD_LETTERS, FIRST, RETRIES, Stage, event, number};
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

/// What is noted of a callback URL at which everything has failed for so many minutes, while 1,000 notifications wait.
fn failing(minutes: i64) -> CallbackState {
    CallbackState {
        waiting: 1_000,
        last_failure: Some(ago(1)),
        failing_since: Some(ago(60 * minutes)),
        ..CallbackState::default()
    }
}

/// The same, and its circuit is open.
fn open() -> CallbackState {
    CallbackState {
        open_until: Some(ago(-300)),
        ..failing(10)
    }
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_spared_first_attempts_and_gets_all_later() {
    let stage = Stage::start().await;
    let replies = [Reply::status(500), Reply::status(200)];
    stage.receiver.reply("/hook", replies);
    let called = stage.instance("/hook", json!({})).await;
    stage.set_state(&called, &failing(10)).await;
    stage.publish(&called, "1").await;
    stage.message(RETRIES, 1).await;
    stage.drained(FIRST).await;
    assert!(stage.state(&called).await.is_open(ago(0)));

    for lead in ["2", "3"] {
        stage.publish(&called, lead).await;
    }
    for count in [2, 3] {
        let spared = stage.message(RETRIES, count).await;
        assert_eq!(spared.text("reason"), Some("CircuitOpen"));
        assert_eq!(number(&spared, "attempt"), 3);
    }
    assert_eq!(stage.receiver.requests("/hook").len(), 1);
    stage.drained(FIRST).await;
    assert_eq!(stage.shown(&called).await["callback"]["pending"], 1_003);

    stage.make_due().await;
    stage.receiver.wait_for("/hook", 4).await;
    stage.drained(RETRIES).await;
    let noted = stage.state(&called).await;
    assert_eq!((noted.open_until, noted.failing_since), (None, None));
    stage.publish(&called, "4").await;
    stage.receiver.wait_for("/hook", 5).await;
    assert_eq!(stage.queue(DEAD_LETTERS).messages().snapshot().len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn a_receiver_that_takes_something_has_no_open_circuit_however_much_waits() {
    let stage = Stage::start().await;
    let called = stage.instance("/hook", json!({})).await;
    stage.set_state(&called, &failing(10)).await;
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    stage.drained(FIRST).await;
    stage.receiver.reply("/hook", [Reply::status(500)]);
    stage.publish(&called, "2").await;
    stage.message(RETRIES, 1).await;
    stage.drained(FIRST).await;

    let noted = stage.state(&called).await;
    assert_eq!((noted.open_until, noted.waiting), (None, 1_001));
    stage.finish().await;
}

#[tokio::test]
async fn a_delivery_that_began_before_the_circuit_opened_closes_it() {
    let stage = Stage::start().await;
    let gate = stage.receiver.hold("/hook", 200);
    let called = stage.instance("/hook", json!({})).await;
    stage.set_state(&called, &failing(10)).await;
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    stage.set_state(&called, &open()).await;
    gate.open();

    stage.drained(FIRST).await;
    assert_eq!(stage.state(&called).await.open_until, None);
    stage.finish().await;
}

#[tokio::test]
async fn a_failure_that_began_before_a_delivery_does_not_open_the_circuit() {
    let stage = Stage::start().await;
    let gate = stage.receiver.hold("/hook", 500);
    let called = stage.instance("/hook", json!({})).await;
    stage.set_state(&called, &failing(10)).await;
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    let delivered = CallbackState {
        waiting: 1_000,
        last_success: Some(ago(0)),
        ..CallbackState::default()
    };
    stage.set_state(&called, &delivered).await;
    gate.open();

    stage.message(RETRIES, 1).await;
    stage.drained(FIRST).await;
    let noted = stage.state(&called).await;
    assert_eq!((noted.open_until, noted.waiting), (None, 1_001));
    assert!(noted.failing_since.is_some());
    stage.finish().await;
}

#[tokio::test]
async fn all_of_a_batch_are_posted_at_once_and_a_slow_receiver_leaves_the_first_queue() {
    let stage = Stage::start().await;
    let gate = stage.receiver.hold("/slow", 200);
    let slow = stage.instance("/slow", json!({})).await;
    let live = live(&stage).await;
    stage.world.stack.disable_mappings();
    for lead in 0..10 {
        stage.publish(&slow, &lead.to_string()).await;
    }
    stage.message(FIRST, 10).await;
    stage.world.stack.enable_mappings();
    // None waits for the answer to another.
    stage.receiver.wait_for("/slow", 10).await;

    let notes = stage.world.stack.store().calls();
    let is_note = |call: &Arc<TableCall>| call.operation == "UpdateItem";
    let waited = notes.wait_for(PATIENCE, |calls| calls.iter().any(is_note));
    waited.await.unwrap();
    assert!(stage.state(&slow).await.is_slow(ago(0)));
    for lead in 10..30 {
        stage.publish(&slow, &lead.to_string()).await;
    }
    publish_all(&stage, &live).await;
    all_are_delivered(&stage).await;
    for count in 1..=20 {
        let diverted = stage.message(RETRIES, count).await;
        assert_eq!(number(&diverted, "attempt"), 0);
        assert_eq!(diverted.group, Some(slow.id.to_string()));
    }

    gate.open();
    stage.receiver.wait_for("/slow", 30).await;
    stage.drained(FIRST).await;
    stage.drained(RETRIES).await;
    assert_eq!(stage.shown(&slow).await["callback"]["pending"], 0);
    stage.finish().await;
}

#[tokio::test]
async fn no_more_than_wait_are_taken_off_those_that_wait() {
    let stage = Stage::start().await;
    let gate = stage.receiver.hold("/hook", 200);
    let called = stage.instance("/hook", json!({})).await;
    let waiting = |waiting| CallbackState {
        waiting,
        ..CallbackState::default()
    };
    stage.set_state(&called, &waiting(1)).await;
    let retry = Message::new(event(&called, "{}")).with("attempt", Attribute::number(1));
    stage.queue(RETRIES).send(retry).unwrap();
    stage.receiver.wait_for("/hook", 1).await;
    // Somebody else has counted the last one as delivered.
    stage.set_state(&called, &waiting(0)).await;
    gate.open();

    stage.drained(RETRIES).await;
    let noted = stage.state(&called).await;
    assert_eq!(noted.waiting, 0);
    assert!(noted.last_success.is_some());
    stage.finish().await;
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
