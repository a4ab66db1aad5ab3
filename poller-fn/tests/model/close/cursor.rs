//! The cursors of searches.

use jiff::Timestamp;
use shared::close::search::Search;

/// Where a walk stands.
#[derive(Clone)]
pub(super) struct Cursor {
    /// The search without its cursor.
    pub(super) search: Search,
    pub(super) salt: u64,
    pub(super) began: Timestamp,
    pub(super) after: Option<WalkPlace>,
    pub(super) returned: usize,
    pub(super) expires: Timestamp,
}

/// The place of an object in a walk: its date, then nothing that means anything.
pub(super) type WalkPlace = (Timestamp, u64, usize);
