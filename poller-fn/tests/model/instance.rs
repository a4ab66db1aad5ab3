//! The instance that is polled, as its owner wrote it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::id::InstanceId;

use crate::history::{Condition, Polled, Setup, epoch};

/// A new one.
pub(crate) fn new(setup: &Setup, now: Timestamp) -> Instance {
    let start = setup.start.map(|_| start(setup, now));
    Instance::new(id(), "Test", configuration(&setup.resources, start), now)
}

/// Its configuration.
pub(crate) fn configuration(resources: &[Polled], start: Option<Timestamp>) -> Configuration {
    let resources: Map<_, _> = resources.iter().map(resource).collect();
    let members = json!({
        "username": "api_key",
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": 1,
        "event.poller.configuration": resources,
        "event.poller.start": start.map(|start| start.to_string()),
    });
    let mut configuration = Configuration::default();
    if let Value::Object(members) = members {
        configuration.merge(members);
    }
    configuration
}

/// The configuration of one that subscribes at Close, with the minutes between reconciliations, and the seconds that they leave
/// to webhooks.
pub(crate) fn subscribing(interval: u64, settle: u64) -> Configuration {
    let members = json!({
        "username": "api_key",
        "event.notification.enabled": true,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "webhook",
        "event.webhook.subscribe": true,
        "event.webhook.reconcile.interval": interval,
        "event.webhook.settle": settle,
    });
    let mut configuration = Configuration::default();
    if let Value::Object(members) = members {
        configuration.merge(members);
    }
    configuration
}

/// The number of another, of the same organization.
#[expect(clippy::expect_used, reason = "in a test a panic is the report")]
pub(crate) fn other_id() -> InstanceId {
    20932.try_into().expect("it is an id")
}

/// Its number.
#[expect(clippy::expect_used, reason = "in a test a panic is the report")]
pub(crate) fn id() -> InstanceId {
    20931.try_into().expect("it is an id")
}

/// What is dated before is nobody's, of an instance made now.
pub(crate) fn start(setup: &Setup, now: Timestamp) -> Timestamp {
    now - setup.start.unwrap_or_default()
}

/// When objects were created that a condition lets through.
pub(crate) fn created_since(condition: Condition) -> Option<Timestamp> {
    match condition {
        Condition::CreatedSince(ago) => Some(epoch() - ago),
        _ => None,
    }
}

fn resource(polled: &Polled) -> (String, Value) {
    let name = polled.of.path();
    let condition = match polled.condition {
        Condition::Any => String::new(),
        Condition::Rank(rank) => format!(" AND rank>={rank}"),
        Condition::CreatedSince(_) => format!(
            " AND date_created>='{}'",
            created_since(polled.condition).unwrap_or_default()
        ),
    };
    let url = format!(
        "/hubs/crm/{name}?where=date_updated>'${{gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}}'{condition}"
    );
    let mut members =
        json!({"url": url, "pageSize": polled.page_size, "pollDelay": polled.delay.as_secs()});
    if polled.is_logged {
        members["source"] = "event-log".into();
    }
    (name.to_owned(), members)
}

/// Where its webhooks must be posted.
pub(crate) fn url() -> String {
    id().webhook_url("https://example.com")
}
