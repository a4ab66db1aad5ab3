//! Subscriptions that a reconciliation finds changed at Close, and repairs.

use std::collections::BTreeSet;

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{pause, published, reconciled, refuse_changes};
use crate::owner::{Owner, deliver_signed};
use crate::subscription::{covered, covering};
use crate::world::{API_KEY, PATIENCE, World, ago, texts};

/// What was said of subscriptions.
fn names(notices: &[(String, Value)]) -> Vec<&str> {
    notices.iter().map(|(name, _)| name.as_str()).collect()
}

/// An instance that is subscribed to leads, and was reconciled once.
async fn start(world: &World) -> Owner<'_> {
    let owner = reconciled(world, json!({"event.objects": "lead"})).await;
    world.poll(owner.id).await;
    owner
}

fn create_lead(world: &World, seconds: i64) -> String {
    let change = Change::at(ago(seconds));
    world.organization.create_lead(json!({}), change).unwrap()
}

/// Has somebody change the subscription at Close.
async fn change_at_close(owner: &Owner<'_>, change: Value) {
    let id = owner.subscription_id().await.unwrap();
    let at_close = format!("{}/webhook/{id}/", owner.world.close.base_url());
    let put = reqwest::Client::builder().build().unwrap().put(at_close);
    let put = put.basic_auth(API_KEY, Some("")).json(&change).send();
    put.await.unwrap().error_for_status().unwrap();
}

#[tokio::test]
async fn a_pause_is_ended_and_all_that_it_swallowed_is_published_by_one_reconciliation() {
    let world = World::start().await;
    let owner = reconciled(
        &world,
        json!({"event.objects": "lead", "event.webhook.settle": 600}),
    )
    .await;
    world.poll(owner.id).await;
    pause(&owner).await;
    let leads: BTreeSet<_> = (0..500)
        .map(|number| create_lead(&world, 3_500 - 7 * number))
        .collect();

    let summary = world.poll(owner.id).await;

    let all = published(&world);
    assert!(all.iter().all(|(_, is_reconciled)| *is_reconciled));
    assert_eq!(all.len(), leads.len());
    assert_eq!(
        all.into_iter().map(|(id, _)| id).collect::<BTreeSet<_>>(),
        leads
    );
    assert_eq!(
        (&summary["subscription"], &summary["missed"]),
        (&json!("repaired"), &json!(0))
    );
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    let notices = world.notices();
    assert_eq!(
        names(&notices),
        ["subscription.paused", "subscription.resumed"]
    );
    for (_, detail) in &notices {
        assert_eq!(detail["instanceId"], owner.id);
        assert_eq!(detail["pauseReason"], "backlog_limit");
        assert!(detail["from"].as_str() < detail["to"].as_str(), "{detail}");
    }
    let lead = create_lead(&world, 0);
    world.close.wait_until_delivered(PATIENCE).await.unwrap();
    assert_eq!(published(&world).last().unwrap(), &(lead, false));
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_made_again_and_both_keys_are_good() {
    let world = World::start().await;
    let owner = start(&world).await;
    let (old, old_key) = (owner.subscription_id().await, owner.key().await.unwrap());
    world
        .organization
        .delete_webhook(old.as_ref().unwrap())
        .unwrap();
    let missed = create_lead(&world, 100);

    world.poll(owner.id).await;

    assert_eq!(published(&world), [(missed, true)]);
    let new = owner.subscription_id().await;
    assert_ne!(new, old);
    assert_eq!(texts(&world.organization.webhooks(), "id"), [new.unwrap()]);
    assert_eq!(names(&world.notices()), ["subscription.recreated"]);
    let new_key = owner.key().await.unwrap();
    world.keep_secret(&new_key);
    for (key, id) in [(old_key, "ev_1"), (new_key, "ev_2")] {
        let body = json!({"event": {"id": id, "object_type": "lead", "object_id": id, "action": "updated"}});
        let status = deliver_signed(&world, &owner.url, &key, body.to_string()).await;
        assert_eq!(status, StatusCode::OK);
    }
    // The owner's own changes go on from there.
    assert_eq!(
        owner.configure(json!({"event.objects": "contact"})).await["webhook"]["status"],
        "active"
    );
    world.finish().await;
}

#[tokio::test]
async fn other_events_and_another_url_are_set_right_without_a_notice() {
    let world = World::start().await;
    let owner = start(&world).await;
    let id = owner.subscription_id().await.unwrap();
    let contacts = [json!({"object_type": "contact", "action": "created"})];
    let created = [json!({"object_type": "lead", "action": "created"})];
    for change in [
        json!({"url": "http://127.0.0.1:9/"}),
        json!({"events": contacts}),
        json!({"events": created}),
    ] {
        change_at_close(&owner, change).await;
        let summary = world.poll(owner.id).await;
        assert_eq!(summary["subscription"], "repaired");
        let subscription = world.organization.webhook(&id).unwrap();
        assert_eq!(subscription["url"], owner.url);
        assert_eq!(covered(&subscription), covering(Some("lead")));
        assert_eq!(world.poll(owner.id).await["subscription"], Value::Null);
    }
    assert_eq!(names(&world.notices()), [""; 0]);
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be_repaired_is_down_until_it_is() {
    let world = World::start().await;
    let owner = start(&world).await;
    pause(&owner).await;
    let path = refuse_changes(&owner).await;
    for _ in 0..2 {
        let lead = create_lead(&world, 10);
        let summary = world.poll(owner.id).await;
        assert_eq!(summary["subscription"], "down");
        assert_eq!(published(&world).last().unwrap(), &(lead, true));
    }
    assert_eq!(
        names(&world.notices()),
        ["subscription.paused", "subscription.down"]
    );
    let next = owner.stored().await.unwrap().stream.next_reconciliation_at;
    assert!(next.unwrap() < ago(-360));

    // A status that Close does not tell changes nothing.
    let status = RequestMatch::to(&path).method("GET");
    world.close.fail(status.times(100), CloseFault::status(503));
    assert_eq!(world.poll(owner.id).await["subscription"], "down");
    world.close.clear_faults();
    assert_eq!(world.poll(owner.id).await["subscription"], "repaired");
    assert_eq!(
        names(&world.notices()),
        [
            "subscription.paused",
            "subscription.down",
            "subscription.resumed"
        ]
    );
    world.finish().await;
}

#[tokio::test]
async fn who_disables_or_deletes_beside_a_repair_wins() {
    for is_deleted in [false, true] {
        let world = World::start().await;
        let owner = start(&world).await;
        let id = owner.subscription_id().await.unwrap();
        world.organization.delete_webhook(&id).unwrap();
        let mut creation = world
            .close
            .hold(RequestMatch::to("/webhook/").method("POST"));
        let poll = world.poll(owner.id);
        let change = async {
            creation.reached(PATIENCE).await.unwrap();
            if is_deleted {
                owner.remove().await;
            } else {
                owner.enable(false).await;
            }
            creation.release();
        };
        tokio::join!(poll, change);
        assert_eq!(names(&world.notices()), [""; 0]);
        let left = world.organization.webhooks();
        if is_deleted {
            assert_eq!(left, [] as [Value; 0]);
        } else {
            let id = owner.subscription_id().await.unwrap();
            assert_eq!(texts(&left, "id"), [id]);
            assert_eq!(texts(&left, "status"), ["paused"]);
        }
        world.finish().await;
    }
}

#[tokio::test]
async fn a_repair_that_cannot_be_stored_leaves_nothing_at_close_and_is_done_again() {
    let world = World::start().await;
    let owner = start(&world).await;
    let id = owner.subscription_id().await.unwrap();
    world.organization.delete_webhook(&id).unwrap();
    // After the lease, and before the end of the poll.
    let calls = Calls::of("UpdateItem")
        .table("InstancesTable")
        .after_first(1);
    let refusal = Fault::new(Failure::Bare { status: 400 }, calls);
    world.stack.store().fail(refusal);
    world.poll(owner.id).await;
    assert_eq!(world.organization.webhooks(), [] as [Value; 0]);
    assert_eq!(names(&world.notices()), ["subscription.down"]);
    world.poll(owner.id).await;
    let id = owner.subscription_id().await.unwrap();
    assert_eq!(texts(&world.organization.webhooks(), "id"), [id]);
    assert_eq!(
        names(&world.notices()),
        ["subscription.down", "subscription.recreated"]
    );
    world.finish().await;
}

#[tokio::test]
async fn a_notice_that_the_bus_does_not_take_is_published_by_the_next_poll() {
    let world = World::start().await;
    let owner = start(&world).await;
    pause(&owner).await;
    let calls = Calls::of("PutEvents").source("closeio.instances");
    let refusal = Fault::new(Failure::Bare { status: 400 }, calls);
    world.stack.bus().fail(refusal);
    world.poll(owner.id).await;
    assert_eq!(names(&world.notices()), [""; 0]);
    world.poll(owner.id).await;
    assert_eq!(
        names(&world.notices()),
        ["subscription.paused", "subscription.resumed"]
    );
    world.finish().await;
}
