//! What of the template is there for callbacks: which events it queues, and that all of it can be left out.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use local_stack::aws::eventbridge::event::Event;
use local_stack::aws::sdk;
use local_stack::template::{Inputs, Template};
use serde_json::{Value, json};
use shared::event::bus::{DEFAULT_MAX_BYTES, EventBus};
use shared::event::entry::PutEventsEntry;
use tokio::time::Instant;

use crate::world::{PATIENCE, World};

/// The template as it is deployed with this `EnableCallbacks`.
fn template(enable_callbacks: &str) -> Template {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let parameter = ("EnableCallbacks".to_owned(), enable_callbacks.to_owned());
    let inputs = Inputs {
        stack_name: "local".to_owned(),
        parameters: [parameter].into(),
        ..Inputs::default()
    };
    Template::load(&path, &inputs).unwrap()
}

#[test]
fn without_callbacks_nothing_of_them_is_deployed_and_all_else_is() {
    let (with, without) = (template("true"), template("false"));
    let is_callback = |name: &&String| name.starts_with("Callback");
    let (callbacks, others): (Vec<_>, Vec<_>) = with.resources.keys().partition(is_callback);
    assert_eq!(callbacks.len(), 20);
    assert_eq!(others, without.resources.keys().collect::<Vec<_>>());

    assert_eq!(without.functions.len(), 2);
    for function in &without.functions {
        for (name, value) in &function.environment {
            assert!(!name.starts_with("CALLBACK_"), "{name}");
            assert!(!value.contains("Callback"), "{name}: {value}");
        }
        assert_eq!(function.mappings.len(), 0);
    }
    let targets = without.rules.iter().flat_map(|rule| &rule.targets);
    assert!(
        targets
            .into_iter()
            .all(|target| !target.arn.contains("Callback"))
    );
}

/// Puts an event on the bus as the functions do.
async fn publish(world: &World, source: &'static str, detail: &Value) -> Arc<Event> {
    let bus = world.stack.template().buses[0].name.clone();
    let config = sdk::config(&world.stack.bus().url()).unwrap();
    let bus = EventBus::new(&config, bus, DEFAULT_MAX_BYTES);
    let entry = PutEventsEntry::new(source, "lead.created", Timestamp::UNIX_EPOCH, detail);
    bus.publish_entries(&[entry], Instant::now() + PATIENCE)
        .await;
    let events = world.stack.bus().events().snapshot();
    events.last().unwrap().clone()
}

/// Replays all that was archived. Returns how many events that are.
fn replay(world: &World) -> usize {
    let ever = Timestamp::UNIX_EPOCH..Timestamp::MAX;
    world.stack.bus().replay("again", ever)
}

/// The `n` of the events that were queued, once the one with `last` is among them.
async fn queued(world: &World, last: &str) -> Vec<String> {
    let messages = world.stack.queue("CallbackQueue").unwrap().messages();
    let is_last = |body: &str| body.contains(&format!(r#""n":"{last}""#));
    let messages = messages
        .wait_for(PATIENCE, |messages| {
            messages.iter().any(|message| is_last(&message.body))
        })
        .await
        .unwrap();
    let name = |body: &str| {
        let event: Value = serde_json::from_str(body).unwrap();
        event["detail"]["n"].as_str().unwrap().to_owned()
    };
    messages.iter().map(|message| name(&message.body)).collect()
}

#[tokio::test]
async fn the_rule_queues_the_events_of_instances_with_a_callback_and_no_replays() {
    let world = World::start().await;
    world.stack.disable_mappings();
    let wanted = json!({"callback": true, "n": "wanted"});
    let wanted = publish(&world, "closeio", &wanted).await;
    publish(
        &world,
        "closeio",
        &json!({"callback": false, "n": "not called back"}),
    )
    .await;
    publish(
        &world,
        "closeio.poller",
        &json!({"callback": true, "n": "not a change"}),
    )
    .await;
    // The poller's own are not archived.
    assert_eq!(replay(&world), 2);
    publish(&world, "closeio", &json!({"callback": true, "n": "last"})).await;

    assert_eq!(queued(&world, "last").await, ["wanted", "last"]);
    let queue = world.stack.queue("CallbackQueue").unwrap();
    assert_eq!(queue.contents()[0].message.body, wanted.to_json().unwrap());
    world.stack.bus().events().clear();
    world.finish().await;
}

#[tokio::test]
async fn replays_are_queued_where_that_is_wanted() {
    let replays = |builder: local_stack::stack::builder::Builder| {
        builder.parameter("ReplayToCallbacks", "true")
    };
    let world = World::start_with(replays).await;
    world.stack.disable_mappings();
    publish(&world, "closeio", &json!({"callback": true, "n": "first"})).await;
    assert_eq!(replay(&world), 1);
    publish(&world, "closeio", &json!({"callback": true, "n": "last"})).await;

    let queued = queued(&world, "last").await;
    assert_eq!(queued.iter().filter(|name| *name == "first").count(), 2);
    world.stack.bus().events().clear();
    world.finish().await;
}
