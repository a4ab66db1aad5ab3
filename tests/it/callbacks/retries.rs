//! What failed is tried again, later and later, and then given up.

use std::time::Duration;

use local_stack::aws::sqs::queue::Held;
use local_stack::aws::sqs::queue::message::{Attribute, Message};
use local_stack::aws::sqs::queue::state::{Depth, Place};
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::{Value, json};

use super::receiver::Reply;
use super::{Called, DEAD_LETTERS, FIRST, RETRIES, Stage, WAITS, event, number};
use crate::functions::CALLBACK;
use crate::metrics::is_reached;
use crate::world::{PATIENCE, ago};

/// The time between the first failure and the next attempt, in milliseconds, is within a tenth of `seconds`.
fn assert_due_after(waiting: &Waiting, seconds: i64) {
    let wait = waiting.due - waiting.first_failure;
    // A queue delays for whole seconds.
    let range = 900 * seconds..=1_100 * seconds + 1_500;
    assert!(range.contains(&wait), "{wait} ms, not {range:?}");
}

/// A notification that waits for another attempt. Times are milliseconds since 1970.
struct Waiting {
    attempt: i64,
    reason: String,
    first_failure: i64,
    due: i64,
}

impl Stage {
    /// The rest of the delay of a message in the retry queue, in milliseconds.
    fn delay(&self, held: &Held) -> i64 {
        held.due.as_millisecond() - self.queue(RETRIES).now().as_millisecond()
    }

    /// The one notification that waits, once it does.
    async fn waiting(&self) -> Waiting {
        for queue in [FIRST, RETRIES] {
            let is_handled = |depth: Depth| depth.in_flight == 0 && depth.ready == 0;
            let queue = self.queue(queue);
            queue.wait_for(PATIENCE, is_handled).await.unwrap();
        }
        let (held, items) = (self.queue(RETRIES).contents(), self.waits().await);
        match (held.as_slice(), items.as_slice()) {
            ([held], []) => Waiting {
                attempt: number(&held.message, "attempt"),
                reason: held.message.text("reason").unwrap().to_owned(),
                first_failure: number(&held.message, "firstFailure"),
                // The queue's clock may have been moved forward.
                due: ago(0).as_millisecond() + self.delay(held),
            },
            ([], [item]) => {
                let number = |name: &str| item[name].as_n().unwrap().parse().unwrap();
                let due = item["due"].as_s().unwrap().split_once('#').unwrap().0;
                Waiting {
                    attempt: number("attempts"),
                    reason: item["reason"].as_s().unwrap().clone(),
                    first_failure: number("firstFailure"),
                    due: due.parse().unwrap(),
                }
            }
            other => panic!("expected one that waits, but found {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_500_is_followed_by_the_same_notification_with_a_fresh_signature() {
    let stage = Stage::start().await;
    stage
        .receiver
        .reply("/hook", [Reply::status(500), Reply::status(200)]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;

    stage.message(RETRIES, 1).await;
    let waiting = stage.waiting().await;
    assert_eq!(waiting.attempt, 1);
    assert_eq!(waiting.reason, "Status 500");
    assert_due_after(&waiting, 8);
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
        stage.receiver.wait_for("/hook", attempt).await;
        let waiting = stage.waiting().await;
        assert_eq!(waiting.attempt, i64::try_from(attempt).unwrap());
        assert_due_after(&waiting, seconds);
        reasons.push(waiting.reason);
        stage.make_due().await;
    }
    assert_eq!(reasons, ["Status 302"; 5]);
    let dead = stage.message(DEAD_LETTERS, 1).await;
    assert_eq!(dead.text("reason"), Some("Status 302"));
    assert_eq!(stage.receiver.requests("/hook").len(), 6);
    stage.drained(RETRIES).await;
    assert_eq!(stage.shown(&called).await["callback"]["pending"], 0);

    assert_eq!(number(&dead, "attempt"), 5);
    stage.receiver.reply("/hook", [Reply::status(204)]);
    let moved = stage.queue(DEAD_LETTERS).move_to(stage.queue(FIRST));
    assert_eq!(moved.unwrap(), 1);
    let requests = stage.receiver.wait_for("/hook", 7).await;
    assert_eq!(requests[0].body, requests[6].body);
    stage.drained(FIRST).await;
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

        stage.receiver.wait_for("/hook", count).await;
        let waiting = stage.waiting().await;
        assert_eq!(waiting.reason, "Status 429");
        let wait = waiting.due - waiting.first_failure;
        assert!(
            (3_570_000..3_610_000).contains(&wait),
            "{retry_after}: {wait}"
        );
        for item in stage.waits().await {
            stage.remove_wait(&item).await;
        }
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

/// A notification of the instance, in the retry queue, whose attempts have failed so often.
fn retry(called: &Called, attempts: i64, raw: &str) -> Message {
    let first_failure = ago(600).as_millisecond();
    Message::new(event(called, raw))
        .with("attempt", Attribute::number(attempts))
        .with("firstFailure", Attribute::number(first_failure))
}

impl Stage {
    /// Has a notification wait in the table: its fourth attempt at `/hook` fails, and the fifth will not.
    async fn let_one_wait(&self, raw: &str) {
        let replies = [Reply::status(500), Reply::status(200)];
        self.receiver.reply("/hook", replies);
        let called = self.instance("/hook", json!({})).await;
        self.queue(RETRIES).send(retry(&called, 3, raw)).unwrap();
        self.receiver.wait_for("/hook", 1).await;
        self.drained(RETRIES).await;
    }
}

#[tokio::test]
async fn what_waits_for_more_than_15_minutes_is_not_in_flight() {
    let stage = Stage::start().await;
    stage.receiver.reply("/dead", [Reply::status(500)]);
    let dead = stage.instance("/dead", json!({})).await;
    let live = stage.instance("/live", json!({})).await;
    let retries = stage.queue(RETRIES);
    retries.limit_in_flight(12);
    for _ in 0..30 {
        retries.send(retry(&dead, 3, "{}")).unwrap();
    }
    stage.receiver.wait_for("/dead", 30).await;
    retries.send(retry(&live, 1, "{}")).unwrap();

    stage.receiver.wait_for("/live", 1).await;
    stage.drained(RETRIES).await;
    assert_eq!(stage.waits().await.len(), 30);
    let calls = stage.world.stack.sqs().calls().snapshot();
    let hides = calls
        .iter()
        .filter(|call| call.operation.starts_with("ChangeMessage"));
    assert_eq!(hides.count(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn a_large_notification_waits_in_parts_and_comes_whole() {
    let stage = Stage::start().await;
    let raw = json!({"id": "lead_1", "text": "\u{e9}".repeat(450_000)}).to_string();
    stage.let_one_wait(&raw).await;
    assert_eq!(stage.waits().await.len(), 3);

    stage.make_due().await;
    let requests = stage.receiver.wait_for("/hook", 2).await;
    assert!(requests[0].body == requests[1].body);
    assert!(900_000 < requests[0].body.len());
    assert_eq!(stage.waits().await, []);
    stage.drained(RETRIES).await;
    stage.finish().await;
}

#[tokio::test]
async fn a_tick_that_fails_half_way_loses_nothing() {
    let stage = Stage::start().await;
    stage.let_one_wait("{}").await;
    let fail = || Failure::Error {
        status: 400,
        code: "AccessDeniedException".to_owned(),
    };
    let query = Calls::of("Query").table(WAITS);
    stage.world.stack.store().fail(Fault::new(fail(), query));
    stage.world.stack.tick(CALLBACK).await.unwrap_err();
    let send = Calls::of("SendMessage").queue(RETRIES);
    stage.world.stack.sqs().fail(Fault::new(fail(), send));
    stage.make_due().await;
    assert_eq!(stage.waits().await.len(), 1);

    // Sent and not removed, it comes twice.
    let delete = Calls::of("DeleteItem").table(WAITS);
    stage.world.stack.store().fail(Fault::new(fail(), delete));
    stage.make_due().await;
    stage.receiver.wait_for("/hook", 2).await;
    assert_eq!(stage.waits().await.len(), 1);
    stage.make_due().await;
    stage.receiver.wait_for("/hook", 3).await;
    assert_eq!(stage.waits().await, []);
    stage.drained(RETRIES).await;
    stage.finish().await;
}

#[tokio::test]
async fn what_falls_due_before_the_next_tick_is_released_with_the_rest_of_its_wait() {
    let stage = Stage::start().await;
    stage.receiver.reply("/hook", [Reply::status(500)]);
    let called = stage.instance("/hook", json!({})).await;
    for _ in 0..2 {
        stage.queue(RETRIES).send(retry(&called, 3, "{}")).unwrap();
    }
    stage.receiver.wait_for("/hook", 2).await;
    stage.drained(RETRIES).await;
    let waits = stage.waits().await;
    for (item, seconds) in waits.into_iter().zip([40, 100]) {
        stage.move_wait(item, ago(-seconds)).await;
    }

    let released = stage.world.stack.tick(CALLBACK).await.unwrap();
    let expected = json!({"released": 1, "failed": 0, "overdue": 0});
    assert_eq!(released, expected);
    let held = stage.queue(RETRIES).contents();
    let wait = stage.delay(&held[0]);
    assert!((30_000..=40_000).contains(&wait), "{wait}");

    let waits = stage.waits().await;
    assert_eq!(waits.len(), 1);
    assert!(!is_reached("CallbackOverdueAlarm", &stage.lines()));
    for item in waits {
        stage.move_wait(item, ago(1_000)).await;
    }
    let released = stage.world.stack.tick(CALLBACK).await.unwrap();
    let overdue = released["overdue"].as_u64().unwrap();
    assert!((1_000..1_100).contains(&overdue), "{overdue}");
    assert!(is_reached("CallbackOverdueAlarm", &stage.lines()));
    stage.finish().await;
}

#[tokio::test]
async fn an_item_that_cannot_be_read_keeps_nothing_back_and_is_seen() {
    let stage = Stage::start().await;
    stage.let_one_wait("{}").await;
    let good = stage.waits().await.remove(0);
    let mut bad = good.clone();
    bad.remove("body");
    stage.move_wait(good, ago(10)).await;
    stage.move_wait(bad, ago(1_000)).await;

    let released = stage.world.stack.tick(CALLBACK).await.unwrap();
    assert_eq!(
        (&released["released"], &released["failed"]),
        (&json!(1), &json!(1))
    );
    stage.receiver.wait_for("/hook", 2).await;
    assert!(is_reached("CallbackOverdueAlarm", &stage.lines()));
    stage.drained(RETRIES).await;
    stage.finish().await;
}

/// A message as a chain of so many invocations has led to it.
fn of_chain(called: &Called, hops: u32) -> Message {
    let trace = format!("Root=1-67891233-abcdef012345678912345678;Lineage=0a1b2c3d:{hops}");
    Message {
        trace: Some(trace),
        ..retry(called, 1, "{}")
    }
}

#[tokio::test]
async fn a_long_chain_of_invocations_goes_on_in_the_table() {
    let stage = Stage::start().await;
    let replies = [500, 500, 500, 500, 200].map(Reply::status);
    stage.receiver.reply("/hook", replies);
    let called = stage.instance("/hook", json!({})).await;
    // Lambda may count a batch as its longest chain, and a chain would go on from notification to notification.
    stage.world.stack.disable_mappings();
    for hops in [0, 7] {
        stage.queue(RETRIES).send(of_chain(&called, hops)).unwrap();
    }
    stage.world.stack.enable_mappings();
    let hops = stage.message(RETRIES, 4).await.hops();
    assert_eq!((hops, stage.waits().await.len()), (8, 0));

    stage.make_due().await;
    stage.receiver.wait_for("/hook", 4).await;
    stage.drained(RETRIES).await;
    assert_eq!(stage.waits().await.len(), 2);
    stage.make_due().await;
    stage.receiver.wait_for("/hook", 6).await;
    let hops = stage.message(RETRIES, 5).await.hops();
    assert!(hops < 8, "{hops}");
    stage.drained(RETRIES).await;
    stage.finish().await;
}
