//! The instances that a run begins with, made as a user makes them.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use local_stack::sdk;
use local_stack::stack::LocalStack;
use serde_json::{Map, Value, json};
use shared::configuration::Configuration;
use shared::instance::Instance;
use shared::instance_id::InstanceId;
use shared::instance_table::InstanceTable;

/// What `Authorization` carries on this machine.
pub(crate) const USER_SECRET: &str = "user-secret";
pub(crate) const ORGANIZATION_SECRET: &str = "organization-secret";

/// The id of the documentation's example URL, `…/closeio/MjA5MzE=`.
const DOCUMENTED_ID: u64 = 20931;

/// What is polled: objects as they are, and all else in the event log.
pub(crate) const RESOURCES: [&str; 5] = ["leads", "contacts", "opportunities", "tasks", "events"];

/// A polling instance of these. Returns its id.
pub(crate) async fn polling(stack: &LocalStack, base_url: &str, api_key: &str) -> Result<u64> {
    let resource = |name: &str| {
        let pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";
        let url = format!("/hubs/crm/{name}?where=date_updated>'${{gmtDate:{pattern}}}'");
        let members = json!({"createdCheckTolerance": 1, "url": url});
        (name.to_owned(), members)
    };
    let resources: Map<_, _> = RESOURCES.into_iter().map(resource).collect();
    let configuration = json!({
        "username": api_key,
        "base.url": base_url,
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": 1,
        "event.poller.configuration": resources,
    });
    let answer = create(stack, "Polled", configuration).await?;
    answer["id"].as_u64().context("the answer has no id")
}

/// A webhook instance that subscribes itself at Close. Returns its URL.
pub(crate) async fn webhook(stack: &LocalStack, base_url: &str, api_key: &str) -> Result<String> {
    let configuration = json!({
        "username": api_key,
        "base.url": base_url,
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "webhook",
        "event.webhook.subscribe": true,
    });
    let answer = create(stack, "Subscribed", configuration).await?;
    let url = answer["webhookUrl"].as_str();
    Ok(url.context("the answer has no webhookUrl")?.to_owned())
}

/// The instance of the documentation's example, which takes the unsigned bodies of 2014.
pub(crate) async fn documented(stack: &LocalStack) -> Result<()> {
    let table = InstanceTable::new(
        &sdk::config(&stack.store().url()),
        stack.store().table("InstancesTable")?,
    );
    let mut configuration = Configuration::default();
    configuration.set_default("username", "none");
    let instance = Instance::new(
        InstanceId::try_from(DOCUMENTED_ID)?,
        "Test",
        configuration,
        now(),
    );
    table
        .insert(&instance, false)
        .await
        .context("instance 20931 cannot be made")
}

async fn create(stack: &LocalStack, name: &str, configuration: Value) -> Result<Value> {
    let body = json!({"element": {"key": "closeio"}, "name": name, "configuration": configuration});
    let http = reqwest::Client::builder().build()?;
    let request = http.post(format!("{}/elements/api-v2/instances", stack.url()));
    let secrets = format!("User {USER_SECRET}, Organization {ORGANIZATION_SECRET}");
    let response = request
        .header("authorization", secrets)
        .json(&body)
        .send()
        .await?;
    let status = response.status();
    let answer: Value = response.json().await?;
    ensure!(status.is_success(), "instance {name} was refused: {answer}");
    Ok(answer)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this binary has no clock to be handed"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
