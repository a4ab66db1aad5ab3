//! What the schedule's tick measures.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use local_stack::control::fault::{Calls, Failure, Fault};
use shared::instance::health::Health;
use shared::store::instances::attributes::SHARDS;
use shared::store::instances::lease::Lease;

use super::{assert_reached, is_reached};
use crate::functions::POLLER;
use crate::metric_lines::{last, lines};
use crate::world::{World, ago, end_at};

/// Makes an instance due since then.
async fn make_due(world: &World, id: u64, since: Timestamp) {
    let store = world.stack.store();
    let millis = since.as_millisecond().to_string();
    let update = store.client().update_item();
    let update = update
        .table_name(store.table("InstancesTable").unwrap())
        .key("id", AttributeValue::N(id.to_string()))
        .update_expression("SET nextPollAt = :since")
        .expression_attribute_values(":since", AttributeValue::N(millis));
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_tick_that_fails_is_no_heartbeat() {
    let world = World::start().await;
    world.stack.tick("PollerFunction").await.unwrap();
    assert!(!is_reached("HeartbeatAlarm", &lines(&world, POLLER)));

    let fault = Fault::new(Failure::Internal, Calls::of("Query")).times(3);
    world.stack.store().fail(fault);
    world.stack.tick("PollerFunction").await.unwrap_err();

    let lines = lines(&world, POLLER);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_reached("HeartbeatAlarm", &lines[1..]);
    world.finish().await;
}

#[tokio::test]
async fn a_tick_that_fails_measures_what_it_asked_for() {
    let world = World::start().await;
    let mut shards = HashSet::new();
    while shards.len() < 2 {
        let id = world.polling(&["leads"]).await;
        shards.insert(id % SHARDS);
        make_due(&world, id, ago(1_000)).await;
    }
    // The polls that begin query another table.
    let of_shards = Calls::of("Query").table("InstancesTable");
    let fault = Fault::new(Failure::Internal, of_shards.after_first(15));
    world.stack.store().fail(fault.times(3));

    world.stack.tick("PollerFunction").await.unwrap_err();

    let mut lines = lines(&world, POLLER);
    lines.retain(|line| line.value("Dispatched").is_some());
    assert_eq!(lines.len(), 1);
    assert!(1.0 <= lines[0].value("Dispatched").unwrap());
    assert_reached("DueBacklogAlarm", &lines);
    assert_eq!(lines[0].value("Heartbeat"), None);
    world.finish().await;
}

#[tokio::test]
async fn how_long_an_instance_has_waited_is_known_though_it_is_asked_for_again_and_again() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    // As long as this lease lasts, no poll of it begins.
    let lease = Lease {
        id: id.try_into().unwrap(),
        token: "of the tests".to_owned(),
    };
    let table = world.instance_table();
    table.acquire(&lease, ago(0), ago(-600)).await.unwrap();
    make_due(&world, id, ago(1_000)).await;

    world.stack.tick("PollerFunction").await.unwrap();
    let line = last(&world, POLLER);
    assert_reached("DueBacklogAlarm", [&line]);
    assert_eq!(line.value("Dispatched"), Some(1.0));

    // It is due again five minutes later.
    make_due(&world, id, ago(5)).await;
    world.stack.tick("PollerFunction").await.unwrap();
    let line = tick_line(&world);
    assert_reached("DueBacklogAlarm", [&line]);

    // A poll has ended.
    table
        .release(&lease, &end_at(ago(5), &Health::default()))
        .await
        .unwrap();
    world.stack.tick("PollerFunction").await.unwrap();
    let line = tick_line(&world);
    assert!(!is_reached("DueBacklogAlarm", [&line]), "{line:?}");
    assert!(line.value("DueBacklog").unwrap() < 60.0);
    world.finish().await;
}

/// The last line of a tick, whatever polls have written since.
fn tick_line(world: &World) -> super::Line {
    let mut lines = lines(world, POLLER);
    lines.retain(|line| line.value("Heartbeat").is_some());
    lines.pop().unwrap()
}
