//! What is seen of the functions from outside: each alarm's condition is reached by what they write, and only then.

use std::collections::BTreeSet;

use local_stack::fault::{Calls, Failure, Fault};
use local_stack::sdk;
use serde_json::json;
use shared::event::Entry;
use shared::event_bus::EventBus;

use crate::world::{PATIENCE, World, ago};

mod alarm;
mod documented;
mod line;
mod polls;
mod ticks;
mod traces;
mod webhooks;

use line::{Line, last, lines};

const POLLER: &str = "PollerFunction";
const WEBHOOK: &str = "WebhookFunction";

/// The alarms that the tests below set off.
const TESTED: [&str; 10] = [
    "DueBacklogAlarm",
    "HeartbeatAlarm",
    "InstancesRefusedAlarm",
    "InstancesSuspendedAlarm",
    "PollLagAlarm",
    "PollerPublishFailuresAlarm",
    "PollerUnpublishableAlarm",
    "WebhookPublishFailuresAlarm",
    "WebhookUnpublishableAlarm",
    "WebhooksRejectedAlarm",
];

fn is_reached<'a>(name: &str, lines: impl IntoIterator<Item = &'a Line>) -> bool {
    assert!(TESTED.contains(&name), "{name}");
    alarm::Alarm::of(name).is_reached_by(lines)
}

#[test]
fn each_alarm_on_what_the_functions_measure_is_tested() {
    let tested: BTreeSet<_> = TESTED.map(str::to_owned).into();
    assert_eq!(alarm::names(), tested);
}

#[tokio::test]
async fn lines_are_written_at_every_log_level_to_the_stacks_own_namespace() {
    let world = World::start_with(|builder| builder.parameter("LogLevel", "ERROR")).await;
    world.stack.tick().await.unwrap();
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;

    let of_poller = lines(&world, POLLER);
    assert_eq!(of_poller.len(), 2, "{of_poller:?}");
    assert_eq!(of_poller[1].instance, Some(id));
    // The request that made the instance measures nothing but that its process is new.
    let of_webhook = lines(&world, WEBHOOK);
    assert_eq!(of_webhook.len(), 1, "{of_webhook:?}");
    for (line, dimensions) in [
        (&of_poller[0], ["poller-fn", "polling"]),
        (&of_poller[1], ["poller-fn", "polling"]),
        (&of_webhook[0], ["webhook-fn", "webhook"]),
    ] {
        assert_eq!(line.namespace, "closeio-events/local");
        let names = line.dimensions.keys();
        assert_eq!(names.collect::<Vec<_>>(), ["Channel", "Service"]);
        let values: Vec<_> = line.dimensions.values().rev().collect();
        assert_eq!(values, dimensions);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_process_is_counted_as_cold_once() {
    let world = World::start().await;
    for count in 1..=3 {
        world.stack.tick().await.unwrap();
        let lines = lines(&world, POLLER);
        let cold = lines.iter().filter_map(|line| line.value("ColdStart"));
        assert_eq!((lines.len(), cold.collect::<Vec<_>>()), (count, vec![1.0]));
    }
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_cannot_begin_is_measured_and_its_request_is_kept() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    // As often as the SDK tries.
    let fault = Fault::new(Failure::Internal, Calls::of("UpdateItem")).times(3);
    world.stack.store().fail(fault);
    let bus = EventBus::new(
        &sdk::config(&world.stack.bus().url()).unwrap(),
        "local".to_owned(),
        usize::MAX,
    );
    let detail = json!({"instanceId": id});
    let request = Entry::new("closeio.poller", "poll.requested", ago(0), &detail);
    let soon = tokio::time::Instant::now() + PATIENCE;
    assert_eq!(bus.publish_entries(&[request], soon).await, [0]);

    let queue = world.stack.queue("PollerDeadLetterQueue").unwrap();
    queue.messages().wait_for_count(1, PATIENCE).await.unwrap();
    assert_eq!(last(&world, POLLER).value("PollFailures"), Some(1.0));
    world.finish().await;
}
