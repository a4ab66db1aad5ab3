//! What Close refuses for good, and what passes.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::{Value, json};
use shared::instance::health::Health;
use shared::store::instances::lease::Lease;

use super::expire_lease;
use crate::world::{API_KEY, PATIENCE, World, ago, end_at, query, texts};

async fn instance(world: &World, id: u64) -> Value {
    world
        .call("GET", &format!("/instances/{id}"), None, "")
        .await
        .body
}

/// How far away the next poll is.
async fn wait(world: &World, id: u64) -> SignedDuration {
    let items = world.items("InstancesTable").await;
    let item = items
        .iter()
        .find(|item| item["id"].as_n().unwrap() == &id.to_string());
    let millis = item.unwrap()["nextPollAt"].as_n().unwrap().parse().unwrap();
    Timestamp::from_millisecond(millis)
        .unwrap()
        .duration_since(ago(0))
}

/// Makes it look as if Close had refused so many polls.
pub(crate) async fn refuse(world: &World, id: u64, refusals: u32) {
    let table = world.instance_table();
    let lease = Lease {
        id: id.try_into().unwrap(),
        token: "of the tests".to_owned(),
    };
    table.acquire(&lease, ago(0), ago(-60)).await.unwrap();
    let health = Health {
        refusals,
        reason: Some("leads: Unauthorized".to_owned()),
        ..Health::default()
    };
    table
        .release(&lease, &end_at(ago(0), &health))
        .await
        .unwrap();
}

/// What the owner does about a refused key.
async fn replace_key(world: &World, id: u64) {
    let key = "api_new_secret_of_the_tests";
    world.keep_secret(key);
    world.organization.add_key(key);
    let change = json!({"configuration": {"username": key}});
    let path = format!("/instances/{id}");
    let answer = world.call("PATCH", &path, None, change.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

/// An instance that polls one lead, whose next poll is the hundredth that Close refuses.
async fn nearly_suspended(world: &World) -> u64 {
    let lead = Change::at(ago(100)).quiet();
    world.organization.create_leads(1, lead).unwrap();
    let id = world.polling(&["leads"]).await;
    world.organization.revoke_key(API_KEY);
    refuse(world, id, 99).await;
    id
}

#[tokio::test]
async fn a_refused_key_is_shown_and_polled_ever_less_often_until_it_is_replaced() {
    let world = World::start().await;
    let id = world.polling(&["leads", "contacts"]).await;
    world.organization.revoke_key(API_KEY);

    let summary = world.poll(id).await;

    assert_eq!(
        summary["failed"],
        json!({"leads": "Unauthorized", "contacts": "Unauthorized"})
    );
    assert_eq!(instance(&world, id).await["valid"], false);
    let first = wait(&world, id).await;
    assert!(first.as_mins().abs_diff(30) <= 1, "{first}");
    world.poll(id).await;
    let second = wait(&world, id).await;
    assert!(second.as_mins().abs_diff(60) <= 1, "{second}");

    replace_key(&world, id).await;
    assert!(wait(&world, id).await <= SignedDuration::ZERO);
    world.poll(id).await;
    assert_eq!(instance(&world, id).await["valid"], true);
    world.finish().await;
}

#[tokio::test]
async fn a_hundred_refusals_suspend_and_a_probe_resumes() {
    let world = World::start().await;
    let id = nearly_suspended(&world).await;

    world.poll(id).await;

    let said = world.notices_of("instance.suspended");
    assert_eq!(said.len(), 1);
    assert_eq!(
        (&said[0]["instanceId"], &said[0]["refusals"]),
        (&json!(id), &json!(100))
    );
    // From here on only the probe asks, and says nothing new.
    let searches = world.close.count(&RequestMatch::to("/data/search/"));
    let confirmed = world.close.count(&RequestMatch::to("/me/"));
    assert_eq!(world.poll(id).await["polled"], false);
    assert_eq!(
        world.close.count(&RequestMatch::to("/data/search/")),
        searches
    );
    // A 401 of the probe is confirmed, too.
    let probed = world.close.count(&RequestMatch::to("/me/")) - confirmed;
    assert_eq!((confirmed, probed), (1, 2));
    assert!(wait(&world, id).await.as_mins().abs_diff(360) <= 1);
    assert_eq!(world.notices_of("instance.suspended").len(), 1);

    world.organization.add_key(API_KEY);
    assert_eq!(world.poll(id).await["published"], 1);
    assert_eq!(instance(&world, id).await["valid"], true);
    world.finish().await;
}

#[tokio::test]
async fn a_401_that_me_does_not_confirm_is_no_refusal() {
    let world = World::start().await;
    let id = nearly_suspended(&world).await;
    world.organization.add_key(API_KEY);
    let search = RequestMatch::to("/data/search/");
    let one_401 = |times| {
        let matching = search.clone().times(times);
        world.close.fail(matching, CloseFault::unauthorized());
    };

    one_401(4);
    let summary = world.poll(id).await;
    assert_eq!(summary["failed"], json!({"leads": "CloseUnavailable"}));
    assert_eq!(world.notices_of("instance.suspended"), [] as [Value; 0]);
    assert_eq!(instance(&world, id).await["polling"]["refusals"], 99);
    assert!(wait(&world, id).await.as_mins() <= 15);

    // One is tried again by the same poll.
    one_401(1);
    let summary = world.poll(id).await;
    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(1), &json!({}))
    );

    // Nor is a 401 whose confirmation fails, or of the probe alone.
    refuse(&world, id, 100).await;
    world
        .close
        .fail(RequestMatch::to("/me/"), CloseFault::unauthorized());
    world
        .close
        .fail(RequestMatch::to("/me/"), CloseFault::status(502));
    let summary = world.poll(id).await;
    assert_eq!(summary["failed"], json!({"instance": "CloseUnavailable"}));
    world.finish().await;
}

#[tokio::test]
async fn a_key_replaced_during_the_hundredth_refusal_suspends_nobody() {
    let world = World::start().await;
    let id = nearly_suspended(&world).await;
    let mut held = world.close.hold(RequestMatch::to("/*"));

    let (summary, ()) = tokio::join!(world.poll(id), async {
        held.reached(PATIENCE).await.unwrap();
        replace_key(&world, id).await;
        held.release();
    });

    assert_eq!(summary["failed"], json!({"leads": "Unauthorized"}));
    assert_eq!(summary["suspended"], false);
    assert!(wait(&world, id).await <= SignedDuration::ZERO);
    assert_eq!(world.poll(id).await["published"], 1);
    assert_eq!(instance(&world, id).await["valid"], true);
    assert_eq!(world.notices_of("instance.suspended"), [] as [Value; 0]);
    world.finish().await;
}

#[tokio::test]
async fn a_suspension_that_the_bus_did_not_take_is_said_by_the_next_poll() {
    let world = World::start().await;
    let id = nearly_suspended(&world).await;
    let notice = || Calls::of("PutEvents").source("closeio.poller");
    let denied = || Failure::Error {
        status: 400,
        code: "AccessDeniedException".to_owned(),
    };
    world
        .stack
        .bus()
        .fail(Fault::new(denied(), notice()).times(2));

    for _ in 0..2 {
        let summary = world.poll(id).await;
        assert_eq!(summary["failed"]["instance"], "PublishFailed");
        assert_eq!(summary["suspended"], true);
        assert_eq!(instance(&world, id).await["polling"]["suspended"], true);
        assert!(wait(&world, id).await.as_mins() <= 15);
    }
    // Not even the key that works again keeps it from being said.
    world.organization.add_key(API_KEY);
    assert_eq!(world.poll(id).await["published"], 1);
    world.poll(id).await;

    let said = world.notices_of("instance.suspended");
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["refusals"], 100);
    world.finish().await;
}

#[tokio::test]
async fn a_suspension_is_said_by_the_next_poll_where_the_function_dies_between_storing_and_saying()
{
    let world = World::start().await;
    let id = nearly_suspended(&world).await;
    // The first takes the lease.
    let suspends = Calls::of("UpdateItem").table("InstancesTable");
    let held = world.stack.store().hold(suspends.after_first(1));
    let function = world.stack.function("PollerFunction").unwrap();
    let (died, ()) = tokio::join!(world.try_poll(id), async {
        held.reached().await.unwrap();
        function.kill().await;
        held.release();
    });
    died.unwrap_err();
    assert_eq!(world.notices_of("instance.suspended"), [] as [Value; 0]);
    assert_eq!(instance(&world, id).await["polling"]["suspended"], true);

    expire_lease(&world, id).await;
    for _ in 0..2 {
        assert_eq!(world.poll(id).await["polled"], false);
        assert_eq!(world.notices_of("instance.suspended").len(), 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_outage_suspends_nobody_and_is_over_within_a_quarter_of_an_hour() {
    let world = World::start().await;
    world
        .organization
        .create_leads(1, Change::at(ago(100)).quiet())
        .unwrap();
    let configuration = json!({
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": 600,
        "event.poller.start": ago(1_000),
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    let id = world.provision(configuration).await.body["id"]
        .as_u64()
        .unwrap();
    refuse(&world, id, 99).await;
    world.close.fail(
        RequestMatch::to("/data/search/").times(4),
        CloseFault::status(503),
    );

    assert_eq!(
        world.poll(id).await["failed"],
        json!({"leads": "CloseUnavailable"})
    );

    assert!(wait(&world, id).await.as_mins() <= 15);
    assert_eq!(world.notices_of("instance.suspended").len(), 0);
    world.close.clear_faults();
    assert_eq!(world.poll(id).await["published"], 1);
    assert_eq!(texts(&world.details(), "objectType"), ["lead"]);
    world.finish().await;
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_waited_for_before_close_has_to_say_so() {
    let world = World::start().await;
    for second in 0..250 {
        let change = Change::at(ago(1_000 - second)).quiet();
        world.organization.create_leads(1, change).unwrap();
    }
    let id = world.polling(&["leads"]).await;
    let limit = local_stack::close::settings::RateLimit {
        limit: 1,
        window: std::time::Duration::from_millis(200),
        body: local_stack::close::settings::ThrottleBody::Empty,
    };
    world.close.set_rate_limit(Some(limit));

    let summary = world.poll(id).await;

    assert_eq!(summary["published"], 250);
    let throttled = world
        .close
        .requests()
        .iter()
        .filter(|request| request.status == Some(429))
        .count();
    assert_eq!(throttled, 0);
    world.finish().await;
}
