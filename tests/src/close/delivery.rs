//! Webhook deliveries: one signed POST per event and subscription, retried until it is accepted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::attempt::{self, Attempt};
use super::entry::Entry;
use super::settings::{RetryStamp, Settings};
use super::signature;
use super::subscription::Place;
use super::world::{Shared, World};

/// What is to be delivered, to which subscription of which organization.
#[derive(Debug, Clone)]
struct Delivery {
    tenant: usize,
    subscription_id: String,
    event_id: String,
    body: String,
    place: Place,
}

/// The first wait before a retry; it doubles from one to the next.
const FIRST_RETRY: Duration = Duration::from_secs(61);
/// The longest wait between retries.
const LONGEST_RETRY: Duration = Duration::from_mins(20);
/// After this time an event is dropped.
const GIVE_UP: Duration = Duration::from_hours(72);

/// Plans the delivery of entries that were added to an organization's log or consolidated.
pub(super) fn schedule(
    shared: &Arc<Shared>,
    world: &mut World,
    tenant: usize,
    positions: &[usize],
) {
    for &position in positions {
        let state = &mut world.tenants[tenant];
        let entry = &state.log.entries[position];
        if state.subscriptions.is_empty() {
            continue;
        }
        let shown = Value::from(state.render_entry(entry));
        let mut subscriptions = state.subscriptions.iter();
        let wanted = subscriptions.any(|one| one.wants(entry, &shown));
        // A delivery that is already waiting will carry this change as well.
        if !wanted || !state.log.scheduled.insert(position) {
            continue;
        }
        let delay = delay(entry, &world.settings);
        world.undelivered += 1;
        let deliverer = Arc::clone(shared);
        shared.spawn(async move {
            sleep(delay).await;
            fan_out(&deliverer, tenant, position);
        });
    }
}

fn delay(entry: &Entry, settings: &Settings) -> Duration {
    if entry.action == "created" {
        settings.created_delay
    } else {
        settings.updated_delay
    }
}

/// Starts one delivery per subscription that wants the entry as it is now, unless its queue is full.
fn fan_out(shared: &Arc<Shared>, tenant: usize, position: usize) {
    let mut guard = shared.lock();
    let world = &mut *guard;
    let now = world.clock.now_micros();
    let state = &mut world.tenants[tenant];
    state.log.scheduled.remove(&position);
    let entry = &state.log.entries[position];
    let event = Value::from(state.render_entry(entry));
    let mut deliveries = Vec::new();
    for subscription in state
        .subscriptions
        .iter_mut()
        .filter(|one| one.wants(entry, &event))
    {
        deliveries.push(Delivery {
            tenant,
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
        note(shared, delivery.tenant, attempt);
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
        let mut subscriptions = world.tenants[delivery.tenant].subscriptions.iter();
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
    let mut attempt = attempt::post(shared, &url, headers, delivery.body.clone()).await;
    attempt.subscription_id = Some(delivery.subscription_id.clone());
    attempt.event_id = Some(delivery.event_id.clone());
    attempt.number = number;
    Some(attempt)
}

/// Keeps an attempt, for tests and in the subscription's history.
fn note(shared: &Shared, tenant: usize, attempt: Attempt) {
    let mut guard = shared.lock();
    let world = &mut *guard;
    let now = world.clock.now_micros();
    let mut subscriptions = world.tenants[tenant].subscriptions.iter_mut();
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
mod tests {
    use std::sync::Mutex;

    use super::super::CloseSimulator;
    use super::super::change::Change;
    use super::super::organization::Organization;
    use super::*;
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;

    const SOON: Duration = Duration::from_secs(10);

    /// What a receiver saw: the headers and body of each delivery.
    type Seen = Arc<Mutex<Vec<(HeaderMap, String)>>>;

    /// Starts a receiver that answers with these statuses and then with 200.
    async fn receiver(mut statuses: Vec<u16>) -> (String, Seen) {
        let seen = Seen::default();
        let keep = Arc::clone(&seen);
        statuses.reverse();
        let statuses = Arc::new(Mutex::new(statuses));
        let receive = move |headers: HeaderMap, body: String| async move {
            keep.lock().unwrap().push((headers, body));
            let status = statuses.lock().unwrap().pop().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().route("/", post(receive));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, seen)
    }

    async fn start(settings: Settings) -> (CloseSimulator, Organization) {
        let simulator = CloseSimulator::start(settings).await.unwrap();
        let organization = simulator.organization("Acme", "key");
        (simulator, organization)
    }

    #[tokio::test]
    async fn an_event_is_signed_and_retried_until_it_is_accepted() {
        let (url, seen) = receiver(vec![503, 302]).await;
        let (simulator, organization) = start(Settings::quick()).await;
        let webhook = organization
            .create_webhook(&url, &[("lead", "created")])
            .unwrap();
        let fields = json!({ "name": "Acme Corp", "contacts": [{ "name": "Alice" }] });
        organization.create_lead(fields, Change::now()).unwrap();
        let attempts = simulator.wait_until_delivered(SOON).await.unwrap();
        let statuses: Vec<_> = attempts
            .iter()
            .map(|one| (one.number, one.status))
            .collect();
        assert_eq!(statuses, [(1, Some(503)), (2, Some(302)), (3, Some(200))]);
        for (headers, body) in &*seen.lock().unwrap() {
            let header = |name: &str| headers[name].to_str().unwrap();
            let hash = signature::sign(&webhook.signature_key, header("close-sig-timestamp"), body);
            assert_eq!(header("close-sig-hash"), hash.unwrap());
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(
                body,
                json!({ "event": organization.events()[0], "subscription_id": webhook.id })
            );
        }
        let counters = &organization.webhook(&webhook.id).unwrap()["counters"];
        assert_eq!(
            *counters,
            json!({ "first_fail": 1, "retry_fail": 1, "retry_success": 1 })
        );
    }

    #[tokio::test]
    async fn updates_within_the_delay_are_delivered_as_one() {
        let (url, seen) = receiver(vec![]).await;
        let (simulator, organization) = start(Settings {
            consolidation: Duration::from_secs(5),
            updated_delay: Duration::from_millis(200),
            ..Settings::quick()
        })
        .await;
        let lead = organization
            .create_lead(json!({ "name": "A" }), Change::now())
            .unwrap();
        organization
            .create_webhook(&url, &[("lead", "updated"), ("lead", "deleted")])
            .unwrap();
        for name in ["B", "C"] {
            organization
                .edit_lead(&lead, json!({ "name": name }), Change::now())
                .unwrap();
        }
        simulator.wait_until_delivered(SOON).await.unwrap();
        organization.delete_lead(&lead, Change::now()).unwrap();
        simulator.wait_until_delivered(SOON).await.unwrap();
        let event = |body: &str| serde_json::from_str::<Value>(body).unwrap()["event"].clone();
        let events: Vec<_> = seen
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| event(body))
            .collect();
        let [updated, deleted] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(
            (&updated["data"]["name"], &updated["previous_data"]["name"]),
            (&json!("C"), &json!("A"))
        );
        assert_eq!(
            (&deleted["data"], &deleted["previous_data"]["name"]),
            (&Value::Null, &json!("C"))
        );
    }

    #[tokio::test]
    async fn a_paused_subscription_gets_nothing_more() {
        let (simulator, organization) = start(Settings::quick()).await;
        let (url, _seen) = receiver(vec![404; 100]).await;
        let webhook = organization
            .create_webhook(&url, &[("lead", "created")])
            .unwrap();
        organization.create_lead(json!({}), Change::now()).unwrap();
        simulator
            .wait_for_deliveries(SOON, |attempts| 2 <= attempts.len())
            .await
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let path = format!("{}/webhook/{}/", simulator.base_url(), webhook.id);
        for status in ["paused", "active"] {
            let change = client.put(&path).basic_auth("key", Some(""));
            let change = change.json(&json!({ "status": status }));
            assert_eq!(change.send().await.unwrap().status(), 200);
        }
        // What waited is dropped, and does not come back with the subscription.
        let attempts = simulator.wait_until_delivered(SOON).await.unwrap();
        assert!(attempts.iter().all(|one| one.status == Some(404)));
        assert_eq!(
            organization.webhook(&webhook.id).unwrap()["status"],
            "active"
        );
    }

    #[tokio::test]
    async fn a_full_queue_is_cleared_and_the_subscription_paused() {
        let (simulator, organization) = start(Settings {
            backlog_limit: 5,
            retry_scale: 1.0,
            ..Settings::quick()
        })
        .await;
        let (url, _seen) = receiver(vec![503; 100]).await;
        let webhook = organization
            .create_webhook(&url, &[("lead", "created")])
            .unwrap();
        organization.create_leads(4, Change::now()).unwrap();
        simulator
            .wait_for_deliveries(SOON, |attempts| attempts.len() == 4)
            .await
            .unwrap();
        assert_eq!(
            organization.webhook(&webhook.id).unwrap()["status"],
            "active"
        );
        organization.create_leads(1, Change::now()).unwrap();
        // The retries would come after a minute.
        simulator.wait_until_delivered(SOON).await.unwrap();
        let shown = organization.webhook(&webhook.id).unwrap();
        assert_eq!(
            (&shown["status"], shown["pause_reason"].is_string()),
            (&json!("paused"), true)
        );
    }

    #[tokio::test]
    async fn a_receiver_that_takes_too_long_has_failed() {
        let (simulator, organization) = start(Settings {
            webhook_timeout: Duration::from_millis(100),
            ..Settings::quick()
        })
        .await;
        // Accepts connections and never answers.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let webhook = organization
            .create_webhook(&url, &[("lead", "created")])
            .unwrap();
        organization.create_lead(json!({}), Change::now()).unwrap();
        simulator
            .wait_for_deliveries(SOON, |attempts| attempts.len() == 2)
            .await
            .unwrap();
        let shown = organization.webhook(&webhook.id).unwrap();
        assert_eq!(
            shown["latest_error"],
            "Exception name: Timeout, Status code: None"
        );
        assert_eq!(
            shown["history"]["errors"][0]["response_status_code"],
            Value::Null
        );
    }

    #[tokio::test]
    async fn the_format_of_2014_is_unsigned() {
        let (url, seen) = receiver(vec![400]).await;
        let (simulator, _organization) = start(Settings::quick()).await;
        let attempt = simulator
            .post_legacy(&url, "lead", "delete", json!({ "id": "lead_1" }))
            .await;
        assert_eq!((attempt.status, attempt.accepted()), (Some(400), false));
        let (headers, body) = seen.lock().unwrap()[0].clone();
        assert_eq!(
            body,
            r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#
        );
        assert!(!headers.contains_key("close-sig-hash"));
    }

    #[test]
    fn waits_double_from_61_seconds_to_20_minutes() {
        let waits: Vec<_> = (1..8).map(|number| retry_wait(number).as_secs()).collect();
        assert_eq!(waits, [61, 122, 244, 488, 976, 1200, 1200]);
        assert_eq!(retry_wait(u32::MAX), LONGEST_RETRY);
    }
}
