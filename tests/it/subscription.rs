//! Instances that subscribe themselves at Close: how the subscription is made.

mod changes;
mod enabled;
mod objects;
mod outage;
mod refusal;
mod removal;
mod shown;
mod users;

use std::collections::BTreeSet;

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::close::webhook::SubscribedEvent;

use crate::owner::{Owner, body, subscribing};
use crate::world::{API_KEY, PATIENCE, World, texts};

/// What Close says a subscription covers, as `lead.created`.
pub(crate) fn covered(subscription: &Value) -> BTreeSet<String> {
    let events = subscription["events"].as_array().unwrap().iter();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    let names =
        events.map(|event| format!("{}.{}", text(event, "object_type"), text(event, "action")));
    names.collect()
}

/// What a subscription to `objects` should cover.
pub(crate) fn covering(objects: Option<&str>) -> BTreeSet<String> {
    names(&shared::instance::settings::objects::events(objects).unwrap())
}

/// Events as [`covered`] names them.
pub(crate) fn names(events: &[SubscribedEvent]) -> BTreeSet<String> {
    let events = events.iter();
    let names = events.map(|event| format!("{}.{}", event.object_type, event.action));
    names.collect()
}

fn creations() -> RequestMatch {
    RequestMatch::to("/webhook/").method("POST")
}

#[tokio::test]
async fn one_request_is_all_that_it_takes() {
    let world = World::start().await;
    for (round, subscribe) in [json!(true), json!("true")].into_iter().enumerate() {
        let owner = Owner::subscribed(&world, json!({"event.webhook.subscribe": subscribe})).await;
        let subscriptions = world.organization.webhooks();
        let [subscription] = subscriptions.as_slice() else {
            panic!("{subscriptions:?}")
        };
        assert_eq!(
            (&subscription["url"], &subscription["status"]),
            (&json!(owner.url), &json!("active"))
        );
        assert_eq!(covered(subscription), covering(None));
        assert_eq!(subscription["verify_ssl"], true);

        let lead = world
            .organization
            .create_lead(json!({"name": "Hooli"}), Change::now())
            .unwrap();
        let details = owner.events(round + 1).await;
        assert_eq!(details[round]["objectId"], lead);
        assert_eq!(
            (&details[round]["channel"], &details[round]["instanceId"]),
            (&json!("webhook"), &json!(owner.id))
        );
        let attempts = world.close.wait_until_delivered(PATIENCE).await.unwrap();
        assert!(attempts.iter().all(|attempt| attempt.status == Some(200)));
        owner.remove().await;
    }
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_signed_with_its_key_is_refused() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let unsigned = world
        .close
        .post_legacy(&owner.url, "lead", "delete", json!({"id": "lead_1"}))
        .await;
    assert_eq!(unsigned.status, Some(401));
    assert_eq!(world.events().len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn the_key_is_masked_wherever_the_instance_is_shown() {
    let world = World::start().await;
    let created = world.provision(subscribing(&json!({}))).await.body;
    let id = created["id"].as_u64().unwrap();
    let path = format!("/instances/{id}");
    let read = world.call("GET", &path, None, "").await.body;
    let listed = world.call("GET", "/instances", None, "").await.body[0].clone();
    let changed = world
        .call("PATCH", &path, None, r#"{"name":"Other"}"#)
        .await
        .body;
    for shown in [&created, &read, &listed, &changed] {
        let configuration = &shown["configuration"];
        assert_eq!(
            (
                &configuration["event.webhook.signature.key"],
                &configuration["username"]
            ),
            (&json!("********"), &json!("********")),
            "{shown}"
        );
        assert_eq!(shown["valid"], true);
    }
    let table = world.instance_table();
    let stored = table.get(id.try_into().unwrap()).await.unwrap().unwrap();
    let key = stored.configuration.get("event.webhook.signature.key");
    // None of it may be in any answer or line either.
    world.keep_secret(key.unwrap());
    world.finish().await;
}

#[tokio::test]
async fn objects_narrow_what_is_covered() {
    let world = World::start().await;
    for objects in [
        "lead",
        "accounts",
        "activity",
        "activities",
        "activity.call, contacts",
        "opportunities,tasks,lead",
        "task.missed_call, activity.task_completed, lead.merged",
        "bulk_action, import, membership, custom_fields.lead",
        "events",
    ] {
        let owner = Owner::subscribed(&world, json!({"event.objects": objects})).await;
        let subscription = world
            .organization
            .webhook(&owner.subscription_id().await.unwrap());
        assert_eq!(
            covered(&subscription.unwrap()),
            covering(Some(objects)),
            "{objects}"
        );
    }
    let all = covering(None).len();
    assert!(covering(Some("accounts")).len() < covering(Some("activities")).len());
    assert!(covering(Some("activities")).len() < all);
    world.finish().await;
}

#[tokio::test]
async fn what_can_be_no_object_of_closes_is_refused_before_close_is_asked() {
    let world = World::start().await;
    let configuration = subscribing(&json!({
        "username": API_KEY, "event.notification.enabled": true,
        "event.notification.type": "eventbridge", "event.objects": "lead,Ships!",
        "event.webhook.extra_filter": "[]",
    }));
    let answer = world
        .call("POST", "/instances", None, body(&configuration))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let errors = answer.body["errors"].as_array().unwrap();
    let fields = [
        "configuration.event.webhook.extra_filter",
        "configuration.event.objects",
    ];
    assert_eq!(texts(errors, "field"), fields);
    let message = errors[1]["message"].as_str().unwrap();
    assert!(message.contains("`Ships!`") && message.contains("activity.call"));
    assert_eq!(world.close.count(&RequestMatch::to("*")), 0);
    world.finish().await;
}

#[tokio::test]
async fn to_subscribe_is_to_enable_events_and_not_beside_disabled_ones() {
    let world = World::start().await;
    let configuration = |enabled: Value| {
        body(&json!({
            "username": API_KEY, "event.webhook.subscribe": true, "event.notification.enabled": enabled,
        }))
    };
    let call = |enabled: Value| world.call("POST", "/instances", None, configuration(enabled));

    let refused = call(json!(false)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let errors = refused.body["errors"].as_array().unwrap();
    assert_eq!(
        texts(errors, "field"),
        ["configuration.event.webhook.subscribe"]
    );
    assert_eq!(world.organization.webhooks().len(), 0);

    let answer = call(Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["eventsEnabled"], true);
    assert_eq!(world.organization.webhooks().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn subscriptions_that_close_has_already_are_replaced() {
    let world = World::start().await;
    let [one, other] = ["http://127.0.0.1:9/1", "http://127.0.0.1:9/2"].map(|url| {
        let events = [("lead", "created")];
        let created = world.organization.create_webhook(url, &events);
        created.unwrap().id
    });
    let duplicates = format!(
        "Bad Request: Duplicate active subscription. Existing duplicates are: {one}, {other}."
    );
    world.close.fail(
        creations(),
        CloseFault::json(400, json!({"error": duplicates})),
    );

    let owner = Owner::subscribed(&world, json!({})).await;

    let subscriptions = world.organization.webhooks();
    assert_eq!(
        texts(&subscriptions, "id"),
        [owner.subscription_id().await.unwrap()]
    );
    world
        .organization
        .create_lead(json!({}), Change::now())
        .unwrap();
    owner.events(1).await;
    world.finish().await;
}

#[tokio::test]
async fn what_comes_while_it_is_being_set_up_is_delivered_afterwards() {
    let world = World::start().await;
    let mut answer = world.close.hold(creations());

    let (owner, lead) = tokio::join!(Owner::subscribed(&world, json!({})), async {
        answer.reached(PATIENCE).await.unwrap();
        let lead = world
            .organization
            .create_lead(json!({}), Change::now())
            .unwrap();
        let attempts = world
            .close
            .wait_for_deliveries(PATIENCE, |attempts| !attempts.is_empty())
            .await
            .unwrap();
        assert_eq!(attempts[0].status, Some(503));
        answer.release();
        lead
    });

    assert_eq!(texts(&owner.events(1).await, "objectId"), [lead]);
    world.close.wait_until_delivered(PATIENCE).await.unwrap();
    assert_eq!(world.events().len(), 1);
    world.finish().await;
}
