//! What a subscription shows, and when it is paused.

use super::*;
use crate::close::data::user::Role;

fn attempt(status: u16) -> Attempt {
    Attempt {
        subscription_id: None,
        event_id: Some("ev_1".to_owned()),
        number: 1,
        url: String::new(),
        headers: Vec::new(),
        body: String::new(),
        status: Some(status),
        answer: String::new(),
        error: None,
    }
}

fn subscription() -> Subscription {
    let events = vec![EventType {
        action: "created".to_owned(),
        object_type: "lead".to_owned(),
        extra_filter: None,
    }];
    let url = "https://receiver.example.com/close".to_owned();
    let owner = Owner {
        id: "user_1".to_owned(),
        role: Role::Admin,
    };
    Subscription::new(&owner, url, events, true, Timestamp::UNIX_EPOCH)
}

fn hours(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}

#[test]
fn it_is_shown_as_recorded() {
    let recorded = include_str!("../../samples/list-webhook-subscriptions.json");
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let recorded = recorded["data"][2].as_object().unwrap();
    let mut subscription = subscription();
    subscription.note(&attempt(503), hours(0));
    subscription.note(&attempt(200), hours(1));
    let shown = subscription.render();
    let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&shown), keys(recorded));
    for (key, inner) in [("errors", 0), ("successes", 0)] {
        let entry =
            |object: &Map<String, Value>| keys(object["history"][key][inner].as_object().unwrap());
        assert_eq!(entry(&shown), entry(recorded));
    }
    assert_eq!(shown["latest_error"], recorded["latest_error"]);
    assert_eq!(
        (&shown["health_status"], &shown["pause_reason"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_large_backlog_warns_and_a_full_one_pauses_and_is_dropped() {
    let settings = Settings {
        backlog_warning: 2,
        backlog_limit: 3,
        ..Settings::default()
    };
    let mut subscription = subscription();
    let first = subscription.enqueue();
    subscription.review(&settings, hours(1));
    assert_eq!(subscription.render()["health_status"], Value::Null);
    let second = subscription.enqueue();
    subscription.review(&settings, hours(1));
    assert_eq!(subscription.render()["health_status"], LARGE_BACKLOG);
    assert!(subscription.is_active());
    let third = subscription.enqueue();
    subscription.review(&settings, hours(1));
    let shown = subscription.render();
    assert_eq!(
        (&shown["status"], &shown["pause_reason"]),
        (&json!("paused"), &json!(BACKLOG_FULL))
    );
    assert!([first, second, third].iter().all(QueuePlace::is_lost));
    subscription.resume();
    subscription.review(&settings, hours(2));
    assert!(subscription.is_active() && !subscription.enqueue().is_lost());
    assert_eq!(subscription.render()["pause_reason"], Value::Null);
}

#[test]
fn three_days_of_nothing_but_failures_pause_it() {
    let settings = Settings::default();
    let mut subscription = subscription();
    let mut at = |hour, status| {
        subscription.note(&attempt(status), hours(hour));
        subscription.review(&settings, hours(hour));
        subscription.is_active()
    };
    assert!(at(0, 503) && at(70, 503) && at(71, 200));
    assert!(at(73, 404) && at(144, 404));
    assert!(!at(145, 404));
    let shown = subscription.render();
    assert_eq!(shown["pause_reason"], ALWAYS_FAILING);
    assert_eq!(
        shown["latest_error"],
        "Exception name: HTTPError, Status code: 404"
    );
}

#[test]
fn three_days_pass_as_quickly_as_retries_do() {
    let settings = Settings {
        retry_scale: 0.001,
        ..Settings::default()
    };
    let mut subscription = subscription();
    subscription.note(&attempt(500), hours(0));
    let limit = SignedDuration::from_secs(72 * 3_600 / 1_000);
    subscription.review(&settings, hours(0) + limit);
    assert!(subscription.is_active());
    let second = SignedDuration::from_secs(1);
    subscription.review(&settings, hours(0) + limit + second);
    assert!(!subscription.is_active());
}
