//! A webhook subscription: what it asks for and how its deliveries went.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::attempt::Attempt;
use super::extra_filter::ExtraFilter;
use crate::close::data::ids;
use crate::close::data::log::entry::LogEntry;
use crate::close::data::time::stamp;
use crate::close::data::user::Owner;
use crate::close::settings::Settings;

/// A webhook subscription.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    /// The user whose key made it.
    pub(crate) created_by: String,
    pub(crate) url: String,
    pub(crate) signature_key: String,
    pub(crate) status: Status,
    pub(crate) events: Vec<EventType>,
    pub(crate) verify_ssl: bool,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
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
pub(crate) struct QueuePlace(watch::Receiver<()>);

/// Whether a subscription is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Events are delivered.
    Active,
    /// Events are dropped.
    Paused,
}

/// What a subscription asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventType {
    pub(crate) action: String,
    pub(crate) object_type: String,
    pub(crate) extra_filter: Option<ExtraFilter>,
}

/// How many attempts a subscription's history shows of each outcome.
const HISTORY: usize = 100;

// Close publishes when it warns and pauses, but not in which words.
const LARGE_BACKLOG: &str = "large_backlog";
const BACKLOG_FULL: &str = "backlog_limit_reached";
const ALWAYS_FAILING: &str = "consecutive_failures";

impl Subscription {
    /// A new, active subscription.
    pub(crate) fn new(
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
    pub(crate) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Puts an event into the queue.
    pub(crate) fn enqueue(&self) -> QueuePlace {
        QueuePlace(self.queue.subscribe())
    }

    /// Stops all deliveries and drops what waits.
    pub(crate) fn pause(&mut self, reason: Option<String>, now: Timestamp) {
        self.status = Status::Paused;
        self.date_updated = now;
        self.pause_reason = reason;
        self.health_status = None;
        self.queue = watch::Sender::default();
    }

    /// Delivers again what happens from now on.
    pub(crate) fn resume(&mut self) {
        self.status = Status::Active;
        self.pause_reason = None;
        self.failing_since = None;
    }

    /// What Close does by itself: it warns of a large backlog, and pauses a subscription whose backlog has reached the limit
    /// or that has failed for too long.
    pub(crate) fn review(&mut self, settings: &Settings, now: Timestamp) {
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
    pub(crate) fn wants(&self, entry: &LogEntry, shown: &Value) -> bool {
        let asked = |event: &EventType| {
            let filter = event.extra_filter.as_ref();
            entry.object_type == event.object_type
                && entry.action == event.action
                && filter.is_none_or(|filter| filter.matches(shown))
        };
        self.is_active() && self.events.iter().any(asked)
    }

    /// Writes an attempt into the subscription's history.
    pub(crate) fn note(&mut self, attempt: &Attempt, time: Timestamp) {
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
    pub(crate) fn render(&self) -> Map<String, Value> {
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
    pub(crate) fn render_created(&self) -> Value {
        let mut object = self.render();
        object.insert(
            "signature_key".to_owned(),
            self.signature_key.as_str().into(),
        );
        object.sort_keys();
        object.into()
    }

    /// Whether this active subscription makes `other` superfluous.
    pub(crate) fn duplicates(&self, other: &Self) -> bool {
        self.id != other.id
            && self.is_active()
            && self.url == other.url
            && self.events == other.events
    }
}

impl QueuePlace {
    /// Whether the event is no longer to be delivered.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Returns when the event is no longer to be delivered.
    pub(crate) async fn lost(&mut self) {
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
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.object_type, &self.action)
    }

    fn render(&self) -> Value {
        let extra_filter = self.extra_filter.as_ref().map(ExtraFilter::render);
        json!({ "action": self.action, "extra_filter": extra_filter, "object_type": self.object_type })
    }
}

#[cfg(test)]
mod tests;
