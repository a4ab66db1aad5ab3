//! Changes of one instance that race each other, its removal, and deliveries to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::Instance;
use shared::instance::settings::Settings;
use tokio::task::JoinSet;

use crate::owner::{Owner, body, count, deliver_signed, delivery, subscribing};
use crate::subscription::{covered, covering};
use crate::world::{API_KEY, PATIENCE, SIGNATURE_KEY, World, ago, query, texts};

const CLIENTS: usize = 8;
const CHANGES: usize = 6;

/// The same owner in another task.
struct Client {
    world: Arc<World>,
    id: u64,
    url: String,
}

impl Client {
    fn of(world: &Arc<World>, owner: &Owner<'_>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            id: owner.id,
            url: owner.url.clone(),
        })
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let owner = self.owner();
        let answer = owner.call(method, path, body).await;
        (answer.status, answer.body)
    }

    fn owner(&self) -> Owner<'_> {
        Owner {
            world: &self.world,
            id: self.id,
            token: String::new(),
            url: self.url.clone(),
        }
    }
}

/// Ends a world that tasks have shared.
async fn finish(world: Arc<World>) {
    Arc::into_inner(world).unwrap().finish().await;
}

/// What the clients have changed, each something of its own, and how many of their changes were done.
#[derive(Default)]
struct Done {
    values: BTreeMap<String, String>,
    count: u64,
}

/// One client changes its own part again and again: the first the name, the second the tags, the others their own keys.
async fn change_own_part(client: Arc<Client>, number: usize) -> Done {
    let mut done = Done::default();
    for round in 0..CHANGES {
        let value = format!("{number}-{round}");
        let (part, body) = match number {
            0 => ("name".to_owned(), json!({"name": value})),
            1 => ("tags".to_owned(), json!({"tags": [value]})),
            _ => {
                let key = format!("own.{number}.{round}");
                (key.clone(), json!({"configuration": {key: value}}))
            }
        };
        let (status, body) = client.call("PATCH", "", &body).await;
        match status {
            StatusCode::OK => {
                done.values.insert(part, value);
                done.count += 1;
            }
            StatusCode::CONFLICT => {}
            _ => panic!("{status}: {body}"),
        }
    }
    done
}

/// What a name, tags or a key are in the end.
fn value_of<'a>(stored: &'a Instance, part: &str) -> Option<&'a str> {
    match part {
        "name" => Some(&stored.name),
        "tags" => stored.tags.first().map(String::as_str),
        key => stored.configuration.get(key),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_that_was_done_is_there_in_the_end() {
    let world = Arc::new(World::start().await);
    let configuration =
        json!({"event.vendor.type": "webhook", "event.webhook.signature.key": SIGNATURE_KEY});
    let owner = Owner::of(&world, configuration).await;
    let client = Client::of(&world, &owner);
    let is_over = Arc::new(AtomicBool::new(false));

    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(change_own_part(Arc::clone(&client), number));
    }
    let readers = read_until(Arc::clone(&client), Arc::clone(&is_over));
    let deliverers = deliver_until(Arc::clone(&client), Arc::clone(&is_over));
    let (reads, deliveries) = (tokio::spawn(readers), tokio::spawn(deliverers));
    let done = clients.join_all().await;
    is_over.store(true, Ordering::Relaxed);
    let (reads, delivered) = (reads.await.unwrap(), deliveries.await.unwrap());

    let stored = owner.stored().await.unwrap();
    for (part, value) in done.iter().flat_map(|done| &done.values) {
        assert_eq!(value_of(&stored, part), Some(value.as_str()), "{part}");
    }
    let changes: u64 = done.iter().map(|done| done.count).sum();
    assert_eq!(stored.version, changes);
    assert!(0 < reads && 0 < delivered && 0 < changes);
    assert_eq!(world.events().len(), delivered);
    drop((owner, client));
    finish(world).await;
}

/// Reads the instance all the time. Returns how often.
async fn read_until(client: Arc<Client>, is_over: Arc<AtomicBool>) -> usize {
    let mut reads = 0;
    while !is_over.load(Ordering::Relaxed) {
        let shown = client.owner().shown().await;
        assert_eq!(shown["valid"], true);
        let stored = client.owner().stored().await.unwrap();
        Settings::stored(&stored.configuration).unwrap();
        reads += 1;
    }
    reads
}

/// Delivers webhooks all the time. Returns how many.
async fn deliver_until(client: Arc<Client>, is_over: Arc<AtomicBool>) -> usize {
    let mut delivered = 0;
    while !is_over.load(Ordering::Relaxed) {
        let (world, body) = (&client.world, delivery(delivered));
        let status = deliver_signed(world, &client.url, SIGNATURE_KEY, body).await;
        assert_eq!(status, StatusCode::OK);
        delivered += 1;
    }
    delivered
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_instance_removed_while_it_is_changed_nothing_is_left() {
    let world = Arc::new(World::start().await);
    for _ in 0..3 {
        let lead = Change::at(ago(60)).quiet();
        world.organization.create_lead(json!({}), lead).unwrap();
        let owner = Owner::subscribed(&world, polling()).await;
        world.poll(owner.id).await;
        assert!(0 < count(&world, "WatermarksTable").await);
        let client = Client::of(&world, &owner);

        let mut clients = JoinSet::new();
        for number in 0..4 {
            clients.spawn(change_until_gone(Arc::clone(&client), number));
        }
        let poller = Arc::clone(&client);
        clients.spawn(async move {
            poller.world.poll(poller.id).await;
        });
        remove(&client).await;
        clients.join_all().await;

        assert_eq!(count(&world, "InstancesTable").await, 0);
        assert_eq!(count(&world, "WatermarksTable").await, 0);
        assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    }
    finish(world).await;
}

fn polling() -> Value {
    json!({
        "event.vendor.type": "polling",
        "event.poller.start": "2026-01-01T00:00:00Z",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    })
}

/// Removes the instance, however often others are faster.
async fn remove(client: &Client) {
    loop {
        match client.call("DELETE", "", &json!({})).await {
            (StatusCode::OK, _) => return,
            (StatusCode::CONFLICT, _) => {}
            (status, body) => panic!("{status}: {body}"),
        }
    }
}

/// Subscribes to this and that, or to nothing, disables and enables, until the instance is gone.
async fn change_until_gone(client: Arc<Client>, number: usize) {
    for round in number.. {
        let answer = match round % 5 {
            0 => client.call("PUT", "/enabled", &json!({})).await,
            1 => client.call("DELETE", "/enabled", &json!({})).await,
            2 => patch(&client, json!({"event.webhook.subscribe": round % 2 == 0})).await,
            3 => patch(&client, json!({"event.objects": "lead"})).await,
            _ => patch(&client, json!({"event.objects": null})).await,
        };
        match answer {
            (StatusCode::OK | StatusCode::CONFLICT, _) => {}
            (StatusCode::NOT_FOUND, _) => return,
            (status, body) => panic!("{status}: {body}"),
        }
    }
}

async fn patch(client: &Client, configuration: Value) -> (StatusCode, Value) {
    let body = json!({"configuration": configuration});
    client.call("PATCH", "", &body).await
}

#[tokio::test]
async fn an_instance_being_removed_is_not_revived() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, polling()).await;
    let removals = RequestMatch::to("/webhook/*").method("DELETE");
    let mut removal = world.close.hold(removals);

    let ((), ()) = tokio::join!(owner.remove(), async {
        removal.reached(PATIENCE).await.unwrap();
        for (method, path) in [("PUT", "/enabled"), ("DELETE", "/enabled"), ("PATCH", "")] {
            let answer = owner.call(method, path, &json!({"name": "Alive"})).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(
            world.stack.tick("PollerFunction").await.unwrap(),
            json!({"dispatched": 0})
        );
        removal.release();
    });

    let answer = owner.call("PUT", "/enabled", &json!({})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(count(&world, "InstancesTable").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn of_an_instance_removed_while_it_is_set_up_nothing_is_left() {
    let world = World::start().await;
    let creations = RequestMatch::to("/webhook/").method("POST");
    let mut creation = world.close.hold(creations);
    let configuration = subscribing(&json!({
        "username": API_KEY,
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
    }));
    let body = body(&configuration);

    let (answer, ()) = tokio::join!(world.call("POST", "/instances", None, body), async {
        creation.reached(PATIENCE).await.unwrap();
        let listed = world.call("GET", "/instances", None, "").await.body;
        let path = format!("/instances/{}", listed[0]["id"]);
        let removed = world.call("DELETE", &path, None, "").await;
        assert_eq!(removed.status, StatusCode::OK, "{}", removed.body);
        creation.release();
    });

    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
    assert_eq!(count(&world, "InstancesTable").await, 0);
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    world.finish().await;
}

#[tokio::test]
async fn close_has_what_was_stored_last_not_what_came_last() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({})).await;
    let pauses = RequestMatch::to("/webhook/*").containing("\"paused\"");
    let late = CloseFault::Delay(Duration::from_millis(700));
    world.close.fail(pauses.clone(), late);

    let ((), ()) = tokio::join!(owner.enable(false), async {
        while world.close.count(&pauses) == 0 {
            tokio::task::yield_now().await;
        }
        owner.enable(true).await;
    });

    let shown = owner.shown().await;
    assert_eq!(
        (&shown["disabled"], &shown["webhook"]["status"]),
        (&json!(false), &json!("active"))
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn close_covers_what_is_stored_whoever_gave_up() {
    let world = Arc::new(World::start().await);
    let owner = Owner::subscribed(&world, json!({})).await;
    let client = Client::of(&world, &owner);
    let mut clients = JoinSet::new();
    for objects in [
        "lead",
        "contact",
        "opportunity",
        "tasks",
        "activities",
        "activity.call",
    ] {
        let client = Arc::clone(&client);
        clients.spawn(async move {
            for _ in 0..4 {
                let (status, body) = patch(&client, json!({"event.objects": objects})).await;
                let is_fine = [StatusCode::OK, StatusCode::CONFLICT].contains(&status);
                assert!(is_fine, "{status}: {body}");
            }
        });
    }
    clients.join_all().await;

    let stored = owner.stored().await.unwrap();
    let objects = stored.configuration.get("event.objects");
    let subscriptions = world.organization.webhooks();
    assert_eq!(covered(&subscriptions[0]), covering(objects));
    drop((owner, client));
    finish(world).await;
}

/// Two requests for the first subscription, both of which have Close make one. Its answer to the first comes late: after the
/// second request is done, or, if `both`, before the answer to the second, which has replaced the first's.
async fn subscribe_twice(both: bool) {
    let world = World::start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let creations = || RequestMatch::to("/webhook/").method("POST");
    let mut first = world.close.hold(creations());
    let subscribe = json!({"event.webhook.subscribe": true});

    let (_, ()) = tokio::join!(owner.configure(subscribe.clone()), async {
        first.reached(PATIENCE).await.unwrap();
        if both {
            // It is told of the duplicate first.
            let mut second = world.close.hold(creations().after(1));
            tokio::join!(owner.configure(subscribe.clone()), async {
                second.reached(PATIENCE).await.unwrap();
                first.release();
                // The first is stored while the second has not yet heard of its own.
                while owner.subscription_id().await.is_none() {
                    tokio::task::yield_now().await;
                }
                second.release();
            });
        } else {
            owner.configure(subscribe.clone()).await;
            first.release();
        }
    });

    world.keep_secret(&owner.key().await.unwrap());
    let subscriptions = world.organization.webhooks();
    let id = owner.subscription_id().await.unwrap();
    assert_eq!(texts(&subscriptions, "id"), [id]);
    let lead = world
        .organization
        .create_lead(json!({}), Change::now())
        .unwrap();
    assert_eq!(texts(&owner.events(1).await, "objectId"), [lead]);
    world.finish().await;
}

#[tokio::test]
async fn of_two_first_subscriptions_the_one_stored_first_stays() {
    subscribe_twice(false).await;
}

#[tokio::test]
async fn of_two_first_subscriptions_one_stays_whichever_was_replaced() {
    subscribe_twice(true).await;
}
