//! The cursors of search walks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::close::data::ids;
use crate::close::wire::answer::Refusal;

/// Where one walk stands.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    /// The organization, query and order that the walk belongs to.
    pub(crate) fingerprint: String,
    /// Decides the order of ties; each walk has its own.
    pub(crate) salt: u64,
    /// The last object returned.
    pub(crate) after: Option<WalkPosition>,
    /// How many objects were returned.
    pub(crate) returned: usize,
}

/// The place of an object in the order of a walk: sort keys, then the tie-breaker.
pub(crate) type WalkPosition = (Vec<i128>, u64);

/// All cursors ever handed out; an expired one is still told from an invented one.
#[derive(Debug, Default)]
pub(crate) struct Cursors(HashMap<String, (Walk, Instant)>);

impl Cursors {
    /// Hands out a cursor that dies after `life`.
    pub(crate) fn issue(&mut self, walk: Walk, life: Duration) -> String {
        let cursor = ids::cursor();
        self.0.insert(cursor.clone(), (walk, Instant::now() + life));
        cursor
    }

    /// The walk behind a cursor. A cursor may be used again, as after a lost answer, until it expires.
    pub(crate) fn resume(&self, cursor: &str, fingerprint: &str) -> Result<Walk, Refusal> {
        let invalid = || Refusal::Field("cursor", "Invalid cursor.".to_owned());
        let (walk, expires) = self.0.get(cursor).ok_or_else(invalid)?;
        if *expires <= Instant::now() {
            return Err(Refusal::Invalid("Expired cursor".to_owned()));
        }
        if walk.fingerprint != fingerprint {
            return Err(invalid());
        }
        Ok(walk.clone())
    }
}
