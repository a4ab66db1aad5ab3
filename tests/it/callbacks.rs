//! Notifications at callback URLs: what arrives, what is tried again, what is given up, and that nobody waits for others.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use local_stack::aws::sqs::queue::Queue;
use local_stack::aws::sqs::queue::message::Message;
use local_stack::aws::sqs::queue::state::Depth;
use serde_dynamo::to_attribute_value;
use serde_json::{Value, json};
use shared::instance::callback_state::CallbackState;

use crate::functions::CALLBACK;
use crate::world::{PATIENCE, World, ago};

mod crowd;
mod delivery;
mod measured;
mod origin;
mod receiver;
mod refusals;
mod retries;

use receiver::Receiver;

const FIRST: &str = "CallbackQueue";
const RETRIES: &str = "CallbackRetryQueue";
const DEAD_LETTERS: &str = "CallbackDeadLetterQueue";
const FAILURES: &str = "CallbackFailureQueue";
const WAITS: &str = "CallbackWaitsTable";

type Item = HashMap<String, AttributeValue>;

/// A world with an application at callback URLs of this machine.
struct Stage {
    world: World,
    receiver: Receiver,
}

/// An instance with a callback URL.
struct Called {
    id: u64,
    token: String,
    webhook_url: String,
}

impl Stage {
    async fn start() -> Self {
        Self::start_with(&["WebhookFunction", "CallbackFunction"]).await
    }

    /// Only these functions take a callback URL of this machine for a good one.
    async fn start_with(local: &[&str]) -> Self {
        let world = World::start_with(|builder| {
            local.iter().fold(builder, |builder, function| {
                builder.environment(function, "CALLBACK_ALLOW_LOOPBACK", "true")
            })
        });
        Self {
            world: world.await,
            receiver: Receiver::start().await,
        }
    }

    /// Provisions an instance that is called back at `path`, with this in its configuration besides.
    async fn instance(&self, path: &str, configuration: Value) -> Called {
        self.instance_at(&self.receiver.url(path), configuration)
            .await
    }

    async fn instance_at(&self, url: &str, configuration: Value) -> Called {
        let mut whole = json!({
            "event.notification.type": "webhook",
            "event.notification.callback.url": url,
            "event.vendor.type": "webhook",
        });
        for (key, value) in configuration.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let body = self.world.provision(whole).await.body;
        Called {
            id: body["id"].as_u64().unwrap(),
            token: body["token"].as_str().unwrap().to_owned(),
            webhook_url: body["webhookUrl"].as_str().unwrap().to_owned(),
        }
    }

    /// Has a change of a lead published, by a webhook as in 2014. Returns the event's id.
    async fn publish(&self, called: &Called, lead: &str) -> String {
        let body = lead_updated(lead);
        let answer = self.world.deliver(&called.webhook_url, &[], body).await;
        answer.body["events"][0].as_str().unwrap().to_owned()
    }

    fn queue(&self, logical_id: &str) -> &Queue {
        self.world.stack.queue(logical_id).unwrap()
    }

    /// Waits until a queue has nothing any more, also nothing that is being handled.
    async fn drained(&self, logical_id: &str) {
        let is_empty = |depth: Depth| depth == Depth::default();
        self.queue(logical_id)
            .wait_for(PATIENCE, is_empty)
            .await
            .unwrap();
    }

    /// Waits for the `count`th message that a queue was ever sent.
    async fn message(&self, logical_id: &str, count: usize) -> Message {
        let messages = self.queue(logical_id).messages();
        let messages = messages.wait_for_count(count, PATIENCE).await.unwrap();
        Message::clone(&messages[count - 1])
    }

    /// Makes all that waits for another attempt due, in the queue and in the table, once nothing is being handled.
    async fn make_due(&self) {
        for queue in [FIRST, RETRIES] {
            let is_quiet = |depth: Depth| depth.in_flight == 0 && depth.ready == 0;
            let queue = self.queue(queue);
            queue.wait_for(PATIENCE, is_quiet).await.unwrap();
        }
        let waits = self.waits().await;
        self.queue(RETRIES).advance(Duration::from_mins(15));
        let due = ago(1);
        for item in waits {
            self.move_wait(item, due).await;
        }
        self.world.stack.tick(CALLBACK).await.unwrap();
    }

    /// The items of the table of those that wait for long.
    async fn waits(&self) -> Vec<Item> {
        let store = self.world.stack.store();
        let scan = store.client().scan();
        let scan = scan.table_name(store.table(WAITS).unwrap());
        let output = scan.consistent_read(true).send().await.unwrap();
        output.items.unwrap_or_default()
    }

    async fn remove_wait(&self, item: &Item) {
        let store = self.world.stack.store();
        let key = ["shard", "due"].map(|name| (name.to_owned(), item[name].clone()));
        let delete = store.client().delete_item();
        let delete = delete.table_name(store.table(WAITS).unwrap());
        delete.set_key(Some(key.into())).send().await.unwrap();
    }

    /// Gives an item of that table another time.
    async fn move_wait(&self, mut item: Item, time: Timestamp) {
        self.remove_wait(&item).await;
        let due = item["due"].as_s().unwrap();
        let (prefix, due) = match due.strip_prefix("part#") {
            Some(due) => ("part#", due),
            None => ("", due.as_str()),
        };
        let (_, id) = due.split_once('#').unwrap();
        let time = time.as_millisecond();
        let due = AttributeValue::S(format!("{prefix}{time:013}#{id}"));
        item.insert("due".to_owned(), due);
        let store = self.world.stack.store();
        let put = store.client().put_item();
        let put = put.table_name(store.table(WAITS).unwrap());
        put.set_item(Some(item)).send().await.unwrap();
    }

    /// Writes over what is noted of an instance's callback.
    async fn set_state(&self, called: &Called, state: &CallbackState) {
        let store = self.world.stack.store();
        let update = store.client().update_item();
        let update = update
            .table_name(store.table("InstancesTable").unwrap())
            .key("id", AttributeValue::N(called.id.to_string()))
            .update_expression("SET callback = :state")
            .expression_attribute_values(":state", to_attribute_value(state).unwrap());
        update.send().await.unwrap();
    }

    /// What is noted of an instance's callback.
    async fn state(&self, called: &Called) -> CallbackState {
        let table = self.world.instance_table();
        let id = called.id.try_into().unwrap();
        table.get(id).await.unwrap().unwrap().callback
    }

    /// The instance as the API shows it.
    async fn shown(&self, called: &Called) -> Value {
        let path = format!("/instances/{}", called.id);
        self.world.call("GET", &path, None, "").await.body
    }

    async fn finish(self) {
        self.world.finish().await;
    }
}

/// A webhook's body of 2014. No two leads have one event.
fn lead_updated(lead: &str) -> String {
    format!(
        r#"{{"model": "lead",  "event": "update", "data": {{"id": "lead_{lead}", "value": 1.50, "date_updated": "2026-06-19T12:04:01.697000+00:00"}}}}"#
    )
}

/// A number among a message's attributes.
fn number(message: &Message, name: &str) -> i64 {
    message.text(name).unwrap().parse().unwrap()
}

/// An event of the instance as the rule puts it into the queue.
fn event(called: &Called, raw: &str) -> String {
    format!(
        r#"{{"source":"closeio","time":"2026-06-19T12:06:52Z","detail":{{"id":"479e76ad29a077976e08103ed6e66062","instanceId":{},
        "instanceName":"Test","instanceTags":[],"elementKey":"closeio","objectType":"lead","objectId":"lead_1","eventType":"UPDATED",
        "action":"updated","date":"2026-06-19T12:06:45.242Z","channel":"webhook","callback":true,"raw":{raw}}}}}"#,
        called.id
    )
}
