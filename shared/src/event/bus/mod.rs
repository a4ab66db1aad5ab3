//! Publishing to EventBridge.

use tokio::time::Instant;

use crate::event::Event;
use crate::event::entry::PutEventsEntry;

mod client;
mod pending_entry;
pub mod publication;
mod publisher;
mod refusal;

use client::BusClient;
use pending_entry::{MAX_ENTRIES, PendingEntry};
use publication::{Fate, Publication};
use publisher::Publisher;

/// What an entry and a call may hold by default: EventBridge takes 1 MiB, but an event must still fit the envelope and the
/// limits of SQS and asynchronous Lambda.
pub const DEFAULT_MAX_BYTES: usize = 960 * 1024;

/// Events whose entries are in memory at a time, beside the events.
const CHUNK: usize = 10 * MAX_ENTRIES;

/// The stack's event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: BusClient,
    max_bytes: usize,
}

impl EventBus {
    /// The bus called `name`. `max_bytes` bounds an entry and a call, as AWS counts.
    pub fn new(config: &aws_types::SdkConfig, name: String, max_bytes: usize) -> Self {
        Self {
            client: BusClient::new(config, name),
            max_bytes,
        }
    }

    /// The bus, for one invocation: X-Ray shows what the entries lead to as part of the invocation's trace.
    #[must_use]
    pub fn traced(&self, header: Option<&str>) -> Self {
        Self {
            client: self.client.traced(header),
            max_bytes: self.max_bytes,
        }
    }

    /// Publishes the events, those of one object in their order, until each is on the bus or refused in every form, or the
    /// deadline has passed.
    ///
    /// Unpublishable is only what EventBridge refuses in every form for a reason that lies in the event. A refusal for
    /// another reason leaves the event, and those of its object behind it, unpublished.
    pub async fn publish(&self, events: &[Event], deadline: Instant) -> Publication {
        let mut publisher = self.publisher(events.len(), deadline);
        for (number, some) in events.chunks(CHUNK).enumerate() {
            if publisher.is_over() {
                break;
            }
            let pending = some.iter().enumerate();
            let pending = pending.map(|(place, event)| {
                PendingEntry::first(number * CHUNK + place, event, self.max_bytes)
            });
            publisher.send(pending).await;
        }
        publisher.into_publication()
    }

    /// Publishes entries that are not about changes. Returns the places of those that are on the bus.
    pub async fn publish_entries(
        &self,
        entries: &[PutEventsEntry],
        deadline: Instant,
    ) -> Vec<usize> {
        let mut publisher = self.publisher(entries.len(), deadline);
        let pending = entries.iter().enumerate();
        publisher
            .send(pending.map(|(place, entry)| PendingEntry::plain(place, entry)))
            .await;
        let publication = publisher.into_publication();
        let fates = publication.fates().iter().enumerate();
        let accepted = fates.filter(|(_, fate)| **fate == Fate::Published);
        accepted.map(|(place, _)| place).collect()
    }

    fn publisher(&self, count: usize, deadline: Instant) -> Publisher<'_> {
        Publisher::new(&self.client, self.max_bytes, count, deadline)
    }
}
