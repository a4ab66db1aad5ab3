//! The search index of one kind of object: eventually consistent, ordered by either date.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::by_date::ByDate;
use crate::close::data::objects::record::Record;
use crate::close::settings::IndexDelay;

/// What a search sees, and what it will see later.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) by_date: ByDate,
    documents: HashMap<Arc<str>, Arc<Record>>,
    /// The versions at which objects were deleted.
    deleted: HashMap<Arc<str>, u64>,
    pending: Vec<PendingRecord>,
}

/// A change that has not reached the index yet.
#[derive(Debug)]
struct PendingRecord {
    update: Update,
    /// `None` waits for a release.
    due: Option<Instant>,
}

/// A new version of an object, or its end.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) id: Arc<str>,
    pub(crate) version: u64,
    /// `None` for a deletion.
    pub(crate) document: Option<Arc<Record>>,
}

impl Index {
    /// Takes a change in, now or later.
    pub(crate) fn put(&mut self, update: Update, delay: IndexDelay) {
        let due = match delay {
            IndexDelay::Immediately => return self.apply(update),
            IndexDelay::After(delay) => Instant::now().checked_add(delay),
            IndexDelay::UntilReleased => None,
        };
        self.pending.push(PendingRecord { update, due });
    }

    /// Applies what has become due.
    pub(crate) fn catch_up(&mut self) {
        let now = Instant::now();
        self.apply_pending(|pending| pending.due.is_some_and(|due| due <= now));
    }

    /// Applies everything that is waiting.
    pub(crate) fn release(&mut self) {
        self.apply_pending(|_| true);
    }

    fn apply_pending(&mut self, due: impl Fn(&PendingRecord) -> bool) {
        let (ready, waiting) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| due(pending));
        self.pending = waiting;
        let ready: Vec<PendingRecord> = ready;
        for pending in ready {
            self.apply(pending.update);
        }
    }

    /// An older version never replaces a newer one, however late it comes.
    fn apply(&mut self, update: Update) {
        let indexed = self.documents.get(&update.id);
        let indexed = indexed.map(|document| document.version);
        let newest = indexed.max(self.deleted.get(&update.id).copied());
        if newest.is_some_and(|newest| update.version <= newest) {
            return;
        }
        if let Some(previous) = self.documents.remove(&update.id) {
            self.by_date.remove(&previous);
        }
        match update.document {
            Some(document) => {
                self.by_date.insert(&document);
                self.documents.insert(update.id, document);
            }
            None => {
                self.deleted.insert(update.id, update.version);
            }
        }
    }
}
