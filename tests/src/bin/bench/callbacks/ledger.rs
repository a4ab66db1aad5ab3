//! Which events were sent, and which of them have come to their receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::manner::Manner;
use super::slot::Slot;

/// All events of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<Slot, Entry>>);

#[derive(Debug)]
struct Entry {
    sent: Instant,
    /// When its receiver answered 200 for the first time.
    delivered: Option<Instant>,
    deliveries: usize,
}

/// How many events of the receivers of a manner there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: usize,
    /// Those that came at least once.
    pub(crate) delivered: usize,
    /// Those that came again after that.
    pub(crate) repeated: usize,
    /// Those that have not come and are in a queue.
    pub(crate) queued: usize,
}

impl Ledger {
    /// Notes that an event is being sent.
    pub(crate) fn sent(&self, slot: Slot) {
        let entry = Entry {
            sent: Instant::now(),
            delivered: None,
            deliveries: 0,
        };
        self.lock().insert(slot, entry);
    }

    /// Notes that a receiver has taken an event.
    pub(crate) fn delivered(&self, slot: Slot) {
        if let Some(entry) = self.lock().get_mut(&slot) {
            entry.delivered.get_or_insert_with(Instant::now);
            entry.deliveries += 1;
        }
    }

    /// Whether all events have come to the receivers of a manner.
    pub(crate) fn is_complete(&self, manner: Manner) -> bool {
        let counts = self.counts(manner, &BTreeSet::new());
        counts.delivered == counts.sent
    }

    /// How many events there are of the receivers of a manner. `queued` are those that queues had just now.
    pub(crate) fn counts(&self, manner: Manner, queued: &BTreeSet<Slot>) -> Counts {
        let mut counts = Counts::default();
        for (slot, entry) in self.lock().iter() {
            if Manner::of(*slot) == manner {
                counts.sent += 1;
                counts.delivered += usize::from(entry.delivered.is_some());
                counts.repeated += usize::from(1 < entry.deliveries);
                counts.queued += usize::from(entry.delivered.is_none() && queued.contains(slot));
            }
        }
        counts
    }

    /// How long the events took, the fastest first, that receivers of a manner were sent in a span of time, and got.
    pub(crate) fn latencies(&self, manner: Manner, span: &Range<Instant>) -> Vec<Duration> {
        let entries = self.lock();
        let entries = entries
            .iter()
            .filter(|(slot, entry)| Manner::of(**slot) == manner && span.contains(&entry.sent));
        let latencies = entries.filter_map(|(_, entry)| Some(entry.delivered? - entry.sent));
        let mut latencies: Vec<_> = latencies.collect();
        latencies.sort_unstable();
        latencies
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Slot, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
