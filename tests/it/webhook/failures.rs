//! Webhooks while AWS fails: never 200 before the event is on the bus, and once it is, nothing is asked for again.

use std::collections::BTreeSet;

use local_stack::aws::eventbridge::entry::PutEventsEntry;
use local_stack::close::data::change::Change;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::json;

use super::{INSTANCE, entry, sample};
use crate::functions::WEBHOOK;
use crate::metric_lines::last;
use crate::world::{PATIENCE, World, texts};

const THROTTLED: &str = "ThrottlingException";
const DENIED: &str = "AccessDeniedException";

#[tokio::test]
async fn what_the_bus_does_not_take_is_answered_503_and_published_once_when_close_sends_it_again() {
    let world = World::start().await;
    let url = world.subscribed(&[("lead", "created")]).await;
    world.stack.bus().refuse(THROTTLED, |_| true);
    world
        .organization
        .create_lead(json!({"name": "Hooli"}), Change::now())
        .unwrap();

    let attempts = world
        .close
        .wait_for_deliveries(PATIENCE, |attempts| !attempts.is_empty())
        .await
        .unwrap();
    assert_eq!(attempts[0].status, Some(503), "{attempts:?}");
    assert_eq!(world.events().len(), 0);
    assert_eq!(world.ledger().await, BTreeSet::new());

    world.stack.bus().accept_all();
    let attempts = world.close.wait_until_delivered(PATIENCE).await.unwrap();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert_eq!(attempts[1].status, Some(200));
    assert_eq!(texts(&world.details(), "action"), ["created"]);
    let ids: BTreeSet<_> = texts(&world.details(), "id").into_iter().collect();
    assert_eq!(world.ledger().await, ids);

    let headers: Vec<_> = attempts[1]
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let again = world
        .deliver(&url, &headers, attempts[1].body.clone())
        .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body, json!({"duplicate": true}));
    assert_eq!(world.events().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_fails_is_made_again_within_the_same_request() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    for (number, failure) in [Failure::Throttled, Failure::Internal, Failure::Disconnected]
        .into_iter()
        .enumerate()
    {
        world.forget_calls();
        world.stack.bus().fail(Fault::new(failure, Calls::any()));
        let body = entry(&format!("lead_{number}"));

        let answer = world.deliver(&url, &[], body).await;

        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(world.stack.bus().calls().snapshot().len(), 2);
        assert_eq!(world.events().len(), number + 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_publishes_again_with_the_same_id() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let fault = Fault::new(Failure::Disconnected, Calls::any());
    world.stack.bus().fail(fault.after_performing());

    let answer = world.deliver(&url, &[], entry("lead_1")).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let ids = texts(&world.details(), "id");
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    world.finish().await;
}

#[tokio::test]
async fn of_a_merge_only_the_missing_half_is_published_later() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let body = sample("legacy-webhook-merge");
    world.stack.bus().refuse(THROTTLED, |entry| {
        entry.detail_type.as_deref() == Some("lead.updated")
    });

    let answer = world.deliver(&url, &[], body.clone()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(texts(&world.details(), "action"), ["deleted"]);
    let deleted: BTreeSet<_> = texts(&world.details(), "id").into_iter().collect();
    assert_eq!(world.ledger().await, deleted);

    world.stack.bus().accept_all();
    let answer = world.deliver(&url, &[], body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(texts(&world.details(), "action"), ["deleted", "merged"]);
    let ids = texts(&world.details(), "id");
    assert_eq!(answer.body, json!({"events": ids}));
    assert_eq!(world.ledger().await, ids.into_iter().collect());

    let answer = world.deliver(&url, &[], body).await;
    assert_eq!(answer.body, json!({"duplicate": true}));
    world.finish().await;
}

#[tokio::test]
async fn an_entry_refused_for_good_is_sent_once_more_as_text() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let body = entry("lead_1");
    world.stack.bus().refuse("MalformedDetail", |entry| {
        entry
            .detail
            .as_deref()
            .is_some_and(|detail| detail.contains(r#""raw":"#))
    });

    let answer = world.deliver(&url, &[], body.clone()).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(world.stack.bus().calls().snapshot().len(), 2);
    let details = world.details();
    assert_eq!(details.len(), 1);
    assert_eq!(details[0]["rawText"], body);
    world.finish().await;
}

#[tokio::test]
async fn an_event_refused_in_every_form_is_logged_and_close_is_not_asked_again() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    world.stack.bus().refuse("MalformedDetail", |_| true);

    let answer = world.deliver(&url, &[], entry("lead_1")).await;

    assert_eq!(answer.status, StatusCode::OK);
    // Whole, as text, and without what Close sent.
    assert_eq!(world.stack.bus().calls().snapshot().len(), 3);
    assert_eq!(world.ledger().await, BTreeSet::new());
    let id = answer.body["events"][0].as_str().unwrap();
    let function = world.stack.function("WebhookFunction").unwrap();
    function
        .wait_for_output(PATIENCE, |line| {
            ["event.unpublishable", "MalformedDetail", "lead_1", id]
                .iter()
                .all(|part| line.contains(part))
        })
        .await
        .unwrap();
    assert_eq!(world.events().len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn an_event_refused_in_every_form_counts_as_such_also_where_another_is_late() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    for (code, detail_type) in [
        ("MalformedDetail", "lead.deleted"),
        (THROTTLED, "lead.updated"),
    ] {
        let is_of = move |entry: &PutEventsEntry| entry.detail_type.as_deref() == Some(detail_type);
        world.stack.bus().refuse(code, is_of);
    }

    let answer = world
        .deliver(&url, &[], sample("legacy-webhook-merge"))
        .await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.ledger().await, BTreeSet::new());
    let line = last(&world, WEBHOOK);
    assert_eq!(line.value("EventsUnpublishable"), Some(1.0));
    assert_eq!(line.value("PublishFailures"), Some(1.0));
    assert_eq!(line.value("EventsPublished"), None);
    world.finish().await;
}

#[tokio::test]
async fn an_entry_refused_for_another_reason_waits_until_that_is_repaired() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    for (number, code) in [
        DENIED,
        "NotAuthorizedForSourceException",
        "NotAuthorizedForDetailTypeException",
        "InvalidAccountIdException",
        "RedactionFailure",
        "OfTheFutureException",
    ]
    .into_iter()
    .enumerate()
    {
        world.forget_calls();
        world.stack.bus().refuse(code, |_| true);
        let body = entry(&format!("lead_{number}"));

        let answer = world.deliver(&url, &[], body.clone()).await;

        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{code}");
        // Whole and as text, and then Close is told: the same would not pass within the request.
        assert_eq!(world.stack.bus().calls().snapshot().len(), 2, "{code}");
        let line = last(&world, WEBHOOK);
        assert_eq!(line.value("PublishFailures"), Some(1.0), "{code}");
        assert_eq!(line.value("EventsUnpublishable"), None, "{code}");
        assert_eq!(world.ledger().await.len(), number);

        world.stack.bus().accept_all();
        let answer = world.deliver(&url, &[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{code}");
        assert_eq!(world.events().len(), number + 1, "{code}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_call_refused_for_who_calls_or_where_the_bus_is_ends_the_request() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    for code in [
        DENIED,
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "ResourceNotFoundException",
        "OfTheFutureException",
    ] {
        world.forget_calls();
        let code = code.to_owned();
        let failure = Failure::Error { status: 400, code };
        world.stack.bus().fail(Fault::new(failure, Calls::any()));

        let answer = world.deliver(&url, &[], entry("lead_1")).await;

        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(world.stack.bus().calls().snapshot().len(), 1);
    }
    assert_eq!(world.events().len(), 0);
    let answer = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(answer.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn a_call_too_large_is_made_without_what_close_sent() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let long = |id: &str| entry(id).replace("whsub_1", &"x".repeat(300 * 1024));
    let bus = world.stack.bus();

    bus.set_maximum_bytes(256 * 1024);
    let in_a_small_region = world.deliver(&url, &[], long("lead_1")).await;
    bus.set_maximum_bytes(1024 * 1024);
    bus.refuse_calls(Failure::Bare { status: 413 }, |it| 256 * 1024 < it.bytes());
    let before_the_service = world.deliver(&url, &[], long("lead_2")).await;

    assert_eq!(in_a_small_region.status, StatusCode::OK);
    assert_eq!(before_the_service.status, StatusCode::OK);
    let details = world.details();
    assert_eq!(texts(&details, "objectId"), ["lead_1", "lead_2"]);
    for (detail, id) in details.iter().zip(["lead_1", "lead_2"]) {
        assert_eq!(detail["rawOmitted"]["bytes"], long(id).len());
    }
    world.finish().await;
}

#[tokio::test]
async fn a_call_refused_for_a_member_is_an_entry_refused() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let bus = world.stack.bus();
    let refuse = |of: &'static str| {
        let code = "ValidationException".to_owned();
        let is_of =
            move |entry: &PutEventsEntry| entry.detail.as_deref().is_some_and(|it| it.contains(of));
        bus.refuse_calls(Failure::Error { status: 400, code }, is_of);
    };

    refuse(r#""raw":"#);
    let as_text = world.deliver(&url, &[], entry("lead_1")).await;
    refuse("lead_2");
    let never = world.deliver(&url, &[], entry("lead_2")).await;

    assert_eq!(as_text.status, StatusCode::OK);
    assert_eq!(never.status, StatusCode::OK);
    let details = world.details();
    assert_eq!(texts(&details, "objectId"), ["lead_1"]);
    assert_eq!(details[0]["rawText"], entry("lead_1"));
    let line = last(&world, WEBHOOK);
    assert_eq!(line.value("EventsUnpublishable"), Some(1.0));
    world.finish().await;
}

#[tokio::test]
async fn without_its_ledger_a_webhook_is_published_all_the_same() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let fails = |operation: &str| {
        let calls = Calls::of(operation).table("LedgerTable");
        // A call is made up to three times.
        let fault = Fault::new(Failure::Internal, calls).times(3);
        world.stack.store().fail(fault);
    };

    fails("BatchWriteItem");
    let unwritten = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(unwritten.status, StatusCode::OK);
    assert_eq!(world.ledger().await, BTreeSet::new());
    let again = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(again.body, unwritten.body);
    fails("BatchGetItem");
    let unread = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(unread.status, StatusCode::OK);
    assert_eq!(unread.body, unwritten.body);

    let ids = texts(&world.details(), "id");
    assert_eq!(ids.len(), 3);
    assert_eq!(BTreeSet::from_iter(ids), world.ledger().await);
    world.finish().await;
}

#[tokio::test]
async fn a_ledger_that_does_not_answer_is_not_waited_for() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let read = world.stack.store().hold(Calls::of("BatchGetItem"));
    let write = world.stack.store().hold(Calls::of("BatchWriteItem"));

    let answer = world.deliver(&url, &[], entry("lead_1")).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(world.events().len(), 1);
    read.release();
    write.release();
    world.finish().await;
}

#[tokio::test]
async fn without_the_instances_table_close_is_told_to_come_again() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let calls = Calls::of("GetItem").table("InstancesTable");
    let fault = Fault::new(Failure::Internal, calls).times(3);
    world.stack.store().fail(fault);

    let answer = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    insta::assert_snapshot!(answer.body["message"].as_str().unwrap(), @"the data could not be reached; try again");
    assert_eq!(world.stack.bus().calls().snapshot().len(), 0);

    let answer = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(answer.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn the_slowest_answer_still_comes_before_the_function_is_ended() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let operations = ["GetItem", "BatchGetItem", "BatchWriteItem"];
    let holds = operations.map(|operation| world.stack.store().hold(Calls::of(operation)));
    world.stack.bus().refuse(THROTTLED, |entry| {
        entry.detail_type.as_deref() == Some("lead.updated")
    });

    let answer = world
        .deliver(&url, &[], sample("legacy-webhook-merge"))
        .await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("elements-request-id"));
    drop(holds);
    world.finish().await;
}
