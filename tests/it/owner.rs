//! An instance as its owner sees it, and what there is of it behind the API.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::id::InstanceId;
use shared::instance::settings::field;

use crate::world::{Answer, PATIENCE, World, sign};

/// The owner of an instance.
pub(crate) struct Owner<'a> {
    pub(crate) world: &'a World,
    pub(crate) id: u64,
    pub(crate) token: String,
    /// Where Close posts.
    pub(crate) url: String,
}

impl<'a> Owner<'a> {
    /// Provisions an instance that subscribes itself at Close, with `more` in its configuration.
    pub(crate) async fn subscribed(world: &'a World, more: Value) -> Self {
        let owner = Self::of(world, subscribing(&more)).await;
        let key = owner.key().await.unwrap();
        world.keep_secret(&key);
        owner
    }

    /// Provisions an instance with this configuration, and what every one needs.
    pub(crate) async fn of(world: &'a World, configuration: Value) -> Self {
        let answer = world.provision(configuration).await;
        let text = |key: &str| answer.body[key].as_str().unwrap().to_owned();
        Self {
            world,
            id: answer.body["id"].as_u64().unwrap(),
            token: text("token"),
            url: text("webhookUrl"),
        }
    }

    /// Sends a request about the instance, and one with `path` about a part of it.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/instances/{}{path}", self.id);
        self.world.call(method, &path, None, body.to_string()).await
    }

    /// Changes the configuration, and expects that to be done.
    pub(crate) async fn configure(&self, configuration: Value) -> Value {
        let body = json!({"configuration": configuration});
        let answer = self.call("PATCH", "", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Enables or disables the instance, and expects that to be done.
    pub(crate) async fn enable(&self, enabled: bool) {
        let method = if enabled { "PUT" } else { "DELETE" };
        let answer = self.call(method, "/enabled", &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["disabled"], !enabled);
    }

    /// Removes the instance, and expects that to be done.
    pub(crate) async fn remove(&self) {
        let answer = self.call("DELETE", "", &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    /// What the API shows of it.
    pub(crate) async fn shown(&self) -> Value {
        let answer = self.call("GET", "", &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// What is stored of it.
    pub(crate) async fn stored(&self) -> Option<Instance> {
        let id = InstanceId::try_from(self.id).unwrap();
        self.world.instance_table().get(id).await.unwrap()
    }

    /// The signature key that is stored.
    pub(crate) async fn key(&self) -> Option<String> {
        let stored = self.stored().await.unwrap();
        stored
            .configuration
            .get(field::SIGNATURE_KEY)
            .map(str::to_owned)
    }

    /// The id of the subscription that is stored.
    pub(crate) async fn subscription_id(&self) -> Option<String> {
        self.stored().await.unwrap().subscription_id
    }

    /// The events that are on the bus, once there are `count`.
    pub(crate) async fn events(&self, count: usize) -> Vec<Value> {
        let events = self.world.stack.bus().events();
        let is_own = |source: &str| source == "closeio";
        events
            .wait_for(PATIENCE, |events| {
                count <= events.iter().filter(|event| is_own(&event.source)).count()
            })
            .await
            .unwrap();
        self.world.details()
    }
}

/// A configuration that subscribes at Close, with `more`.
pub(crate) fn subscribing(more: &Value) -> Value {
    let mut configuration =
        json!({"event.vendor.type": "webhook", "event.webhook.subscribe": true});
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

/// The body of a request that provisions an instance with this configuration alone.
pub(crate) fn body(configuration: &Value) -> String {
    json!({"element": {"key": "closeio"}, "name": "Test", "configuration": configuration})
        .to_string()
}

/// Puts an instance into the table that no request could have made.
pub(crate) async fn plant(world: &World, instance: &Instance) {
    world
        .instance_table()
        .insert(instance, false)
        .await
        .unwrap();
}

/// A configuration as it is stored.
pub(crate) fn stored_configuration(members: Value) -> Configuration {
    serde_json::from_value(members).unwrap()
}

/// How many items a table has, by its key in the template.
pub(crate) async fn count(world: &World, table: &str) -> usize {
    let store = world.stack.store();
    let scan = store.client().scan();
    let scan = scan.table_name(store.table(table).unwrap());
    let items = scan.into_paginator().items().send();
    let items: Vec<_> = items.collect::<Result<_, _>>().await.unwrap();
    items.len()
}

/// Sets an attribute of a stored instance, as time or a crash would have.
pub(crate) async fn set_attribute(world: &World, id: u64, name: &str, value: AttributeValue) {
    let store = world.stack.store();
    let update = store.client().update_item();
    let update = update.table_name(store.table("InstancesTable").unwrap());
    let update = update.key("id", AttributeValue::N(id.to_string()));
    let update = update.update_expression("SET #name = :value");
    let update = update.expression_attribute_names("#name", name);
    let update = update.expression_attribute_values(":value", value);
    update.send().await.unwrap();
}

/// A delivery of Close's about a lead of its own, `number`.
pub(crate) fn delivery(number: usize) -> String {
    let event = json!({
        "id": format!("ev_{number:022}"),
        "date_created": "2026-06-19T11:04:15.770000",
        "date_updated": "2026-06-19T11:04:15.770000",
        "object_type": "lead",
        "object_id": format!("lead_{number}"),
        "action": "created",
        "data": {"id": format!("lead_{number}"), "date_updated": "2026-06-19T11:04:15.763000+00:00"},
        "previous_data": {},
        "meta": {},
    });
    json!({"event": event, "subscription_id": "whsub_1"}).to_string()
}

/// Delivers a body signed with `key` and returns the status of the answer.
pub(crate) async fn deliver_signed(
    world: &World,
    url: &str,
    key: &str,
    body: String,
) -> StatusCode {
    let timestamp = "1781867056";
    let hash = sign(key, timestamp, body.as_bytes());
    let headers = [
        ("close-sig-timestamp", timestamp),
        ("close-sig-hash", hash.as_str()),
    ];
    world.deliver(url, &headers, body).await.status
}
