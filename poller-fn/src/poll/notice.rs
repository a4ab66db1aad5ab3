//! The notices that a poll publishes: gaps, suspensions, and what happens to subscriptions.

use std::time::Duration;

use serde_json::json;
use shared::event::entry::PutEventsEntry;
use shared::instance::health::Health;
use shared::instance::stream::SubscriptionNotice;
use tokio::time::Instant;

use crate::error::PollError;
use crate::outside::Outside;
use crate::own_events::{self, GAP, NOTICES, SOURCE, SUSPENDED};
use crate::poll::session::Session;
use crate::poll::target::Target;

/// How long a notice may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Gaps and suspensions have both sources: earlier versions published them as `closeio.poller`.
const BOTH: [&str; 2] = [NOTICES, SOURCE];

/// Publishes a notice for each watermark that Close's event log no longer reaches back to, and moves the watermark to where
/// the log begins.
///
/// # Errors
/// When the notice is not on the bus: the watermark stays. Or when the table does not answer.
pub async fn publish_gaps(
    session: &Session<'_, impl Outside>,
    targets: &mut [Target<'_>],
) -> Result<(), PollError> {
    let instance = &session.instance;
    for target in targets
        .iter_mut()
        .filter(|target| target.backfill.is_none())
    {
        let retention = target.resource.source.retention();
        let oldest = retention.and_then(|kept| session.clock.started().checked_sub(kept).ok());
        let resource = target.label();
        let watermark = &mut target.watermark;
        let Some(oldest) = oldest.filter(|oldest| watermark.position() < *oldest) else {
            continue;
        };
        let detail = json!({
            "instanceId": instance.id,
            "instanceName": instance.name,
            "instanceTags": instance.tags,
            "resource": resource,
            "from": watermark.position(),
            "to": oldest,
        });
        if !publish(session, GAP, &BOTH, &detail).await {
            return Err(PollError::NoticeNotPublished);
        }
        watermark.skip_to(oldest);
        // At once, or each poll that gets no further would publish the notice again.
        if let Some(commit) = target.take_commit() {
            session.commit(&commit).await?;
        }
    }
    Ok(())
}

/// Publishes that an instance is suspended, if that notice is due by its stored `health`, and notes that it is published.
///
/// # Errors
/// When the notice is not on the bus.
pub async fn publish_suspension(
    session: &Session<'_, impl Outside>,
    health: &mut Health,
) -> Result<(), PollError> {
    if !health.notice_due {
        return Ok(());
    }
    let instance = &session.instance;
    let detail = json!({
        "instanceId": instance.id,
        "instanceName": instance.name,
        "instanceTags": instance.tags,
        "refusals": health.refusals,
        "reason": health.reason,
    });
    if !publish(session, SUSPENDED, &BOTH, &detail).await {
        return Err(PollError::NoticeNotPublished);
    }
    health.notice_due = false;
    Ok(())
}

/// Publishes what there is to say of the subscription, the oldest first. What the bus does not take stays among the `notices`, for
/// the next poll.
pub async fn publish_subscription(
    session: &Session<'_, impl Outside>,
    notices: &mut Vec<SubscriptionNotice>,
) {
    let instance = &session.instance;
    while let Some(notice) = notices.first() {
        let detail = json!({
            "instanceId": instance.id,
            "instanceName": instance.name,
            "instanceTags": instance.tags,
            "pauseReason": notice.pause_reason,
            "from": notice.from,
            "to": notice.to,
        });
        let detail_type = own_events::of_subscription(notice.event);
        if !publish(session, detail_type, &[NOTICES], &detail).await {
            return;
        }
        notices.remove(0);
    }
}

async fn publish(
    session: &Session<'_, impl Outside>,
    detail_type: &str,
    sources: &[&'static str],
    detail: &serde_json::Value,
) -> bool {
    let now = session.clock.now();
    let entry = |source: &&'static str| PutEventsEntry::new(source, detail_type, now, detail);
    let entries: Vec<_> = sources.iter().map(entry).collect();
    let deadline = Instant::now() + TIMEOUT;
    let is_published = session.outside.notify(&entries, deadline).await;
    tracing::warn!(detail_type, %detail, is_published, "a notice");
    is_published
}
