//! What is measured of a webhook.

use shared::event_bus::{PublishError, Published};
use shared::instance_id::InstanceId;
use shared::metrics::{Measures, Metric};

use crate::error::HandlerError;

/// What became of one webhook.
#[derive(Debug, Default)]
pub struct Tally {
    /// Whose it is, or would be.
    pub instance_id: Option<InstanceId>,
    /// Its events that were on the bus before.
    pub duplicates: usize,
    published: Published,
    unpublished: usize,
}

impl Tally {
    /// Counts what became of so many events.
    pub fn count(&mut self, events: usize, outcome: &Result<Published, PublishError>) {
        match outcome {
            Ok(published) => self.published = published.clone(),
            Err(error) => {
                self.unpublished = error.unpublished.len();
                self.published.published = events.saturating_sub(self.unpublished);
            }
        }
    }

    /// The metrics, with how the webhook was refused, if it was.
    pub fn measures(&self, error: Option<&HandlerError>) -> Measures {
        let is_rejected = error.is_some_and(|error| error.status().is_client_error());
        let mut measures = self
            .instance_id
            .map_or_else(Measures::default, Measures::of_instance);
        measures.count(Metric::EventsPublished, self.published.published);
        measures.count(Metric::EventsDuplicate, self.duplicates);
        measures.count(Metric::EventsUnpublishable, self.published.unpublishable);
        measures.count(Metric::PublishFailures, self.unpublished);
        measures.count(Metric::WebhooksRejected, is_rejected.into());
        measures
    }
}
