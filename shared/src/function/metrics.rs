//! What is measured, as lines in CloudWatch's embedded metric format.
//!
//! CloudWatch makes metrics of such lines by itself, so measuring takes no call and no permission. They are written
//! whatever the log level is.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::instance::id::InstanceId;

/// The namespace where nothing says another. Stacks of one account and region need one each.
pub const DEFAULT_NAMESPACE: &str = "closeio-events";

/// Dimensions; the instance id is excluded, for each combination of values is paid for as a metric.
const DIMENSIONS: [&str; 2] = ["Service", "Channel"];

/// A metric, by its name in CloudWatch. docs/operate.md says what each is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// How long before its notification was delivered an event was published.
    CallbackLagSeconds,
    /// How long the notification has been due that a tick finds waiting longest.
    CallbackOverdueSeconds,
    /// Notifications that a callback URL took.
    CallbacksDelivered,
    /// Notifications of slow callback URLs that went to the retry queue without an attempt.
    CallbacksDiverted,
    /// Notifications that are not tried again.
    CallbacksGivenUp,
    /// Notifications that failed, or that an open circuit spared, and wait for another attempt.
    CallbacksPutOff,
    /// Notifications that a tick put back into the retry queue.
    CallbacksReleased,
    /// Processes that answer their first invocation.
    ColdStart,
    /// Of the entries reconciled, those that were not on the bus though Close said that it delivers.
    DeliveriesMissed,
    /// Of the deliveries that an instance could expect, the share that was missed: whenever reconciliations have counted ten.
    DeliveriesMissedPercent,
    /// Polls that a tick asked for.
    Dispatched,
    /// How long the instance that has waited longest for its poll has done so, as a tick finds it.
    DueBacklog,
    /// Entries of Close's event log that webhooks should have delivered, as reconciliations read them for the first time.
    EntriesReconciled,
    /// Changes that were read or delivered again and left out.
    EventsDuplicate,
    /// Events that EventBridge accepted.
    EventsPublished,
    /// Events that EventBridge refuses in every form.
    EventsUnpublishable,
    /// Ticks of the schedule that looked for all that is due.
    Heartbeat,
    /// Polls in which Close refused something for good.
    InstancesRefused,
    /// Polls that leave their instance suspended.
    InstancesSuspended,
    /// Resources that a poll did not read to their end, but for want of time; and polls that could not begin or give their lease
    /// back.
    PollFailures,
    /// How far behind a poll is with the resource that is furthest behind; nought where all were read to their end.
    PollLagSeconds,
    /// Requests to Close.
    PollRequests,
    /// Events that EventBridge did not accept in time. They are tried again: by the next poll, or when Close retries.
    PublishFailures,
    /// Requests that Close answered with 429.
    RateLimited,
    /// Ids of published events that had to be forgotten too early.
    SeenForgotten,
    /// Reconciliations that found their subscription paused or missing, and could not repair it.
    SubscriptionsDown,
    /// Reconciliations that repaired their subscription.
    SubscriptionsRepaired,
    /// Records without a date that can be read.
    UndatedRecords,
    /// Entries of Close's event log, read or delivered, that do not say what changed. They are published all the same.
    UnreadableEntries,
    /// Webhooks that were answered with 4xx.
    WebhooksRejected,
}

/// A function, as metrics tell it from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Receives what Close sends.
    Webhook,
    /// Asks Close.
    Poller,
    /// Delivers what either published, so that its Channel is its own.
    Callback,
}

/// How CloudWatch shows a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StandardUnit {
    /// How many.
    Count,
    /// Of a hundred.
    Percent,
    /// How long.
    Seconds,
}

/// What one invocation has to report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    instance_id: Option<InstanceId>,
    values: Vec<(Metric, u64)>,
}

/// Writes what a function's invocations report.
#[derive(Debug, Clone)]
pub struct Metrics {
    namespace: String,
    service: Service,
    is_cold: Arc<AtomicBool>,
}

/// A line in embedded metric format.
struct Line<'a> {
    metrics: &'a Metrics,
    measures: &'a Measures,
    now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [[&'a str; 2]; 1],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: Metric,
    unit: StandardUnit,
}

impl Metric {
    /// The unit of its values.
    pub fn unit(self) -> StandardUnit {
        match self {
            Self::CallbackLagSeconds
            | Self::CallbackOverdueSeconds
            | Self::DueBacklog
            | Self::PollLagSeconds => StandardUnit::Seconds,
            Self::DeliveriesMissedPercent => StandardUnit::Percent,
            _ => StandardUnit::Count,
        }
    }
}

impl Service {
    /// The values of the dimensions.
    fn dimensions(self) -> [&'static str; 2] {
        match self {
            Self::Webhook => ["webhook-fn", "webhook"],
            Self::Poller => ["poller-fn", "polling"],
            Self::Callback => ["callback-fn", "callback"],
        }
    }
}

impl Measures {
    /// Those of an instance, if it is known. The line shows the instance's id, which is not a dimension.
    pub fn of_instance(instance_id: Option<InstanceId>) -> Self {
        Self {
            instance_id,
            values: Vec::new(),
        }
    }

    /// Reports a value, nought too.
    pub fn set(&mut self, metric: Metric, value: u64) {
        self.values.push((metric, value));
    }

    /// Reports how often something happened, if it did: what never happens is not paid for.
    pub fn count(&mut self, metric: Metric, times: usize) {
        if 0 < times {
            self.set(metric, u64::try_from(times).unwrap_or(u64::MAX));
        }
    }
}

impl Metrics {
    /// Those of a service.
    pub fn new(namespace: String, service: Service) -> Self {
        Self {
            namespace,
            service,
            is_cold: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Writes a line, if there is anything to report; the first invocation of the process also reports that.
    pub fn write(&self, mut measures: Measures, now: Timestamp) {
        if self.is_cold.swap(false, Ordering::Relaxed) {
            measures.count(Metric::ColdStart, 1);
        }
        if measures.values.is_empty() {
            return;
        }
        let line = self.to_line(&measures, now);
        // Nobody reads it where stdout is closed, and the work is done either way.
        let _ = io::stdout().lock().write_all(line.as_bytes());
    }

    fn to_line(&self, measures: &Measures, now: Timestamp) -> String {
        let line = Line {
            metrics: self,
            measures,
            now,
        };
        let json = serde_json::to_string(&line);
        json.map(|json| json + "\n").unwrap_or_default()
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = &self.measures.values;
        let metrics = values.iter().map(|(name, _)| Definition {
            name: *name,
            unit: name.unit(),
        });
        let directive = Directive {
            namespace: &self.metrics.namespace,
            dimensions: [DIMENSIONS],
            metrics: metrics.collect(),
        };
        let metadata = Metadata {
            timestamp: self.now.as_millisecond(),
            cloud_watch_metrics: [directive],
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("_aws", &metadata)?;
        for (name, value) in DIMENSIONS.iter().zip(self.metrics.service.dimensions()) {
            map.serialize_entry(name, value)?;
        }
        if let Some(id) = self.measures.instance_id {
            map.serialize_entry("instanceId", &id)?;
        }
        for (metric, value) in values {
            map.serialize_entry(metric, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Measures, Metric, Metrics, Service};

    fn metrics() -> Metrics {
        Metrics::new("closeio-events/test".to_owned(), Service::Poller)
    }

    #[test]
    fn a_line_says_what_is_a_metric_and_of_what() {
        let mut measures = Measures::of_instance(20931.try_into().ok());
        measures.set(Metric::EventsPublished, 3);
        measures.set(Metric::PollLagSeconds, 0);
        measures.count(Metric::RateLimited, 0);
        let now = Timestamp::from_millisecond(1_781_870_805_242).unwrap();
        insta::assert_snapshot!(metrics().to_line(&measures, now), @r#"{"_aws":{"Timestamp":1781870805242,"CloudWatchMetrics":[{"Namespace":"closeio-events/test","Dimensions":[["Service","Channel"]],"Metrics":[{"Name":"EventsPublished","Unit":"Count"},{"Name":"PollLagSeconds","Unit":"Seconds"}]}]},"Service":"poller-fn","Channel":"polling","instanceId":20931,"EventsPublished":3,"PollLagSeconds":0}"#);
    }

    #[test]
    fn what_did_not_happen_is_not_reported() {
        let mut measures = Measures::default();
        measures.count(Metric::RateLimited, 0);
        assert_eq!(measures, Measures::default());
    }
}
