//! The Ledger table.

use std::collections::HashSet;

use shared::event::ledger_key::LedgerKey;

/// The keys that are recorded. No history is as long as they are kept.
#[derive(Debug, Default)]
pub(crate) struct Ledger(HashSet<LedgerKey>);

impl Ledger {
    pub(crate) fn known(&self, keys: &HashSet<LedgerKey>) -> HashSet<LedgerKey> {
        self.0.intersection(keys).cloned().collect()
    }

    /// Whether this key is recorded, or that of any instance for the same entry.
    pub(crate) fn knows_of_any(&self, key: &LedgerKey) -> bool {
        let entry = |key: &LedgerKey| {
            let text = key.to_string();
            text.split_once('#').map(|(_, entry)| entry.to_owned())
        };
        let wanted = entry(key);
        self.0.contains(key)
            || wanted.is_some() && self.0.iter().any(|known| entry(known) == wanted)
    }

    pub(crate) fn record(&mut self, keys: HashSet<LedgerKey>) {
        self.0.extend(keys);
    }
}
