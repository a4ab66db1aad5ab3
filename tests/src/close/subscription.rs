//! A webhook subscription: what it asks for and how its deliveries went.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::attempt::Attempt;
use super::auth::Owner;
use super::entry::Entry;
use super::extra_filter::ExtraFilter;
use super::ids;
use super::settings::Settings;
use super::stamp;

/// A webhook subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: String,
    /// The user whose key made it.
    pub(super) created_by: String,
    pub(super) url: String,
    pub(super) signature_key: String,
    pub(super) status: Status,
    pub(super) events: Vec<EventType>,
    pub(super) verify_ssl: bool,
    pub(super) date_created: Timestamp,
    pub(super) date_updated: Timestamp,
    counters: BTreeMap<&'static str, u64>,
    /// Newest first, like the successes.
    errors: Vec<Value>,
    successes: Vec<Value>,
    latest_error: Option<String>,
    pause_reason: Option<String>,
    health_status: Option<&'static str>,
    /// The time of the first failed attempt since one that succeeded.
    failing_since: Option<Timestamp>,
    /// Nothing is sent: each waiting delivery holds a receiver, and is dropped when this is.
    queue: watch::Sender<()>,
}

/// A delivery's place in the queue of its subscription.
#[derive(Debug, Clone)]
pub(super) struct Place(watch::Receiver<()>);

/// Whether a subscription is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Events are delivered.
    Active,
    /// Events are dropped.
    Paused,
}

/// What a subscription asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventType {
    pub(super) action: String,
    pub(super) object_type: String,
    pub(super) extra_filter: Option<ExtraFilter>,
}

/// How many attempts a subscription's history shows of each outcome.
const HISTORY: usize = 100;

// Close publishes when it warns and pauses, but not in which words.
const LARGE_BACKLOG: &str = "large_backlog";
const BACKLOG_FULL: &str = "backlog_limit_reached";
const ALWAYS_FAILING: &str = "consecutive_failures";

impl Subscription {
    /// A new, active subscription.
    pub(super) fn new(
        owner: &Owner,
        url: String,
        events: Vec<EventType>,
        verify_ssl: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            id: ids::short("whsub"),
            created_by: owner.id.clone(),
            url,
            signature_key: ids::signature_key(),
            status: Status::Active,
            events,
            verify_ssl,
            date_created: now,
            date_updated: now,
            counters: BTreeMap::new(),
            errors: Vec::new(),
            successes: Vec::new(),
            latest_error: None,
            pause_reason: None,
            health_status: None,
            failing_since: None,
            queue: watch::Sender::default(),
        }
    }

    /// Whether events are delivered at all.
    pub(super) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Puts an event into the queue.
    pub(super) fn enqueue(&self) -> Place {
        Place(self.queue.subscribe())
    }

    /// Stops all deliveries and drops what waits.
    pub(super) fn pause(&mut self, reason: Option<String>, now: Timestamp) {
        self.status = Status::Paused;
        self.date_updated = now;
        self.pause_reason = reason;
        self.health_status = None;
        self.queue = watch::Sender::default();
    }

    /// Delivers again what happens from now on.
    pub(super) fn resume(&mut self) {
        self.status = Status::Active;
        self.pause_reason = None;
        self.failing_since = None;
    }

    /// What Close does by itself: it warns of a large backlog, and pauses a subscription whose backlog has reached the limit
    /// or that has failed for too long.
    pub(super) fn review(&mut self, settings: &Settings, now: Timestamp) {
        let backlog = self.queue.receiver_count();
        let limit = settings.failing_limit.mul_f64(settings.retry_scale);
        let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
        let failing = self.failing_since.map(|since| now.duration_since(since));
        if settings.backlog_limit <= backlog {
            self.pause(Some(BACKLOG_FULL.to_owned()), now);
        } else if failing.is_some_and(|failing| limit <= failing) {
            self.pause(Some(ALWAYS_FAILING.to_owned()), now);
        } else {
            self.health_status = (settings.backlog_warning <= backlog).then_some(LARGE_BACKLOG);
        }
    }

    /// Whether this entry of the event log, which is `shown` so, is to be delivered.
    pub(super) fn wants(&self, entry: &Entry, shown: &Value) -> bool {
        let asked = |event: &EventType| {
            let filter = event.extra_filter.as_ref();
            entry.object_type == event.object_type
                && entry.action == event.action
                && filter.is_none_or(|filter| filter.matches(shown))
        };
        self.is_active() && self.events.iter().any(asked)
    }

    /// Writes an attempt into the subscription's history.
    pub(super) fn note(&mut self, attempt: &Attempt, time: Timestamp) {
        let (counter, error) = match (attempt.number, attempt.accepted()) {
            (1, true) => ("first_success", None),
            (1, false) => ("first_fail", Some(attempt.error_name())),
            (_, true) => ("retry_success", None),
            (_, false) => ("retry_fail", Some(attempt.error_name())),
        };
        *self.counters.entry(counter).or_default() += 1;
        let entry = json!({
            "attempt_number": attempt.number,
            "datetime": stamp::zoned(time),
            "error": error,
            "event_id": attempt.event_id,
            "response_status_code": attempt.status,
        });
        let history = if error.is_some() {
            &mut self.errors
        } else {
            &mut self.successes
        };
        history.insert(0, entry);
        history.truncate(HISTORY);
        self.failing_since = error.map(|_| self.failing_since.unwrap_or(time));
        if let Some(error) = error {
            let status = attempt
                .status
                .map_or("None".to_owned(), |status| status.to_string());
            self.latest_error = Some(format!("Exception name: {error}, Status code: {status}"));
        }
    }

    /// The subscription as the API shows it: without its key.
    pub(super) fn render(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
        set("counters", json!(self.counters));
        set("created_by", self.created_by.as_str().into());
        set("date_created", stamp::naive(self.date_created).into());
        set("date_updated", stamp::naive(self.date_updated).into());
        set(
            "events",
            self.events.iter().map(EventType::render).collect(),
        );
        set("health_status", json!(self.health_status));
        set(
            "history",
            json!({ "errors": self.errors, "successes": self.successes }),
        );
        set("id", self.id.as_str().into());
        set("latest_error", json!(self.latest_error));
        set("pause_reason", json!(self.pause_reason));
        // Close does not say how long a bucket is; of the three subscriptions that were recorded, failing for minutes, each
        // had 0.
        set("recent_consecutive_fail_buckets_cnt", 0.into());
        set("status", self.status.name().into());
        set("updated_by", self.created_by.as_str().into());
        set("url", self.url.as_str().into());
        set("verify_ssl", self.verify_ssl.into());
        object
    }

    /// The answer to its creation, the only one that shows the key.
    pub(super) fn render_created(&self) -> Value {
        let mut object = self.render();
        object.insert(
            "signature_key".to_owned(),
            self.signature_key.as_str().into(),
        );
        object.sort_keys();
        object.into()
    }

    /// Whether this active subscription makes `other` superfluous.
    pub(super) fn duplicates(&self, other: &Self) -> bool {
        self.id != other.id
            && self.is_active()
            && self.url == other.url
            && self.events == other.events
    }
}

impl Place {
    /// Whether the event is no longer to be delivered.
    pub(super) fn is_lost(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Returns when the event is no longer to be delivered.
    pub(super) async fn lost(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }
}

impl EventType {
    /// What tells it from others.
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.object_type, &self.action)
    }

    fn render(&self) -> Value {
        let extra_filter = self.extra_filter.as_ref().map(ExtraFilter::render);
        json!({ "action": self.action, "extra_filter": extra_filter, "object_type": self.object_type })
    }
}

#[cfg(test)]
mod tests {
    use super::super::auth::Role;
    use super::*;

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
        let recorded = include_str!("samples/list-webhook-subscriptions.json");
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let recorded = recorded["data"][2].as_object().unwrap();
        let mut subscription = subscription();
        subscription.note(&attempt(503), hours(0));
        subscription.note(&attempt(200), hours(1));
        let shown = subscription.render();
        let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&shown), keys(recorded));
        for (key, inner) in [("errors", 0), ("successes", 0)] {
            let entry = |object: &Map<String, Value>| {
                keys(object["history"][key][inner].as_object().unwrap())
            };
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
        assert!([first, second, third].iter().all(Place::is_lost));
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
}
