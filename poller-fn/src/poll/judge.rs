//! Decides what to do with each record of a unit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::event::bus::publication::Fate;
use shared::event::id::EventId;
use shared::event::{Channel, Event};
use shared::json::path;

use crate::outside::Outside;
use crate::poll::job::Job;
use crate::poll::target::Target;
use crate::poll::worker::Worker;
use crate::progress::watermark::Verdict;
use crate::record::Record;
use crate::walk::unit::Unit;

/// A record that one target is done with, once the event that the record may need is on the bus.
#[derive(Debug)]
pub struct Judged {
    /// The place of its target in the job.
    pub target: usize,
    /// By which its target's watermark goes.
    pub date: Option<Timestamp>,
    /// By what the record is remembered, if it must not be judged again.
    pub seen_id: Option<EventId>,
    /// The event that it needs.
    pub event: Needed,
    /// Whether a reconciliation has read it, and Close should have delivered it.
    pub is_expected: bool,
}

/// The event that a record needs.
#[derive(Debug)]
pub enum Needed {
    /// None: the record was published before, or a condition refuses it.
    None,
    /// This one, which is not published yet.
    Event(Box<Event>),
    /// The event of an earlier record of the unit, by that record's place.
    Twin(usize),
    /// One that is on the bus by the other channel, as the ledger says.
    Recorded,
    /// One that was handed to the bus, with this result.
    Sent(Fate),
}

impl Judged {
    /// Takes the event that the record needs. Until more is known, the event is not on the bus.
    pub fn take_event(&mut self) -> Option<Box<Event>> {
        if !matches!(self.event, Needed::Event(_)) {
            return None;
        }
        let taken = std::mem::replace(&mut self.event, Needed::Sent(Fate::Unpublished));
        match taken {
            Needed::Event(event) => Some(event),
            Needed::None | Needed::Twin(_) | Needed::Recorded | Needed::Sent(_) => None,
        }
    }
}

impl<O: Outside> Worker<'_, O> {
    /// Judges a unit for each of its job's targets. One change becomes one event, though two targets may want it, and two records
    /// may be about it: a search may show an object twice, and two entries of the event log may be about one change of an object.
    pub fn judge(&mut self, job: &Job<'_>, unit: Unit) -> Vec<Judged> {
        let mut judged = Vec::new();
        let mut places = HashMap::new();
        for record in unit {
            for (index, target) in job.targets.iter().enumerate() {
                let Some((seen_id, event)) = self.judge_for(target, &record) else {
                    continue;
                };
                let mut event_of_webhook = event.iter().filter(|_| target.is_reconciliation());
                let is_expected = event_of_webhook.any(|event| self.is_expected(&event.change));
                self.summary.expected += usize::from(is_expected);
                let event = event.map_or(Needed::None, |event| match places.entry(event.id) {
                    Entry::Occupied(place) => Needed::Twin(*place.get()),
                    Entry::Vacant(place) => {
                        place.insert(judged.len());
                        Needed::Event(event)
                    }
                });
                judged.push(Judged {
                    target: index,
                    date: record.updated,
                    seen_id,
                    event,
                    is_expected,
                });
            }
        }
        judged
    }

    /// By what a record is remembered, and the event that it needs. Nothing, where it is the next poll's.
    fn judge_for(
        &mut self,
        target: &Target<'_>,
        record: &Record,
    ) -> Option<(Option<EventId>, Option<Box<Event>>)> {
        let until = self.close.until();
        let resolved = self.custom_fields.resolved(target.resource, &record.raw);
        let Some(change) = target.change(record, &resolved, until) else {
            return Some((None, None));
        };
        let is_wanted = target.matches(&resolved, &change);
        let (instance, settings) = (&self.session.instance, self.settings);
        let event = Event::new(instance, settings, Channel::Polling, change);
        let seen_id = target.seen_id(record, &event);
        let verdict = if target.watermark.has_seen(event.id) {
            // By the event's own id, where the resource was read another way before.
            Verdict::Done
        } else {
            target.watermark.judge(seen_id, record.updated, until)
        };
        if target.is_polled() && verdict != Verdict::Leave {
            self.found.read(&target.name, is_wanted);
            self.note_paths(target, &resolved);
        }
        match verdict {
            Verdict::Publish if is_wanted => {
                self.note_new(record, &event);
                self.summary.reconciled += usize::from(target.is_reconciliation());
                let event = if target.is_of_webhooks() {
                    event.reconciled()
                } else {
                    event
                };
                Some((Some(seen_id), Some(Box::new(event))))
            }
            Verdict::Publish => {
                self.summary.filtered += 1;
                // An object is judged alike each time, but of an entry Close may hide what was judged.
                Some((target.is_logged().then_some(seen_id), None))
            }
            Verdict::Done => {
                self.summary.duplicates += 1;
                Some((None, None))
            }
            Verdict::Leave => None,
        }
    }

    fn note_new(&mut self, record: &Record, event: &Event) {
        self.summary.undated += usize::from(record.updated.is_none());
        if event.change.is_unreadable {
            self.summary.unreadable += 1;
            tracing::warn!(instance.id = %self.session.instance.id, event.id = %event.id, "an entry of Close's event log cannot be read");
        }
    }

    /// Notes which paths of a resource lead somewhere.
    fn note_paths(&mut self, target: &Target<'_>, record: &RawValue) {
        if !self.found.is_lacking(&target.name) {
            return;
        }
        let (resource, fields) = (target.resource, &self.custom_fields);
        let Some(object) = target.subject(record) else {
            return;
        };
        let leads = |path: &str| fields.knows(resource, path) || path::at(&object, path).is_some();
        self.found.carries(&target.name, leads);
    }
}
