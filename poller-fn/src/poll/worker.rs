//! What the jobs of a poll are done with.

use jiff::Timestamp;
use shared::event::change::Change;
use shared::instance::last_poll::LastPoll;
use shared::instance::settings::Settings;
use shared::instance::stream::Stream;

use crate::custom_fields::CustomFields;
use crate::poll::fetch::Fetcher;
use crate::poll::session::Session;
use crate::poll::summary::Summary;

/// Does the jobs of a poll.
#[derive(Debug)]
pub struct Worker<'a, O> {
    /// The poll's hold of the instance.
    pub session: &'a Session<'a, O>,
    /// The instance's configuration.
    pub settings: &'a Settings,
    /// Close, asked with patience.
    pub close: Fetcher<'a, O>,
    /// The custom fields that are asked for.
    pub custom_fields: CustomFields,
    /// Since when the ledger could not be read before this poll.
    pub ledger_unread_since: Option<Timestamp>,
    /// How webhooks and polls stand.
    pub stream: &'a mut Stream,
    /// What came of the poll so far.
    pub summary: &'a mut Summary,
    /// Counts the records of each polled resource. Those of backfills are not counted.
    pub found: &'a mut LastPoll,
}

impl<O> Worker<'_, O> {
    /// Whether Close should have delivered a change, by what it said of the subscription.
    pub fn is_expected(&self, change: &Change) -> bool {
        let name = format!("{}.{}", change.object_type, change.action);
        let enabled = self.session.instance.reconciled_from.enabled;
        let is_after = enabled.is_none_or(|enabled| enabled <= change.date);
        is_after && self.stream.was_delivering(&name, change.date)
    }
}
