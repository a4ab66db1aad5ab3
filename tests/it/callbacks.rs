//! Notifications at callback URLs: what arrives, what is tried again, what is given up, and that nobody waits for others.

use std::time::Duration;

use local_stack::queue::Queue;
use local_stack::queue::message::{Attribute, Message};
use local_stack::queue::state::Depth;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

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

    /// Makes all that waits for another attempt due, by its own time and the queue's, once nothing is being handled, which
    /// would come again.
    async fn make_due(&self) {
        let queue = self.queue(RETRIES);
        let is_quiet = |depth: Depth| depth.in_flight == 0 && depth.ready == 0;
        queue.wait_for(PATIENCE, is_quiet).await.unwrap();
        queue.edit(|message| {
            let not_before = Attribute::number(0);
            message
                .attributes
                .insert("notBefore".to_owned(), not_before);
        });
        queue.advance(Duration::from_hours(12));
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
