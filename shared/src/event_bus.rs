//! Publishing to EventBridge.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use tokio::time::Instant;

use crate::aws;
use crate::event::{Entry, Event};

/// Entries that one `PutEvents` call holds. Source: the API reference of `PutEvents`.
const MAX_ENTRIES: usize = 10;

/// What an entry and a call may hold by default: EventBridge takes 1 MiB, but an event must still fit the envelope and the
/// limits of SQS and asynchronous Lambda.
pub const DEFAULT_MAX_BYTES: usize = 960 * 1024;

/// Failures of a single entry that pass by themselves. AWS documents `InternalFailure` and has sent `InternalException`.
const TRANSIENT_CODES: [&str; 3] = [
    "ThrottlingException",
    "InternalFailure",
    "InternalException",
];

/// What `PutEvents` takes as a trace header, in characters. Source: the API reference of `PutEventsRequestEntry`.
const MAX_TRACE_HEADER: usize = 500;

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

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
#[error("{unpublished} of the events were not accepted in time, last: {reason}")]
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
    /// Those that it did not accept in time.
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

/// Entries, by their place in what was handed in, that EventBridge did not take.
#[derive(Debug, Default)]
struct Remainder {
    /// Refused for good, with the code.
    refused: Vec<(usize, String)>,
    /// Not taken by the deadline.
    late: Vec<usize>,
    /// Why they are late.
    reason: String,
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

    /// Publishes the events in their order, again and again those that fail for a passing reason, until the deadline.
    ///
    /// An entry that EventBridge refuses for another reason is sent once more without Close's JSON in it; if that is
    /// refused too, it is logged and counted, and the work goes on.
    pub async fn publish(&self, events: &[Event], deadline: Instant) -> Publication {
        let mut total = Publication::default();
        // A few calls' worth at a time, so that the entries are not all in memory beside the events.
        for some in events.chunks(10 * MAX_ENTRIES) {
            if total.reason.is_none() {
                let Publication { fates, reason } = self.publish_some(some, deadline).await;
                total.fates.extend(fates);
                total.reason = reason;
            } else {
                // The deadline has passed; order is kept by sending nothing behind what is late.
                total.fates.extend(some.iter().map(|_| Fate::Unpublished));
            }
        }
        total
    }

    async fn publish_some(&self, events: &[Event], deadline: Instant) -> Publication {
        let entries: Vec<_> = events
            .iter()
            .map(|event| event.to_entry(self.max_bytes))
            .collect();
        let first = self
            .put(&entries, |index| Some(&events[index]), deadline)
            .await;
        let refused: Vec<_> = first
            .refused
            .iter()
            .map(|(index, _)| &events[*index])
            .collect();
        let entries: Vec<_> = refused
            .iter()
            .map(|event| event.to_plain_entry(self.max_bytes))
            .collect();
        let second = self
            .put(&entries, |index| Some(refused[index]), deadline)
            .await;

        let mut fates = vec![Fate::Published; events.len()];
        for (index, code) in &second.refused {
            report_unpublishable(refused[*index], code);
            fates[first.refused[*index].0] = Fate::Unpublishable;
        }
        let late = second.late.iter().map(|index| first.refused[*index].0);
        for index in first.late.into_iter().chain(late) {
            fates[index] = Fate::Unpublished;
        }
        let reason = if first.reason.is_empty() {
            second.reason
        } else {
            first.reason
        };
        let is_late = fates.contains(&Fate::Unpublished);
        Publication {
            fates,
            reason: is_late.then_some(reason),
        }
    }

    /// Publishes entries that are not about changes. Returns the places of those that are on the bus.
    pub async fn publish_entries(&self, entries: &[Entry], deadline: Instant) -> Vec<usize> {
        let remainder = self.put(entries, |_| None, deadline).await;
        let missing: HashSet<_> = remainder
            .late
            .into_iter()
            .chain(remainder.refused.into_iter().map(|(index, _)| index))
            .collect();
        (0..entries.len())
            .filter(|index| !missing.contains(index))
            .collect()
    }

    /// `event` is what an entry was made of, if it is about a change.
    async fn put<'a>(
        &self,
        entries: &[Entry],
        event: impl Fn(usize) -> Option<&'a Event>,
        deadline: Instant,
    ) -> Remainder {
        let mut remainder = Remainder::default();
        let object = |index| event(index).map(|event| event.change.object_id.as_str());
        for batch in batches(entries, object, self.max_bytes) {
            if remainder.late.is_empty() {
                self.put_batch(entries, batch, deadline, &mut remainder)
                    .await;
            } else {
                // The deadline has passed; order is kept by sending nothing behind what is late.
                remainder.late.extend(batch);
            }
        }
        for (index, code) in &remainder.refused {
            tracing::warn!(event.id = ?event(*index).map(|event| event.id), code, "EventBridge refused an entry");
        }
        remainder
    }

    async fn put_batch(
        &self,
        entries: &[Entry],
        batch: Vec<usize>,
        deadline: Instant,
        remainder: &mut Remainder,
    ) {
        let mut pending = batch;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let call = self.client.put_events().set_entries(Some(
                pending
                    .iter()
                    .map(|index| self.request_entry(&entries[*index]))
                    .collect(),
            ));
            match tokio::time::timeout_at(deadline, call.send()).await {
                Ok(Ok(output)) => {
                    pending = sort_out(&pending, output.entries(), remainder);
                }
                Ok(Err(error)) => remainder.reason = aws::describe(&error),
                Err(_elapsed) => {
                    "EventBridge did not answer in time".clone_into(&mut remainder.reason);
                }
            }
            let wait = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            if pending.is_empty() || deadline < Instant::now() + wait {
                break;
            }
            tokio::time::sleep(wait).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
        remainder.late.extend(pending);
    }

    fn request_entry(&self, entry: &Entry) -> PutEventsRequestEntry {
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

/// Groups entries, in order, into calls of at most ten entries and `max_bytes` bytes. An entry alone may be larger: then
/// EventBridge says so. No two of one call are about one object, or the earlier, sent again by itself, could come second.
fn batches<'a>(
    entries: &[Entry],
    object: impl Fn(usize) -> Option<&'a str>,
    max_bytes: usize,
) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, entry) in entries.iter().enumerate() {
        let size = entry.size();
        match batches.last_mut() {
            Some(batch)
                if batch.len() < MAX_ENTRIES
                    && bytes + size <= max_bytes
                    && !batch
                        .iter()
                        .any(|other| is_same(object(*other), object(index))) =>
            {
                batch.push(index);
                bytes += size;
            }
            _ => {
                batches.push(vec![index]);
                bytes = size;
            }
        }
    }
    batches
}

fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && one == other
}

/// Returns the entries that are worth another try. An entry without an answer is one of them.
fn sort_out(
    sent: &[usize],
    results: &[PutEventsResultEntry],
    remainder: &mut Remainder,
) -> Vec<usize> {
    let mut again = Vec::new();
    for (place, &index) in sent.iter().enumerate() {
        let result = results.get(place);
        match result.map(PutEventsResultEntry::error_code) {
            Some(None) if result.is_some_and(|result| result.event_id().is_some()) => {}
            Some(Some(code)) if !TRANSIENT_CODES.contains(&code) => {
                remainder.refused.push((index, code.to_owned()));
            }
            code => {
                let code = code.flatten().unwrap_or("no answer for an entry");
                code.clone_into(&mut remainder.reason);
                again.push(index);
            }
        }
    }
    again
}

fn report_unpublishable(event: &Event, code: &str) {
    tracing::error!(
        event.id = %event.id,
        close.object_type = event.change.object_type,
        close.object_id = event.change.object_id,
        code,
        "event.unpublishable: EventBridge refused the event in every form; read the object at Close"
    );
}

fn to_aws(time: jiff::Timestamp) -> DateTime {
    DateTime::from_millis(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::batches;
    use crate::event::Entry;

    fn entries(sizes: &[usize]) -> Vec<Entry> {
        let entry = |size: &usize| {
            Entry::new(
                "closeio",
                "x",
                Timestamp::UNIX_EPOCH,
                &"d".repeat(size - 24),
            )
        };
        sizes.iter().map(entry).collect()
    }

    #[test]
    fn a_call_holds_ten_entries() {
        let sizes: Vec<_> = batches(&entries(&[30; 23]), |_| None, 1_000_000)
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes, [10, 10, 3]);
    }

    #[test]
    fn a_call_holds_the_byte_limit_to_the_byte() {
        let entries = entries(&[40, 60, 30]);
        assert_eq!(
            entries.iter().map(Entry::size).collect::<Vec<_>>(),
            [40, 60, 30]
        );
        assert_eq!(batches(&entries, |_| None, 100), [vec![0, 1], vec![2]]);
        assert_eq!(batches(&entries, |_| None, 99), [vec![0], vec![1, 2]]);
        assert_eq!(batches(&entries, |_| None, 10), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn no_two_entries_of_one_call_are_about_one_object() {
        let object = |index: usize| Some(["a", "b", "a", "a"][index]);
        let batches = batches(&entries(&[30; 4]), object, 1_000_000);
        assert_eq!(batches, [vec![0, 1], vec![2], vec![3]]);
    }
}
