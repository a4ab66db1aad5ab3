//! The calls that docs/cost.md reckons with.

use std::collections::BTreeMap;

use local_stack::close::data::change::Change;
use local_stack::close::faults::request_match::RequestMatch;
use serde_json::json;

use crate::owner::Owner;
use crate::world::{World, ago};

const COST: &str = include_str!("../../docs/cost.md");

/// The calls that the document says something takes.
pub(crate) fn documented(what: &str) -> &'static str {
    let row = |line: &'static str| {
        line.strip_prefix(&format!("| {what} | "))?
            .strip_suffix(" |")
    };
    let mut rows = COST.lines().filter_map(row);
    rows.next().unwrap()
}

/// The calls since the world last forgot them, written as in the document, and how many requests of polls Close got.
pub(crate) fn counted(world: &World, requests: usize) -> String {
    let store = world.stack.store().calls().snapshot();
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in store {
        *calls.entry(format!("`{}`", call.operation)).or_default() += 1;
    }
    let puts = world.stack.bus().calls().snapshot().len();
    let others = [("`PutEvents`", puts), ("request to Close", requests)];
    let others = others.map(|(name, count)| (name.to_owned(), count));
    let all = calls.into_iter().chain(others);
    let all = all.filter(|(_, count)| 0 < *count);
    let texts = all.map(|(name, count)| match count {
        1 => name,
        _ => format!("{count} {name}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_webhook() {
    let world = World::start().await;
    let url = world.known_instance(20_931, None).await;
    let body = |id| format!(r#"{{"model":"lead","event":"update","data":{{"id":"lead_{id}"}}}}"#);
    world.deliver(&url, &[], body(1)).await;
    world.forget_calls();
    world.deliver(&url, &[], body(2)).await;
    assert_eq!(counted(&world, 0), documented("a webhook"));
    world.forget_calls();
    world.deliver(&url, &[], body(2)).await;
    assert_eq!(counted(&world, 0), documented("the same webhook again"));
    world.finish().await;
}

#[tokio::test]
async fn a_poll() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    for (what, changed) in [
        ("a poll that finds nothing new", 0),
        ("a poll that finds 90 changed leads", 90),
    ] {
        let change = Change::at(ago(10)).quiet();
        world.organization.create_leads(changed, change).unwrap();
        let asked = world.close.count(&RequestMatch::to("/*"));
        world.forget_calls();
        assert_eq!(world.poll(id).await["published"], json!(changed));
        let requests = world.close.count(&RequestMatch::to("/*")) - asked;
        assert_eq!(counted(&world, requests), documented(what));
    }
    world.finish().await;
}

#[tokio::test]
async fn a_tick() {
    let world = World::start_with(|builder| builder.without_rule("PollRequestedRule")).await;
    for what in [
        "a tick that finds nothing due",
        "a tick that finds one instance due",
    ] {
        world.forget_calls();
        world.stack.tick("PollerFunction").await.unwrap();
        assert_eq!(counted(&world, 0), documented(what));
        world.polling(&["leads"]).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_reconciliation() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({"event.webhook.settle": 0})).await;
    world.poll(owner.id).await;
    world.forget_calls();
    let before = world.close.requests().len();
    world.poll(owner.id).await;
    let requests = world.close.requests().len() - before;
    let found = format!("{}, {requests} requests to Close", counted(&world, 0));
    assert_eq!(found, documented("a reconciliation that finds nothing"));
    world.finish().await;
}
