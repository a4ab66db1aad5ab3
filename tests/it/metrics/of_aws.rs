//! What AWS measures by itself, and the alarms on that.

use std::sync::Arc;
use std::time::Duration;

use local_stack::aws::cloudwatch::Datapoint;
use local_stack::aws::sdk;
use local_stack::aws::sqs::queue::message::Message;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::json;
use shared::event::bus::EventBus;
use shared::event::entry::PutEventsEntry;

use super::{assert_reached, is_reached};
use crate::functions::{CALLBACK, POLLER, WEBHOOK};
use crate::metric_lines::{last, lines, of_aws};
use crate::world::{PATIENCE, World, ago};

/// Invokes a function with what it cannot read.
async fn fail(world: &World, function: &str) {
    let function = world.stack.function(function).unwrap();
    function.invoke(&json!("nonsense")).await.unwrap_err();
}

#[tokio::test]
async fn an_invocation_that_fails_is_an_alarm_of_its_function() {
    let world = World::start().await;
    world.stack.tick("PollerFunction").await.unwrap();
    assert!(!is_reached("PollerErrorsAlarm", &of_aws(&world)));

    fail(&world, WEBHOOK).await;
    let lines = of_aws(&world);
    assert_reached("WebhookErrorsAlarm", &lines);
    assert!(!is_reached("PollerErrorsAlarm", &lines));

    fail(&world, POLLER).await;
    let lines = of_aws(&world);
    assert_reached("PollerErrorsAlarm", &lines);
    assert!(!is_reached("CallbackErrorsAlarm", &lines));

    fail(&world, CALLBACK).await;
    assert_reached("CallbackErrorsAlarm", &of_aws(&world));
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_finds_no_place_to_run_is_an_alarm_and_a_fault_of_the_api() {
    let world = World::start().await;
    let answer = world.call("GET", "/instances/12", None, "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let lines = of_aws(&world);
    assert!(!is_reached("ApiFaultsAlarm", &lines));
    assert!(!is_reached("WebhookThrottlesAlarm", &lines));

    world.stack.function(WEBHOOK).unwrap().throttle(1);
    let answer = world.call("GET", "/instances/12", None, "").await;

    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let lines = of_aws(&world);
    assert_reached("ApiFaultsAlarm", &lines);
    assert_reached("WebhookThrottlesAlarm", &lines);
    assert!(!is_reached("WebhookErrorsAlarm", &lines));
    world.finish().await;
}

#[tokio::test]
async fn a_tick_that_finds_no_place_to_run_is_an_alarm() {
    let world = World::start().await;
    world.stack.tick("PollerFunction").await.unwrap();
    assert!(!is_reached("PollerThrottlesAlarm", &of_aws(&world)));

    world.stack.function(POLLER).unwrap().throttle(1);
    world.stack.tick("PollerFunction").await.unwrap_err();

    let lines = of_aws(&world);
    assert_reached("PollerThrottlesAlarm", &lines);
    assert!(!is_reached("PollerErrorsAlarm", &lines));
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_cannot_begin_is_measured_and_its_request_is_kept() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    assert!(!is_reached("PollerDeadLettersAlarm", &of_aws(&world)));
    // As often as the SDK tries.
    let fault = Fault::new(Failure::Internal, Calls::of("UpdateItem")).times(3);
    world.stack.store().fail(fault);
    let bus = EventBus::new(
        &sdk::config(&world.stack.bus().url()).unwrap(),
        "local".to_owned(),
        usize::MAX,
    );
    let detail = json!({"instanceId": id});
    let request = PutEventsEntry::new("closeio.poller", "poll.requested", ago(0), &detail);
    let soon = tokio::time::Instant::now() + PATIENCE;
    assert_eq!(bus.publish_entries(&[request], soon).await, [0]);

    let queue = world.stack.queue("PollerDeadLetterQueue").unwrap();
    queue.messages().wait_for_count(1, PATIENCE).await.unwrap();
    assert_eq!(last(&world, POLLER).value("PollFailures"), Some(1.0));
    let lines = of_aws(&world);
    assert_reached("PollerDeadLettersAlarm", &lines);
    assert!(!is_reached("CallbackFailuresAlarm", &lines));

    // The dead letter stays, and is nothing that anybody must see to.
    world.stack.measured().clear();
    assert!(!is_reached("PollerDeadLettersAlarm", &of_aws(&world)));
    assert_eq!(queue.depth().ready, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_batch_that_finds_no_place_to_run_is_an_alarm_and_comes_again() {
    let world = World::start().await;
    world.stack.function(CALLBACK).unwrap().throttle(1);
    assert!(!is_reached("CallbackThrottlesAlarm", &of_aws(&world)));
    let queue = world.stack.queue("CallbackQueue").unwrap();
    // What is no event of ours is given up.
    queue.send(Message::new("nonsense")).unwrap();

    let is_throttle = |datapoint: &Arc<Datapoint>| datapoint.metric == "Throttles";
    let measured = world.stack.measured();
    let throttled = measured.wait_for(PATIENCE, |all| all.iter().any(is_throttle));
    throttled.await.unwrap();
    let lines = of_aws(&world);
    assert_reached("CallbackThrottlesAlarm", &lines);
    assert!(!is_reached("CallbackFailuresAlarm", &lines));

    queue.advance(queue.spec.visibility_timeout);
    let dead_letters = world.stack.queue("CallbackFailureQueue").unwrap();
    let given_up = dead_letters.messages().wait_for_count(1, PATIENCE);
    given_up.await.unwrap();
    assert_reached("CallbackFailuresAlarm", &of_aws(&world));
    world.finish().await;
}

#[tokio::test]
async fn events_that_wait_for_their_first_callback_are_an_alarm_until_they_are_gone() {
    let world = World::start().await;
    world.stack.disable_mappings();
    let queue = world.stack.queue("CallbackQueue").unwrap();
    queue.send(Message::new("nonsense")).unwrap();
    queue.advance(Duration::from_secs(599));
    assert!(!is_reached("CallbackAgeAlarm", &of_aws(&world)));

    queue.advance(Duration::from_secs(1));
    assert_reached("CallbackAgeAlarm", &of_aws(&world));

    world.stack.enable_mappings();
    let is_empty = |depth| depth == local_stack::aws::sqs::queue::state::Depth::default();
    queue.wait_for(PATIENCE, is_empty).await.unwrap();
    world.stack.measured().clear();
    assert!(!is_reached("CallbackAgeAlarm", &of_aws(&world)));
    world.finish().await;
}

#[tokio::test]
async fn a_chain_of_invocations_that_lambda_ends_is_an_alarm() {
    let world = World::start().await;
    let queue = world.stack.queue("CallbackRetryQueue").unwrap();
    let of_chain = |hops: u32| Message {
        trace: Some(format!(
            "Root=1-67891233-abcdef012345678912345678;Lineage=0a1b2c3d:{hops}"
        )),
        ..Message::new("nonsense")
    };
    let is_empty = |depth| depth == local_stack::aws::sqs::queue::state::Depth::default();
    queue.send(of_chain(16)).unwrap();
    queue.wait_for(PATIENCE, is_empty).await.unwrap();
    assert!(!is_reached("CallbackLoopAlarm", &of_aws(&world)));

    queue.send(of_chain(17)).unwrap();
    queue.wait_for(PATIENCE, is_empty).await.unwrap();
    assert_reached("CallbackLoopAlarm", &of_aws(&world));
    world.finish().await;
}

#[tokio::test]
async fn a_disabled_mapping_of_the_retry_queue_is_an_alarm() {
    let world = World::start().await;
    world.stack.disable_mapping("CallbackRetryQueue").unwrap();
    let queue = world.stack.queue("CallbackRetryQueue").unwrap();
    queue.send(Message::new("nonsense")).unwrap();
    // The longest delay, and what a batch may take.
    queue.advance(Duration::from_mins(16));
    let lines = of_aws(&world);
    assert!(!is_reached("CallbackRetryAgeAlarm", &lines));
    assert!(!is_reached("CallbackAgeAlarm", &lines));

    queue.advance(Duration::from_mins(14));
    assert_reached("CallbackRetryAgeAlarm", &of_aws(&world));
    // Long before SQS deletes what waits.
    assert_eq!(queue.expired(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_queue_that_has_nearly_as_much_in_flight_as_it_may_is_an_alarm() {
    for (name, alarm) in [
        ("CallbackQueue", "CallbackInFlightAlarm"),
        ("CallbackRetryQueue", "CallbackRetryInFlightAlarm"),
    ] {
        let world = World::start().await;
        world.stack.disable_mappings();
        let queue = world.stack.queue(name).unwrap();
        let message = Message::new("nonsense");
        for _ in 0..99_999 {
            queue.send(message.clone()).unwrap();
        }
        assert_eq!(queue.receive_all(), 99_999);
        assert!(!is_reached(alarm, &of_aws(&world)));

        queue.send(message).unwrap();
        assert_eq!(queue.receive_all(), 1);
        let lines = of_aws(&world);
        match name {
            "CallbackQueue" => assert_reached("CallbackInFlightAlarm", &lines),
            _ => assert_reached("CallbackRetryInFlightAlarm", &lines),
        }
        world.finish().await;
    }
}

#[tokio::test]
async fn a_tick_that_does_not_come_or_cannot_read_what_waits_is_an_alarm() {
    let world = World::start().await;
    world.stack.tick(CALLBACK).await.unwrap();
    let ticked = lines(&world, CALLBACK);
    assert!(!is_reached("CallbackOverdueAlarm", &ticked));

    let denied = Failure::Error {
        status: 400,
        code: "AccessDeniedException".to_owned(),
    };
    let query = Calls::of("Query").table("CallbackWaitsTable");
    world.stack.store().fail(Fault::new(denied, query));
    world.stack.tick(CALLBACK).await.unwrap_err();
    // It says nothing, and to the alarm that is as bad as too much.
    assert_eq!(lines(&world, CALLBACK).len(), ticked.len());
    assert_reached("CallbackOverdueAlarm", &[]);
    world.finish().await;
}

#[tokio::test]
async fn a_message_that_always_fails_ages_until_it_has_been_received_three_times() {
    let world = World::start().await;
    let queue = world.stack.queue("CallbackQueue").unwrap();
    let function = world.stack.function(CALLBACK).unwrap();
    function.throttle(3);
    queue.send(Message::new("nonsense")).unwrap();
    let moment = Duration::from_secs(5);
    for received in 1..=3 {
        let measured = world.stack.measured();
        let is_enough = |all: &[Arc<Datapoint>]| {
            let refused = all.iter().filter(|one| one.metric == "Throttles");
            refused.count() == received
        };
        measured.wait_for(PATIENCE, is_enough).await.unwrap();
        // Just before it is shown again.
        let visibility = queue.spec.visibility_timeout;
        queue.advance(visibility.saturating_sub(moment));
        assert_eq!(queue.oldest_age().is_some(), received < 3);
        let is_reached = is_reached("CallbackAgeAlarm", &of_aws(&world));
        assert_eq!(is_reached, 2 <= received);
        queue.advance(moment);
    }
    world.finish().await;
}
