//! An instance as answers show it.

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::callback_state::CallbackState;
use shared::instance::health::Health;
use shared::instance::settings::{Settings, field};
use shared::instance::{Instance, Phase};
use shared::json;
use shared::polling::warnings::Warnings;
use shared::subscription::state::SubscriptionState;

use super::webhook_view;

/// The instance as JSON, its secrets masked, with the URL that Close must post to, and, where there is something to say of
/// them, how Close answers its polls, what the last one found, how its backfill stands and how its notifications fare.
pub fn to_json(instance: &Instance, settings: &Settings, public_url: &str) -> Value {
    let mut answer = json!({
        "id": instance.id,
        "name": instance.name,
        "createdDate": format!("{:.0}", instance.created_date),
        "element": element(),
        "provisionInteractions": [],
        "valid": instance.phase == Phase::Ready && instance.health.is_valid() && !lacks_subscription(instance, settings),
        "disabled": instance.disabled,
        "maxCacheSize": 0,
        "cacheTimeToLive": 0,
        "configuration": instance.configuration.masked(),
        "eventsEnabled": settings.events_enabled,
        "cachingEnabled": false,
        "tags": instance.tags,
        "webhookUrl": instance.id.webhook_url(public_url),
        "unsignedWebhooks": takes_unsigned_webhooks(instance),
    });
    if instance.health != instance.health.renewed() {
        answer["polling"] = polling(&instance.health);
    }
    let last_poll = instance.last_poll.as_deref();
    if let Some(mut last_poll) = last_poll.and_then(|text| json::tree(text).ok()) {
        let problems = take_problems(&mut last_poll);
        if !problems.is_empty() {
            answer["problems"] = problems.into();
        }
        answer["lastPoll"] = last_poll;
    }
    if let Some(reconciliation) = &settings.reconciliation {
        let stream = webhook_view::stream_to_json(&instance.stream, reconciliation);
        if !stream.is_empty() {
            answer["webhook"] = Value::Object(stream);
        }
    }
    if let Some(found) = &instance.backfill {
        answer["backfill"] = backfill(found);
        if let Some(obstacle) = obstacle(instance, settings)
            && found.status == BackfillStatus::Pending
        {
            answer["backfill"]["reason"] = obstacle.into();
        }
    }
    if instance.callback != CallbackState::default() {
        answer["callback"] = callback(&instance.callback.of(instance.callback_since));
    }
    answer
}

/// What a pending backfill waits for, if that is not the next poll.
fn obstacle(instance: &Instance, settings: &Settings) -> Option<&'static str> {
    if instance.disabled {
        Some("the instance is disabled")
    } else if settings.backfilled().is_empty() {
        Some("the instance does not poll")
    } else if instance.health.is_suspended() {
        Some("the instance is suspended")
    } else {
        None
    }
}

/// Whether there is, or should be, a subscription that was made for the instance.
pub fn has_subscription(instance: &Instance, settings: &Settings) -> bool {
    let is_named = instance.subscription_id.is_some();
    is_named || settings.subscription.is_some() || !instance.former_subscriptions.is_empty()
}

fn lacks_subscription(instance: &Instance, settings: &Settings) -> bool {
    instance.subscription_id.is_none() && settings.subscription.is_some()
}

/// Adds to an instance as JSON how its subscription is. While it is missing, nothing comes in.
pub fn set_webhook(answer: &mut Value, subscription: Option<&SubscriptionState>) {
    let Some(subscription) = subscription else {
        return;
    };
    if matches!(subscription, SubscriptionState::Missing { .. }) {
        answer["valid"] = Value::Bool(false);
    }
    let mut shown = webhook_view::to_json(subscription);
    let stream = answer["webhook"].as_object_mut().map(std::mem::take);
    for (name, value) in stream.unwrap_or_default() {
        shown[name] = value;
    }
    answer["webhook"] = shown;
}

/// Adds to an instance as JSON what of the request had no effect.
pub fn set_warnings(answer: &mut Value, warnings: Warnings) {
    let lines = warnings.into_lines();
    if !lines.is_empty() {
        answer["warnings"] = Value::from(lines);
    }
}

fn polling(health: &Health) -> Value {
    json!({
        "refusals": health.refusals,
        "reason": health.reason,
        "suspended": health.is_suspended(),
    })
}

/// What makes a query find less than is meant, of what is stored of a poll: paths that no record has had yet.
fn take_problems(last_poll: &mut Value) -> Vec<Value> {
    let mut problems = Vec::new();
    let resources = last_poll["resources"].as_object_mut();
    for (name, found) in resources.into_iter().flatten() {
        for path in found["missing"].take().as_array().into_iter().flatten() {
            let path = path.as_str().unwrap_or_default();
            let line = format!("{name}: no record so far has `{path}`");
            problems.push(line.into());
        }
        found.as_object_mut().map(|found| found.remove("missing"));
    }
    problems
}

fn callback(state: &CallbackState) -> Value {
    let seconds = |time: Option<Timestamp>| time.map(|time| format!("{time:.0}"));
    json!({
        "lastSuccess": seconds(state.last_success),
        "lastFailure": seconds(state.last_failure),
        "reason": state.last_reason,
        "pending": state.waiting.max(0),
        "gone": state.gone,
    })
}

/// A backfill as JSON.
pub fn backfill(backfill: &Backfill) -> Value {
    json!({
        "resource": backfill.resource,
        "from": backfill.from,
        "to": backfill.to,
        "status": backfill.status,
        "position": backfill.position,
        "published": backfill.published,
        "reason": backfill.reason,
        "requestedDate": format!("{:.0}", backfill.requested_date),
    })
}

/// Whether the URL alone, which is the id, opens the instance. One that is being set up is still to get its key.
fn takes_unsigned_webhooks(instance: &Instance) -> bool {
    let key = instance.configuration.get(field::SIGNATURE_KEY);
    key.is_none() && instance.phase != Phase::Provisioning
}

/// The connector's own entry in the catalogue, as the service that this one follows showed it.
fn element() -> Value {
    json!({
        "id": 146,
        "name": "Close.io",
        "key": "closeio",
        "description": "Add a Close.io CRM Instance to connect your existing Close.io account to the CRM Hub, allowing you to manage contacts, accounts, opportunities, etc. across multiple CRM Elements. You will need your Close.io CRM account information to add an instance.",
        "image": "https://pbs.twimg.com/profile_images/497905627948015616/vNCOkr1Z.png",
        "active": true,
        "deleted": false,
        "typeOauth": false,
        "trialAccount": false,
        "transformationsEnabled": true,
        "authentication": {"type": "basic"},
        "hub": "crm",
        "parameters": [],
    })
}
