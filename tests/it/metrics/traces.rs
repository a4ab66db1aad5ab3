//! One trace from what invoked a function to what its events lead to.

use std::collections::BTreeSet;

use local_stack::close::data::change::Change;

use crate::world::{PATIENCE, World, ago};

/// The traces of the events of one source.
fn traces(world: &World, source: &str) -> BTreeSet<String> {
    let events = world.stack.bus().events().snapshot();
    let ours = events.iter().filter(|event| event.source == source);
    ours.map(|event| event.trace.clone().unwrap()).collect()
}

#[tokio::test]
async fn what_a_poll_publishes_bears_the_trace_of_the_tick_that_asked_for_it() {
    let world = World::start().await;
    let change = Change::at(ago(100)).quiet();
    world.organization.create_leads(3, change).unwrap();
    world.polling(&["leads"]).await;

    world.stack.tick("PollerFunction").await.unwrap();

    let events = world.stack.bus().events();
    events.wait_for_count(4, PATIENCE).await.unwrap();
    let tick = traces(&world, "closeio.poller");
    assert!(tick.first().unwrap().starts_with("Root=1-"), "{tick:?}");
    assert_eq!(tick.len(), 1);
    assert_eq!(traces(&world, "closeio"), tick);
    world.finish().await;
}

#[tokio::test]
async fn each_webhook_has_a_trace_of_its_own() {
    let world = World::start().await;
    let url = world.known_instance(20_931, None).await;
    for number in 0..3 {
        let body =
            format!(r#"{{"model":"lead","event":"delete","data":{{"id":"lead_{number}"}}}}"#);
        world.deliver(&url, &[], body).await;
    }
    let traces = traces(&world, "closeio");
    assert_eq!(traces.len(), 3, "{traces:?}");
    assert!(traces.iter().all(|trace| trace.starts_with("Root=1-")));
    world.finish().await;
}
