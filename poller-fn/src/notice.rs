//! What the poller itself has to say on the bus.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::clock::Clock;
use shared::event::Entry;
use shared::health::Health;
use shared::instance::Instance;
use shared::poller_configuration::Source;

use crate::error::PollError;
use crate::invocation::SOURCE;
use crate::job::Target;
use crate::outside::Outside;

/// `detail-type` where Close no longer has what was not read yet.
const GAP: &str = "instance.gap";
/// `detail-type` where an instance is no longer polled, until its API key works again.
const SUSPENDED: &str = "instance.suspended";

/// How long Close keeps its event log. Source: developer.close.com/resources/event-log.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a notice may take.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(10);

/// Says where the event log no longer reaches back to a watermark, and moves that to where it does.
///
/// # Errors
/// When the notice is not on the bus: nothing may go on as if it were.
pub async fn of_gaps(
    outside: &impl Outside,
    instance: &Instance,
    targets: &mut [Target<'_>],
    clock: &Clock,
) -> Result<(), PollError> {
    let oldest = clock.started().saturating_sub(RETENTION);
    let oldest = oldest.unwrap_or(Timestamp::MIN);
    for target in targets {
        let watermark = &mut target.watermark;
        let is_gap = target.resource.source == Source::EventLog && watermark.position() < oldest;
        if !is_gap || target.backfill.is_some() {
            continue;
        }
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
    }
    Ok(())
}

/// Says that an instance is suspended. Returns whether that is on the bus.
pub async fn of_suspension(
    outside: &impl Outside,
    instance: &Instance,
    health: &Health,
    clock: &Clock,
) -> bool {
    let detail = json!({
        "instanceId": instance.id,
        "instanceName": instance.name,
        "instanceTags": instance.tags,
        "refusals": health.refusals,
        "reason": health.reason,
    });
    say(outside, SUSPENDED, &detail, clock).await
}

async fn say(
    outside: &impl Outside,
    detail_type: &str,
    detail: &serde_json::Value,
    clock: &Clock,
) -> bool {
    tracing::warn!(detail_type, %detail, "said on the bus");
    let now = clock.now();
    let entry = Entry::new(SOURCE, detail_type, now, detail);
    let deadline = now.saturating_add(TIMEOUT).unwrap_or(now);
    outside.notify(entry, clock.instant_at(deadline)).await
}
