//! What is seen of the functions from outside: each alarm's condition is reached by what they write, and only then.

use std::collections::BTreeSet;

use crate::functions::{POLLER, WEBHOOK};
use crate::metric_lines::{Line, lines};
use crate::world::World;

pub(crate) mod alarm;
mod documented;
mod of_aws;
mod polls;
mod streams;
mod ticks;
mod traces;
mod webhooks;

/// The tests that set alarms off.
const TESTS: [&str; 5] = [
    include_str!("metrics/of_aws.rs"),
    include_str!("metrics/polls.rs"),
    include_str!("metrics/streams.rs"),
    include_str!("metrics/ticks.rs"),
    include_str!("metrics/webhooks.rs"),
];

/// Whether a period with these lines is a bad one to an alarm.
pub(crate) fn is_reached<'a>(name: &str, lines: impl IntoIterator<Item = &'a Line>) -> bool {
    alarm::Alarm::of(name).is_reached_by(lines)
}

/// What a test demands of an alarm: that it is set off by these lines.
#[track_caller]
fn assert_reached<'a>(name: &str, lines: impl IntoIterator<Item = &'a Line>) {
    let lines: Vec<_> = lines.into_iter().collect();
    let is_reached = is_reached(name, lines.iter().copied());
    assert!(is_reached, "{name} by {lines:#?}");
}

/// The alarms of which a source demands that they are set off.
fn demanded(source: &'static str) -> impl Iterator<Item = &'static str> {
    let calls = source.split("assert_reached(").skip(1);
    calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next())
}

#[test]
fn each_alarm_of_the_template_is_set_off_by_a_test() {
    let tested: BTreeSet<_> = TESTS.into_iter().flat_map(demanded).collect();
    let names = alarm::names();
    assert_eq!(tested, names.iter().map(String::as_str).collect());
}

#[test]
fn an_alarm_is_about_whole_minutes_and_needs_no_more_than_it_looks_at() {
    for name in alarm::names() {
        let [period, evaluated, needed] = alarm::timing(&name);
        assert!(period % 60 == 0 && 0 < period, "{name}");
        assert!(0 < needed && needed <= evaluated, "{name}");
    }
}

#[tokio::test]
async fn lines_are_written_at_every_log_level_to_the_stacks_own_namespace() {
    let world = World::start_with(|builder| builder.parameter("LogLevel", "ERROR")).await;
    world.stack.tick("PollerFunction").await.unwrap();
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
        world.stack.tick("PollerFunction").await.unwrap();
        let lines = lines(&world, POLLER);
        let cold = lines.iter().filter_map(|line| line.value("ColdStart"));
        assert_eq!((lines.len(), cold.collect::<Vec<_>>()), (count, vec![1.0]));
    }
    world.finish().await;
}
