//! A resource during a poll, or its backfill.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::close::object_type::Objects;
use shared::event::Event;
use shared::event::bus::publication::Fate;
use shared::event::change::Change;
use shared::event::id::EventId;
use shared::event::log_entry;
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::settings::reconciliation::Reconciliation;
use shared::instance::stream::ReconciledFrom;
use shared::polling::resource::{Resource, Source};
use shared::store::watermarks::{Commit, StoredResource};

use crate::error::PollError;
use crate::poll::claim::claims;
use crate::poll::reconciled::Reconciled;
use crate::progress::watermark::Watermark;
use crate::record::{self, Record};
use crate::walk::overlap::overlap;

/// A resource during a poll.
#[derive(Debug)]
pub struct Target<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Under which name its watermark is kept.
    pub name: String,
    /// How far it has come.
    pub watermark: Watermark,
    /// Where this poll began.
    pub began_at: Timestamp,
    /// The backfill, if it is one's.
    pub backfill: Option<Backfill>,
    /// Which entries of the event log webhooks report, if it is about these.
    reconciled: Option<Reconciled<'a>>,
    /// All resources of the instance, to know whose an entry of the event log is.
    all: &'a [Resource],
}

impl<'a> Target<'a> {
    /// A resource as it is polled, from what is stored of it, or from `start`.
    pub fn new(
        resource: &'a Resource,
        all: &'a [Resource],
        stored: StoredResource,
        start: Timestamp,
    ) -> Self {
        let watermark = Watermark::restore(stored, start, overlap(resource));
        Self {
            resource,
            name: resource.name.clone(),
            began_at: watermark.position(),
            watermark,
            backfill: None,
            reconciled: None,
            all,
        }
    }

    /// A backfill of a resource, which has a watermark of its own and reads nothing twice.
    pub fn backfill(
        resource: &'a Resource,
        all: &'a [Resource],
        stored: StoredResource,
        backfill: Backfill,
    ) -> Self {
        let mut watermark = Watermark::restore(stored, backfill.from, Duration::ZERO);
        watermark.end_at(backfill.to);
        Self {
            resource,
            name: backfill.watermark_name(),
            began_at: backfill.from,
            watermark,
            backfill: Some(backfill),
            reconciled: None,
            all,
        }
    }

    /// The reconciliation of webhooks, which has a watermark of its own. It begins at its start, or an hour before it is found.
    pub fn reconciliation(
        reconciliation: &'a Reconciliation,
        all: &'a [Resource],
        stored: StoredResource,
        from: &'a ReconciledFrom,
        polled_from: Timestamp,
        found_at: Timestamp,
    ) -> Self {
        // An instance of an earlier version has no start, and once it has a watermark nothing moves that but a gap.
        let first = from.start.or(ReconciledFrom::found(found_at).start);
        let first = first.unwrap_or(found_at);
        let mut target = Self::new(&reconciliation.log, all, stored, first);
        if let Some(start) = from.start {
            target.watermark.start_from(start);
        }
        target.reconciled = Some(Reconciled::new(reconciliation, from, all, polled_from));
        target
    }

    /// Whether it is a polled resource of the instance.
    pub fn is_polled(&self) -> bool {
        self.backfill.is_none() && self.reconciled.is_none()
    }

    /// Whether it is the reconciliation of webhooks.
    pub fn is_reconciliation(&self) -> bool {
        self.backfill.is_none() && self.is_of_webhooks()
    }

    /// Whether its events look like deliveries: of the reconciliation, or of its backfill.
    pub fn is_of_webhooks(&self) -> bool {
        self.reconciled.is_some()
    }

    /// The same backfill, of the entries alone that the subscription covers.
    #[must_use]
    pub fn of_webhooks(self, reconciliation: &'a Reconciliation) -> Self {
        let from = ReconciledFrom::default();
        let reconciled = Reconciled::new(reconciliation, &from, &[], Timestamp::MIN);
        Self {
            reconciled: Some(reconciled),
            ..self
        }
    }

    /// What logs call it.
    pub fn label(&self) -> String {
        let name = &self.resource.name;
        match (&self.backfill, &self.reconciled) {
            (Some(_), _) => format!("backfill of {name}"),
            (None, Some(_)) => "webhooks".to_owned(),
            (None, None) => name.clone(),
        }
    }

    /// Counts an event in the backfill, if it is one's.
    pub fn count(&mut self, fate: Fate) {
        if let Some(backfill) = &mut self.backfill {
            backfill.published += u64::from(fate == Fate::Published);
        }
    }

    /// What to store of the work since the last time, if anything.
    pub fn take_commit(&mut self) -> Option<Commit> {
        if let Some(backfill) = &mut self.backfill {
            backfill.position = Some(self.watermark.position());
        } else if !self.watermark.is_changed() {
            return None;
        }
        Some(Commit {
            backfill: self.backfill.clone(),
            ..self.watermark.take_commit(&self.name)
        })
    }

    /// Notes in the backfill, if it is one's, that it never will go further. Returns whether that is so.
    pub fn give_up(&mut self, error: &PollError) -> bool {
        match self.backfill.as_mut().filter(|_| error.is_lasting()) {
            Some(backfill) => {
                backfill.status = BackfillStatus::Failed;
                backfill.reason = Some(error.word().to_owned());
                true
            }
            None => false,
        }
    }

    /// Whether it is read in the event log.
    pub fn is_logged(&self) -> bool {
        self.resource.source == Source::EventLog
    }

    /// The change that a record is, unless the record is about an object that is another resource's. `resolved` is the record
    /// as the resource's paths find it.
    pub fn change(&self, record: &Record, resolved: &RawValue, until: Timestamp) -> Option<Change> {
        if !self.is_logged() {
            let change = record::to_change(record, resolved, self.resource, self.began_at, until);
            return Some(change);
        }
        let change = log_entry::to_change(&record.raw, Arc::clone(&record.raw), until);
        let is_claimed = match &self.reconciled {
            Some(reconciled) => reconciled.claims(&change),
            None => claims(self.resource, self.all, &change),
        };
        is_claimed.then_some(change)
    }

    /// By what a record is known to be done with: its event, but in the event log the entry as it is now. Of an entry Close
    /// may hide later what the event's id was made of, and what the condition judged.
    pub fn seen_id(&self, record: &Record, event: &Event) -> EventId {
        if self.is_logged() {
            record.entry_version().unwrap_or(event.id)
        } else {
            event.id
        }
    }

    /// Whether the condition lets a record through. What Close hides cannot be judged, so it is let through.
    pub fn matches(&self, record: &RawValue, change: &Change) -> bool {
        if let Some(reconciled) = &self.reconciled {
            return reconciled.passes_filter(change, record);
        }
        let filter = self.resource.query.filter.as_ref();
        filter.is_none_or(|filter| {
            let subject = self.subject(record);
            subject.is_none_or(|subject| filter.matches(&subject))
        })
    }

    /// What the condition judges: the object, or the entry where everything is polled. Nothing where Close hides it.
    pub fn subject<'r>(&self, record: &'r RawValue) -> Option<Cow<'r, RawValue>> {
        if !self.is_logged() || self.resource.query.objects == Objects::All {
            return Some(Cow::Borrowed(record));
        }
        log_entry::object(record).map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use serde_json::value::to_raw_value;
    use shared::instance::settings::reconciliation::Reconciliation;
    use shared::instance::stream::ReconciledFrom;
    use shared::polling::poller_configuration::parse;
    use shared::polling::resource::Resource;
    use shared::store::watermarks::{StoredPosition, StoredResource};

    use super::Target;
    use crate::record::Record;

    /// The names of the resources that publish an entry of the event log.
    fn publishers(configuration: &serde_json::Value, entry: &serde_json::Value) -> Vec<String> {
        let all = parse(&configuration.to_string()).unwrap();
        let entry = Record::read(to_raw_value(entry).unwrap());
        let now = "2026-06-19T12:00:00Z".parse().unwrap();
        let target = |resource| Target::new(resource, &all, StoredResource::default(), now);
        let logged = all.iter().map(target).filter(Target::is_logged);
        let publishes = |target: &Target<'_>| {
            let change = target.change(&entry, &entry.raw, now);
            change.is_some_and(|change| target.matches(&entry.raw, &change))
        };
        let ours = logged.filter(publishes);
        ours.map(|target| target.name).collect()
    }

    #[test]
    fn the_watermark_of_a_reconciliation_moves_to_a_start_that_is_stored_and_to_no_other() {
        let second = |second| jiff::Timestamp::from_second(second).unwrap();
        let reconciliation = Reconciliation {
            interval: Duration::from_mins(30),
            settle: Duration::from_mins(10),
            events: Vec::new(),
            log: Resource::event_log("log"),
            backfilled: Vec::new(),
        };
        let stored = |watermark: i64| StoredResource {
            position: Some(StoredPosition {
                watermark: watermark * 1_000_000,
                start: 0,
                floor: None,
                overlap: None,
                first_window_end: None,
            }),
            ..StoredResource::default()
        };
        let position = |stored, from: &ReconciledFrom| {
            let now = second(20_000);
            let target = Target::reconciliation(&reconciliation, &[], stored, from, now, now);
            target.watermark.position()
        };
        let (none, some) = (
            ReconciledFrom::default(),
            ReconciledFrom::now(second(15_000)),
        );
        assert_eq!(position(StoredResource::default(), &none), second(16_400));
        assert_eq!(position(stored(10_000), &none), second(10_000));
        assert_eq!(position(stored(10_000), &some), second(15_000));
        assert_eq!(position(stored(17_000), &some), second(17_000));
    }

    fn entry(object_type: &str, action: &str) -> serde_json::Value {
        json!({"object_type": object_type, "object_id": "x_1", "action": action, "data": {"name": "x"}})
    }

    #[test]
    fn everything_but_what_the_others_publish() {
        let all = json!({
            "events": {"url": "/hubs/crm/events"},
            "contacts": {"url": "/hubs/crm/contacts"},
            "calls": {"url": "/hubs/crm/activities"},
            "leads": {"url": "/hubs/crm/leads", "source": "event-log"},
        });
        let of = |object_type, action| publishers(&all, &entry(object_type, action));
        assert_eq!(of("contact", "updated"), Vec::<String>::new());
        assert_eq!(of("contact", "deleted"), ["events"]);
        assert_eq!(of("activity.call", "answered"), ["calls"]);
        assert_eq!(of("lead", "merged"), ["leads"]);
        assert_eq!(of("task.lead", "completed"), ["events"]);
    }

    #[test]
    fn an_entry_without_an_object_type_is_one_resources() {
        let log = |path: &str| json!({"url": path, "source": "event-log"});
        let (leads, all) = (log("/hubs/crm/leads"), log("/hubs/crm/events"));
        let contacts = json!({"url": "/hubs/crm/contacts"});
        let untyped = json!({"id": "ev_1", "object_id": "lead_1", "action": "updated"});
        let of = |configuration| publishers(&configuration, &untyped);
        let calls = log("/hubs/crm/activities");
        assert_eq!(
            of(json!({"leads": leads, "all": all, "more": all})),
            ["all"]
        );
        let without = json!({"contacts": contacts, "leads": leads, "calls": calls});
        assert_eq!(of(without).len(), 1);
        assert_eq!(of(json!({"contacts": contacts})), Vec::<String>::new());
    }

    #[test]
    fn an_entry_without_an_object_is_not_left_to_those_who_read_objects() {
        let configuration = json!({
            "events": {"url": "/hubs/crm/events"},
            "contacts": {"url": "/hubs/crm/contacts"},
            "leads": {"url": "/hubs/crm/leads", "source": "event-log"},
        });
        let of = |object_type| {
            let entry = json!({"object_type": object_type, "object_id": null, "action": "updated"});
            publishers(&configuration, &entry)
        };
        assert_eq!(of("contact"), ["events"]);
        assert_eq!(of("lead"), ["leads"]);
    }

    #[test]
    fn a_condition_is_one_of_the_object_and_of_the_entry_where_everything_is_polled() {
        let where_ = |resource: &str, condition: &str| {
            let url = format!("/hubs/crm/{resource}?where={condition}");
            json!({"it": {"url": url, "source": "event-log"}})
        };
        let lead = entry("lead", "updated");
        assert_eq!(publishers(&where_("leads", "name='x'"), &lead), ["it"]);
        assert_eq!(
            publishers(&where_("leads", "name='y'"), &lead),
            Vec::<String>::new()
        );
        assert_eq!(
            publishers(&where_("events", "action='updated'"), &lead),
            ["it"]
        );
        let mut hidden = lead;
        hidden["data"] = json!(null);
        assert_eq!(publishers(&where_("leads", "name='y'"), &hidden), ["it"]);
        let deleted = json!({"object_type": "lead", "object_id": "x_1", "action": "deleted", "previous_data": {"name": "y"}});
        assert_eq!(publishers(&where_("leads", "name='y'"), &deleted), ["it"]);
        assert_eq!(
            publishers(&where_("leads", "name='x'"), &deleted),
            Vec::<String>::new()
        );
    }
}
