//! Webhook deliveries: one signed POST per event and subscription, retried until it is accepted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{post, signature};
use crate::close::data::log::entry::LogEntry;
use crate::close::settings::{RetryStamp, Settings};
use crate::close::subscriptions::attempt::Attempt;
use crate::close::subscriptions::subscription::QueuePlace;
use crate::close::world::{Shared, World};

/// What is to be delivered, to which subscription of which organization.
#[derive(Debug, Clone)]
struct Delivery {
    account: usize,
    subscription_id: String,
    event_id: String,
    body: String,
    place: QueuePlace,
}

/// The first wait before a retry; it doubles from one to the next.
const FIRST_RETRY: Duration = Duration::from_secs(61);
/// The longest wait between retries.
const LONGEST_RETRY: Duration = Duration::from_mins(20);
/// After this time an event is dropped.
const GIVE_UP: Duration = Duration::from_hours(72);

/// Plans the delivery of entries that were added to an organization's log or consolidated.
pub(crate) fn schedule(
    shared: &Arc<Shared>,
    world: &mut World,
    account: usize,
    positions: &[usize],
) {
    for &position in positions {
        let organization = &mut world.accounts[account];
        let entry = &organization.data.log.entries[position];
        if organization.subscriptions.is_empty() {
            continue;
        }
        let shown = Value::from(organization.data.render_entry(entry));
        let mut subscriptions = organization.subscriptions.iter();
        let wanted = subscriptions.any(|one| one.wants(entry, &shown));
        // A delivery that is already waiting will carry this change as well.
        if !wanted || !organization.data.log.scheduled.insert(position) {
            continue;
        }
        let delay = delay(entry, &world.settings);
        world.undelivered += 1;
        let deliverer = Arc::clone(shared);
        shared.spawn(async move {
            sleep(delay).await;
            fan_out(&deliverer, account, position);
        });
    }
}

fn delay(entry: &LogEntry, settings: &Settings) -> Duration {
    if entry.action == "created" {
        settings.created_delay
    } else {
        settings.updated_delay
    }
}

/// Starts one delivery per subscription that wants the entry as it is now, unless its queue is full.
fn fan_out(shared: &Arc<Shared>, account: usize, position: usize) {
    let mut guard = shared.lock();
    let world = &mut *guard;
    let now = world.clock.now_micros();
    let organization = &mut world.accounts[account];
    organization.data.log.scheduled.remove(&position);
    let entry = &organization.data.log.entries[position];
    let event = Value::from(organization.data.render_entry(entry));
    let mut deliveries = Vec::new();
    for subscription in organization
        .subscriptions
        .iter_mut()
        .filter(|one| one.wants(entry, &event))
    {
        deliveries.push(Delivery {
            account,
            subscription_id: subscription.id.clone(),
            event_id: entry.id.to_string(),
            body: json!({ "event": event, "subscription_id": subscription.id }).to_string(),
            place: subscription.enqueue(),
        });
        subscription.review(&world.settings, now);
    }
    world.undelivered = world.undelivered + deliveries.len() - 1;
    drop(guard);
    for delivery in deliveries {
        let deliverer = Arc::clone(shared);
        shared.spawn(async move { deliver(&deliverer, delivery).await });
    }
    shared.notify();
}

/// Posts an event until it is accepted, the subscription is gone or was paused, or 72 hours have passed.
async fn deliver(shared: &Shared, mut delivery: Delivery) {
    let (scale, restamp) = {
        let settings = &shared.lock().settings;
        (
            settings.retry_scale,
            settings.retry_stamp == RetryStamp::Fresh,
        )
    };
    let mut waited = Duration::ZERO;
    let mut stamp = unix_time(shared);
    for number in 1.. {
        if restamp {
            stamp = unix_time(shared);
        }
        let Some(attempt) = attempt(shared, &delivery, number, &stamp).await else {
            break;
        };
        let accepted = attempt.accepted();
        note(shared, delivery.account, attempt);
        let wait = retry_wait(number);
        waited += wait;
        if accepted || GIVE_UP < waited {
            break;
        }
        tokio::select! {
            () = sleep(wait.mul_f64(scale)) => {}
            () = delivery.place.lost() => break,
        }
    }
    shared.lock().undelivered -= 1;
    shared.notify();
}

/// The wait after the failed attempt of this number.
fn retry_wait(number: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(number - 1);
    FIRST_RETRY.saturating_mul(doubled).min(LONGEST_RETRY)
}

/// One signed attempt, or nothing if the subscription does not want it any more.
async fn attempt(
    shared: &Shared,
    delivery: &Delivery,
    number: u32,
    stamp: &str,
) -> Option<Attempt> {
    let _turn = shared.delivering.acquire().await.ok()?;
    let (url, key) = {
        let world = shared.lock();
        let mut subscriptions = world.accounts[delivery.account].subscriptions.iter();
        let subscription = subscriptions.find(|one| one.id == delivery.subscription_id)?;
        let is_due = !delivery.place.is_lost();
        is_due.then(|| (subscription.url.clone(), subscription.signature_key.clone()))?
    };
    let hash = signature::sign(&key, stamp, &delivery.body).ok()?;
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("close-sig-hash", hash),
        ("close-sig-timestamp", stamp.to_owned()),
    ];
    let mut attempt = post::post(shared, &url, headers, delivery.body.clone()).await;
    attempt.subscription_id = Some(delivery.subscription_id.clone());
    attempt.event_id = Some(delivery.event_id.clone());
    attempt.number = number;
    Some(attempt)
}

/// Keeps an attempt, for tests and in the subscription's history.
fn note(shared: &Shared, account: usize, attempt: Attempt) {
    let mut guard = shared.lock();
    let world = &mut *guard;
    let now = world.clock.now_micros();
    let mut subscriptions = world.accounts[account].subscriptions.iter_mut();
    if let Some(subscription) =
        subscriptions.find(|one| Some(&one.id) == attempt.subscription_id.as_ref())
    {
        subscription.note(&attempt, now);
        if subscription.is_active() {
            subscription.review(&world.settings, now);
        }
    }
    world.attempts.push(attempt);
    drop(guard);
    shared.notify();
}

fn unix_time(shared: &Shared) -> String {
    shared.lock().clock.now().as_second().to_string()
}

#[cfg(test)]
mod tests;
