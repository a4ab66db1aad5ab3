//! Publishing to EventBridge.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tokio::time::Instant;

use crate::event::Event;
use crate::event::entry::PutEventsEntry;

mod attempt;
mod publisher;
mod refusal;

use attempt::Attempt;
use publisher::Publisher;

/// Entries that one `PutEvents` call holds. Source: the API reference of `PutEvents`.
const MAX_ENTRIES: usize = 10;

/// What an entry and a call may hold by default: EventBridge takes 1 MiB, but an event must still fit the envelope and the
/// limits of SQS and asynchronous Lambda.
pub const DEFAULT_MAX_BYTES: usize = 960 * 1024;

/// What `PutEvents` takes as a trace header, in characters. Source: the API reference of `PutEventsRequestEntry`.
const MAX_TRACE_HEADER: usize = 500;

/// Events whose entries are in memory at a time, beside the events.
const CHUNK: usize = 10 * MAX_ENTRIES;

/// The stack's event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: String,
    max_bytes: usize,
    trace_header: Option<String>,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// On the bus.
    Published,
    /// Refused by EventBridge in every form, for a reason that lies in the event. It has been logged.
    Unpublishable,
    /// Not on the bus, and may be with another try.
    Unpublished,
}

/// What became of each event that was handed in. All counts derive from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    fates: Vec<Fate>,
    reason: Option<String>,
}

/// Some events are not on the bus, and may be with another try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unpublished} of the events were not accepted, last: {reason}")]
pub struct PublishError {
    /// How many.
    pub unpublished: usize,
    /// EventBridge's last answer.
    pub reason: String,
}

/// How many events went where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those on the bus.
    pub published: usize,
    /// Those that EventBridge refuses in every form.
    pub unpublishable: usize,
    /// Those that it did not accept, and may accept later.
    pub unpublished: usize,
}

impl Publication {
    /// Of events with these fates. `reason` is EventBridge's last answer, where some are unpublished.
    pub fn new(fates: Vec<Fate>, reason: Option<String>) -> Self {
        Self { fates, reason }
    }

    /// The fate of each event, in the order in which the events were handed in.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// How many events had which fate.
    pub fn counts(&self) -> Counts {
        let count = |fate| self.fates.iter().filter(|it| **it == fate).count();
        Counts {
            published: count(Fate::Published),
            unpublishable: count(Fate::Unpublishable),
            unpublished: count(Fate::Unpublished),
        }
    }

    /// The trouble, if some event is unpublished.
    pub fn error(&self) -> Option<PublishError> {
        let unpublished = self.counts().unpublished;
        (0 < unpublished).then(|| PublishError {
            unpublished,
            reason: self.reason.clone().unwrap_or_default(),
        })
    }
}

impl EventBus {
    /// The bus called `name`. `max_bytes` bounds an entry and a call, as AWS counts.
    pub fn new(config: &aws_types::SdkConfig, name: String, max_bytes: usize) -> Self {
        // Retries are ours: the SDK's would repeat a call but not the failed entries of one.
        let config = aws_sdk_eventbridge::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            name,
            max_bytes,
            trace_header: None,
        }
    }

    /// The bus, for one invocation: X-Ray shows what the entries lead to as part of the invocation's trace.
    #[must_use]
    pub fn traced(&self, header: Option<&str>) -> Self {
        let header = header.filter(|header| (1..=MAX_TRACE_HEADER).contains(&header.len()));
        Self {
            trace_header: header.map(str::to_owned),
            ..self.clone()
        }
    }

    /// Publishes the events, those of one object in their order, until each is on the bus or refused in every form, or the
    /// deadline has passed.
    ///
    /// Unpublishable is only what EventBridge refuses in every form for a reason that lies in the event. A refusal for
    /// another reason leaves the event, and those of its object behind it, unpublished.
    pub async fn publish(&self, events: &[Event], deadline: Instant) -> Publication {
        let mut publisher = Publisher::new(self, events.len(), deadline);
        for (number, some) in events.chunks(CHUNK).enumerate() {
            if publisher.is_over() {
                break;
            }
            let attempts = some.iter().enumerate();
            let attempts = attempts.map(|(place, event)| {
                Attempt::first(number * CHUNK + place, event, self.max_bytes)
            });
            publisher.send(attempts).await;
        }
        publisher.into_publication()
    }

    /// Publishes entries that are not about changes. Returns the places of those that are on the bus.
    pub async fn publish_entries(
        &self,
        entries: &[PutEventsEntry],
        deadline: Instant,
    ) -> Vec<usize> {
        let mut publisher = Publisher::new(self, entries.len(), deadline);
        let attempts = entries.iter().enumerate();
        publisher
            .send(attempts.map(|(place, entry)| Attempt::plain(place, entry)))
            .await;
        let publication = publisher.into_publication();
        let fates = publication.fates().iter().enumerate();
        let accepted = fates.filter(|(_, fate)| **fate == Fate::Published);
        accepted.map(|(place, _)| place).collect()
    }

    fn request_entry(&self, entry: &PutEventsEntry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(entry.source)
            .detail_type(&entry.detail_type)
            .time(to_aws(entry.time))
            .detail(&entry.detail)
            .set_trace_header(self.trace_header.clone())
            .build()
    }
}

fn to_aws(time: jiff::Timestamp) -> DateTime {
    DateTime::from_millis(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::{Counts, Fate, Publication};

    #[test]
    fn each_event_counts_by_its_own_fate() {
        let fates = vec![
            Fate::Unpublishable,
            Fate::Published,
            Fate::Unpublished,
            Fate::Published,
        ];
        let publication = Publication::new(fates, Some("ThrottlingException".to_owned()));
        let counts = Counts {
            published: 2,
            unpublishable: 1,
            unpublished: 1,
        };
        assert_eq!(publication.counts(), counts);
        assert_eq!(
            publication.error().unwrap().to_string(),
            "1 of the events were not accepted, last: ThrottlingException"
        );
    }

    #[test]
    fn a_reason_of_the_past_is_no_error() {
        let reason = Some("ThrottlingException".to_owned());
        let fates = vec![Fate::Published, Fate::Unpublishable];
        assert_eq!(Publication::new(fates, reason).error(), None);
    }
}
