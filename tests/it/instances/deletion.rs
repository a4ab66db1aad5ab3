//! What is left of an instance that is removed: nothing, whatever runs meanwhile.

use local_stack::close::data::change::Change;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::json;
use shared::instance::id::InstanceId;

use crate::world::{PATIENCE, World, ago, texts};

async fn delete(world: &World, id: u64) -> StatusCode {
    let path = format!("/instances/{id}");
    world.call("DELETE", &path, None, "").await.status
}

async fn deliver(world: &World, id: u64) -> StatusCode {
    let url = world.webhook_url(&InstanceId::try_from(id).unwrap().to_base64());
    let body =
        json!({"event": {"object_type": "lead", "object_id": "lead_1", "action": "updated"}});
    world.deliver(&url, &[], body.to_string()).await.status
}

#[tokio::test]
async fn an_instance_goes_with_all_that_is_known_of_it() {
    let world = World::start().await;
    world
        .organization
        .create_leads(150, Change::at(ago(60)).quiet())
        .unwrap();
    let id = world.polling(&["leads", "contacts"]).await;
    let other = world.polling(&["leads"]).await;
    world.poll(id).await;
    world.poll(other).await;
    assert_eq!(deliver(&world, id).await, StatusCode::OK);
    let resources = |items: &[crate::world::Item], id: u64| {
        let own = items
            .iter()
            .filter(|item| item["instanceId"].as_n().unwrap() == &id.to_string());
        own.map(|item| item["resource"].as_s().unwrap().clone())
            .collect::<Vec<_>>()
    };
    let before = world.items("WatermarksTable").await;
    let stored = resources(&before, id);
    assert!(
        stored.iter().any(|resource| resource == "leads"),
        "{stored:?}"
    );
    assert!(
        stored
            .iter()
            .any(|resource| resource.starts_with("leads#seen#")),
        "{stored:?}"
    );

    assert_eq!(delete(&world, id).await, StatusCode::OK);

    let after = world.items("WatermarksTable").await;
    assert_eq!(resources(&after, id), Vec::<String>::new());
    assert_eq!(resources(&after, other), resources(&before, other));
    let left = world.items("InstancesTable").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"].as_n().unwrap(), &other.to_string());
    let path = format!("/instances/{id}");
    assert_eq!(
        world.call("GET", &path, None, "").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(delete(&world, id).await, StatusCode::NOT_FOUND);
    assert_eq!(deliver(&world, id).await, StatusCode::NOT_FOUND);
    assert_eq!(world.poll(id).await["polled"], false);
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_runs_meanwhile_goes_no_further_and_stores_nothing() {
    let world = World::start().await;
    for second in 0..250 {
        let dated = Change::at(ago(600 - second)).quiet();
        world.organization.create_leads(1, dated).unwrap();
    }
    let id = world.polling(&["leads", "contacts"]).await;
    // Each resource in its turn: a page of leads, the contacts, the leads' second page.
    let mut second_page = world.close.hold(RequestMatch::to("/data/search/").after(2));

    let (summary, deleted) = tokio::join!(world.poll(id), async {
        second_page.reached(PATIENCE).await.unwrap();
        let deleted = delete(&world, id).await;
        second_page.release();
        deleted
    });

    assert_eq!(deleted, StatusCode::OK);
    assert_eq!(summary["failed"], json!({"leads": "LeaseLost"}));
    assert_eq!(world.close.count(&RequestMatch::to("/data/search/")), 3);
    assert_eq!(world.items("WatermarksTable").await.len(), 0);
    assert_eq!(world.items("InstancesTable").await.len(), 0);
    // The page that was on its way when the instance went, and no other.
    assert_eq!(texts(&world.details(), "objectId").len(), 200);
    world.finish().await;
}

#[tokio::test]
async fn a_removal_that_breaks_off_is_ended_by_the_same_request() {
    let world = World::start().await;
    world
        .organization
        .create_leads(3, Change::at(ago(60)).quiet())
        .unwrap();
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    let calls = Calls::of("BatchWriteItem").table("WatermarksTable");
    world
        .stack
        .store()
        .fail(Fault::new(Failure::Internal, calls).times(3));

    assert_eq!(delete(&world, id).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(deliver(&world, id).await, StatusCode::NOT_FOUND);
    assert_eq!(world.poll(id).await["polled"], false);

    assert_eq!(delete(&world, id).await, StatusCode::OK);
    assert_eq!(world.items("WatermarksTable").await.len(), 0);
    assert_eq!(world.items("InstancesTable").await.len(), 0);
    world.finish().await;
}
