//! What is seen of the function's work from outside: a line in the log, and metrics.

use jiff::SignedDuration;
use shared::event::bus::Counts;
use shared::function::metrics::{Measures, Metric};
use shared::instance::health::Health;
use shared::instance::id::InstanceId;

use crate::dispatch;
use crate::error::PollError;
use crate::poll::Summary;

impl Summary {
    /// Adds what became of events.
    pub fn count(&mut self, counts: Counts) {
        self.published += counts.published;
        self.unpublishable += counts.unpublishable;
        self.unpublished += counts.unpublished;
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
        measures.count(Metric::InstancesRefused, self.refused.into());
        measures.count(Metric::InstancesSuspended, self.suspended.into());
        measures
    }

    /// Whose time was up goes on at once, and who lost the lease has left the work to another poll.
    fn failures(&self) -> usize {
        let passing = [PollError::OutOfTime, PollError::LeaseLost].map(|error| error.reason());
        let reasons = self.failed.values();
        reasons.filter(|reason| !passing.contains(reason)).count()
    }
}

/// The metrics of a tick. One that failed is no sign of life, and knows of a backlog only if it saw one.
pub fn of_tick(summary: &dispatch::Summary, is_done: bool) -> Measures {
    let mut measures = Measures::default();
    measures.count(Metric::Heartbeat, is_done.into());
    if is_done || 0 < summary.dispatched {
        measures.set(Metric::Dispatched, to_u64(summary.dispatched));
    }
    if is_done || 0 < summary.backlog_seconds {
        measures.set(Metric::DueBacklog, summary.backlog_seconds);
    }
    measures
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
