//! The search index of one kind of object: eventually consistent, ordered by either date.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::record::{DateField, Record};
use super::settings::IndexDelay;

/// The objects of one date, by id.
pub(super) type Group = BTreeMap<String, Arc<Record>>;

type ByDate = BTreeMap<Timestamp, Group>;

/// What a search sees, and what it will see later.
#[derive(Debug, Default)]
pub(super) struct Index {
    documents: HashMap<String, Arc<Record>>,
    by_created: ByDate,
    by_updated: ByDate,
    /// The newest version indexed of each object, deleted ones included.
    versions: HashMap<String, u64>,
    pending: Vec<Pending>,
}

/// A change that has not reached the index yet.
#[derive(Debug)]
struct Pending {
    update: Update,
    /// `None` waits for a release.
    due: Option<Instant>,
}

/// A new version of an object, or its end.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) id: String,
    pub(super) version: u64,
    /// `None` for a deletion.
    pub(super) document: Option<Arc<Record>>,
}

impl Index {
    /// Takes a change in, now or later.
    pub(super) fn put(&mut self, update: Update, delay: IndexDelay) {
        let due = match delay {
            IndexDelay::Immediately => return self.apply(update),
            IndexDelay::After(delay) => Instant::now().checked_add(delay),
            IndexDelay::UntilReleased => None,
        };
        self.pending.push(Pending { update, due });
    }

    /// Applies what has become due.
    pub(super) fn catch_up(&mut self) {
        let now = Instant::now();
        self.apply_pending(|pending| pending.due.is_some_and(|due| due <= now));
    }

    /// Applies everything that is waiting.
    pub(super) fn release(&mut self) {
        self.apply_pending(|_| true);
    }

    /// The indexed objects of the range, grouped by the date, earliest first.
    pub(super) fn groups(
        &self,
        field: DateField,
        range: impl RangeBounds<Timestamp>,
    ) -> impl DoubleEndedIterator<Item = &Group> {
        let by_date = match field {
            DateField::Created => &self.by_created,
            DateField::Updated => &self.by_updated,
        };
        by_date.range(range).map(|(_, group)| group)
    }

    fn apply_pending(&mut self, due: impl Fn(&Pending) -> bool) {
        let (ready, waiting) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| due(pending));
        self.pending = waiting;
        let ready: Vec<Pending> = ready;
        for pending in ready {
            self.apply(pending.update);
        }
    }

    /// An older version never replaces a newer one, however late it comes.
    fn apply(&mut self, update: Update) {
        let indexed = self.versions.entry(update.id.clone()).or_default();
        if update.version <= *indexed {
            return;
        }
        *indexed = update.version;
        if let Some(previous) = self.documents.remove(&update.id) {
            remove(&mut self.by_created, previous.date_created, &update.id);
            remove(&mut self.by_updated, previous.date_updated, &update.id);
        }
        if let Some(document) = update.document {
            insert(&mut self.by_created, document.date_created, &document);
            insert(&mut self.by_updated, document.date_updated, &document);
            self.documents.insert(update.id, document);
        }
    }
}

fn insert(by_date: &mut ByDate, date: Timestamp, document: &Arc<Record>) {
    let group = by_date.entry(date).or_default();
    group.insert(document.id.clone(), Arc::clone(document));
}

fn remove(by_date: &mut ByDate, date: Timestamp, id: &str) {
    if let Some(group) = by_date.get_mut(&date) {
        group.remove(id);
        if group.is_empty() {
            by_date.remove(&date);
        }
    }
}
