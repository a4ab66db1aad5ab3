//! The versions of objects: stored, handed to the search index, and logged.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Tenant;
use super::index::Update;
use crate::close::data::log::cause::Cause;
use crate::close::data::log::entry::{Happening, LogEntry};
use crate::close::data::log::event_types;
use crate::close::data::moment::Moment;
use crate::close::data::objects::record::Record;

impl Tenant {
    /// Stores the version after an update, and logs the update.
    pub(crate) fn replace(
        &mut self,
        before: &Arc<Record>,
        after: Record,
        moment: &Moment,
    ) -> Arc<Record> {
        let date = after.date_updated;
        let after = self.put(after, moment);
        let step = Step {
            action: "updated",
            date,
            before: Some(before),
            after: Some(&after),
            cause: Cause::Put(before),
        };
        self.log(step, moment);
        after
    }

    /// Stores a version and hands it to the index.
    pub(crate) fn put(&mut self, mut record: Record, moment: &Moment) -> Arc<Record> {
        self.version += 1;
        record.version = self.version;
        let record = Arc::new(record);
        let family = record.kind.family();
        let collection = self.collection_mut(family);
        let previous = collection
            .records
            .insert(Arc::clone(&record.id), Arc::clone(&record));
        if family.is_listed_by_date() {
            if let Some(previous) = previous {
                collection.by_date.remove(&previous);
            }
            collection.by_date.insert(&record);
        }
        if record.kind.is_searched() {
            let update = Update {
                id: Arc::clone(&record.id),
                version: record.version,
                document: Some(Arc::clone(&record)),
            };
            collection.index.put(update, moment.index);
        }
        record
    }

    /// Removes an object, and logs that.
    pub(crate) fn remove(&mut self, record: &Arc<Record>, cause: Cause<'_>, moment: &Moment) {
        self.version += 1;
        let update = Update {
            id: Arc::clone(&record.id),
            version: self.version,
            document: None,
        };
        let family = record.kind.family();
        let collection = self.collection_mut(family);
        collection.records.remove(&record.id);
        collection.by_date.remove(record);
        if record.kind.is_searched() {
            collection.index.put(update, moment.index);
        }
        self.disown(record);
        let date = moment.stamp();
        self.log(
            Step {
                action: "deleted",
                date,
                before: Some(record),
                after: None,
                cause,
            },
            moment,
        );
    }

    /// Logs a change unless it is a quiet one.
    pub(crate) fn log(&mut self, step: Step<'_>, moment: &Moment) {
        let Some(record) = step.after.or(step.before) else {
            return;
        };
        if moment.quiet || !event_types::exists(record.kind.object_type(), step.action) {
            return;
        }
        let entry = LogEntry::new(Happening {
            date: step.date,
            logged_at: moment.logged_at,
            action: step.action,
            object: Arc::clone(record),
            gone: step.after.is_none(),
            previous_data: self.previous_data(&step),
            meta: step.cause.render(),
        });
        self.log_entry(entry, moment);
    }

    /// Appends an entry to the log.
    pub(crate) fn log_entry(&mut self, entry: LogEntry, moment: &Moment) {
        let position = self.log.append(entry, moment.consolidation, moment.visible);
        self.news.push(position);
    }

    /// The old values of what changed from one version to the next.
    fn previous_data(&self, step: &Step<'_>) -> Map<String, Value> {
        let (Some(before), Some(after)) = (step.before, step.after) else {
            return Map::new();
        };
        let before = self.render_bare(before);
        let after = self.render_bare(after);
        let fields: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let changed = fields
            .into_iter()
            // The deprecated object of a lead's custom fields repeats what their own keys say.
            .filter(|field| *field != "custom" && before.get(*field) != after.get(*field));
        let previous = |field: &String| before.get(field).cloned().unwrap_or_default();
        changed
            .map(|field| (field.clone(), previous(field)))
            .collect()
    }
}

/// One change of one object, for the event log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) action: &'static str,
    pub(crate) date: Timestamp,
    pub(crate) before: Option<&'a Arc<Record>>,
    pub(crate) after: Option<&'a Arc<Record>>,
    pub(crate) cause: Cause<'a>,
}
