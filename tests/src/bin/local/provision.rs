//! The instances that a run begins with, made as a user makes them.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use local_stack::aws::sdk;
use local_stack::stack::LocalStack;
use serde_json::{Map, Value, json};
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::id::InstanceId;
use shared::store::instances::InstanceTable;

/// The keys of the simulated organizations: of the one that subscribes, and of the one that is polled alone.
pub(crate) const API_KEY: &str = "api_local_simulated_key";
pub(crate) const POLLED_KEY: &str = "api_local_polled_key";

/// What `Authorization` carries on this machine.
pub(crate) const USER_SECRET: &str = "user-secret";
pub(crate) const ORGANIZATION_SECRET: &str = "organization-secret";

/// What notifications are signed with.
pub(crate) const SIGNATURE_KEY: &str = "local-key-that-signs-callbacks";

/// The id of the documentation's example URL, `…/closeio/MjA5MzE=`.
const DOCUMENTED_ID: u64 = 20931;

/// What is polled: objects as they are, and all else in the event log.
pub(crate) const RESOURCES: [&str; 5] = ["leads", "contacts", "opportunities", "tasks", "events"];

/// How many seconds before its start a reconciliation ends, for the simulated Close delivers in one.
const SETTLE: u64 = 5;

/// What instances are made with.
pub(crate) struct Provision<'a> {
    pub(crate) stack: &'a LocalStack,
    pub(crate) base_url: String,
    pub(crate) api_key: &'a str,
    pub(crate) callback_url: &'a str,
}

impl Provision<'_> {
    /// A polling instance of the organization with this API key. Returns its id.
    pub(crate) async fn polling(&self, api_key: &str) -> Result<u64> {
        let resource = |name: &str| {
            let pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";
            let url = format!("/hubs/crm/{name}?where=date_updated>'${{gmtDate:{pattern}}}'");
            let members = json!({"createdCheckTolerance": 1, "url": url});
            (name.to_owned(), members)
        };
        let resources: Map<_, _> = RESOURCES.into_iter().map(resource).collect();
        let configuration = json!({
            "event.vendor.type": "polling",
            "event.poller.refresh_interval": 1,
            "event.poller.configuration": resources,
        });
        self.create("Polled", api_key, configuration).await
    }

    /// An instance that subscribes itself at Close, and whose webhooks are reconciled. Returns its id.
    pub(crate) async fn stream(&self) -> Result<u64> {
        let configuration = json!({
            "event.vendor.type": "webhook",
            "event.webhook.subscribe": true,
            "event.webhook.reconcile.interval": 5,
            "event.webhook.settle": SETTLE,
        });
        self.create("Subscribed", self.api_key, configuration).await
    }

    /// The instance of the documentation's example, which takes the unsigned bodies of 2014.
    pub(crate) async fn documented(&self) -> Result<()> {
        let store = self.stack.store();
        let table = store.table("InstancesTable")?;
        let table = InstanceTable::new(&sdk::config(&store.url())?, table);
        let mut configuration = Configuration::default();
        for (key, value) in [
            ("username", "none"),
            ("event.notification.enabled", "true"),
            ("event.vendor.type", "webhook"),
            ("event.notification.callback.url", self.callback_url),
            ("event.notification.signature.key", SIGNATURE_KEY),
        ] {
            configuration.set_default(key, value);
        }
        let instance = Instance::new(
            InstanceId::try_from(DOCUMENTED_ID)?,
            "Test",
            configuration,
            now(),
        );
        let inserted = table.insert(&instance, false).await;
        inserted.context("instance 20931 cannot be made")
    }

    /// Makes an instance of this configuration and what every one has here. Returns its id.
    async fn create(&self, name: &str, api_key: &str, configuration: Value) -> Result<u64> {
        let mut whole = json!({
            "username": api_key,
            "base.url": self.base_url,
            "event.notification.enabled": true,
            "event.notification.callback.url": self.callback_url,
            "event.notification.signature.key": SIGNATURE_KEY,
        });
        for (key, value) in configuration.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        let body = json!({"element": {"key": "closeio"}, "name": name, "configuration": whole});
        let http = reqwest::Client::builder().build()?;
        let request = http.post(format!("{}/elements/api-v2/instances", self.stack.url()));
        let secrets = format!("User {USER_SECRET}, Organization {ORGANIZATION_SECRET}");
        let request = request.header("authorization", secrets).json(&body);
        let response = request.send().await?;
        let status = response.status();
        let answer: Value = response.json().await?;
        ensure!(status.is_success(), "instance {name} was refused: {answer}");
        answer["id"].as_u64().context("the answer has no id")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this binary has no clock to be handed"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
