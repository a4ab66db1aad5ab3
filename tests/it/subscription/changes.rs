//! `PATCH` and `PUT` of an instance that is subscribed at Close.

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{covered, covering, creations};
use crate::owner::Owner;
use crate::world::{API_KEY, SIGNATURE_KEY, World, texts};

const OTHER_KEY: &str = "api_2secretOfTheTests.other";

async fn start() -> World {
    let world = World::start().await;
    world.keep_secret(OTHER_KEY);
    world
}

/// Lets the instance subscribe itself: at Close there is one subscription then, and the instance knows it.
async fn subscribe(world: &World, owner: &Owner<'_>) {
    owner
        .configure(json!({"event.webhook.subscribe": true}))
        .await;
    world.keep_secret(&owner.key().await.unwrap());
    assert_eq!(
        texts(&world.organization.webhooks(), "id"),
        [owner.subscription_id().await.unwrap()]
    );
}

#[tokio::test]
async fn other_objects_are_covered_by_the_same_subscription() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
    let before = owner.stored().await.unwrap();

    owner.configure(json!({"event.objects": "contacts"})).await;

    let after = owner.stored().await.unwrap();
    assert_eq!(after.subscription_id, before.subscription_id);
    let key = "event.webhook.signature.key";
    assert_eq!(after.configuration.get(key), before.configuration.get(key));
    assert_eq!(after.previous_keys, []);
    let subscriptions = world.organization.webhooks();
    assert_eq!(subscriptions.len(), 1);
    assert_eq!(covered(&subscriptions[0]), covering(Some("contacts")));

    owner.configure(json!({"event.objects": null})).await;
    assert_eq!(covered(&world.organization.webhooks()[0]), covering(None));
    assert_eq!(world.close.count(&creations()), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_gone_at_close_is_made_anew_with_its_change() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
    let old = owner.subscription_id().await.unwrap();
    world.organization.delete_webhook(&old).unwrap();

    owner.configure(json!({"event.objects": "contact"})).await;

    world.keep_secret(&owner.key().await.unwrap());
    let subscriptions = world.organization.webhooks();
    assert_eq!(
        texts(&subscriptions, "id"),
        [owner.subscription_id().await.unwrap()]
    );
    assert_eq!(covered(&subscriptions[0]), covering(Some("contact")));
    world.finish().await;
}

#[tokio::test]
async fn whatever_request_touches_an_instance_mends_its_subscription() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    for (method, path) in [
        ("PATCH", ""),
        ("PUT", ""),
        ("PUT", "/enabled"),
        ("DELETE", "/enabled"),
    ] {
        let body = owner.shown().await;
        let old = owner.subscription_id().await.unwrap();
        world.organization.delete_webhook(&old).unwrap();
        let missing = owner.shown().await;
        assert_eq!(
            (&missing["valid"], &missing["webhook"]["status"]),
            (&json!(false), &json!("missing"))
        );
        // Others that post there are nobody's.
        let events = [("lead", "created")];
        world
            .organization
            .create_webhook(&owner.url, &events)
            .unwrap();

        let answer = owner.call(method, path, &body).await;

        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        world.keep_secret(&owner.key().await.unwrap());
        let new = owner.subscription_id().await.unwrap();
        let webhook = &answer.body["webhook"];
        assert_eq!(
            (&webhook["id"], &answer.body["valid"]),
            (&json!(new), &json!(true))
        );
        assert_eq!(texts(&world.organization.webhooks(), "id"), [new]);
        assert_eq!(owner.shown().await["webhook"], *webhook);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_change_of_something_else_is_done_whatever_close_says() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    let everything = RequestMatch::to("*").times(usize::MAX);
    world.close.fail(everything, CloseFault::status(502));

    let answer = owner.call("PATCH", "", &json!({"name": "Other"})).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["name"], "Other");
    let reason = "Close is unavailable: status 502";
    assert_eq!(
        answer.body["webhook"],
        json!({"id": id, "status": "unknown", "reason": reason})
    );
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_changed_at_close_is_what_it_was_again() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
    let id = owner.subscription_id().await.unwrap();
    let at_close = format!("{}/webhook/{id}/", world.close.base_url());
    let changed = json!({
        "url": "http://127.0.0.1:9/",
        "status": "paused",
        "events": [{"object_type": "contact", "action": "created"}],
    });
    let put = reqwest::Client::builder().build().unwrap().put(at_close);
    let put = put.basic_auth(API_KEY, Some("")).json(&changed).send();
    put.await.unwrap().error_for_status().unwrap();

    let answer = owner.call("PATCH", "", &json!({"name": "Other"})).await;

    assert_eq!(
        answer.body["webhook"]["status"], "active",
        "{}",
        answer.body
    );
    let subscription = world.organization.webhook(&id).unwrap();
    assert_eq!(
        (&subscription["url"], &subscription["status"]),
        (&json!(owner.url), &json!("active"))
    );
    assert_eq!(covered(&subscription), covering(Some("lead")));
    world.finish().await;
}

#[tokio::test]
async fn a_key_of_another_organization_moves_the_subscription_there() {
    let world = start().await;
    let other = world.close.organization("Umbrella", OTHER_KEY);
    let owner = Owner::subscribed(&world, json!({})).await;
    let (old_id, old_key) = (owner.subscription_id().await, owner.key().await);

    owner.configure(json!({"username": OTHER_KEY})).await;

    world.keep_secret(&owner.key().await.unwrap());
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    let subscriptions = other.webhooks();
    let new_id = owner.subscription_id().await;
    assert_eq!(texts(&subscriptions, "id"), [new_id.clone().unwrap()]);
    assert_eq!(subscriptions[0]["url"], owner.url);
    assert!(new_id != old_id && owner.key().await != old_key);
    let lead = other.create_lead(json!({}), Change::now()).unwrap();
    assert_eq!(texts(&owner.events(1).await, "objectId"), [lead]);
    world.finish().await;
}

#[tokio::test]
async fn another_key_of_the_same_organization_keeps_the_subscription() {
    let world = start().await;
    world.organization.add_key(OTHER_KEY);
    let owner = Owner::subscribed(&world, json!({})).await;
    let before = owner.stored().await.unwrap();
    world.organization.revoke_key(API_KEY);

    owner.configure(json!({"username": OTHER_KEY})).await;

    let after = owner.stored().await.unwrap();
    assert_eq!(after.subscription_id, before.subscription_id);
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    let lead = world
        .organization
        .create_lead(json!({}), Change::now())
        .unwrap();
    assert_eq!(texts(&owner.events(1).await, "objectId"), [lead]);
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_close_refuses_changes_nothing() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let before = owner.stored().await;
    let body = json!({"configuration": {"username": OTHER_KEY}});

    let answer = owner.call("PATCH", "", &body).await;

    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(texts(errors, "field"), ["configuration.username"]);
    assert_eq!(owner.stored().await, before);
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    world.finish().await;
}

#[tokio::test]
async fn who_wants_no_subscription_any_more_has_none() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let changed = owner
        .configure(json!({"event.webhook.subscribe": "false"}))
        .await;
    assert_eq!(changed["configuration"]["event.webhook.subscribe"], "false");
    assert_eq!(owner.subscription_id().await, None);
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    assert_eq!(owner.shown().await.get("webhook"), None);

    subscribe(&world, &owner).await;
    world.finish().await;
}

#[tokio::test]
async fn what_was_read_can_be_put_back() {
    let world = start().await;
    let more = json!({
        "event.vendor.type": "polling",
        "event.poller.configuration": {"leads": {"url": crate::world::query("leads")}},
        "event.notification.basic.username": "receiver",
        "event.notification.basic.password": "basic-password-of-the-tests",
        "event.objects": "lead",
    });
    world.keep_secret("basic-password-of-the-tests");
    let owner = Owner::subscribed(&world, more).await;
    let before = owner.stored().await.unwrap();
    let read = owner.shown().await;

    let answer = owner.call("PUT", "", &read).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let after = owner.stored().await.unwrap();
    assert_eq!(after.version, before.version + 1);
    let same = shared::instance::Instance {
        version: before.version,
        ..after
    };
    assert_eq!(same, before);
    let requests = RequestMatch::to("*");
    // The creation, what reading asks, and whether Close still has it.
    assert_eq!(world.close.count(&requests), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_whole_new_configuration_keeps_the_subscriptions_key() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
    let key = owner.key().await;
    let configuration = json!({
        "username": API_KEY,
        "event.notification.enabled": true, "event.notification.type": "eventbridge",
        "event.vendor.type": "webhook", "event.webhook.subscribe": true,
    });
    let body = json!({"element": {"key": "closeio"}, "name": "New", "tags": ["a", "b"], "configuration": configuration});

    let answer = owner.call("PUT", "", &body).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(
        (&answer.body["name"], &answer.body["tags"]),
        (&json!("New"), &json!(["a", "b"]))
    );
    assert_eq!(owner.key().await, key);
    assert_eq!(covered(&world.organization.webhooks()[0]), covering(None));
    world.finish().await;
}

#[tokio::test]
async fn null_removes_a_key() {
    let world = start().await;
    let owner = Owner::of(
        &world,
        json!({"event.vendor.type": "webhook", "my.own": 1, "password": "p"}),
    )
    .await;
    let changed = owner
        .configure(json!({"my.own": null, "password": null, "other": true}))
        .await;
    let configuration = &changed["configuration"];
    assert_eq!(configuration.get("my.own"), None);
    assert_eq!(configuration.get("password"), None);
    assert_eq!(configuration["other"], "********");
    assert_eq!(configuration["event.vendor.type"], "webhook");
    world.finish().await;
}

#[tokio::test]
async fn all_that_is_wrong_is_named_at_once_and_nothing_changes() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let before = owner.stored().await;
    let wrong = json!({
        "name": "", "tags": "none",
        "configuration": {"username": null, "event.objects": "Ships!", "event.vendor.type": "pigeon"},
    });
    let put = json!({"configuration": wrong["configuration"], "name": "", "tags": "none"});
    let expected = [
        "name",
        "tags",
        "configuration.username",
        "configuration.event.objects",
        "configuration.event.vendor.type",
    ];
    for (method, body) in [("PATCH", &wrong), ("PUT", &put)] {
        let answer = owner.call(method, "", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let mut fields = texts(answer.body["errors"].as_array().unwrap(), "field");
        fields.retain(|field| field != "element.key");
        assert_eq!(fields, expected, "{method}: {}", answer.body);
        assert_eq!(owner.stored().await, before);
    }
    assert_eq!(world.close.count(&RequestMatch::to("*")), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_leaves_the_old_subscription() {
    let world = start().await;
    let other = world.close.organization("Umbrella", OTHER_KEY);
    let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
    let before = owner.stored().await;
    let no_updates = || {
        let updates = Calls::of("UpdateItem").table("InstancesTable");
        Fault::new(Failure::Internal, updates).times(3)
    };
    for configuration in [
        json!({"username": OTHER_KEY}),
        json!({"event.objects": "contact"}),
    ] {
        world.stack.store().fail(no_updates());
        let body = json!({"configuration": configuration});
        let answer = owner.call("PATCH", "", &body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(owner.stored().await, before);
        assert_eq!(other.webhooks(), Vec::<Value>::new());
        let subscriptions = world.organization.webhooks();
        assert_eq!(subscriptions.len(), 1);
        assert_eq!(covered(&subscriptions[0]), covering(Some("lead")));
    }
    world.finish().await;
}

#[tokio::test]
async fn a_change_that_close_cannot_take_now_changes_nothing() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
    let before = owner.stored().await;
    world
        .close
        .fail(RequestMatch::to("/webhook/*"), CloseFault::status(503));
    let body = json!({"configuration": {"event.objects": "contact"}});
    let answer = owner.call("PATCH", "", &body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(owner.stored().await, before);
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be_removed_now_is_shown_until_it_is() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let id = owner.subscription_id().await.unwrap();
    let removals = RequestMatch::to("/webhook/*").method("DELETE");
    world.close.fail(removals, CloseFault::status(503));
    let body = json!({"configuration": {"event.webhook.subscribe": false}});

    let answer = owner.call("PATCH", "", &body).await;

    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.contains("at Close may differ"), "{message}");
    assert_eq!(owner.subscription_id().await, None);
    assert_eq!(
        owner.shown().await["webhook"],
        json!({"id": id, "status": "active", "pauseReason": null})
    );

    let answer = owner.call("PATCH", "", &json!({"name": "Other"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    assert_eq!(owner.shown().await.get("webhook"), None);
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_stored_without_an_answer_is_made_anew() {
    let world = start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let updates = Calls::of("UpdateItem").table("InstancesTable");
    let lost = Fault::new(Failure::Disconnected, updates).after_performing();
    world.stack.store().fail(lost);

    subscribe(&world, &owner).await;
    world.finish().await;
}

#[tokio::test]
async fn while_nobody_knows_what_is_stored_nothing_is_undone() {
    let world = start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let store = world.stack.store();
    let updates = Calls::of("UpdateItem").table("InstancesTable");
    let lost = Fault::new(Failure::Disconnected, updates).after_performing();
    store.fail(lost.with_retries());
    // The first finds the instance.
    let reads = Calls::of("GetItem").table("InstancesTable").after_first(1);
    store.fail(Fault::new(Failure::Internal, reads).times(usize::MAX));
    let body = json!({"configuration": {"event.webhook.subscribe": true}});

    let answer = owner.call("PATCH", "", &body).await;

    store.clear_faults();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.contains("at Close may differ"), "{message}");
    let id = owner.subscription_id().await.unwrap();
    let at_close = || texts(&world.organization.webhooks(), "id");
    assert_eq!(at_close(), std::slice::from_ref(&id));
    let answer = owner.call("PATCH", "", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(at_close(), [id]);
    world.keep_secret(&owner.key().await.unwrap());
    world.finish().await;
}

#[tokio::test]
async fn the_key_of_an_own_subscription_cannot_be_replaced_by_another() {
    let world = start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let before = owner.stored().await;
    let key = "event.webhook.signature.key";
    let body = json!({"configuration": {key: SIGNATURE_KEY}});

    let answer = owner.call("PATCH", "", &body).await;

    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert_eq!(
        answer.body["errors"][0]["field"],
        format!("configuration.{key}")
    );
    assert_eq!(owner.stored().await, before);
    // Without the subscription any key will do.
    owner
        .configure(json!({key: SIGNATURE_KEY, "event.webhook.subscribe": false}))
        .await;
    world.finish().await;
}
