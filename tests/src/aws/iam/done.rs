//! What functions had done and were told of: the other side of what they measure.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::plumbing::sync::lock;

/// How often each function had what done. Calls whose answer was lost do not count.
#[derive(Debug, Default)]
pub(crate) struct Done(Mutex<BTreeMap<(String, String), u64>>);

impl Done {
    pub(crate) fn note(&self, key_id: &str, what: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        *lock(&self.0)
            .entry((key_id.to_owned(), what.to_owned()))
            .or_default() += count;
    }

    pub(crate) fn count(&self, key_id: &str, what: &str) -> u64 {
        let key = (key_id.to_owned(), what.to_owned());
        lock(&self.0).get(&key).copied().unwrap_or(0)
    }
}
