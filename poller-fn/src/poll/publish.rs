//! Publishing what is new of a unit.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::object_type;
use shared::event::Event;
use shared::event::bus::publication::Fate;
use tokio::time::Instant;

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::job::Job;
use crate::poll::judge::{Judged, Needed};
use crate::poll::worker::Worker;

/// How long publishing a unit may take: the other resources want their turn.
const PUBLISHING: Duration = Duration::from_mins(1);
/// After that, writing the ledger may take so long; the commit still fits into the invocation.
const RECORDING: Duration = Duration::from_secs(2);
/// What is being published when nothing more is begun has so long to reach the bus; the rest of the invocation is for its
/// commit. Cut off, it would look like trouble with the bus, and what is left would wait for its turn.
const GRACE: SignedDuration = SignedDuration::from_secs(4);

impl<O: Outside> Worker<'_, O> {
    /// Publishes what is new, oldest first, and notes in the watermarks all that was handled.
    ///
    /// # Errors
    /// When EventBridge did not take an event. Those that it took are noted.
    pub async fn publish(
        &mut self,
        job: &mut Job<'_>,
        mut judged: Vec<Judged>,
    ) -> Result<(), PollError> {
        let result = self.put(&mut judged).await;
        // A watermark stays behind the first that is not on the bus, and behind what the walk has still to read: a record
        // may be dated later than where it stands.
        let late = judged.iter().filter(|record| is_late(&judged, record));
        // Nobody can tell where one without a date stands, so nothing of its unit moves the watermark.
        let late = late.map(|record| record.date.unwrap_or(Timestamp::MIN));
        let until = late
            .chain(job.walk.frontier())
            .fold(self.close.until(), Timestamp::min);
        for record in &judged {
            let target = &mut job.targets[record.target];
            if !is_late(&judged, record) {
                match record.seen_id {
                    Some(id) => target.watermark.published(id, record.date, until),
                    None => target.watermark.handled(record.date, until),
                }
            }
            if let Needed::Sent(fate) = record.event {
                target.count(fate);
                // Without the ledger, nobody knows what was delivered.
                let is_missed = record.is_expected && self.stream.ledger_unread_since.is_none();
                self.summary.missed += usize::from(is_missed && fate == Fate::Published);
                if target.is_polled() && fate == Fate::Published {
                    self.found.published(&target.name);
                }
            }
        }
        for target in &mut job.targets {
            target.watermark.settle(self.close.until());
        }
        result
    }

    /// Puts the events of a unit on the bus, and notes what became of each.
    async fn put(&mut self, judged: &mut [Judged]) -> Result<(), PollError> {
        let taken = judged.iter_mut().filter_map(Judged::take_event);
        let mut events: Vec<_> = taken.map(|event| *event).collect();
        self.show_current(&mut events).await;
        let session = self.session;
        let end = session.stop_at.saturating_add(GRACE);
        let end = session.clock.instant_at(end.unwrap_or(session.stop_at));
        let deadline = (Instant::now() + PUBLISHING).min(end);
        let publication = session.outside.publish(&events, deadline).await;
        let taken = judged
            .iter_mut()
            .filter(|record| matches!(record.event, Needed::Sent(_)));
        for (record, fate) in taken.zip(publication.fates()) {
            record.event = Needed::Sent(*fate);
        }
        self.record(&events, &publication, end + RECORDING).await;
        self.summary.count(publication.counts());
        publication
            .error()
            .map_or(Ok(()), |error| Err(error.into()))
    }

    /// Adds the object as it is now where Close hides it from the API key in the entry. Where the object cannot be looked up in
    /// time, the event says that it is hidden.
    async fn show_current(&self, events: &mut [Event]) {
        let mut objects: HashMap<String, Option<Box<RawValue>>> = HashMap::new();
        let end = self.close.end_of_lookups();
        for event in events {
            if !event.change.data_hidden {
                continue;
            }
            let change = &event.change;
            let Some(path) = object_type::path(&change.object_type, &change.object_id) else {
                continue;
            };
            if !objects.contains_key(&path) {
                match self.close.object(&path, end).await {
                    Ok(object) => objects.insert(path.clone(), object),
                    Err(error) => {
                        tracing::warn!(instance.id = %self.session.instance.id, %error, "what Close hides was not looked up");
                        return;
                    }
                };
            }
            event.current = objects.get(&path).cloned().flatten();
        }
    }
}

/// Whether a record's event is not on the bus, and may come there yet.
fn is_late(judged: &[Judged], record: &Judged) -> bool {
    match record.event {
        Needed::Twin(place) => matches!(judged[place].event, Needed::Sent(Fate::Unpublished)),
        Needed::Sent(fate) => fate == Fate::Unpublished,
        // An event that nobody handed to the bus is not there.
        Needed::Event(_) => true,
        Needed::None | Needed::Recorded => false,
    }
}
