//! The event log of one organization: every change of an object, successive updates consolidated.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::entry::LogEntry;
use crate::close::data::time::span::Span;
use crate::close::settings::IndexDelay;

/// The entries, in the order in which they came, and what the API shows of them.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    pub(crate) entries: Vec<Arc<LogEntry>>,
    /// Positions of entries for which a delivery is waiting that will carry whatever they then hold.
    pub(crate) scheduled: HashSet<usize>,
    /// The position of each object's newest entry.
    newest: HashMap<Arc<str>, usize>,
    positions: HashMap<Arc<str>, usize>,
    /// What the API shows, oldest first. An entry may be behind what it has become.
    shown: BTreeMap<LogPosition, Arc<LogEntry>>,
    /// Where each position is shown.
    places: HashMap<usize, LogPosition>,
    pending: Vec<PendingEntry>,
    ties: RandomState,
}

/// The place of an entry in the order of the API. Of equal dates the order means nothing, but that the entries of one
/// object are in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    pub(crate) date: Timestamp,
    pub(crate) tie: u64,
    pub(crate) position: usize,
}

/// What the API does not show yet.
#[derive(Debug)]
struct PendingEntry {
    position: usize,
    entry: Arc<LogEntry>,
    /// `None` waits for a release.
    due: Option<Instant>,
}

impl EventLog {
    /// Logs a change and returns the position of the entry that now holds it.
    ///
    /// An update that follows another of the same object within `consolidation` of the first is merged into its entry:
    /// same id and `date_created`, newer `date_updated` and data, previous values of the first.
    pub(crate) fn append(
        &mut self,
        entry: LogEntry,
        consolidation: SignedDuration,
        visible: IndexDelay,
    ) -> usize {
        let position = self.store(entry, consolidation);
        let pending = |due| PendingEntry {
            position,
            entry: Arc::clone(&self.entries[position]),
            due,
        };
        match visible {
            IndexDelay::Immediately => self.show(&pending(None)),
            IndexDelay::After(delay) => {
                let due = Instant::now().checked_add(delay);
                self.pending.push(pending(due));
            }
            IndexDelay::UntilReleased => self.pending.push(pending(None)),
        }
        position
    }

    /// Shows what has become due.
    pub(crate) fn catch_up(&mut self) {
        let now = Instant::now();
        self.show_pending(|pending| pending.due.is_some_and(|due| due <= now));
    }

    /// Shows everything that is waiting.
    pub(crate) fn release(&mut self) {
        self.show_pending(|_| true);
    }

    /// What the API shows between two places, oldest first.
    pub(crate) fn between(
        &self,
        from: Bound<LogPosition>,
        to: Bound<LogPosition>,
    ) -> impl DoubleEndedIterator<Item = (&LogPosition, &Arc<LogEntry>)> {
        self.shown.range((from, to))
    }

    /// The entry with this id, as the API shows it.
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<LogEntry>> {
        let position = self.positions.get(id)?;
        self.shown.get(self.places.get(position)?)
    }

    fn store(&mut self, entry: LogEntry, consolidation: SignedDuration) -> usize {
        if let Some(position) = self.newest.get(&entry.object_id).copied()
            && self.entries[position].absorbs(&entry, consolidation)
        {
            let merged = self.entries[position].absorb(entry);
            self.entries[position] = Arc::new(merged);
            return position;
        }
        let position = self.entries.len();
        self.newest.insert(Arc::clone(&entry.object_id), position);
        self.positions.insert(Arc::clone(&entry.id), position);
        self.entries.push(Arc::new(entry));
        position
    }

    fn show_pending(&mut self, due: impl Fn(&PendingEntry) -> bool) {
        let (ready, waiting): (Vec<_>, _) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|pending| due(pending));
        self.pending = waiting;
        for pending in &ready {
            self.show(pending);
        }
    }

    /// What an entry was never replaces what it has become, however late it is shown.
    fn show(
        &mut self,
        PendingEntry {
            position, entry, ..
        }: &PendingEntry,
    ) {
        if let Some(place) = self.places.get(position).copied() {
            let is_older = |shown: &Arc<LogEntry>| entry.revision < shown.revision;
            if self.shown.get(&place).is_some_and(is_older) {
                return;
            }
            self.shown.remove(&place);
        }
        let place = LogPosition {
            date: entry.date_updated,
            tie: self.ties.hash_one(&entry.object_id),
            position: *position,
        };
        self.places.insert(*position, place);
        self.shown.insert(place, Arc::clone(entry));
    }
}

impl LogPosition {
    /// The places of all entries whose date lies within.
    pub(crate) fn within(span: Span) -> (Bound<Self>, Bound<Self>) {
        let from = match span.from {
            Bound::Included(date) => Bound::Included(Self::first(date)),
            Bound::Excluded(date) => Bound::Excluded(Self::last(date)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let to = match span.to {
            Bound::Included(date) => Bound::Included(Self::last(date)),
            Bound::Excluded(date) => Bound::Excluded(Self::first(date)),
            Bound::Unbounded => Bound::Unbounded,
        };
        (from, to)
    }

    /// Before everything of this date.
    pub(crate) fn first(date: Timestamp) -> Self {
        Self {
            date,
            tie: 0,
            position: 0,
        }
    }

    fn last(date: Timestamp) -> Self {
        Self {
            date,
            tie: u64::MAX,
            position: usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn updated(second: i64, name: &str) -> LogEntry {
        let entry = json!({
            "action": "updated",
            "data": { "name": name },
            "object_id": "cont_1",
            "object_type": "contact",
        });
        LogEntry::foreign(&entry, Timestamp::from_second(second).unwrap()).unwrap()
    }

    fn shown(log: &EventLog) -> Vec<(i64, u32)> {
        let all = log.between(Bound::Unbounded, Bound::Unbounded);
        all.map(|(place, entry)| (place.date.as_second(), entry.revision))
            .collect()
    }

    #[test]
    fn an_entry_that_is_shown_late_takes_its_place_among_the_others() {
        let mut log = EventLog::default();
        log.append(
            updated(1, "A"),
            SignedDuration::ZERO,
            IndexDelay::UntilReleased,
        );
        log.append(
            updated(2, "B"),
            SignedDuration::ZERO,
            IndexDelay::Immediately,
        );
        log.catch_up();
        assert_eq!(shown(&log), [(2, 0)]);
        log.release();
        assert_eq!(shown(&log), [(1, 0), (2, 0)]);
    }

    #[test]
    fn a_consolidated_entry_moves_and_what_it_was_never_comes_back() {
        let mut log = EventLog::default();
        let window = SignedDuration::from_secs(10);
        log.append(updated(1, "A"), window, IndexDelay::Immediately);
        log.append(updated(2, "B"), window, IndexDelay::UntilReleased);
        assert_eq!(shown(&log), [(1, 0)]);
        log.append(updated(3, "C"), window, IndexDelay::Immediately);
        assert_eq!(shown(&log), [(3, 2)]);
        log.release();
        assert_eq!(shown(&log), [(3, 2)]);
        let id = Arc::clone(&log.entries[0].id);
        assert_eq!(log.find(&id).unwrap().revision, 2);
    }

    #[test]
    fn entries_of_one_object_and_date_keep_their_order() {
        let mut log = EventLog::default();
        for name in ["A", "B", "C"] {
            log.append(
                updated(1, name),
                SignedDuration::ZERO,
                IndexDelay::Immediately,
            );
        }
        let all = log.between(Bound::Unbounded, Bound::Unbounded);
        let positions: Vec<_> = all.map(|(place, _)| place.position).collect();
        assert_eq!(positions, [0, 1, 2]);
    }
}
