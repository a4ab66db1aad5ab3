//! The versions of objects: stored, handed to the search index, and logged.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event_log::Happening;
use super::index::Update;
use super::record::Record;
use super::shape;
use super::tenant::{Moment, Tenant};

impl Tenant {
    /// Stores the version after an update, and logs the update.
    pub(super) fn replace(&mut self, before: &Record, after: Record, moment: &Moment) {
        let date = after.date_updated;
        let after = self.put(after, moment);
        let path = format!("/api/v1/{}/{}/", before.kind.name(), before.id);
        let meta = json!({ "request_method": "PUT", "request_path": path });
        let step = Step {
            action: "updated",
            date,
            before: Some(before),
            after: Some(&after),
            meta,
        };
        self.log(step, moment);
    }

    /// Stores a version and hands it to the index.
    pub(super) fn put(&mut self, mut record: Record, moment: &Moment) -> Arc<Record> {
        self.version += 1;
        record.version = self.version;
        let record = Arc::new(record);
        let collection = self.collection_mut(record.kind);
        let custom = record
            .fields
            .keys()
            .filter(|field| field.starts_with("custom."));
        collection.custom_fields.extend(custom.cloned());
        collection
            .records
            .insert(record.id.clone(), Arc::clone(&record));
        let update = Update {
            id: record.id.clone(),
            version: record.version,
            document: Some(Arc::clone(&record)),
        };
        collection.index.put(update, moment.index);
        record
    }

    /// Removes an object, and logs that.
    pub(super) fn remove(&mut self, record: &Record, meta: Value, moment: &Moment) {
        self.version += 1;
        let update = Update {
            id: record.id.clone(),
            version: self.version,
            document: None,
        };
        let collection = self.collection_mut(record.kind);
        collection.records.remove(&record.id);
        collection.index.put(update, moment.index);
        if let Some(siblings) = self.contacts_of.get_mut(record.lead()) {
            siblings.retain(|id| *id != record.id);
        }
        let date = moment.date_updated.unwrap_or(moment.now);
        self.log(
            Step {
                action: "deleted",
                date,
                before: Some(record),
                after: None,
                meta,
            },
            moment,
        );
    }

    /// Logs a change unless it is a quiet one.
    pub(super) fn log(&mut self, step: Step<'_>, moment: &Moment) {
        let Some(record) = step.after.or(step.before) else {
            return;
        };
        if moment.quiet {
            return;
        }
        let render = |record: &Record| shape::bare(record, &self.identity);
        let happening = Happening {
            date: step.date,
            object_type: record.kind.name(),
            object_id: record.id.clone(),
            lead_id: record.lead().to_owned(),
            action: step.action,
            before: step.before.map(render),
            after: step.after.map(render),
            meta: step.meta,
        };
        self.news
            .push(self.log.append(happening, moment.consolidation));
    }
}

/// One change of one object, for the event log.
pub(super) struct Step<'a> {
    pub(super) action: &'static str,
    pub(super) date: Timestamp,
    pub(super) before: Option<&'a Record>,
    pub(super) after: Option<&'a Record>,
    pub(super) meta: Value,
}
