//! Opportunities and tasks, which Close lists by the date of their last change.

use std::collections::BTreeSet;

use local_stack::close::data::change::Change;
use local_stack::close::faults::request_match::RequestMatch;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, ago, query, texts};

fn set(ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    ids.into_iter().collect()
}

fn lead(world: &World) -> String {
    let change = Change::at(ago(90_000)).quiet();
    world.organization.create_lead(json!({}), change).unwrap()
}

#[tokio::test]
async fn opportunities_are_read_in_order_ties_and_all() {
    let world = World::start().await;
    let lead = lead(&world);
    let create = |count, seconds| {
        let change = Change::at(ago(seconds)).quiet();
        world
            .organization
            .create_opportunities(&lead, count, change)
            .unwrap()
    };
    let mut expected = create(30, 900);
    expected.extend(create(250, 800));
    for second in 0..150 {
        expected.extend(create(1, 700 - second));
    }
    let id = world.polling(&["opportunities"]).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(430), &json!({}))
    );
    let details = world.details();
    assert_eq!(set(texts(&details, "objectId")), set(expected));
    assert!(texts(&details, "date").is_sorted());
    assert_eq!(details[0]["objectType"], "opportunity");
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn opportunities_edited_at_one_moment_are_told_apart_by_their_creation() {
    let world = World::start().await;
    let lead = lead(&world);
    let mut ids = Vec::new();
    for second in 0..260 {
        let change = Change::at(ago(5_000 - second)).quiet();
        ids.extend(
            world
                .organization
                .create_opportunities(&lead, 1, change)
                .unwrap(),
        );
    }
    let change = Change::at(ago(1_000)).quiet();
    world
        .organization
        .edit_opportunities(&ids, &json!({"note": "Won"}), change)
        .unwrap();
    let id = world.polling(&["opportunities"]).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(260), &json!({}))
    );
    assert_eq!(set(texts(&world.details(), "objectId")), set(ids.clone()));
    world.finish().await;
}

#[tokio::test]
async fn tasks_of_every_kind_are_read_in_windows() {
    let world = World::start().await;
    let lead = lead(&world);
    let mut expected = BTreeSet::new();
    for second in 0..330 {
        let kind =
            ["lead", "email_followup", "opportunity_due"][usize::try_from(second % 3).unwrap()];
        let change = Change::at(ago(40_000 - 100 * second)).quiet();
        let fields = json!({"text": "Call"});
        expected.insert(
            world
                .organization
                .create_task(&lead, kind, fields, change)
                .unwrap(),
        );
    }
    let id = world.polling(&["tasks"]).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(330), &json!({}))
    );
    let details = world.details();
    assert_eq!(set(texts(&details, "objectId")), expected);
    assert!(texts(&details, "date").is_sorted());
    let types = set(texts(&details, "objectType"));
    assert_eq!(
        types,
        set(["task.email_followup", "task.lead", "task.opportunity_due"].map(str::to_owned))
    );
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn more_tasks_of_one_moment_than_a_page_are_read_by_offset() {
    let world = World::start().await;
    let lead = lead(&world);
    let change = Change::at(ago(5_000)).quiet();
    let ids = world
        .organization
        .create_tasks(&lead, "lead", 230, change)
        .unwrap();
    let id = world.polling(&["tasks"]).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(230), &json!({}))
    );
    assert_eq!(set(texts(&world.details(), "objectId")), set(ids));
    world.finish().await;
}

#[tokio::test]
async fn tasks_edited_while_they_are_read_are_not_lost() {
    let world = World::start().await;
    let lead = lead(&world);
    let mut ids = Vec::new();
    for second in 0..250 {
        let change = Change::at(ago(4_000 - 10 * second)).quiet();
        ids.push(
            world
                .organization
                .create_task(&lead, "lead", json!({"text": "Call"}), change)
                .unwrap(),
        );
    }
    let id = world.polling(&["tasks"]).await;
    let mut third_window = world.close.hold(RequestMatch::to("/task/").after(2));
    let (_, dates) = tokio::join!(world.poll(id), async {
        third_window.reached(PATIENCE).await.unwrap();
        let edit = |index: usize| {
            let change = Change::now().quiet();
            let date = world
                .organization
                .edit_task(&ids[index], json!({"text": "Mail"}), change);
            (ids[index].clone(), format!("{:.3}", date.unwrap()))
        };
        let dates: Vec<_> = [0, 60, 120, 180, 249].map(edit).into();
        third_window.release();
        dates
    });
    let published = || {
        let details = world.details();
        std::iter::zip(texts(&details, "objectId"), texts(&details, "date")).collect::<Vec<_>>()
    };
    let poll = async {
        while !dates.iter().all(|edit| published().contains(edit)) {
            world.poll(id).await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.unwrap();
    let published: BTreeSet<_> = published().into_iter().map(|(id, _)| id).collect();
    assert_eq!(published, set(ids.clone()));
    world.finish().await;
}

#[tokio::test]
async fn an_idle_poll_of_every_resource_is_one_request_each() {
    let world = World::start().await;
    let configuration: Value = [
        "leads",
        "contacts",
        "opportunities",
        "tasks",
        "activities",
        "events",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), json!({"url": query(name)})))
    .collect::<serde_json::Map<_, _>>()
    .into();
    let id = world
        .polling_since(&ago(60).to_string(), configuration)
        .await;
    world.poll(id).await;
    world.forget_calls();

    let summary = world.poll(id).await;

    // Activities and events share one walk through the event log.
    assert_eq!(summary["requests"], 5);
    assert_eq!(world.stack.bus().calls().snapshot().len(), 0);
    let calls = world.stack.store().calls().snapshot();
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["UpdateItem", "Query", "UpdateItem"]);
    world.finish().await;
}
