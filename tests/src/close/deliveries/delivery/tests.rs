//! What reaches receivers, how it is signed, and when it is sent again.

use std::sync::Mutex;

use super::*;
use crate::close::CloseSimulator;
use crate::close::data::change::Change;
use crate::close::organization::Organization;
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
