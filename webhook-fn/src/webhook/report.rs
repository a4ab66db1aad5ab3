//! What is measured of a webhook.

use shared::event::bus::publication::Counts;
use shared::function::metrics::{Measures, Metric};
use shared::instance::id::InstanceId;

use crate::http::error::HandlerError;

/// What became of one webhook.
#[derive(Debug, Default)]
pub struct Tally {
    /// Whose it is, or would be.
    pub instance_id: Option<InstanceId>,
    /// Its events that were on the bus before.
    pub duplicates: usize,
    /// Of the others, those of an entry that cannot be read.
    pub unreadable: usize,
    /// What became of the others.
    pub counts: Counts,
}

impl Tally {
    /// The metrics, with how the webhook was refused, if it was.
    pub fn measures(&self, error: Option<&HandlerError>) -> Measures {
        let is_rejected = error.is_some_and(|error| error.status().is_client_error());
        let mut measures = Measures::of_instance(self.instance_id);
        measures.count(Metric::EventsPublished, self.counts.published);
        measures.count(Metric::EventsDuplicate, self.duplicates);
        measures.count(Metric::EventsUnpublishable, self.counts.unpublishable);
        measures.count(Metric::UnreadableEntries, self.unreadable);
        measures.count(Metric::PublishFailures, self.counts.unpublished);
        measures.count(Metric::WebhooksRejected, is_rejected.into());
        measures
    }
}
