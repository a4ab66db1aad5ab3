//! What failed is tried again, later and later, and then given up.

use std::time::Duration;

use local_stack::fault::{Calls, Failure, Fault};
use local_stack::queue::message::{Attribute, Message};
use local_stack::queue::state::{Depth, Place};
use serde_json::{Value, json};

use super::receiver::Reply;
use super::{DEAD_LETTERS, FIRST, RETRIES, Stage, number};
use crate::world::{PATIENCE, ago};

/// The wait between the first failure and the next attempt, in milliseconds, is within a tenth of `seconds`.
fn assert_due_after(message: &Message, seconds: i64) {
    let wait = number(message, "notBefore") - number(message, "firstFailure");
    let range = 900 * seconds..=1_100 * seconds;
    assert!(range.contains(&wait), "{wait} ms, not {range:?}");
}

#[tokio::test]
async fn a_500_is_followed_by_the_same_notification_with_a_fresh_signature() {
    let stage = Stage::start().await;
    stage
        .receiver
        .reply("/hook", [Reply::status(500), Reply::status(200)]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;

    let waiting = stage.message(RETRIES, 1).await;
    assert_eq!(number(&waiting, "attempt"), 1);
    assert_eq!(waiting.text("reason"), Some("Status 500"));
    assert_due_after(&waiting, 8);
    stage.drained(FIRST).await;
    let held = stage.queue(RETRIES).contents();
    assert_eq!(held[0].place, Place::Delayed);
    let callback = &stage.shown(&called).await["callback"];
    assert_eq!(callback["reason"], "Status 500");
    assert_eq!(
        (&callback["pending"], &callback["lastSuccess"]),
        (&json!(1), &Value::Null)
    );

    stage.make_due().await;
    let requests = stage.receiver.wait_for("/hook", 2).await;
    assert_eq!(requests[0].body, requests[1].body);
    for name in ["webhook-id", "elements-webhook-id"] {
        assert_eq!(requests[0].headers[name], requests[1].headers[name]);
    }
    stage.drained(RETRIES).await;
    let callback = &stage.shown(&called).await["callback"];
    assert!(callback["lastSuccess"].is_string(), "{callback}");
    assert_eq!(callback["pending"], 0);
    assert_eq!(stage.queue(DEAD_LETTERS).messages().snapshot().len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn after_five_more_attempts_it_is_given_up_and_can_be_sent_again_by_hand() {
    let stage = Stage::start().await;
    stage.receiver.reply("/hook", [Reply::status(302)]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;

    let mut reasons = Vec::new();
    for (attempt, seconds) in (1..).zip([8, 64, 512, 4_096, 32_768]) {
        let waiting = stage.message(RETRIES, attempt).await;
        assert_eq!(number(&waiting, "attempt"), i64::try_from(attempt).unwrap());
        assert_due_after(&waiting, seconds);
        reasons.push(waiting.text("reason").unwrap().to_owned());
        stage.make_due().await;
    }
    assert_eq!(reasons, ["Status 302"; 5]);
    let dead = stage.message(DEAD_LETTERS, 1).await;
    assert_eq!(dead.text("reason"), Some("Status 302"));
    assert_eq!(stage.receiver.requests("/hook").len(), 6);
    stage.drained(RETRIES).await;
    assert_eq!(stage.shown(&called).await["callback"]["pending"], 0);

    // As SQS moves it when it is told to.
    stage.receiver.reply("/hook", [Reply::status(204)]);
    stage.queue(FIRST).send(dead).unwrap();
    let requests = stage.receiver.wait_for("/hook", 7).await;
    assert_eq!(requests[0].body, requests[6].body);
    stage.drained(FIRST).await;
    stage.finish().await;
}

#[tokio::test]
async fn what_comes_too_early_is_hidden_until_it_is_due() {
    let stage = Stage::start().await;
    stage.receiver.reply("/hook", [Reply::status(500)]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;
    stage.message(RETRIES, 1).await;

    // As after the fourth attempt, whose wait is longer than a queue can delay.
    let queue = stage.queue(RETRIES);
    let hour = 3_600_000;
    queue.edit(|message| {
        let due = number(message, "firstFailure") + 10 * hour;
        let due = Attribute::number(due);
        message.attributes.insert("notBefore".to_owned(), due);
    });
    queue.advance(Duration::from_mins(15));
    let is_hidden = |depth: Depth| depth.in_flight == 1;
    queue.wait_for(PATIENCE, is_hidden).await.unwrap();
    let calls = stage.world.stack.sqs().calls();
    let hides = |operation: &str| operation == "ChangeMessageVisibility";
    calls
        .wait_for(PATIENCE, |calls| {
            calls.iter().any(|call| hides(&call.operation))
        })
        .await
        .unwrap();
    queue.advance(Duration::from_hours(9));
    assert_eq!(queue.depth().in_flight, 1);
    assert_eq!(stage.receiver.requests("/hook").len(), 1);
    stage.finish().await;
}

#[tokio::test]
async fn a_receiver_may_ask_for_more_time() {
    let stage = Stage::start().await;
    let in_an_hour = ago(-3_600);
    let dated = |form: &str| in_an_hour.strftime(form).to_string();
    let called = stage.instance("/hook", json!({})).await;
    for (count, retry_after) in (1..).zip([
        "3600".to_owned(),
        dated("%a, %d %b %Y %H:%M:%S GMT"),
        dated("%A, %d-%b-%y %H:%M:%S GMT"),
        dated("%a %b %e %H:%M:%S %Y"),
    ]) {
        let busy = Reply::with(429, "retry-after", &retry_after);
        stage.receiver.reply("/hook", [busy]);
        stage.publish(&called, &count.to_string()).await;

        let waiting = stage.message(RETRIES, count).await;
        assert_eq!(waiting.text("reason"), Some("Status 429"));
        let wait = number(&waiting, "notBefore") - number(&waiting, "firstFailure");
        assert!(
            (3_570_000..3_610_000).contains(&wait),
            "{retry_after}: {wait}"
        );
    }
    stage.finish().await;
}

#[tokio::test]
async fn a_notification_is_not_lost_when_a_queue_or_the_table_fails() {
    let stage = Stage::start().await;
    stage
        .receiver
        .reply("/hook", [Reply::status(500), Reply::status(200)]);
    let called = stage.instance("/hook", json!({})).await;
    let denied = || Failure::Error {
        status: 400,
        code: "AccessDeniedException".to_owned(),
    };
    let calls = Calls::of("SendMessage").queue(RETRIES);
    stage.world.stack.sqs().fail(Fault::new(denied(), calls));
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    // It is kept, and comes again when it is visible.
    let function = stage.world.stack.function("CallbackFunction").unwrap();
    let says = |line: &str| line.contains("could not be passed on");
    function.wait_for_output(PATIENCE, says).await.unwrap();

    let calls = Calls::of("GetItem").table("InstancesTable");
    stage.world.stack.store().fail(Fault::new(denied(), calls));
    stage.queue(FIRST).advance(Duration::from_mins(6));
    let says = |line: &str| line.contains("an instance could not be read");
    function.wait_for_output(PATIENCE, says).await.unwrap();

    stage.queue(FIRST).advance(Duration::from_mins(6));
    stage.receiver.wait_for("/hook", 2).await;
    stage.drained(FIRST).await;
    stage.finish().await;
}
