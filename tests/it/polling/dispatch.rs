//! A request for a poll that gets lost is made again, and one that is not taken is not forgotten.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use local_stack::aws::eventbridge::entry::PutEventsEntry;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::json;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::store::instances::attributes::SHARDS;

use super::{polls_ended, requested};
use crate::world::{API_KEY, PATIENCE, World, ago};

/// The rule that brings requests to the function.
const RULE: &str = "PollRequestedRule";
/// How long an instance that was dispatched is left alone, in seconds.
const LEASE: i64 = 5 * 60;

/// When the instance is due.
pub(crate) async fn next_poll(world: &World, id: u64) -> Timestamp {
    let items = world.items("InstancesTable").await;
    let mut items = items.iter();
    let item = items.find(|item| item["id"].as_n().unwrap() == &id.to_string());
    let millis = item.unwrap()["nextPollAt"].as_n().unwrap();
    Timestamp::from_millisecond(millis.parse().unwrap()).unwrap()
}

/// What the passing of the dispatch lease does: the instance is due.
async fn expire_dispatch(world: &World, id: u64) {
    let store = world.stack.store();
    let update = store.client().update_item();
    let update = update.table_name(store.table("InstancesTable").unwrap());
    let update = update.key("id", AttributeValue::N(id.to_string()));
    let update = update.update_expression("SET nextPollAt = nextPollAt - :lease");
    let lease = AttributeValue::N((LEASE * 1_000).to_string());
    let update = update.expression_attribute_values(":lease", lease);
    update.send().await.unwrap();
}

/// The next request is put on the bus, and the tick that put it waits for the answer.
fn hold_request(world: &World) -> local_stack::control::hold::Hold {
    let requests = Calls::of("PutEvents").source("closeio.poller");
    world.stack.bus().hold(requests)
}

#[tokio::test]
async fn a_request_that_nobody_gets_is_made_again_in_five_minutes() {
    let world = World::start_with(|builder| builder.without_rule(RULE)).await;
    let id = world.polling(&["leads"]).await;

    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );
    let next = next_poll(&world, id).await;
    assert!(ago(0) < next && next <= ago(-LEASE), "{next}");
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );

    expire_dispatch(&world, id).await;
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );
    assert_eq!(requested(&world), [id, id]);
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_could_not_begin_is_asked_for_again_in_five_minutes() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    let held = hold_request(&world);
    let leases = Calls::of("UpdateItem").table("InstancesTable");
    let outage = Fault::new(Failure::Internal, leases).times(3);
    world.stack.store().fail(outage);
    let dropped = async {
        held.reached().await.unwrap();
        let letters = world.stack.queue("PollerDeadLetterQueue").unwrap();
        let messages = letters.messages();
        messages.wait_for_count(1, PATIENCE).await.unwrap();
        held.release();
    };
    let (ticked, ()) = tokio::join!(world.stack.tick("PollerFunction"), dropped);
    assert_eq!(ticked.unwrap(), json!({"dispatched": 1}));
    assert!(next_poll(&world, id).await <= ago(-LEASE));

    expire_dispatch(&world, id).await;
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );
    polls_ended(&world, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn an_instance_whose_poll_is_quicker_than_the_tick_is_not_put_off_by_it() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    let held = hold_request(&world);
    let polled = async {
        held.reached().await.unwrap();
        polls_ended(&world, 1).await;
        let next = next_poll(&world, id).await;
        held.release();
        next
    };
    let (ticked, next) = tokio::join!(world.stack.tick("PollerFunction"), polled);
    assert_eq!(ticked.unwrap(), json!({"dispatched": 1}));
    assert_eq!(next_poll(&world, id).await, next);
    world.finish().await;
}

/// More instances than a call asks for, all due, of one shard, so that one page holds them.
async fn eleven_due(world: &World) {
    for number in 1..=11 {
        let mut configuration = Configuration::default();
        configuration.set_default("username", API_KEY);
        let id = (number * SHARDS).try_into().unwrap();
        let instance = Instance::new(id, "Test", configuration, ago(60));
        let inserted = world.instance_table().insert(&instance, true).await;
        inserted.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_takes_long_holds_up_no_other() {
    let world = World::start_with(|builder| builder.without_rule(RULE)).await;
    eleven_due(&world).await;
    let held = hold_request(&world);
    let others = async {
        held.reached().await.unwrap();
        let events = world.stack.bus().events();
        events.wait_for_count(11, PATIENCE).await.unwrap();
        held.release();
    };

    let (ticked, ()) = tokio::join!(world.stack.tick("PollerFunction"), others);

    assert_eq!(ticked.unwrap(), json!({"dispatched": 11}));
    assert_eq!(requested(&world).len(), 11);
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );
    world.finish().await;
}

#[tokio::test]
async fn of_calls_that_are_under_way_at_once_one_that_fails_leaves_the_others_alone() {
    let world = World::start_with(|builder| builder.without_rule(RULE)).await;
    eleven_due(&world).await;
    let held = hold_request(&world);
    let denied = Failure::Error {
        status: 400,
        code: "AccessDeniedException".to_owned(),
    };
    let requests = Calls::of("PutEvents").source("closeio.poller");
    let second = Fault::new(denied, requests.after_first(1));
    world.stack.bus().fail(second);
    let failed = async {
        held.reached().await.unwrap();
        let calls = world.stack.bus().calls();
        calls.wait_for_count(2, PATIENCE).await.unwrap();
        held.release();
    };

    let (ticked, ()) = tokio::join!(world.stack.tick("PollerFunction"), failed);

    let asked = ticked.unwrap()["dispatched"].as_u64().unwrap();
    assert_eq!(requested(&world).len(), usize::try_from(asked).unwrap());
    assert!([1, 10].contains(&asked), "{asked}");
    let rest = world.stack.tick("PollerFunction").await.unwrap();
    assert_eq!(rest, json!({"dispatched": 11 - asked}));
    world.finish().await;
}

#[tokio::test]
async fn an_instance_whose_request_is_not_taken_stays_due_and_holds_up_no_other() {
    let world = World::start().await;
    let throttled = world.polling(&["leads"]).await;
    let due = next_poll(&world, throttled).await;
    let other = world.polling(&["contacts"]).await;
    let is_throttled = move |entry: &PutEventsEntry| {
        let detail = entry.detail.as_deref().unwrap_or_default();
        detail.contains(&throttled.to_string())
    };
    world
        .stack
        .bus()
        .refuse("ThrottlingException", is_throttled);

    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );
    polls_ended(&world, 1).await;
    assert_eq!(requested(&world), [other]);
    assert_eq!(next_poll(&world, throttled).await, due);

    world.stack.bus().accept_all();
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );
    polls_ended(&world, 2).await;
    assert_eq!(requested(&world), [other, throttled]);
    world.finish().await;
}
