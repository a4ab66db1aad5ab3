//! The custom fields that the searches of a poll ask for.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::close::custom_fields::{Schema, Schemas, selector_of_id};
use shared::close::page::Page;
use shared::close::search::{Searched, Selectors};
use shared::polling::paths::paths;
use shared::polling::resource::{Resource, Source};
use shared::store::watermarks::{CUSTOM_FIELDS, Commit, StoredPosition, StoredResource};

use crate::record::Record;

pub mod batches;

/// Selectors of custom fields in one request, beside about 20 others. Source: a connector in production asks Close for 60
/// beside 30.
const BATCH: usize = 60;

/// The schemas that a poll has, and how far Close takes their selectors.
#[derive(Debug, Default)]
pub struct CustomFields {
    schemas: Schemas,
    stored_at: Timestamp,
    is_changed: bool,
    /// Counts the changes of the selectors.
    version: u32,
    types: HashMap<Searched, State>,
}

/// The state of one type's schema and selectors during a poll.
#[derive(Debug, Clone, Copy)]
struct State {
    /// The schema was asked for in this poll, and is not again.
    is_read: bool,
    /// Close has shown that the schema is old.
    is_stale: bool,
    /// Close has answered a whole page since the schema was read, so it was not old then.
    has_worked: bool,
    /// Selectors of custom fields that Close takes in one request.
    batch: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            is_read: false,
            is_stale: false,
            has_worked: false,
            batch: BATCH,
        }
    }
}

impl CustomFields {
    /// What earlier polls have stored.
    pub fn restore(stored: Option<&StoredResource>) -> Self {
        let fields = stored.and_then(|stored| stored.fields.as_deref());
        let stored_at = stored.and_then(|stored| stored.position);
        let stored_at = stored_at.map(|position| position.watermark);
        let stored_at = stored_at.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        Self {
            schemas: fields.map(Schemas::from_json).unwrap_or_default(),
            stored_at: stored_at.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Tells one form of the batches from another.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether the schema is to be read before anything is searched for: there is none, it is an hour old, or Close has shown
    /// that it is old.
    pub fn needs_schema(&self, of: Searched, now: Timestamp) -> bool {
        let state = self.state(of);
        let is_old = || self.schemas.get(of).is_none_or(|schema| schema.is_old(now));
        !state.is_read && (state.is_stale || is_old())
    }

    /// Takes the schema as Close has it.
    pub fn learn(&mut self, of: Searched, answer: &Page, now: Timestamp) {
        self.schemas.put(of, answer, now);
        self.is_changed = true;
        self.version += 1;
        self.types.entry(of).or_default().is_read = true;
    }

    /// Whether there is a schema, new or old.
    pub fn has_schema(&self, of: Searched) -> bool {
        self.schemas.get(of).is_some()
    }

    /// Close does not give a new schema: the old one, or none, has to do.
    pub fn do_without(&mut self, of: Searched) {
        self.types.entry(of).or_default().is_read = true;
    }

    /// What the batches of a search for a resource's objects ask for. What the resource's paths name is in the first.
    pub fn batches(&self, of: Searched, resource: &Resource) -> Vec<Selectors> {
        let schema = self.schemas.get(of);
        let named = paths(resource).into_iter();
        let named = named.filter_map(|path| match schema {
            Some(schema) => schema.selector(path),
            None => selector_of_id(path).map(str::to_owned),
        });
        let named: BTreeSet<_> = named.collect();
        let all = schema.into_iter().flat_map(Schema::selectors);
        let others: Vec<_> = all.filter(|selector| !named.contains(selector)).collect();
        let selectors: Vec<_> = named.into_iter().chain(others).collect();
        let batch = self.state(of).batch;
        let count = if batch == 0 { 0 } else { selectors.len() };
        let batches = selectors[..count].chunks(batch.max(1));
        let mut batches = batches.map(<[_]>::to_vec);
        let first = Selectors::All(batches.next().unwrap_or_default());
        let more = batches.map(Selectors::More);
        [first].into_iter().chain(more).collect()
    }

    /// Notes that Close has answered a whole page.
    pub fn worked(&mut self, of: Searched) {
        self.types.entry(of).or_default().has_worked = true;
    }

    /// Close refuses a search that asks for custom fields: one may be deleted, or they are too many. Reads the schema anew
    /// first, then halves the batches, and asks for none at last. Returns whether to search again.
    pub fn refused(&mut self, of: Searched, selectors: &Selectors) -> bool {
        let state = self.types.entry(of).or_default();
        if selectors.custom().is_empty() {
            return false;
        }
        self.version += 1;
        if state.is_read && !state.has_worked {
            state.batch = state.batch.min(selectors.custom().len()) / 2;
        } else {
            (state.is_read, state.is_stale, state.has_worked) = (false, true, false);
        }
        true
    }

    /// Whether a page shows a field by a name that the schema lacks, so that the page is to be read again with a new schema.
    pub fn is_outdated_by(&mut self, of: Searched, page: &Page<Record>) -> bool {
        let state = self.types.entry(of).or_default();
        let schema = self.schemas.get(of).filter(|_| !state.is_read);
        let lacks = |schema: &Schema| page.data.iter().any(|it| schema.lacks_field_of(&it.raw));
        state.is_stale |= schema.is_some_and(lacks);
        let is_outdated = state.is_stale && !state.is_read;
        self.version += u32::from(is_outdated);
        is_outdated
    }

    /// The record as a resource's paths find it, whether Close shows custom fields by their ids or their names.
    pub fn resolved<'a>(&self, resource: &'a Resource, record: &'a RawValue) -> Cow<'a, RawValue> {
        match self.schema_of(resource) {
            Some(schema) => schema.resolved(record, paths(resource)),
            None => Cow::Borrowed(record),
        }
    }

    /// Whether a path of a resource names a custom field that there is and that is asked for: it may have no value yet.
    pub fn knows(&self, resource: &Resource, path: &str) -> bool {
        let Source::Search(of) = resource.source else {
            return false;
        };
        let schema = self.schema_of(resource);
        0 < self.state(of).batch && schema.is_some_and(|schema| schema.selector(path).is_some())
    }

    /// What to store, where a schema was read.
    pub fn take_commit(&mut self, now: Timestamp) -> Option<Commit> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        // Our clock may be behind that of the poll before.
        let stored_at = self.stored_at.max(now).as_microsecond();
        Some(Commit {
            resource: CUSTOM_FIELDS.to_owned(),
            position: StoredPosition {
                watermark: stored_at,
                start: stored_at,
                floor: None,
                overlap: None,
                first_window_end: None,
            },
            put_chunks: Vec::new(),
            delete_chunks: Vec::new(),
            backfill: None,
            fields: Some(self.schemas.to_json()),
        })
    }

    fn schema_of(&self, resource: &Resource) -> Option<&Schema> {
        match resource.source {
            Source::Search(of) => self.schemas.get(of),
            Source::Opportunities | Source::Tasks | Source::EventLog => None,
        }
    }

    fn state(&self, of: Searched) -> State {
        self.types.get(&of).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use serde_json::value::to_raw_value;
    use shared::close::page::Page;
    use shared::close::search::{Searched, Selectors};
    use shared::polling::poller_configuration::parse;
    use shared::polling::resource::Resource;
    use shared::store::watermarks::StoredResource;

    use super::CustomFields;
    use crate::record::Record;

    const OF: Searched = Searched::Lead;
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn resource(condition: &str) -> Resource {
        let url = format!("/hubs/crm/leads?where={condition}");
        parse(&json!({"leads": {"url": url}}).to_string())
            .unwrap()
            .remove(0)
    }

    fn answer(numbers: std::ops::Range<usize>) -> Page {
        let field = |number| json!({"id": format!("cf_{number}"), "name": format!("Field {number}"), "type": "text"});
        let data = numbers.map(|number| to_raw_value(&field(number)).unwrap());
        Page {
            data: data.collect(),
            ..Page::default()
        }
    }

    fn sizes(fields: &CustomFields) -> Vec<usize> {
        let batches = fields.batches(OF, &resource("a=1"));
        batches.iter().map(|it| it.custom().len()).collect()
    }

    #[test]
    fn what_a_resource_names_is_in_the_first_batch() {
        let mut fields = CustomFields::default();
        let resource = resource("custom.cf_99=1 OR `custom.Field 98`=1 OR custom.cf_200=1");
        let unknown = fields.batches(OF, &resource);
        let named = ["custom.cf_200", "custom.cf_99"].map(str::to_owned);
        assert_eq!(unknown, [Selectors::All(named.to_vec())]);

        fields.learn(OF, &answer(0..100), NOW);
        let batches = fields.batches(OF, &resource);
        let [Selectors::All(first), Selectors::More(second)] = &batches[..] else {
            panic!("{batches:?}");
        };
        assert_eq!(first[..3], ["custom.cf_98", "custom.cf_99", "custom.cf_0"]);
        assert_eq!((first.len(), second.len()), (60, 40));
        assert!(fields.knows(&resource, "custom.cf_99"));
        assert!(!fields.knows(&resource, "custom.cf_200"));
    }

    #[test]
    fn a_refusal_has_the_schema_read_anew_then_batches_halved_then_none_asked_for() {
        let mut fields = CustomFields::default();
        fields.learn(OF, &answer(0..100), NOW);
        let stored = fields.take_commit(NOW).unwrap();
        let stored = StoredResource {
            position: Some(stored.position),
            chunks: Vec::new(),
            fields: stored.fields,
        };
        let mut fields = CustomFields::restore(Some(&stored));
        let now = NOW + SignedDuration::from_mins(59);
        assert!(!fields.needs_schema(OF, now));
        assert!(fields.needs_schema(OF, NOW + SignedDuration::from_mins(60)));
        assert!(fields.needs_schema(Searched::Contact, now));

        let refuse = |fields: &mut CustomFields| {
            let first = fields.batches(OF, &resource("a=1")).remove(0);
            fields.refused(OF, &first)
        };
        assert!(refuse(&mut fields));
        assert!(fields.needs_schema(OF, now));
        fields.learn(OF, &answer(0..70), now);
        assert!(!fields.needs_schema(OF, now));
        assert_eq!(sizes(&fields), [60, 10]);
        for expected in [30, 15, 7, 3, 1, 0] {
            assert!(refuse(&mut fields));
            assert_eq!(sizes(&fields)[0], expected);
        }
        assert_eq!(sizes(&fields), [0]);
        assert!(!refuse(&mut fields), "it is about something else");
        assert!(!fields.knows(&resource("a=1"), "custom.cf_1"));
        // Once a page came, another refusal means that another field is gone.
        fields.worked(OF);
        let one = Selectors::All(vec!["custom.cf_1".to_owned()]);
        assert!(fields.refused(OF, &one) && fields.needs_schema(OF, now));
        fields.learn(OF, &answer(0..69), now);
        assert!(!fields.needs_schema(OF, now));
        // Our clock was set back meanwhile.
        let again = fields.take_commit(NOW - SignedDuration::from_hours(1));
        assert_eq!(again.unwrap().position.watermark, NOW.as_microsecond());
        assert!(fields.take_commit(NOW).is_none());
    }

    #[test]
    fn a_name_that_the_schema_lacks_outdates_it_once_a_poll() {
        let page = Page {
            data: vec![Record::read(
                to_raw_value(&json!({"custom": {"New": 1}})).unwrap(),
            )],
            ..Page::default()
        };
        let mut fields = CustomFields::default();
        assert!(!fields.is_outdated_by(OF, &page), "there is none");
        fields.learn(OF, &answer(0..1), NOW);
        let stored = StoredResource {
            fields: fields.take_commit(NOW).unwrap().fields,
            ..StoredResource::default()
        };
        let mut fields = CustomFields::restore(Some(&stored));
        assert!(fields.is_outdated_by(OF, &page));
        assert!(fields.needs_schema(OF, NOW));
        fields.learn(OF, &answer(0..1), NOW);
        assert!(!fields.is_outdated_by(OF, &page));
        assert!(!fields.needs_schema(OF, NOW));
    }
}
