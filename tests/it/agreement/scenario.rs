//! The requests that have to do with a subscription, and what there is before them.

use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::close::organization::Organization;
use serde_json::{Value, json};
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::id::{InstanceId, MAX_INSTANCE_ID};
use shared::instance::settings::{Settings, field};

use crate::owner::{self, body, subscribing};
use crate::world::{API_KEY, Answer, World, ago, query};

/// A second key of the organization.
pub(super) const SECOND_KEY: &str = "api_2secretOfTheTests.second";
/// A key of another organization.
pub(super) const OTHER_KEY: &str = "api_3secretOfTheTests.other";

/// A request, and what there is before it.
#[derive(Debug)]
pub(super) enum Scenario {
    /// An instance is made, with this in its configuration.
    Create(Value),
    /// An instance that has no subscription is to have one.
    Subscribe { disabled: bool },
    /// The configuration of an instance that is subscribed is changed.
    Change(Value),
    /// An instance is enabled or disabled, perhaps after its subscription was removed at Close.
    Enable { enabled: bool, lost: bool },
    /// An instance whose subscription was removed at Close gets another name.
    Rename,
    /// An instance that is subscribed and has watermarks is removed.
    Remove,
}

/// A request that can be sent again.
pub(super) struct Request {
    method: &'static str,
    path: String,
    body: Value,
}

/// A world with two organizations.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) other: Organization,
}

impl Stage {
    pub(super) async fn start() -> Self {
        // Many lines would be written of many requests.
        let world = World::start_with(|builder| builder.parameter("LogLevel", "INFO")).await;
        world.organization.add_key(SECOND_KEY);
        for key in [SECOND_KEY, OTHER_KEY] {
            world.keep_secret(key);
        }
        let other = world.close.organization("Umbrella", OTHER_KEY);
        Self { world, other }
    }

    /// Removes all subscriptions at Close, as somebody may do there.
    pub(super) fn remove_subscriptions(&self) {
        for organization in [&self.world.organization, &self.other] {
            for subscription in organization.webhooks() {
                let id = subscription["id"].as_str().unwrap();
                organization.delete_webhook(id).unwrap();
            }
        }
    }

    /// Has nothing fail any more. Returns whether all that was to fail did.
    pub(super) fn clear_faults(&self) -> bool {
        let close = self.world.close.clear_faults();
        self.world.stack.store().clear_faults() && close
    }
}

/// Polling of leads without a subscription.
pub(super) fn polling() -> Value {
    json!({
        "event.vendor.type": "polling",
        "event.webhook.subscribe": false,
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    })
}

impl Scenario {
    /// An instance that is the opposite is enabled or disabled.
    pub(super) fn enable(enabled: bool) -> Self {
        Self::Enable {
            enabled,
            lost: false,
        }
    }

    /// Makes what there is before the request.
    pub(super) async fn prepare(&self, stage: &Stage) -> Request {
        match self {
            Self::Create(more) => Request {
                method: "POST",
                path: "/instances".to_owned(),
                body: serde_json::from_str(&body(&configuration(more))).unwrap(),
            },
            Self::Subscribe { disabled } => {
                let off = json!({"event.webhook.subscribe": false});
                let id = plant(stage, &off, *disabled).await;
                configure(id, &json!({"event.webhook.subscribe": true}))
            }
            Self::Change(change) => configure(plant(stage, &json!({}), false).await, change),
            Self::Enable { enabled, lost } => {
                let id = plant(stage, &json!({}), *enabled).await;
                if *lost {
                    stage.remove_subscriptions();
                }
                let method = if *enabled { "PUT" } else { "DELETE" };
                about(id, method, "/enabled", json!({}))
            }
            Self::Rename => {
                let id = plant(stage, &json!({}), false).await;
                stage.remove_subscriptions();
                about(id, "PATCH", "", json!({"name": "Other"}))
            }
            Self::Remove => {
                let id = plant(stage, &json!({}), false).await;
                plant_watermark(&stage.world, id).await;
                about(id, "DELETE", "", json!({}))
            }
        }
    }
}

fn configuration(more: &Value) -> Value {
    let mut configuration = subscribing(&json!({
        "username": API_KEY,
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
        "event.objects": "lead",
    }));
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

/// Stores an instance and its subscription as provisioning would have left them. Returns its id.
async fn plant(stage: &Stage, more: &Value, disabled: bool) -> InstanceId {
    let world = &stage.world;
    let mut members = configuration(more);
    members["base.url"] = json!(world.close.base_url());
    let members = members.as_object().unwrap().iter();
    let mut configuration = Configuration::default();
    for (key, value) in members {
        configuration.set(key, &to_text(value));
    }
    let id = InstanceId::try_from(fastrand::u64(1..MAX_INSTANCE_ID)).unwrap();
    let mut instance = Instance::new(id, "Test", configuration, ago(0));
    instance.disabled = disabled;
    let settings = Settings::stored(&instance.configuration).unwrap();
    if let Some(events) = settings.subscription {
        let events = events.iter();
        let events = events.map(|event| (event.object_type.as_str(), event.action.as_str()));
        let events: Vec<_> = events.collect();
        let url = world.webhook_url(&id.to_base64());
        let created = world.organization.create_webhook(&url, &events).unwrap();
        if disabled {
            world
                .organization
                .pause_webhook(&created.id, "test")
                .unwrap();
        }
        let key = &created.signature_key;
        instance.configuration.set(field::SIGNATURE_KEY, key);
        instance.subscription_id = Some(created.id);
    }
    owner::plant(world, &instance).await;
    id
}

/// A value as a configuration has it.
pub(super) fn to_text(value: &Value) -> String {
    value.as_str().map_or(value.to_string(), str::to_owned)
}

fn configure(id: InstanceId, configuration: &Value) -> Request {
    let body = json!({"configuration": configuration});
    about(id, "PATCH", "", body)
}

fn about(id: InstanceId, method: &'static str, path: &str, body: Value) -> Request {
    Request {
        method,
        path: format!("/instances/{id}{path}"),
        body,
    }
}

async fn plant_watermark(world: &World, id: InstanceId) {
    let store = world.stack.store();
    let put = store.client().put_item();
    let put = put.table_name(store.table("WatermarksTable").unwrap());
    let put = put.item("instanceId", AttributeValue::N(id.to_string()));
    let put = put.item("resource", AttributeValue::S("leads".to_owned()));
    put.send().await.unwrap();
}

impl Request {
    pub(super) async fn send(&self, stage: &Stage) -> Answer {
        let body = self.body.to_string();
        stage.world.call(self.method, &self.path, None, body).await
    }

    /// Whether it makes an instance each time.
    pub(super) fn creates(&self) -> bool {
        self.method == "POST"
    }

    /// Whether nothing is left after it.
    pub(super) fn removes(&self) -> bool {
        self.method == "DELETE" && !self.path.ends_with("/enabled")
    }

    /// Whether the instance is disabled after it, where it is about that.
    pub(super) fn disables(&self) -> Option<bool> {
        let is_about = self.path.ends_with("/enabled");
        is_about.then_some(self.method == "DELETE")
    }

    /// What the configuration has in the end of what the request says of it.
    pub(super) fn configuration(&self) -> &Value {
        &self.body["configuration"]
    }
}
