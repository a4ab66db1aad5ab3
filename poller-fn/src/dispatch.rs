//! The schedule's tick: asks for the poll of each instance that is due.

use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde_json::json;
use shared::event::entry::PutEventsEntry;
use shared::function::clock::Clock;
use shared::function::metrics::{Measures, Metric};
use shared::store::error::TableError;
use shared::store::instances::attributes::SHARDS;
use shared::store::instances::due::Due;
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::own_events::{POLL_REQUESTED, SOURCE};

/// A tick ends before the next one; what is left stays due.
const MAX_TICK: Duration = Duration::from_secs(50);
/// How long one call is repeated for what EventBridge did not take; those of the others would be late.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an instance that was dispatched waits to be dispatched again, should its poll never begin.
const DISPATCH_LEASE: Duration = Duration::from_mins(5);
/// Requests in one call, which is what a `PutEvents` call holds.
const BATCH: usize = 10;
/// Batches under way at once: a thousand polls a second, if one takes a tenth of a second for its two calls one after the
/// other.
const AT_ONCE: usize = 10;
/// Timers fire late. Up to so much is made up for, or the rate would never be reached; a longer pause is not.
const MAX_LATE: Duration = Duration::from_millis(10);

/// What a tick did.
#[derive(Debug, Default, Serialize)]
pub struct Tick {
    /// Polls asked for.
    pub dispatched: usize,
    /// How long the instance has waited that has waited longest for its poll.
    #[serde(skip)]
    pub backlog_seconds: u64,
}

impl Tick {
    /// The metrics of a tick. A tick that failed is no sign of life, and knows of a backlog only if it saw one.
    pub fn measures(&self, is_done: bool) -> Measures {
        let mut measures = Measures::default();
        measures.count(Metric::Heartbeat, is_done.into());
        if is_done || 0 < self.dispatched {
            let dispatched = u64::try_from(self.dispatched).unwrap_or(u64::MAX);
            measures.set(Metric::Dispatched, dispatched);
        }
        if is_done || 0 < self.backlog_seconds {
            measures.set(Metric::DueBacklog, self.backlog_seconds);
        }
        measures
    }
}

/// Paces a tick.
struct Pace {
    per_second: NonZeroU32,
    next: Instant,
    end: Instant,
}

/// Puts a `poll.requested` on the bus for each instance that is due, then defers the instance: the poll itself sets its
/// next time when it ends, and one that never begins is asked for again after `DISPATCH_LEASE`. Some batches are under
/// way at once, so that the configured rate is reached however long a call takes, within reason.
///
/// Returns what it did, also where it failed: that is when the table does not answer.
pub async fn dispatch(app: &App, clock: &Clock) -> (Tick, Result<(), TableError>) {
    let mut tick = Tick::default();
    let result = dispatch_all(app, clock, &mut tick).await;
    let Tick {
        dispatched,
        backlog_seconds,
    } = tick;
    tracing::info!(dispatched, backlog_seconds, "dispatched");
    (tick, result)
}

async fn dispatch_all(app: &App, clock: &Clock, tick: &mut Tick) -> Result<(), TableError> {
    let Tick {
        dispatched,
        backlog_seconds,
    } = tick;
    let mut pace = Pace::new(app.config.dispatch_per_second, Instant::now());
    let end = pace.end;
    let pages = pages(app, clock)
        .inspect_ok(|due| *backlog_seconds = longest_wait(due, clock).max(*backlog_seconds));
    let batches = pages.map_ok(|due| to_batches(&due)).try_flatten();
    let paced = batches.try_take_while(|batch| {
        let start = pace.reserve(batch.len(), Instant::now());
        async move {
            if let Some(start) = start {
                sleep_until(start).await;
            }
            Ok(start.is_some())
        }
    });
    let requests =
        paced.map(|batch| async move { Ok(request_polls(app, clock, &batch?, end).await) });
    let mut requests = pin!(requests.buffer_unordered(AT_ONCE));
    // Where no more instances can be read, the requests that are under way still end, and count.
    let mut result = Ok(());
    while let Some(asked) = requests.next().await {
        match asked {
            Ok(count) => *dispatched += count,
            Err(error) => result = Err(error),
        }
    }
    result
}

/// All instances that are due, page by page, up to the first page that cannot be read.
fn pages(app: &App, clock: &Clock) -> impl Stream<Item = Result<Vec<Due>, TableError>> {
    // Another shard first each time, so that none is always the one that is left.
    let first = fastrand::u64(..SHARDS);
    let shards = first..first + SHARDS;
    stream::try_unfold((shards, None), async |(mut shards, after)| {
        if shards.is_empty() {
            return Ok(None);
        }
        let shard = shards.start % SHARDS;
        let page = app.instances.due(shard, clock.started(), after).await?;
        if page.next.is_none() {
            shards.start += 1;
        }
        Ok(Some((page.due, (shards, page.next))))
    })
}

fn to_batches(due: &[Due]) -> impl Stream<Item = Result<Vec<Due>, TableError>> + use<> {
    let batches = due.chunks(BATCH).map(|batch| Ok(batch.to_vec()));
    stream::iter(batches.collect::<Vec<_>>())
}

/// How many seconds that one has waited for its poll that has waited longest.
fn longest_wait(due: &[Due], clock: &Clock) -> u64 {
    let waited = |due: &Due| clock.started().duration_since(due.since).as_secs();
    let longest = due.iter().map(waited).max().unwrap_or_default();
    u64::try_from(longest).unwrap_or_default()
}

/// Returns how many were asked for. Those that EventBridge did not take stay due.
async fn request_polls(app: &App, clock: &Clock, batch: &[Due], deadline: Instant) -> usize {
    let entry = |due: &Due| {
        PutEventsEntry::new(
            SOURCE,
            POLL_REQUESTED,
            clock.now(),
            &json!({"instanceId": due.id}),
        )
    };
    let entries: Vec<_> = batch.iter().map(entry).collect();
    let deadline = deadline.min(Instant::now() + PATIENCE);
    let accepted = app.bus.publish_entries(&entries, deadline).await;
    let until = clock
        .now()
        .saturating_add(DISPATCH_LEASE)
        .unwrap_or(clock.now());
    let deferred = join_all(
        accepted
            .iter()
            .map(|index| app.instances.defer(batch[*index], until)),
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

impl Pace {
    fn new(per_second: NonZeroU32, now: Instant) -> Self {
        Self {
            per_second,
            next: now,
            end: now + MAX_TICK,
        }
    }

    /// When the next `count` may be asked for; nothing when the tick is over by then.
    fn reserve(&mut self, count: usize, now: Instant) -> Option<Instant> {
        let start = self.next.max(now.checked_sub(MAX_LATE).unwrap_or(now));
        if self.end <= start.max(now) {
            return None;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.next = start + Duration::from_secs(1) * count / self.per_second.get();
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;

    /// When each ten of a thousand a second may be asked for, in milliseconds, if it is then so late.
    fn starts(late: &[u64]) -> Vec<Option<u128>> {
        let began = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(1_000).unwrap(), began);
        let start = |millis: &u64| {
            let start = pace.reserve(10, began + Duration::from_millis(*millis))?;
            Some(start.duration_since(began).as_millis())
        };
        late.iter().map(start).collect()
    }

    #[test]
    fn polls_are_asked_for_evenly() {
        assert_eq!(
            starts(&[0, 0, 1, 5]),
            [Some(0), Some(10), Some(20), Some(30)]
        );
    }

    #[test]
    fn a_timer_that_is_late_makes_the_next_no_later_and_a_pause_is_not_made_up_for() {
        assert_eq!(
            starts(&[0, 11, 21, 32]),
            [Some(0), Some(10), Some(20), Some(30)]
        );
        assert_eq!(
            starts(&[0, 500, 500, 501]),
            [Some(0), Some(490), Some(500), Some(510)]
        );
    }

    #[test]
    fn nothing_is_asked_for_after_the_end_of_the_tick() {
        assert_eq!(starts(&[49_999, 50_000]), [Some(49_989), None]);
    }
}
