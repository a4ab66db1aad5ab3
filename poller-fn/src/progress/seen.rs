//! What was published lately, so that re-reading the overlap publishes nothing twice.
//!
//! The ids are kept in chunks, each an item of the Watermarks table: only the last one grows, and one goes as a whole
//! when everything in it is dated before the overlap.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use shared::event::id::EventId;

/// Ids in one chunk: 24 KB, rewritten at each commit while it grows.
const CHUNK: usize = 1_000;
/// Ids in all: a bulk edit of so many objects inside the overlap. Beyond it the oldest go, and what they stood for may be
/// published again with the same id.
const CAPACITY: usize = 200_000;
/// Chunks that one commit removes: a transaction holds 100 items.
const MAX_DELETES: usize = 90;
/// The chunk of those without a date, of which the last [`CHUNK`] are kept: nothing else says when they may go.
const UNDATED: u32 = u32::MAX;
/// An id and its date in microseconds.
const ENTRY_BYTES: usize = 24;

/// The ids published lately, each with its date.
#[derive(Debug, Default)]
pub struct Seen {
    ids: HashSet<EventId>,
    chunks: BTreeMap<u32, Vec<(EventId, i64)>>,
    changed: BTreeSet<u32>,
    dropped: BTreeSet<u32>,
}

impl Seen {
    /// The ids as they were stored. A tail that is no whole entry is dropped: nobody writes one.
    pub fn restore(stored: Vec<(u32, Vec<u8>)>) -> Self {
        let decoded = |bytes: Vec<u8>| {
            bytes
                .chunks_exact(ENTRY_BYTES)
                .map(decode)
                .collect::<Vec<_>>()
        };
        let chunks: BTreeMap<_, _> = stored
            .into_iter()
            .map(|(number, bytes)| (number, decoded(bytes)))
            .collect();
        let ids = chunks.values().flatten().map(|(id, _)| *id).collect();
        Self {
            ids,
            chunks,
            ..Self::default()
        }
    }

    /// Whether the id was published.
    pub fn contains(&self, id: EventId) -> bool {
        self.ids.contains(&id)
    }

    /// Remembers a published id.
    pub fn insert(&mut self, id: EventId, date: Option<Timestamp>) {
        if !self.ids.insert(id) {
            return;
        }
        let Some(date) = date else {
            return self.insert_undated(id);
        };
        let last = self
            .chunks
            .range(..UNDATED)
            .next_back()
            .map(|(number, chunk)| (*number, chunk.len()));
        let number = match last {
            Some((number, length)) if length < CHUNK => number,
            Some((number, _)) => number + 1,
            None => 0,
        };
        self.chunks
            .entry(number)
            .or_default()
            .push((id, date.as_microsecond()));
        self.changed.insert(number);
    }

    /// Forgets what is dated before `floor`: chunks of nothing else, and such entries of the chunks about to be written.
    pub fn forget_before(&mut self, floor: Timestamp) {
        let floor = floor.as_microsecond();
        for number in self.changed.clone() {
            self.forget_entries(number, |date| date < floor);
        }
        let is_old = |chunk: &Vec<(EventId, i64)>| chunk.iter().all(|(_, date)| *date < floor);
        let old: Vec<_> = self
            .chunks
            .iter()
            .filter(|(_, chunk)| is_old(chunk))
            .map(|(number, _)| *number)
            .collect();
        for number in old {
            self.drop_chunk(number);
        }
    }

    /// Drops the oldest chunks beyond the capacity and returns how many ids went with them.
    pub fn shrink_to_capacity(&mut self) -> usize {
        let before = self.ids.len();
        while CAPACITY < self.ids.len() {
            let Some((&oldest, _)) = self.chunks.first_key_value() else {
                break;
            };
            self.drop_chunk(oldest);
        }
        before - self.ids.len()
    }

    /// Whether something is to be stored.
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The chunks to write and those to delete; from here on they count as stored.
    pub fn take_changes(&mut self) -> (Vec<(u32, Vec<u8>)>, Vec<u32>) {
        let changed = std::mem::take(&mut self.changed);
        let put = changed
            .into_iter()
            .filter_map(|number| Some((number, encode(self.chunks.get(&number)?))))
            .collect();
        let delete: Vec<_> = self.dropped.iter().copied().take(MAX_DELETES).collect();
        self.dropped.retain(|number| !delete.contains(number));
        (put, delete)
    }

    fn insert_undated(&mut self, id: EventId) {
        let chunk = self.chunks.entry(UNDATED).or_default();
        if CHUNK <= chunk.len() {
            let (oldest, _) = chunk.remove(0);
            self.ids.remove(&oldest);
        }
        chunk.push((id, i64::MAX));
        self.changed.insert(UNDATED);
    }

    fn forget_entries(&mut self, number: u32, is_old: impl Fn(i64) -> bool) {
        let Some(chunk) = self.chunks.get_mut(&number) else {
            return;
        };
        chunk.retain(|(id, date)| {
            if is_old(*date) {
                self.ids.remove(id);
            }
            !is_old(*date)
        });
    }

    fn drop_chunk(&mut self, number: u32) {
        for (id, _) in self.chunks.remove(&number).unwrap_or_default() {
            self.ids.remove(&id);
        }
        self.changed.remove(&number);
        self.dropped.insert(number);
    }
}

fn encode(chunk: &[(EventId, i64)]) -> Vec<u8> {
    chunk
        .iter()
        .flat_map(|(id, date)| [id.0.as_slice(), &date.to_be_bytes()].concat())
        .collect()
}

fn decode(bytes: &[u8]) -> (EventId, i64) {
    let (mut id, mut date) = ([0; 16], [0; 8]);
    id.copy_from_slice(&bytes[..16]);
    date.copy_from_slice(&bytes[16..ENTRY_BYTES]);
    (EventId(id), i64::from_be_bytes(date))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::event::id::EventId;

    use super::{CAPACITY, CHUNK, Seen};

    fn id(number: usize) -> EventId {
        EventId(u128::try_from(number).unwrap().to_be_bytes())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(count: usize) -> Seen {
        let mut seen = Seen::default();
        for number in 0..count {
            seen.insert(id(number), Some(at(i64::try_from(number).unwrap())));
        }
        seen
    }

    #[test]
    fn is_restored_as_it_was_stored() {
        let (put, delete) = seen(CHUNK + 1).take_changes();
        assert_eq!(
            put.iter()
                .map(|(number, bytes)| (*number, bytes.len()))
                .collect::<Vec<_>>(),
            [(0, 24_000), (1, 24)]
        );
        assert_eq!(delete, Vec::<u32>::new());
        let restored = Seen::restore(put);
        assert!(
            restored.contains(id(0))
                && restored.contains(id(CHUNK))
                && !restored.contains(id(CHUNK + 1))
        );
        assert!(!restored.is_changed());
    }

    #[test]
    fn only_the_chunk_that_grew_is_written_again() {
        let mut seen = seen(2 * CHUNK + 1);
        assert!(seen.is_changed());
        seen.take_changes();
        assert!(!seen.is_changed());
        seen.insert(id(1_000_000), Some(at(0)));
        assert_eq!(
            seen.take_changes()
                .0
                .iter()
                .map(|(number, _)| *number)
                .collect::<Vec<_>>(),
            [2]
        );
        assert_eq!(seen.take_changes(), (vec![], vec![]));
    }

    #[test]
    fn an_id_seen_twice_is_kept_once() {
        let mut seen = seen(1);
        seen.insert(id(0), Some(at(5)));
        assert_eq!(seen.take_changes().0[0].1.len(), 24);
    }

    #[test]
    fn what_is_older_than_the_overlap_goes_with_its_chunk() {
        let mut seen = Seen::restore(seen(2 * CHUNK).take_changes().0);
        seen.forget_before(at(i64::try_from(CHUNK).unwrap()));
        assert_eq!(seen.take_changes(), (vec![], vec![0]));
        assert!(!seen.contains(id(CHUNK - 1)) && seen.contains(id(CHUNK)));
        assert_eq!(seen.take_changes(), (vec![], vec![]));
    }

    #[test]
    fn the_chunk_that_is_written_anyway_is_tidied() {
        let mut seen = seen(10);
        seen.forget_before(at(9));
        assert_eq!(
            seen.take_changes().0,
            [(
                0,
                [id(9).0.as_slice(), &9_000_000_i64.to_be_bytes()].concat()
            )]
        );
    }

    #[test]
    fn the_oldest_go_beyond_the_capacity() {
        let mut seen = seen(CAPACITY);
        assert_eq!(seen.shrink_to_capacity(), 0);
        seen.insert(id(CAPACITY), Some(at(0)));
        assert_eq!(seen.shrink_to_capacity(), CHUNK);
        assert!(!seen.contains(id(0)) && seen.contains(id(CHUNK)));
        let (_, delete) = seen.take_changes();
        assert_eq!(delete, [0]);
    }

    #[test]
    fn the_last_of_those_without_a_date_are_kept_for_good() {
        let mut seen = Seen::default();
        for number in 0..=CHUNK {
            seen.insert(id(number), None);
        }
        seen.forget_before(Timestamp::MAX);
        let seen = Seen::restore(seen.take_changes().0);
        assert!(!seen.contains(id(0)) && seen.contains(id(1)) && seen.contains(id(CHUNK)));
    }
}
