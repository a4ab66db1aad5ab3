//! A webhook subscription: what it asks for and how its deliveries went.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::attempt::Attempt;
use super::event_log::Entry;
use super::ids;
use super::stamp;

/// A webhook subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: String,
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
}

/// Whether a subscription is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Events are delivered.
    Active,
    /// Events are dropped.
    Paused,
}

/// What a subscription asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventType {
    pub(super) action: String,
    pub(super) object_type: String,
}

/// How many attempts a subscription's history shows of each outcome.
const HISTORY: usize = 100;

impl Subscription {
    /// A new, active subscription.
    pub(super) fn new(
        url: String,
        events: Vec<EventType>,
        verify_ssl: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            id: ids::short("whsub"),
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
        }
    }

    /// Whether events are delivered at all. Close also pauses a subscription by itself, after a backlog of 100,000 or
    /// three days of failures, which no simulation lasts long enough for.
    pub(super) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Whether this entry of the event log is to be delivered.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        let asked = |event: &EventType| {
            event.object_type == entry.object_type && event.action == entry.action
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
        if let Some(error) = error {
            let status = attempt
                .status
                .map_or("None".to_owned(), |status| status.to_string());
            self.latest_error = Some(format!("Exception name: {error}, Status code: {status}"));
        }
    }

    /// The subscription as the API shows it: without its key.
    pub(super) fn render(&self, user_id: &str) -> Map<String, Value> {
        let mut object = Map::new();
        let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
        set("counters", json!(self.counters));
        set("created_by", user_id.into());
        set("date_created", stamp::naive(self.date_created).into());
        set("date_updated", stamp::naive(self.date_updated).into());
        set(
            "events",
            self.events.iter().map(EventType::render).collect(),
        );
        set("health_status", Value::Null);
        set(
            "history",
            json!({ "errors": self.errors, "successes": self.successes }),
        );
        set("id", self.id.as_str().into());
        set("latest_error", json!(self.latest_error));
        set("pause_reason", Value::Null);
        set("recent_consecutive_fail_buckets_cnt", 0.into());
        set("status", self.status.name().into());
        set("updated_by", user_id.into());
        set("url", self.url.as_str().into());
        set("verify_ssl", self.verify_ssl.into());
        object
    }

    /// The answer to its creation, the only one that shows the key.
    pub(super) fn render_created(&self, user_id: &str) -> Value {
        let mut object = self.render(user_id);
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

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }
}

impl EventType {
    fn render(&self) -> Value {
        json!({ "action": self.action, "extra_filter": null, "object_type": self.object_type })
    }
}
