//! What the poller itself has to say on the bus.

use std::time::Duration;

use serde_json::json;
use shared::event::entry::PutEventsEntry;
use shared::function::clock::Clock;
use shared::instance::Instance;
use shared::instance::health::Health;
use shared::store::instances::lease::Lease;
use tokio::time::Instant;

use crate::error::PollError;
use crate::invocation::SOURCE;
use crate::job::Target;
use crate::outside::Outside;

/// `detail-type` where Close no longer has what was not read yet.
const GAP: &str = "instance.gap";
/// `detail-type` where an instance is no longer polled, until its API key works again.
const SUSPENDED: &str = "instance.suspended";

/// How long a notice may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Says where the event log no longer reaches back to a watermark, and moves that to where it does.
///
/// # Errors
/// When the notice is not on the bus, and nothing may go on as if it were; or the table does not answer.
pub async fn of_gaps(
    outside: &impl Outside,
    instance: &Instance,
    lease: &Lease,
    targets: &mut [Target<'_>],
    clock: &Clock,
) -> Result<(), PollError> {
    for target in targets
        .iter_mut()
        .filter(|target| target.backfill.is_none())
    {
        let retention = target.resource.source.retention();
        let oldest = retention.and_then(|kept| clock.started().checked_sub(kept).ok());
        let watermark = &mut target.watermark;
        let Some(oldest) = oldest.filter(|oldest| watermark.position() < *oldest) else {
            continue;
        };
        let detail = json!({
            "instanceId": instance.id,
            "instanceName": instance.name,
            "instanceTags": instance.tags,
            "resource": target.resource.name,
            "from": watermark.position(),
            "to": oldest,
        });
        if !say(outside, GAP, &detail, clock).await {
            return Err(PollError::NoticeNotPublished);
        }
        watermark.skip_to(oldest);
        // At once, or it would be said again by each poll that gets no further.
        if let Some(commit) = target.take_commit() {
            outside.commit(lease, &commit).await?;
        }
    }
    Ok(())
}

/// Says that an instance is suspended, if its stored `health` has that notice due. Then it no longer has.
///
/// # Errors
/// When the notice is not on the bus.
pub async fn of_suspension(
    outside: &impl Outside,
    instance: &Instance,
    health: &mut Health,
    clock: &Clock,
) -> Result<(), PollError> {
    if !health.notice_due {
        return Ok(());
    }
    let detail = json!({
        "instanceId": instance.id,
        "instanceName": instance.name,
        "instanceTags": instance.tags,
        "refusals": health.refusals,
        "reason": health.reason,
    });
    if !say(outside, SUSPENDED, &detail, clock).await {
        return Err(PollError::NoticeNotPublished);
    }
    health.notice_due = false;
    Ok(())
}

async fn say(
    outside: &impl Outside,
    detail_type: &str,
    detail: &serde_json::Value,
    clock: &Clock,
) -> bool {
    tracing::warn!(detail_type, %detail, "said on the bus");
    let entry = PutEventsEntry::new(SOURCE, detail_type, clock.now(), detail);
    outside.notify(entry, Instant::now() + TIMEOUT).await
}
