//! A tick: what has waited for long enough goes back to the retry queue.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::function::clock::Clock;
use shared::store::error::TableError;
use tokio::time::Instant;

use super::outside::Outside;
use super::waits_table::{SHARDS, Waiting, time_of};

/// The time until the next tick: what falls due in it goes to the queue now, with the rest of its wait as its delay.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// A tick begins nothing later, so that it ends before the next.
const ENOUGH: Duration = Duration::from_secs(45);
/// Shards at a time, each with one page of notifications in memory.
const AT_ONCE: usize = 8;

/// What a tick did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Notifications that went to the retry queue.
    pub released: usize,
    /// Notifications that did not, for SQS failed or their item cannot be read.
    pub failed: usize,
    /// How long the notification has been due that had been due longest, in seconds.
    pub overdue: u64,
}

/// Releases what is due, the longest due of each shard first.
///
/// # Errors
/// When the table does not answer. What was released until then is said too.
pub async fn release(outside: &impl Outside, clock: &Clock) -> (Released, Result<(), TableError>) {
    let end = Instant::now() + ENOUGH;
    // Another shard first each time, so that none is always the one that is left.
    let first = fastrand::u64(..SHARDS);
    let shards = (first..first + SHARDS).map(|shard| shard % SHARDS);
    let shards = stream::iter(shards).map(|shard| release_shard(outside, shard, clock, end));
    let shards: Vec<_> = shards.buffer_unordered(AT_ONCE).collect().await;
    let mut total = Released::default();
    let mut result = Ok(());
    for (released, outcome) in shards {
        total.released += released.released;
        total.failed += released.failed;
        total.overdue = total.overdue.max(released.overdue);
        result = result.and(outcome);
    }
    (total, result)
}

async fn release_shard(
    outside: &impl Outside,
    shard: u64,
    clock: &Clock,
    end: Instant,
) -> (Released, Result<(), TableError>) {
    let mut released = Released::default();
    let result = try_release(outside, shard, clock, end, &mut released).await;
    (released, result)
}

async fn try_release(
    outside: &impl Outside,
    shard: u64,
    clock: &Clock,
    end: Instant,
    released: &mut Released,
) -> Result<(), TableError> {
    let until = clock
        .started()
        .saturating_add(AHEAD)
        .unwrap_or(clock.started());
    let mut after = None;
    while Instant::now() < end {
        let page = outside.due(shard, until, after).await?;
        for key in &page.unreadable {
            tracing::error!(
                shard,
                key,
                "a notification that waits cannot be read; its item stays"
            );
            released.failed += 1;
            released.note_wait(time_of(key), clock);
        }
        for waiting in page.waiting {
            let delay = released.note_wait(waiting.due(), clock);
            if end <= Instant::now() {
                return Ok(());
            }
            if release_one(outside, &waiting, delay.max(SignedDuration::ZERO)).await {
                released.released += 1;
            } else {
                released.failed += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
    Ok(())
}

impl Released {
    /// Returns how long one that is due then has to wait still, or less than nothing where it has waited too long.
    fn note_wait(&mut self, due: Option<Timestamp>, clock: &Clock) -> SignedDuration {
        let now = clock.now();
        let delay = due.unwrap_or(now).duration_since(now);
        let overdue = u64::try_from(-delay.as_secs()).unwrap_or(0);
        self.overdue = self.overdue.max(overdue);
        delay
    }
}

/// It is removed only when it is in the queue. If it cannot be removed, the next tick finds it again and it comes twice.
async fn release_one(outside: &impl Outside, waiting: &Waiting, delay: SignedDuration) -> bool {
    let id = waiting.instance_id;
    if let Err(error) = outside.release(waiting, delay).await {
        tracing::error!(instance.id = %id, %error, "a notification that waits could not be put into the retry queue");
        return false;
    }
    if let Err(error) = outside.remove(waiting).await {
        tracing::error!(instance.id = %id, %error, "a notification that waits no more could not be removed; it comes twice");
    }
    true
}
