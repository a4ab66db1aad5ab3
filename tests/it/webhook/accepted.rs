//! Webhooks that are published: once, with one id on either channel, at the price of few calls.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::close::data::change::Change;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::id::InstanceId;

use super::{INSTANCE, entry};
use crate::world::{PATIENCE, World, ago, texts};

#[tokio::test]
async fn changes_at_close_become_signed_deliveries_and_these_become_events() {
    let world = World::start().await;
    let types = ["lead", "contact"]
        .map(|object_type| ["created", "updated", "deleted"].map(|action| (object_type, action)));
    let types: Vec<_> = types
        .concat()
        .into_iter()
        .chain([("lead", "merged")])
        .collect();
    world.subscribed(&types).await;
    let organization = &world.organization;

    let create = |name: &str| {
        let fields = json!({"name": name, "contacts": [{"name": "Ann"}]});
        organization.create_lead(fields, Change::now()).unwrap()
    };
    let (source, destination) = (create("Hooli"), create("Hooli Inc"));
    let edited = json!({"name": "Hooli, Inc."});
    organization
        .edit_lead(&destination, edited, Change::now())
        .unwrap();
    organization
        .merge_leads(&source, &destination, Change::now())
        .unwrap();
    organization
        .delete_lead(&destination, Change::now())
        .unwrap();
    let attempts = world.close.wait_until_delivered(PATIENCE).await.unwrap();

    assert!(attempts.iter().all(|attempt| attempt.status == Some(200)));
    let details = world.details();
    let published = details.iter().map(|detail| change(detail, "objectId"));
    let logged = organization.events();
    let logged = logged.iter().map(|entry| change(entry, "object_id"));
    let (mut published, mut logged): (Vec<_>, Vec<_>) = (published.collect(), logged.collect());
    published.sort();
    logged.sort();
    assert_eq!(published, logged);
    assert!(logged.iter().any(|(_, action)| action == "merged"));
    let ids: HashSet<_> = texts(&details, "id").into_iter().collect();
    assert_eq!(ids.len(), details.len());
    world.finish().await;
}

/// The object and what happened to it.
fn change(value: &Value, id: &str) -> (String, String) {
    let text = |key: &str| value[key].as_str().unwrap().to_owned();
    (text(id), text("action"))
}

#[tokio::test]
async fn both_channels_give_one_change_one_id_and_each_publishes_it() {
    let world = World::start().await;
    let organization = &world.organization;
    let id = world.polling(&["leads", "contacts"]).await;
    let encoded = InstanceId::try_from(id).unwrap().to_base64();
    let url = world.webhook_url(&encoded);

    let lead = organization
        .create_lead(json!({"name": "Hooli"}), Change::at(ago(90)))
        .unwrap();
    let mut delivered = vec![deliver_newest(&world, &url, &lead, "created").await];
    world.poll(id).await;
    let contact = organization
        .create_contact(&lead, json!({"name": "Ann"}), Change::at(ago(60)))
        .unwrap();
    delivered.push(deliver_newest(&world, &url, &contact, "created").await);
    delivered.push(deliver_newest(&world, &url, &lead, "updated").await);
    world.poll(id).await;
    let title = json!({"title": "CEO"});
    organization
        .edit_contact(&contact, title, Change::at(ago(30)))
        .unwrap();
    delivered.push(deliver_newest(&world, &url, &contact, "updated").await);
    world.poll(id).await;

    let channels_of = |id: &String| {
        let details = world.details();
        let own = details.into_iter().filter(|detail| detail["id"] == *id);
        texts(&own.collect::<Vec<_>>(), "channel")
    };
    for id in &delivered {
        assert_eq!(channels_of(id), ["webhook", "polling"]);
    }
    assert_eq!(delivered.iter().collect::<HashSet<_>>().len(), 4);
    world.finish().await;
}

/// Posts the event log's newest entry about an object, as a subscription would. Returns its event's id.
async fn deliver_newest(world: &World, url: &str, object_id: &str, action: &str) -> String {
    let entries = world.organization.events();
    let is_meant = |entry: &&Value| entry["object_id"] == object_id && entry["action"] == action;
    let newest = entries.iter().rfind(is_meant).unwrap();
    let body = json!({"event": newest, "subscription_id": "whsub_1"});
    let answer = world.deliver(url, &[], body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["events"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_webhook_that_comes_again_is_published_once_for_33_days() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let sent_at = ago(0).as_second();
    let first = world.deliver(&url, &[], entry("lead_1")).await;
    let again = world.deliver(&url, &[], entry("lead_1")).await;

    assert!(first.body["events"].is_array(), "{}", first.body);
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body, json!({"duplicate": true}));
    assert_eq!(world.events().len(), 1);

    // DynamoDB removes what has expired days later, so until then its time counts.
    let items = world.items("LedgerTable").await;
    let retention = 33 * 24 * 60 * 60;
    for mut item in items {
        let expires_at: i64 = item["expiresAt"].as_n().unwrap().parse().unwrap();
        assert!((retention..retention + 60).contains(&(expires_at - sent_at)));
        item.insert(
            "expiresAt".to_owned(),
            AttributeValue::N(sent_at.to_string()),
        );
        let store = world.stack.store();
        let put = store.client().put_item();
        let put = put.table_name(store.table("LedgerTable").unwrap());
        put.set_item(Some(item)).send().await.unwrap();
    }
    let later = world.deliver(&url, &[], entry("lead_1")).await;
    assert_eq!(later.body, first.body);
    assert_eq!(world.events().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn concurrent_deliveries_of_one_webhook_are_all_accepted_with_one_id() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    let deliver = || world.deliver(&url, &[], entry("lead_1"));

    let answers: [_; 5] =
        tokio::join!(deliver(), deliver(), deliver(), deliver(), deliver()).into();

    for answer in answers {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let ids: HashSet<_> = texts(&world.details(), "id").into_iter().collect();
    assert_eq!(ids.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_warm_webhook_costs_one_read_one_publish_and_one_write() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    world.deliver(&url, &[], entry("lead_1")).await;
    world.forget_calls();

    world.deliver(&url, &[], entry("lead_2")).await;

    let calls = world.stack.store().calls().snapshot();
    let calls: Vec<_> = calls
        .iter()
        .map(|call| (call.operation.as_str(), call.tables.join(" ")))
        .collect();
    let ledger = || "LedgerTable".to_owned();
    assert_eq!(
        calls,
        [("BatchGetItem", ledger()), ("BatchWriteItem", ledger())]
    );
    assert_eq!(world.stack.bus().calls().snapshot().len(), 1);
    assert_eq!(
        world
            .stack
            .function("WebhookFunction")
            .unwrap()
            .process_count(),
        1
    );
    world.finish().await;
}

#[tokio::test]
async fn every_spelling_of_the_encoded_id_names_the_instance() {
    let world = World::start().await;
    world.known_instance(INSTANCE, None).await;
    let spellings = [
        "MjA5MzE=",
        "MjA5MzE",
        "MjA5MzE%3D",
        "MjA5MzE%3d",
        "MjA5MzE%253D",
        "MjA5MzEK",
        "MjA5MzENCg==",
    ];

    for (number, encoded_id) in spellings.iter().enumerate() {
        let url = world.webhook_url(encoded_id);
        let answer = world
            .deliver(&url, &[], entry(&format!("lead_{number}")))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{encoded_id}");
    }

    let details = world.details();
    assert_eq!(details.len(), spellings.len());
    assert!(
        details
            .iter()
            .all(|detail| detail["instanceId"] == INSTANCE)
    );
    world.finish().await;
}
