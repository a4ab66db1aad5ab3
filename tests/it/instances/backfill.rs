//! `POST /instances/{id}/backfill`: what is taken, what is shown, and what the poller finds.

use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::health::Health;
use shared::instance::{Instance, Phase};

use super::poller::{Poll, next_poll_at, refused};
use super::refusal;
use crate::owner::{Owner, plant, stored_configuration};
use crate::world::{API_KEY, Answer, World, ago, query};

async fn polled(world: &World) -> Owner<'_> {
    let configuration = json!({
        "event.vendor.type": "polling",
        "event.poller.configuration": {"leads": {"url": query("leads")}, "calls": {"url": "/hubs/crm/activities"}},
    });
    Owner::of(world, configuration).await
}

/// Asks for the leads of January.
async fn january(owner: &Owner<'_>) -> Answer {
    let body = json!({"resource": "leads", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01"});
    owner.call("POST", "/backfill", &body).await
}

/// What is stored of it.
async fn stored(owner: &Owner<'_>) -> Option<Backfill> {
    owner.stored().await.unwrap().backfill
}

#[tokio::test]
async fn a_backfill_is_accepted_and_shown_and_polled_for_at_once() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let poll = Poll::begin(&owner).await;
    poll.end(ago(-3600), &Health::default()).await.unwrap();
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );
    assert_eq!(owner.shown().await.get("backfill"), None);

    let answer = january(&owner).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let mut expected = json!({
        "resource": "leads", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "status": "pending",
        "position": null, "published": 0, "reason": null, "requestedDate": answer.body["requestedDate"],
    });
    assert_eq!(answer.body, expected);
    assert_eq!(owner.shown().await["backfill"], expected);
    let listed = world.call("GET", "/instances", None, "").await;
    assert_eq!(listed.body[0]["backfill"], expected);
    let renamed = owner.call("PATCH", "", &json!({"name": "Other"})).await;
    assert_eq!(renamed.body["backfill"], expected);
    assert!(next_poll_at(&owner).await.unwrap() <= ago(0).as_millisecond());

    let failed = Backfill {
        status: BackfillStatus::Failed,
        position: Some("2026-01-07T08:00:00.242Z".parse().unwrap()),
        published: 12,
        reason: Some("the instance no longer polls leads".to_owned()),
        ..stored(&owner).await.unwrap()
    };
    let poll = Poll::begin(&owner).await;
    poll.note(&failed).await;
    expected["status"] = json!("failed");
    expected["position"] = json!("2026-01-07T08:00:00.242Z");
    expected["published"] = json!(12);
    expected["reason"] = json!("the instance no longer polls leads");
    assert_eq!(owner.shown().await["backfill"], expected);
    world.finish().await;
}

#[tokio::test]
async fn the_end_is_now_and_the_token_alone_may_not_ask_for_it() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let before = ago(0);
    let body = json!({"resource": "leads", "from": "2026-01-01"}).to_string();
    let path = format!("/instances/{}/backfill", owner.id);

    let token = format!("Element {}", owner.token);
    let refused = world.call("POST", &path, Some(&token), body.clone()).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let answer = world.call("POST", &path, None, body).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let to = answer.body["to"].as_str().unwrap().parse().unwrap();
    assert!((before..=ago(0)).contains(&to), "{to}");
    world.finish().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let mut refused = Vec::new();
    for body in [
        json!({}),
        json!({"resource": "contacts", "from": "January", "to": "2999-01-01", "until": ""}),
        json!({"resource": "leads", "from": "2026-02-01", "to": "2026-01-01"}),
        json!({"resource": "calls", "from": "2020-01-01", "to": "2020-02-01"}),
        json!(["leads"]),
    ] {
        refused.push(refusal(&owner.call("POST", "/backfill", &body).await));
    }
    let refused = refused.join("\n");
    let (start, end) = refused.split_once("it is ").unwrap();
    let refused = format!("{start}it is [now]{}", &end[24..]);
    insta::assert_snapshot!(refused, @r"
    400
    resource: is required: one of leads, calls
    from: is required: the earliest date to publish
    400
    resource: expected one of leads, calls
    from: expected a time since 1970, such as 2026-06-19T12:00:00Z
    to: expected no time in the future; it is [now]
    until: expected no member but resource, from and to
    400
    from: expected a time before the end of the span, 2026-01-01T00:00:00.000Z
    400
    from: expected a time within the last 30 days: Close keeps no more of its event log, where this resource is read
    400 expected JSON: the body is no object
    ");
    let large = Value::String(" ".repeat(256 * 1024));
    let answer = owner.call("POST", "/backfill", &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(stored(&owner).await, None);
    world.finish().await;
}

#[tokio::test]
async fn an_instance_that_does_not_poll_says_what_to_do() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let mut refused = Vec::new();
    owner.enable(false).await;
    refused.push(refusal(&january(&owner).await));
    owner.enable(true).await;
    owner
        .configure(json!({"event.notification.enabled": false}))
        .await;
    refused.push(refusal(&january(&owner).await));
    let refused = refused.join("\n").replace(&owner.id.to_string(), "[id]");
    insta::assert_snapshot!(refused, @r"
    409 instance [id] does not poll: it is disabled; enable it first, with PUT at its /enabled
    409 instance [id] does not poll: set event.webhook.subscribe to true first; or event.notification.enabled to true, event.vendor.type to polling, and event.poller.configuration
    ");

    owner
        .configure(json!({"event.notification.enabled": true}))
        .await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    world.finish().await;
}

#[tokio::test]
async fn an_instance_that_is_suspended_takes_none_and_says_what_to_do() {
    let world = World::start().await;
    let owner = polled(&world).await;
    refused(&owner, 99).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    let done = Backfill {
        status: BackfillStatus::Done,
        ..stored(&owner).await.unwrap()
    };
    let poll = Poll::begin(&owner).await;
    poll.note(&done).await;
    poll.end(ago(0), &Health::default()).await.unwrap();

    refused(&owner, 100).await;
    let next = next_poll_at(&owner).await;
    let answer = refusal(&january(&owner).await).replace(&owner.id.to_string(), "[id]");
    insta::assert_snapshot!(answer, @"409 instance [id] is suspended, for Close has refused 100 polls in a row, the last with leads: Unauthorized: correct its API key with PATCH or PUT, or, if Close was to blame, enable it with PUT at its /enabled; then ask again");
    assert_eq!(stored(&owner).await, Some(done));
    assert_eq!(next_poll_at(&owner).await, next);

    owner.enable(true).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    world.finish().await;
}

#[tokio::test]
async fn one_that_waits_for_more_than_the_next_poll_says_for_what() {
    let world = World::start().await;
    let owner = polled(&world).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    let reason = async || owner.shown().await["backfill"]["reason"].clone();
    assert_eq!(reason().await, Value::Null);

    // The poll that was due at once takes the request, the second one suspends the instance.
    refused(&owner, 99).await;
    assert_eq!(reason().await, Value::Null);
    refused(&owner, 100).await;
    assert_eq!(reason().await, "the instance is suspended");
    owner.enable(false).await;
    assert_eq!(reason().await, "the instance is disabled");
    owner.enable(true).await;
    let by_webhook = json!({"event.vendor.type": "webhook"});
    owner.configure(by_webhook).await;
    assert_eq!(reason().await, "the instance does not poll");
    let by_polls = json!({"event.vendor.type": "polling"});
    owner.configure(by_polls).await;
    assert_eq!(reason().await, Value::Null);

    refused(&owner, 100).await;
    let failed = Backfill {
        status: BackfillStatus::Failed,
        reason: Some("calls is no longer polled".to_owned()),
        ..stored(&owner).await.unwrap()
    };
    Poll::begin(&owner).await.note(&failed).await;
    assert_eq!(reason().await, "calls is no longer polled");
    world.finish().await;
}

#[tokio::test]
async fn an_instance_that_is_not_ready_takes_none() {
    let world = World::start().await;
    for (id, phase, status) in [
        (1, Phase::Provisioning, StatusCode::CONFLICT),
        (2, Phase::Removing, StatusCode::NOT_FOUND),
    ] {
        let configuration = stored_configuration(json!({
            "username": API_KEY, "event.notification.enabled": "true", "event.notification.type": "eventbridge",
            "event.vendor.type": "polling", "event.poller.urls": "leads",
        }));
        let mut instance = Instance::new(id.try_into().unwrap(), "Test", configuration, ago(0));
        instance.phase = phase;
        plant(&world, &instance).await;
        let body = json!({"resource": "leads", "from": "2026-01-01"}).to_string();
        let path = format!("/instances/{id}/backfill");
        assert_eq!(world.call("POST", &path, None, body).await.status, status);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_instance_has_one_at_a_time() {
    let world = World::start().await;
    let owner = polled(&world).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    insta::assert_snapshot!(refusal(&january(&owner).await), @"409 a backfill of leads from 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z is under way and has published nothing yet; ask again when it has ended");

    let mut backfill = stored(&owner).await.unwrap();
    backfill.position = Some("2026-01-07T08:00:00.242Z".parse().unwrap());
    backfill.published = 12;
    let poll = Poll::begin(&owner).await;
    poll.note(&backfill).await;
    insta::assert_snapshot!(refusal(&january(&owner).await), @"409 a backfill of leads from 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z is under way and has come to 2026-01-07T08:00:00.242Z, with 12 events published; ask again when it has ended");

    backfill.status = BackfillStatus::Done;
    poll.note(&backfill).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    let next = stored(&owner).await.unwrap();
    assert_ne!(next.id, backfill.id);
    assert_eq!(next.status, BackfillStatus::Pending);
    world.finish().await;
}

#[tokio::test]
async fn one_that_was_stored_but_not_answered_is_there_once() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let lost = Fault::new(Failure::Disconnected, Calls::of("UpdateItem")).after_performing();
    world.stack.store().fail(lost);

    let answer = january(&owner).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(owner.shown().await["backfill"], answer.body);
    world.finish().await;
}

#[tokio::test]
async fn what_changed_since_it_was_checked_is_checked_again() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let read = || world.stack.store().hold(Calls::of("GetItem"));

    let held = read();
    let (answer, ()) = tokio::join!(january(&owner), async {
        held.reached().await.unwrap();
        owner.enable(false).await;
        held.release();
    });
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
    assert_eq!(stored(&owner).await, None);

    owner.enable(true).await;
    let held = read();
    let (second, ()) = tokio::join!(january(&owner), async {
        held.reached().await.unwrap();
        let first = january(&owner).await;
        assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.body);
        held.release();
    });
    assert_eq!(second.status, StatusCode::CONFLICT, "{}", second.body);
    world.finish().await;
}

#[tokio::test]
async fn it_is_begun_after_a_poll_that_did_not_know_of_it() {
    let world = World::start().await;
    let owner = polled(&world).await;
    let poll = Poll::begin(&owner).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);

    assert_eq!(poll.instance.backfill, None);
    poll.end(ago(-3600), &Health::default()).await.unwrap();

    assert!(next_poll_at(&owner).await.unwrap() <= ago(0).as_millisecond());
    let poll = Poll::begin(&owner).await;
    assert_eq!(poll.instance.backfill, stored(&owner).await);
    world.finish().await;
}

#[tokio::test]
async fn a_change_of_the_instance_undoes_no_progress() {
    let world = World::start().await;
    let owner = polled(&world).await;
    assert_eq!(january(&owner).await.status, StatusCode::ACCEPTED);
    let done = Backfill {
        status: BackfillStatus::Done,
        published: 12,
        ..stored(&owner).await.unwrap()
    };
    let poll = Poll::begin(&owner).await;
    let held = world.stack.store().hold(Calls::of("GetItem"));

    let ((), ()) = tokio::join!(
        async {
            owner
                .configure(
                    json!({"event.poller.configuration": {"tasks": {"url": query("tasks")}}}),
                )
                .await;
        },
        async {
            held.reached().await.unwrap();
            poll.note(&done).await;
            held.release();
        }
    );

    assert_eq!(stored(&owner).await, Some(done.clone()));
    // It stays as it is, whatever the instance does next.
    owner.enable(false).await;
    owner
        .configure(json!({"event.vendor.type": "webhook"}))
        .await;
    owner.enable(true).await;
    assert_eq!(stored(&owner).await, Some(done));
    owner.remove().await;
    assert_eq!(world.items("InstancesTable").await.len(), 0);
    world.finish().await;
}
