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

    pub(crate) fn record(&mut self, keys: HashSet<LedgerKey>) {
        self.0.extend(keys);
    }
}
