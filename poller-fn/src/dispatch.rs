//! The schedule's tick: asks for the poll of each instance that is due.

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;
use shared::clock::Clock;
use shared::event::Entry;
use shared::instance_table::{DISPATCH_LEASE, Due, SHARDS};
use shared::table::TableError;
use tokio::time::{Instant, sleep_until};

use crate::invocation::{POLL_REQUESTED, Poller, SOURCE};

/// A tick ends before the next one; what is left stays due.
const MAX_TICK: Duration = Duration::from_secs(50);
/// How long one call is repeated for what EventBridge did not take; those of the others would be late.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests in one call, which is what a `PutEvents` call holds.
const BATCH: usize = 10;

/// What a tick did.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Polls asked for.
    pub dispatched: usize,
    /// How long the instance has waited that has waited longest for its poll.
    #[serde(skip)]
    pub backlog_seconds: u64,
}

/// Paces a tick.
struct Pace {
    per_second: NonZeroU32,
    next: Instant,
    end: Instant,
}

/// Puts a `poll.requested` on the bus for each instance that is due, then defers the instance: the poll itself sets its
/// next time when it ends, and one that never begins is asked for again after [`DISPATCH_LEASE`].
///
/// Returns what it did, also where it failed: that is when the table does not answer.
pub async fn dispatch(poller: &Poller, clock: &Clock) -> (Summary, Result<(), TableError>) {
    let mut summary = Summary::default();
    let result = dispatch_all(poller, clock, &mut summary).await;
    let Summary {
        dispatched,
        backlog_seconds,
    } = summary;
    tracing::info!(dispatched, backlog_seconds, "dispatched");
    (summary, result)
}

async fn dispatch_all(
    poller: &Poller,
    clock: &Clock,
    summary: &mut Summary,
) -> Result<(), TableError> {
    let mut rate = Pace::new(poller.config.dispatch_per_second);
    // Another shard first each time, so that none is always the one that is left.
    let first = fastrand::u64(..SHARDS);
    for shard in (first..first + SHARDS).map(|shard| shard % SHARDS) {
        let mut after = None;
        loop {
            let page = poller.instances.due(shard, clock.started(), after).await?;
            summary.note_backlog(&page.due, clock);
            for batch in page.due.chunks(BATCH) {
                if !rate.wait_for(batch.len()).await {
                    return Ok(());
                }
                summary.dispatched += request_polls(poller, clock, batch, rate.end).await;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Returns how many were asked for. Those that EventBridge did not take stay due.
async fn request_polls(poller: &Poller, clock: &Clock, batch: &[Due], deadline: Instant) -> usize {
    let entry = |due: &Due| {
        Entry::new(
            SOURCE,
            POLL_REQUESTED,
            clock.now(),
            &json!({"instanceId": due.id}),
        )
    };
    let entries: Vec<_> = batch.iter().map(entry).collect();
    let deadline = deadline.min(Instant::now() + PATIENCE);
    let accepted = poller.bus.publish_entries(&entries, deadline).await;
    let until = clock
        .now()
        .saturating_add(DISPATCH_LEASE)
        .unwrap_or(clock.now());
    let deferred = join_all(
        accepted
            .iter()
            .map(|index| poller.instances.defer(batch[*index], until)),
    )
    .await;
    for (index, result) in accepted.iter().zip(deferred) {
        // A conflict means that the poll has begun or ended already; any other failure, that it is asked for again.
        if let Err(TableError::Unavailable(reason)) = result {
            tracing::warn!(instance.id = %batch[*index].id, reason, "a dispatched instance stays due");
        }
    }
    accepted.len()
}

impl Summary {
    fn note_backlog(&mut self, due: &[Due], clock: &Clock) {
        let waited = |due: &Due| clock.started().duration_since(due.since).as_secs();
        let longest = due.iter().map(waited).max().unwrap_or_default();
        let longest = u64::try_from(longest).unwrap_or_default();
        self.backlog_seconds = self.backlog_seconds.max(longest);
    }
}

impl Pace {
    fn new(per_second: NonZeroU32) -> Self {
        let now = Instant::now();
        Self {
            per_second,
            next: now,
            end: now + MAX_TICK,
        }
    }

    /// Waits until `count` more may be dispatched; `false` when the tick is over by then.
    async fn wait_for(&mut self, count: usize) -> bool {
        if self.end <= self.next {
            return false;
        }
        sleep_until(self.next).await;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.next =
            self.next.max(Instant::now()) + Duration::from_secs(1) * count / self.per_second.get();
        true
    }
}
