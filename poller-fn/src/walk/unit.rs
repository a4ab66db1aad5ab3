//! What a walk reads in one go.

use shared::close::page::Page;

use crate::record::Record;

/// Records that are published and committed together, oldest first.
pub type Unit = Vec<Record>;

/// How many objects a page stands for, of those that were asked for: what was deleted since is found and not shown.
pub fn found(page: &Page<Record>, limit: u16) -> usize {
    page.data.len().max(limit.into())
}

/// Oldest first. What has no date comes first, in the order in which Close has it.
pub fn sorted(mut records: Unit) -> Unit {
    records.sort_by_key(|record| record.updated);
    records
}
