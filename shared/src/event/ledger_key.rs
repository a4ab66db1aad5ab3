//! Under which keys the ledger knows an event.

use std::fmt;

use crate::event::change::EntryKey;
use crate::event::id::EventId;
use crate::instance::id::InstanceId;

/// Names an event of one instance in the ledger. An event has a key by its own id, and one by the entry of Close's event log that
/// reports its change: once Close hides an entry's data, the event of the entry has another id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LedgerKey(String);

impl LedgerKey {
    /// The key by the event's id, which is made of the instance's id and the change.
    pub fn of_event(id: EventId) -> Self {
        Self(id.to_string())
    }

    /// The key by the entry, of any length, that reports the change.
    pub fn of_entry(instance_id: InstanceId, entry: &EntryKey) -> Self {
        let date = entry.date.as_microsecond().to_string();
        let hash = EventId::of_parts(&[entry.id.clone(), date, entry.object_id.clone()]);
        Self(format!("{instance_id}#{hash}"))
    }

    /// The key as it was stored.
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::LedgerKey;
    use crate::event::change::EntryKey;

    #[test]
    fn an_entry_has_another_key_in_each_of_its_forms_and_for_each_instance() {
        let key = |instance: u64, id: &str, date: &str| {
            let entry = EntryKey {
                id: id.to_owned(),
                date: date.parse().unwrap(),
                object_id: "lead_1".to_owned(),
            };
            LedgerKey::of_entry(instance.try_into().unwrap(), &entry)
        };
        let first = key(7, "ev_1", "2026-06-19T12:00:00.123Z");
        assert_eq!(first, key(7, "ev_1", "2026-06-19T14:00:00.123000+02:00"));
        for other in [
            key(8, "ev_1", "2026-06-19T12:00:00.123Z"),
            key(7, "ev_2", "2026-06-19T12:00:00.123Z"),
            key(7, "ev_1", "2026-06-19T12:00:00.123001Z"),
        ] {
            assert_ne!(first, other);
        }
        assert!(first.to_string().starts_with("7#"));
    }
}
