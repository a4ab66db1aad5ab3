//! `event.poller.urls`: instances from before `event.poller.configuration`.

use local_stack::close::data::change::Change;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{body_with, create, refusal};
use crate::owner::Owner;
use crate::world::{World, ago, query, texts};

/// A polling configuration with these members.
fn polling(members: &Value) -> Value {
    let mut configuration = json!({
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "polling",
    });
    for (key, value) in members.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

#[tokio::test]
async fn an_instance_with_lines_polls_what_they_say() {
    let world = World::start().await;
    let lead = json!({"contacts": [{"name": "Ann"}]});
    let before = Change::at(ago(60)).quiet();
    world.organization.create_lead(lead, before).unwrap();
    let lines = "contacts\naccounts|/hubs/crm/accounts?where=date_updated>=${date}||date_updated|yyyy-MM-dd'T'HH:mm:ssXXX";
    let start = "2026-01-01T00:00:00Z";
    let members = json!({"event.poller.urls": lines, "event.poller.start": start});
    let owner = Owner::of(&world, polling(&members)).await;
    let shown = owner.shown().await;
    assert_eq!(shown["configuration"]["event.poller.urls"], lines);

    world.poll(owner.id).await;

    let mut types = texts(&world.details(), "objectType");
    types.sort();
    assert_eq!(types, ["contact", "lead"]);
    let backfill = json!({"resource": "tasks", "from": start});
    let refused = owner.call("POST", "/backfill", &backfill).await;
    insta::assert_snapshot!(refusal(&refused), @r"
    400
    resource: expected one of contacts, accounts
    ");
    world.finish().await;
}

#[tokio::test]
async fn lines_are_not_read_beside_the_configuration_that_they_became() {
    let world = World::start().await;
    let both = polling(&json!({
        "event.poller.urls": "incidents",
        "event.poller.configuration": {"contacts": {"url": query("contacts")}},
    }));
    let owner = Owner::of(&world, both).await;

    let body = json!({"configuration": {"event.poller.configuration": null}});
    let refused = owner.call("PATCH", "", &body).await;
    insta::assert_snapshot!(refusal(&refused), @r"
    400
    configuration.event.poller.urls: line 1, resource: expected one of accounts, leads, contacts, opportunities, tasks, activities, events as the resource, but found `incidents`
    ");
    world.finish().await;
}

#[tokio::test]
async fn lines_that_are_wrong_are_named_by_number() {
    let world = World::start().await;
    let lines =
        "contacts|/hubs/crm/contacts|//contact\nleads|/hubs/crm/leads||modified|yyyy-MM-dd'T";
    let body = body_with(&polling(&json!({"event.poller.urls": lines})));
    let answer = create(&world, body).await;
    insta::assert_snapshot!(refusal(&answer), @r"
    400
    configuration.event.poller.urls: line 1, xPathFilter: expected nothing: put a condition into the url, as in /hubs/crm/contacts?where=title='CEO'
    configuration.event.poller.urls: line 2, updatedDateFormat: the single quote at position 11 is never closed
    ");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    world.finish().await;
}

#[tokio::test]
async fn whoever_wants_no_raw_is_refused() {
    let world = World::start().await;
    let refused = create(&world, body_with(&json!({"event.raw.enabled": "false"}))).await;
    insta::assert_snapshot!(refusal(&refused), @r"
    400
    configuration.event.raw.enabled: expected true: events hold what Close sent; a rule's input transformer can leave it out
    ");
    let answer = create(&world, body_with(&json!({"event.raw.enabled": true}))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    world.finish().await;
}
