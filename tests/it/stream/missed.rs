//! What webhooks did not deliver.

use local_stack::close::data::change::Change;
use serde_json::{Value, json};

use super::{pause, published, reconcile_from, reconciled};
use crate::owner::deliver_signed;
use crate::world::{API_KEY, PATIENCE, World, ago};

const USER_KEY: &str = "api_of_a_user";

#[tokio::test]
async fn what_close_dropped_is_published_once_as_the_delivery_would_have_been() {
    let world = World::start().await;
    let owner = reconciled(&world, json!({"event.objects": "lead"})).await;
    let create = |seconds| {
        let change = Change::at(ago(seconds));
        world
            .organization
            .create_lead(json!({"name": "Acme"}), change)
            .unwrap()
    };
    let delivered = create(300);
    owner.events(1).await;
    pause(&owner).await;
    let missed = create(200);
    world.close.wait_until_delivered(PATIENCE).await.unwrap();

    let summary = world.poll(owner.id).await;
    assert_eq!(
        published(&world),
        [(delivered, false), (missed.clone(), true)]
    );
    assert_eq!(
        (&summary["reconciled"], &summary["published"]),
        (&json!(2), &json!(1))
    );
    let details = world.details();
    let [webhook, reconciled] = details.as_slice() else {
        panic!("{details:?}")
    };
    assert_eq!(reconciled["channel"], "webhook");
    let keys = |detail: &Value| {
        let event = detail["raw"]["event"].as_object().unwrap();
        event.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(webhook), keys(reconciled));

    // Neither another reconciliation nor a late delivery publishes it again.
    assert_eq!(world.poll(owner.id).await["published"], 0);
    let subscription = owner.subscription_id().await;
    let body = json!({"event": reconciled["raw"]["event"], "subscription_id": subscription});
    let key = owner.key().await.unwrap();
    let status = deliver_signed(&world, &owner.url, &key, body.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(published(&world).len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_healthy_instances_reconciliation_publishes_nothing() {
    let world = World::start().await;
    let owner = reconciled(&world, json!({})).await;
    for seconds in [300, 200, 100] {
        let change = Change::at(ago(seconds));
        world.organization.create_lead(json!({}), change).unwrap();
    }
    world.close.wait_until_delivered(PATIENCE).await.unwrap();
    let before = published(&world);
    let summary = world.poll(owner.id).await;
    assert_eq!(
        (&summary["published"], &summary["missed"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(summary["reconciled"], before.len());
    assert_eq!(published(&world), before);
    world.finish().await;
}

#[tokio::test]
async fn while_webhooks_arrive_a_reconciliation_leaves_them_ten_minutes() {
    let world = World::start().await;
    let owner = reconciled(
        &world,
        json!({"event.objects": "lead", "event.webhook.settle": 600}),
    )
    .await;
    pause(&owner).await;
    let old = world
        .organization
        .create_lead(json!({}), Change::at(ago(700)))
        .unwrap();
    let new = world
        .organization
        .create_lead(json!({}), Change::at(ago(500)))
        .unwrap();
    let subscription = owner.subscription_id().await.unwrap();
    world.organization.resume_webhook(&subscription).unwrap();
    world.poll(owner.id).await;
    assert_eq!(published(&world), [(old.clone(), true)]);
    pause(&owner).await;
    world.poll(owner.id).await;
    assert_eq!(published(&world), [(old, true), (new, true)]);
    world.finish().await;
}

#[tokio::test]
async fn only_what_is_subscribed_is_reconciled_and_closes_filter_holds() {
    let world = World::start().await;
    let filter = json!({"lead": {"type": "field_accessor", "field": "data", "filter":
        {"type": "field_accessor", "field": "name", "filter": {"type": "equals", "value": "Acme"}}}});
    let more = json!({"event.objects": "lead", "event.webhook.extra_filter": filter});
    let owner = reconciled(&world, more).await;
    pause(&owner).await;
    let create = |name: &str, seconds| {
        let fields = json!({"name": name});
        world
            .organization
            .create_lead(fields, Change::at(ago(seconds)))
            .unwrap()
    };
    let other = create("Hooli", 300);
    let acme = create("Acme", 200);
    world
        .organization
        .create_contacts(&other, 1, Change::at(ago(100)))
        .unwrap();
    world.poll(owner.id).await;
    assert_eq!(published(&world), [(acme, true)]);
    world.finish().await;
}

#[tokio::test]
async fn what_happened_while_disabled_is_published_unless_its_owner_leaves_it_out() {
    let world = World::start().await;
    let owner = reconciled(&world, json!({"event.objects": "lead"})).await;
    for (query, is_published) in [("", true), ("?from=now", false)] {
        let before = published(&world).len();
        owner.enable(false).await;
        let change = Change::at(ago(100));
        world.organization.create_lead(json!({}), change).unwrap();
        world.close.wait_until_delivered(PATIENCE).await.unwrap();
        let path = format!("/enabled{query}");
        let answer = owner.call("PUT", &path, &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(world.poll(owner.id).await["missed"], 0);
        assert_eq!(published(&world).len() - before, usize::from(is_published));
    }
    let answer = owner.call("PUT", "/enabled?from=then", &json!({})).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body["errors"][0]["field"], "from");
    world.finish().await;
}

#[tokio::test]
async fn seventy_two_hours_of_retries_are_no_second_event() {
    let hour = 3_600;
    for key in [API_KEY, USER_KEY] {
        let world = World::start().await;
        world.organization.add_user_key(USER_KEY);
        world.keep_secret(USER_KEY);
        let more = json!({"username": key, "event.objects": "lead"});
        let owner = reconciled(&world, more).await;
        reconcile_from(&world, owner.id, ago(80 * hour)).await;
        pause(&owner).await;
        let change = Change::at(ago(72 * hour));
        let lead = world
            .organization
            .create_lead(json!({"name": "Acme"}), change)
            .unwrap();
        world.poll(owner.id).await;
        assert_eq!(published(&world), [(lead.clone(), true)]);

        // Close hides what is older than an hour from keys of users, and delivers it whole.
        let mut entry = world.details()[0]["raw"]["event"].clone();
        assert_eq!(entry["data"].is_null(), key == USER_KEY);
        entry["data"] = world.organization.lead(&lead).unwrap();
        let body = json!({"event": entry}).to_string();
        let signature_key = owner.key().await.unwrap();
        world.keep_secret(&signature_key);
        for _ in 0..3 {
            let status = deliver_signed(&world, &owner.url, &signature_key, body.clone()).await;
            assert_eq!(status, 200);
        }
        assert_eq!(published(&world).len(), 1);
        world.finish().await;
    }
}
