//! Objects in the order of either date.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;

use crate::close::data::objects::record::{DateField, Record};
use crate::close::data::time::span::Span;

/// The date and the tie-breaker, which no two objects share.
type Key = (Timestamp, u64);

/// Objects, to be read from any date on.
#[derive(Debug, Default)]
pub(crate) struct ByDate {
    created: BTreeMap<Key, Arc<Record>>,
    updated: BTreeMap<Key, Arc<Record>>,
}

impl ByDate {
    /// Adds an object.
    pub(crate) fn insert(&mut self, record: &Arc<Record>) {
        let key = |field| (record.date(field), record.tie);
        let (created, updated) = (key(DateField::Created), key(DateField::Updated));
        self.created.insert(created, Arc::clone(record));
        self.updated.insert(updated, Arc::clone(record));
    }

    /// Removes an object, given as it was added.
    pub(crate) fn remove(&mut self, record: &Record) {
        self.created.remove(&(record.date_created, record.tie));
        self.updated.remove(&(record.date_updated, record.tie));
    }

    /// The objects whose date lies within, earliest first; of equal dates in no useful order.
    pub(crate) fn within(
        &self,
        field: DateField,
        span: Span,
    ) -> impl DoubleEndedIterator<Item = &Arc<Record>> {
        let objects = match field {
            DateField::Created => &self.created,
            DateField::Updated => &self.updated,
        };
        let found = (!span.is_empty()).then(|| objects.range((first(span.from), last(span.to))));
        found.into_iter().flatten().map(|(_, record)| record)
    }
}

fn first(from: Bound<Timestamp>) -> Bound<Key> {
    match from {
        Bound::Included(date) => Bound::Included((date, 0)),
        Bound::Excluded(date) => Bound::Excluded((date, u64::MAX)),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn last(to: Bound<Timestamp>) -> Bound<Key> {
    match to {
        Bound::Included(date) => Bound::Included((date, u64::MAX)),
        Bound::Excluded(date) => Bound::Excluded((date, 0)),
        Bound::Unbounded => Bound::Unbounded,
    }
}
