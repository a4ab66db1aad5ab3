//! What a poll did: its answer to Lambda, its line in the log, and its metrics.

use std::collections::HashMap;

use jiff::SignedDuration;
use serde::Serialize;
use shared::event::bus::publication::Counts;
use shared::function::metrics::{Measures, Metric};
use shared::instance::health::Health;
use shared::instance::id::InstanceId;

use crate::error::{ErrorKind, PollError, Reason};
use crate::poll::failure::Failure;

/// What came of a poll.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Whether the instance was polled; not if another poll was at it, or it is gone, or suspended.
    pub polled: bool,
    /// Events on the bus.
    pub published: usize,
    /// Records read again and left out.
    pub duplicates: usize,
    /// Entries of the event log that webhooks should have delivered, as far as no reconciliation had read them before.
    pub reconciled: usize,
    /// Of these, how many Close should have delivered by what it said of the subscription.
    pub expected: usize,
    /// Of those, how many were not on the bus.
    pub missed: usize,
    /// The share of missed deliveries, where reconciliations have counted enough.
    pub missed_percent: Option<u64>,
    /// The result of the repair of the subscription, if it had a fault.
    pub subscription: Option<SubscriptionResult>,
    /// Records that are not wanted: by the condition of the query, or because another resource publishes them.
    pub filtered: usize,
    /// Events that EventBridge refuses in every form.
    pub unpublishable: usize,
    /// Events that EventBridge did not accept in time.
    pub unpublished: usize,
    /// Published records without a readable date.
    pub undated: usize,
    /// Entries of the event log that are published although they cannot be read.
    pub unreadable: usize,
    /// Ids of published events that were forgotten too early.
    pub forgotten: usize,
    /// Requests to Close.
    pub requests: u32,
    /// Of these, how many it answered with 429.
    pub rate_limited: u32,
    /// Resources that were not read to their end, each with the reason.
    pub failed: HashMap<String, Reason>,
    /// How far behind the resource is that is furthest behind, if that is known.
    pub lag_seconds: Option<u64>,
    /// Whether Close refuses something, but not everything for so long that the instance is suspended.
    pub refused: bool,
    /// Whether the instance is suspended.
    pub suspended: bool,
}

/// The result of the repair of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionResult {
    /// It is what it should be now.
    Repaired,
    /// It delivers nothing, and could not be repaired.
    Down,
}

impl Summary {
    /// Adds what became of events.
    pub fn count(&mut self, counts: Counts) {
        self.published += counts.published;
        self.unpublishable += counts.unpublishable;
        self.unpublished += counts.unpublished;
    }

    /// Adds the resources of a failure.
    pub fn note(&mut self, failure: &Failure) {
        let resources = failure.resources.iter().cloned();
        let failed = resources.map(|resource| (resource, failure.reason));
        self.failed.extend(failed);
    }

    /// Logs a failure, and adds its resources.
    pub fn fail(&mut self, id: InstanceId, failure: &Failure, error: &PollError) {
        let reason = failure.reason.word;
        for resource in &failure.resources {
            tracing::error!(instance.id = %id, resource, reason, %error, "a resource was not polled to its end");
        }
        self.note(failure);
    }

    /// Adds what is known at the end of a poll.
    pub fn conclude(&mut self, health: &Health, lag: Option<SignedDuration>) {
        self.lag_seconds = lag.and_then(|lag| u64::try_from(lag.as_secs()).ok());
        self.suspended = health.is_suspended();
        self.refused = !health.is_valid() && !self.suspended;
    }

    /// The line of the log.
    pub fn log(&self, id: InstanceId, health: &Health) {
        tracing::info!(
            instance.id = %id,
            published = self.published,
            duplicates = self.duplicates,
            filtered = self.filtered,
            reconciled = self.reconciled,
            missed = self.missed,
            unpublishable = self.unpublishable,
            unpublished = self.unpublished,
            undated = self.undated,
            unreadable = self.unreadable,
            requests = self.requests,
            rate_limited = self.rate_limited,
            failed = self.failed.len(),
            refusals = health.refusals,
            lag_seconds = self.lag_seconds,
            "polled"
        );
    }

    /// The metrics of a poll of `id`: none, if it was none.
    pub fn measures(&self, id: InstanceId) -> Measures {
        let mut measures = Measures::of_instance(Some(id));
        if self.polled {
            measures.set(Metric::EventsPublished, to_u64(self.published));
            measures.set(Metric::EventsDuplicate, to_u64(self.duplicates));
            measures.set(Metric::PollRequests, self.requests.into());
        }
        if let Some(lag) = self.lag_seconds {
            measures.set(Metric::PollLagSeconds, lag);
        }
        let rate_limited = usize::try_from(self.rate_limited).unwrap_or(usize::MAX);
        measures.count(Metric::PollFailures, self.failures());
        measures.count(Metric::RateLimited, rate_limited);
        measures.count(Metric::EventsUnpublishable, self.unpublishable);
        measures.count(Metric::PublishFailures, self.unpublished);
        measures.count(Metric::UndatedRecords, self.undated);
        measures.count(Metric::UnreadableEntries, self.unreadable);
        measures.count(Metric::SeenForgotten, self.forgotten);
        measures.count(Metric::EntriesReconciled, self.reconciled);
        measures.count(Metric::DeliveriesMissed, self.missed);
        if let Some(share) = self.missed_percent {
            measures.set(Metric::DeliveriesMissedPercent, share);
        }
        match self.subscription {
            Some(SubscriptionResult::Down) => measures.count(Metric::SubscriptionsDown, 1),
            Some(SubscriptionResult::Repaired) => measures.count(Metric::SubscriptionsRepaired, 1),
            None => {}
        }
        measures.count(Metric::InstancesRefused, self.refused.into());
        measures.count(Metric::InstancesSuspended, self.suspended.into());
        measures
    }

    /// Timeouts and lost leases are not failures: another poll goes on.
    fn failures(&self) -> usize {
        let is_failure =
            |reason: &&Reason| !matches!(reason.kind, ErrorKind::OutOfTime | ErrorKind::LeaseLost);
        self.failed.values().filter(is_failure).count()
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
