//! Which entries of the event log a reconciliation is about.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use shared::close::webhook_filter;
use shared::event::change::Change;
use shared::instance::settings::reconciliation::Reconciliation;
use shared::instance::stream::ReconciledFrom;
use shared::json;
use shared::polling::resource::{Resource, Source};

use crate::poll::claim::claims;

/// The entries that the subscription covers, without those that a polled resource publishes.
#[derive(Debug)]
pub struct Reconciled<'a> {
    /// By object type, then by action.
    events: HashMap<&'a str, HashMap<&'a str, Covered<'a>>>,
    all: &'a [Resource],
    /// From when on the resources publish.
    polled_from: Timestamp,
}

/// One kind of event that the subscription covers.
#[derive(Debug)]
struct Covered<'a> {
    since: Timestamp,
    filter: Option<&'a Value>,
}

impl<'a> Reconciled<'a> {
    /// The entries that a reconciliation is about, those of each event from its own start on.
    pub fn new(
        reconciliation: &'a Reconciliation,
        from: &ReconciledFrom,
        all: &'a [Resource],
        polled_from: Timestamp,
    ) -> Self {
        let mut covered: HashMap<_, HashMap<_, _>> = HashMap::new();
        for event in reconciliation.reconciled() {
            let actions = covered.entry(event.object_type.as_str()).or_default();
            let since = from.of(event);
            let filter = event.extra_filter.as_ref();
            actions.insert(event.action.as_str(), Covered { since, filter });
        }
        Self {
            events: covered,
            all,
            polled_from,
        }
    }

    /// Whether an entry is one that a webhook should have delivered, and that no resource reads in the log without a condition.
    pub fn claims(&self, change: &Change) -> bool {
        let date = change
            .entry
            .as_ref()
            .map_or(change.date, |entry| entry.date);
        let covered = self.covered(change);
        let is_polled = self.polled_from <= date && self.is_polled(change);
        covered.is_some_and(|covered| covered.since <= date) && !is_polled
    }

    /// Whether an entry passes the filter of its event. An entry whose data Close hides passes: nobody can evaluate the filter.
    pub fn passes_filter(&self, change: &Change, entry: &RawValue) -> bool {
        let filter = self.covered(change).and_then(|covered| covered.filter);
        filter.is_none_or(|filter| {
            let entry = json::tree(entry.get()).ok().filter(|_| !change.data_hidden);
            let passes = entry.and_then(|entry| webhook_filter::passes(filter, &entry));
            passes.unwrap_or(true)
        })
    }

    fn covered(&self, change: &Change) -> Option<&Covered<'a>> {
        let actions = self.events.get(change.object_type.as_str())?;
        actions.get(change.action.as_str())
    }

    fn is_polled(&self, change: &Change) -> bool {
        let is_logged = |it: &&Resource| it.source == Source::EventLog && it.query.filter.is_none();
        let mut logged = self.all.iter().filter(is_logged);
        logged.any(|resource| claims(resource, self.all, change))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::value::{RawValue, to_raw_value};
    use serde_json::{Value, json};
    use shared::close::webhook::SubscribedEvent;
    use shared::event::log_entry;
    use shared::instance::settings::objects;
    use shared::instance::settings::reconciliation::Reconciliation;
    use shared::instance::stream::ReconciledFrom;
    use shared::polling::poller_configuration::parse;
    use shared::polling::resource::Resource;

    use super::Reconciled;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(object_type: &str, action: &str, data: &Value) -> Box<RawValue> {
        let entry = json!({
            "id": "ev_1", "object_type": object_type, "object_id": "x_1", "action": action,
            "date_updated": at(100), "data": data,
        });
        to_raw_value(&entry).unwrap()
    }

    fn is_reconciled(
        events: &[SubscribedEvent],
        from: &ReconciledFrom,
        all: &[Resource],
        entry: &RawValue,
    ) -> bool {
        let reconciliation = Reconciliation {
            interval: Duration::from_mins(30),
            settle: Duration::from_mins(10),
            events: events.to_vec(),
            log: Resource::event_log("log"),
            backfilled: Vec::new(),
        };
        let reconciled = Reconciled::new(&reconciliation, from, all, at(90));
        let change = log_entry::to_change(entry, Arc::from(entry.to_owned()), at(200));
        reconciled.claims(&change) && reconciled.passes_filter(&change, entry)
    }

    #[test]
    fn only_what_is_subscribed_and_from_its_own_start_on() {
        let events = objects::events(Some("lead.updated,contact")).unwrap();
        let is_reconciled = |from: &ReconciledFrom, object_type, action| {
            let entry = entry(object_type, action, &json!({}));
            is_reconciled(&events, from, &[], &entry)
        };
        let early = ReconciledFrom::now(at(100));
        assert!(is_reconciled(&early, "lead", "updated"));
        assert!(is_reconciled(&early, "contact", "deleted"));
        assert!(!is_reconciled(&early, "lead", "created"));
        assert!(!is_reconciled(&early, "opportunity", "updated"));
        assert!(!is_reconciled(
            &ReconciledFrom::now(at(101)),
            "lead",
            "updated"
        ));
        let mut added = early.clone();
        added.added.insert("contact.deleted".to_owned(), at(101));
        assert!(is_reconciled(&added, "lead", "updated"));
        assert!(!is_reconciled(&added, "contact", "deleted"));
    }

    #[test]
    fn what_a_resource_reads_in_the_log_without_a_condition_is_that_resources() {
        let events = objects::events(Some("lead")).unwrap();
        let from = ReconciledFrom::now(at(0));
        let is_reconciled = |configuration: Value| {
            let all = parse(&configuration.to_string()).unwrap();
            is_reconciled(&events, &from, &all, &entry("lead", "updated", &json!({})))
        };
        assert!(!is_reconciled(
            json!({"events": {"url": "/hubs/crm/events"}})
        ));
        assert!(!is_reconciled(
            json!({"leads": {"url": "/hubs/crm/leads", "source": "event-log"}})
        ));
        assert!(is_reconciled(json!({"leads": {"url": "/hubs/crm/leads"}})));
        let conditional = "/hubs/crm/leads?where=name='Acme'";
        assert!(is_reconciled(
            json!({"leads": {"url": conditional, "source": "event-log"}})
        ));
    }

    #[test]
    fn closes_filter_decides_where_it_can_be_evaluated_and_leaves_the_event_out_where_not() {
        let filter = |operator: &str| {
            let mut events = objects::events(Some("lead.updated")).unwrap();
            events[0].extra_filter = Some(json!({
                "type": "field_accessor", "field": "data",
                "filter": {"type": "field_accessor", "field": "name", "filter": {"type": operator, "value": "Acme"}},
            }));
            events
        };
        let from = ReconciledFrom::now(at(0));
        let is_reconciled = |operator, data: &Value| {
            is_reconciled(
                &filter(operator),
                &from,
                &[],
                &entry("lead", "updated", data),
            )
        };
        assert!(is_reconciled("equals", &json!({"name": "Acme"})));
        assert!(!is_reconciled("equals", &json!({"name": "Other"})));
        assert!(is_reconciled("equals", &Value::Null));
        assert!(!is_reconciled("matches_regex", &json!({"name": "Acme"})));
    }
}
