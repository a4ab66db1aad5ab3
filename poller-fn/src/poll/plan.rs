//! Plans a poll: the reconciliation, the resources, and the backfill if one is pending.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use shared::instance::Instance;
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::settings::reconciliation::Reconciliation;
use shared::instance::settings::{Polling, Settings};
use shared::polling::resource::Resource;
use shared::store::watermarks::{CUSTOM_FIELDS, Commit, StoredResource};

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::session::Session;
use crate::poll::target::Target;
use crate::progress::watermark::Watermark;

type Stored = HashMap<String, StoredResource>;

/// The parts of an instance's work that a poll does.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// The resources, where they are due.
    pub polling: Option<&'a Polling>,
    /// The reconciliation of webhooks, where it is due.
    pub reconciliation: Option<&'a Reconciliation>,
}

impl<'a> Due<'a> {
    /// Selects the parts that are due. A change of the instance makes both due, and a pending backfill the resources, or the reconciliation alone where there are none. If
    /// neither part is due, somebody asked for a poll early, which then does both.
    pub fn of(instance: &Instance, settings: &'a Settings, now: Timestamp) -> Self {
        let is_changed = settings.polling.is_some() && instance.last_poll.is_none();
        let is_due = |time: Option<Timestamp>| is_changed || time.is_none_or(|time| time <= now);
        let stream = &instance.stream;
        let is_polled = is_due(stream.next_polling_at) || pending(instance).is_some();
        let is_alone = settings.polling.is_none();
        let is_reconciled =
            is_due(stream.next_reconciliation_at) || (is_alone && pending(instance).is_some());
        let all = Self {
            polling: settings.polling.as_ref(),
            reconciliation: settings.reconciliation.as_deref(),
        };
        let due = Self {
            polling: all.polling.filter(|_| is_polled),
            reconciliation: all.reconciliation.filter(|_| is_reconciled),
        };
        if due.is_nothing() { all } else { due }
    }

    /// Whether there is nothing to do.
    pub fn is_nothing(self) -> bool {
        self.polling.is_none() && self.reconciliation.is_none()
    }

    /// Makes the targets of the reconciliation, of the resources, and of the backfill if one is pending. The poll ends `held_back`
    /// before its start.
    pub fn targets(
        self,
        instance: &'a Instance,
        settings: &'a Settings,
        mut stored: Stored,
        now: Timestamp,
        held_back: Duration,
    ) -> Vec<Target<'a>> {
        let polling = settings.polling.as_ref();
        let start = polling.and_then(|polling| polling.start);
        let start = start.unwrap_or(instance.created_date);
        let all = polling.map_or(&[][..], |polling| &polling.resources[..]);
        let mut take = |name: &str| stored.remove(name).unwrap_or_default();
        let mut targets = Vec::new();
        targets.extend(self.reconciliation.map(|reconciliation| {
            let from = &instance.reconciled_from;
            let stored = take(&reconciliation.log.name);
            Target::reconciliation(reconciliation, all, stored, from, start, now)
        }));
        if self.polling.is_some() {
            let resources = all.iter();
            targets.extend(
                resources.map(|resource| Target::new(resource, all, take(&resource.name), start)),
            );
        }
        targets.extend(pending(instance).and_then(|backfill| {
            let resource = find(settings.backfilled(), backfill)?;
            let stored = take(&backfill.watermark_name());
            let target = Target::backfill(resource, all, stored, backfill.clone());
            let of_webhooks = self.reconciliation.filter(|_| polling.is_none());
            Some(match of_webhooks.filter(|_| target.is_logged()) {
                Some(reconciliation) => target.of_webhooks(reconciliation),
                None => target,
            })
        }));
        for target in &mut targets {
            target.watermark.hold_back(held_back);
        }
        targets
    }
}

/// Ends a backfill that has nothing to read any more, and removes the watermarks of those that are over, as far as that
/// works: the next poll finds what is left.
///
/// # Errors
/// When the end of a backfill cannot be stored, or the lease is lost.
pub async fn tidy(
    session: &Session<'_, impl Outside>,
    settings: &Settings,
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
    match wanted.filter(|backfill| find(settings.backfilled(), backfill).is_none()) {
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
