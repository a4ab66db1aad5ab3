//! What a poll has to do: the resources, and the backfill if one is asked for.

use std::collections::HashMap;
use std::time::Duration;

use shared::instance::Instance;
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::settings::Polling;
use shared::polling::resource::Resource;
use shared::store::watermarks::{CUSTOM_FIELDS, Commit, StoredResource};

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::session::Session;
use crate::poll::target::Target;
use crate::progress::watermark::Watermark;

type Stored = HashMap<String, StoredResource>;

/// The resources as they are polled now.
pub fn targets<'a>(
    instance: &Instance,
    polling: &'a Polling,
    mut stored: Stored,
) -> Vec<Target<'a>> {
    let start = polling.start.unwrap_or(instance.created_date);
    let all = &polling.resources[..];
    let mut take = |name: &str| stored.remove(name).unwrap_or_default();
    let mut targets: Vec<_> = all
        .iter()
        .map(|resource| Target::new(resource, all, take(&resource.name), start))
        .collect();
    targets.extend(pending(instance).and_then(|backfill| {
        let resource = find(all, backfill)?;
        let stored = take(&backfill.watermark_name());
        Some(Target::backfill(resource, all, stored, backfill.clone()))
    }));
    targets
}

/// Ends a backfill that has nothing to read any more, and removes the watermarks of those that are over, as far as that
/// works: the next poll finds what is left.
///
/// # Errors
/// When the end of a backfill cannot be stored, or the lease is lost.
pub async fn tidy(
    session: &Session<'_, impl Outside>,
    polling: &Polling,
    stored: &Stored,
) -> Result<(), PollError> {
    let (id, wanted) = (session.instance.id, pending(&session.instance));
    for (name, over) in stored.iter().filter(|(name, _)| is_of_backfill(name)) {
        if wanted.is_none_or(|backfill| backfill.watermark_name() != *name)
            && let Err(error) = session.outside.forget(id, name, over).await
        {
            tracing::warn!(instance.id = %id, %error, "what is left of a backfill was not removed");
        }
    }
    match wanted.filter(|backfill| find(&polling.resources, backfill).is_none()) {
        Some(backfill) => fail(session, backfill, stored).await,
        None => Ok(()),
    }
}

async fn fail(
    session: &Session<'_, impl Outside>,
    backfill: &Backfill,
    stored: &Stored,
) -> Result<(), PollError> {
    let failed = Backfill {
        status: BackfillStatus::Failed,
        reason: Some(format!("{} is no longer polled", backfill.resource)),
        ..backfill.clone()
    };
    let name = backfill.watermark_name();
    let stored = stored.get(&name).cloned().unwrap_or_default();
    let mut watermark = Watermark::restore(stored, backfill.from, Duration::ZERO);
    let commit = Commit {
        backfill: Some(failed),
        ..watermark.take_commit(&name)
    };
    session.commit(&commit).await
}

fn is_of_backfill(name: &str) -> bool {
    name.starts_with('#') && name != CUSTOM_FIELDS
}

fn pending(instance: &Instance) -> Option<&Backfill> {
    let backfill = instance.backfill.as_ref();
    backfill.filter(|backfill| backfill.status == BackfillStatus::Pending)
}

fn find<'a>(resources: &'a [Resource], backfill: &Backfill) -> Option<&'a Resource> {
    let mut resources = resources.iter();
    resources.find(|resource| resource.name == backfill.resource)
}
