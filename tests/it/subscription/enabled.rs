//! `PUT` and `DELETE …/enabled`.

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::json;

use crate::owner::{Owner, deliver_signed, delivery};
use crate::world::{PATIENCE, World, ago, query, texts};

/// An instance that polls leads and is subscribed as well.
async fn both(world: &World) -> Owner<'_> {
    let more = json!({
        "event.vendor.type": "polling",
        "event.webhook.reconcile": false,
        "event.poller.start": "2026-01-01T00:00:00Z",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    Owner::subscribed(world, more).await
}

#[tokio::test]
async fn a_disabled_instance_takes_nothing_and_an_enabled_one_all() {
    let world = World::start().await;
    let owner = both(&world).await;
    let key = owner.key().await.unwrap();

    owner.enable(false).await;
    let webhook = owner.shown().await["webhook"].clone();
    assert_eq!(webhook["status"], "paused");
    assert_eq!(
        deliver_signed(&world, &owner.url, &key, delivery(1)).await,
        StatusCode::FORBIDDEN
    );
    world
        .organization
        .create_lead(json!({}), Change::at(ago(60)))
        .unwrap();
    world.close.wait_until_delivered(PATIENCE).await.unwrap();
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );
    assert_eq!(world.poll(owner.id).await["polled"], false);
    assert_eq!(world.events().len(), 0);
    assert!(world.close.deliveries().is_empty());

    owner.enable(true).await;
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    assert_eq!(
        deliver_signed(&world, &owner.url, &key, delivery(2)).await,
        StatusCode::OK
    );
    // At once, and what came meanwhile is not lost to a poll.
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 1})
    );
    let details = owner.events(2).await;
    assert_eq!(texts(&details, "channel"), ["webhook", "polling"]);
    world.finish().await;
}

#[tokio::test]
async fn a_running_poll_ends_at_its_next_commit() {
    let world = World::start().await;
    let leads = 250;
    world
        .organization
        .create_leads(leads, Change::at(ago(100)).quiet())
        .unwrap();
    let owner = both(&world).await;
    let mut page = world.close.hold(RequestMatch::to("/data/search/"));

    let (poll, ()) = tokio::join!(world.poll(owner.id), async {
        page.reached(PATIENCE).await.unwrap();
        owner.enable(false).await;
        page.release();
    });

    assert_eq!(poll["failed"], json!({"leads": "LeaseLost"}));
    let before = world.details();
    assert!(before.len() < leads, "{}", before.len());
    owner.enable(true).await;
    world.poll(owner.id).await;
    let mut objects = texts(&world.details(), "objectId");
    objects.sort_unstable();
    objects.dedup();
    assert_eq!(objects, world.organization.lead_ids());
    world.finish().await;
}

#[tokio::test]
async fn twice_is_once() {
    let world = World::start().await;
    let owner = both(&world).await;
    owner.enable(true).await;
    owner.enable(false).await;
    owner.enable(false).await;
    assert_eq!(owner.shown().await["webhook"]["status"], "paused");
    owner.enable(true).await;
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_made_anew() {
    let world = World::start().await;
    let owner = both(&world).await;
    for enabled in [true, false, true] {
        let id = owner.subscription_id().await.unwrap();
        world.organization.delete_webhook(&id).unwrap();
        owner.enable(enabled).await;
        world.keep_secret(&owner.key().await.unwrap());
        let status = if enabled { "active" } else { "paused" };
        assert_eq!(owner.shown().await["webhook"]["status"], status);
    }
    let lead = world.organization.create_lead(json!({}), Change::now());
    assert_eq!(owner.events(1).await[0]["objectId"], lead.unwrap());
    world.finish().await;
}

#[tokio::test]
async fn what_close_could_not_take_is_done_by_the_same_request() {
    let world = World::start().await;
    let owner = both(&world).await;
    let updates = || RequestMatch::to("/webhook/*").method("PUT");
    for (method, status) in [("DELETE", "paused"), ("PUT", "active")] {
        world.close.fail(updates(), CloseFault::status(503));
        let answer = owner.call(method, "/enabled", &json!({})).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let answer = owner.call(method, "/enabled", &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(owner.shown().await["webhook"]["status"], status);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_disabled_instance_that_is_changed_stays_quiet() {
    let world = World::start().await;
    let other_key = "api_2secretOfTheTests.other";
    world.keep_secret(other_key);
    let other = world.close.organization("Umbrella", other_key);
    let owner = both(&world).await;
    owner.enable(false).await;

    owner.configure(json!({"username": other_key})).await;
    world.keep_secret(&owner.key().await.unwrap());
    assert_eq!(owner.shown().await["webhook"]["status"], "paused");
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );

    owner.enable(true).await;
    let lead = other.create_lead(json!({}), Change::now()).unwrap();
    assert_eq!(owner.events(1).await[0]["objectId"], lead);
    world.finish().await;
}
