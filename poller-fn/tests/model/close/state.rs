//! What Close holds.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::error::CloseError;
use shared::event::id::EventId;

use super::cursor::Cursor;
use super::entry::Entry;
use crate::history::{Of, Quirks};

/// Close's dates have so many digits.
pub(crate) const TICK: SignedDuration = SignedDuration::from_millis(1);
/// The greatest `_limit` that Close takes.
pub(crate) const MAX_LIMIT: u16 = 200;

/// Close.
pub(crate) struct Close {
    pub(crate) quirks: Quirks,
    pub(crate) objects: Vec<Object>,
    pub(crate) log: Vec<Entry>,
    /// The entries in each of their forms, by what tells a form from all others.
    pub(crate) versions: HashMap<EventId, Place>,
    pub(super) cursors: Vec<Cursor>,
}

/// A form of an entry.
pub(crate) struct Place {
    pub(crate) entry: usize,
    pub(crate) form: usize,
}

/// An object.
pub(crate) struct Object {
    pub(crate) of: Of,
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) versions: Vec<Version>,
}

/// An object after a change.
pub(crate) struct Version {
    pub(crate) date: Timestamp,
    /// From when on Close shows it.
    pub(crate) visible: Timestamp,
    pub(crate) rank: u8,
    /// Nothing once the object is deleted.
    pub(crate) json: Option<Box<RawValue>>,
}

impl Close {
    pub(crate) fn new(quirks: Quirks) -> Self {
        Self {
            quirks,
            objects: Vec::new(),
            log: Vec::new(),
            versions: HashMap::new(),
            cursors: Vec::new(),
        }
    }

    /// How many objects of a kind bear one date.
    pub(crate) fn largest_moment(&self, of: Of) -> usize {
        let objects = self.objects.iter().filter(|object| object.of == of);
        largest(objects.filter_map(|object| Some(object.versions.last()?.date)))
    }

    /// How many entries of the log bear one date.
    pub(crate) fn largest_moment_of_the_log(&self) -> usize {
        largest(self.log.iter().map(Entry::own_date))
    }

    /// An object as it is, by its path in the API, if this key may see it by itself.
    pub(crate) fn object(
        &self,
        path: &str,
        now: Timestamp,
    ) -> Result<Option<Box<RawValue>>, CloseError> {
        if self.quirks.is_lookup_refused {
            return Err(CloseError::Unauthorized { status: 403 });
        }
        let id = path.trim_end_matches('/').rsplit('/').next();
        let mut objects = self.objects.iter();
        let object = objects.find(|object| Some(object.id.as_str()) == id);
        let shown = object.and_then(|object| object.seen_at(now));
        Ok(shown.and_then(|version| version.json.clone()))
    }
}

impl Object {
    /// The version that Close shows to whoever asks at `time`.
    pub(super) fn seen_at(&self, time: Timestamp) -> Option<&Version> {
        let mut newest_first = self.versions.iter().rev();
        let shown = newest_first.find(|version| version.visible <= time);
        shown.filter(|version| version.json.is_some())
    }
}

fn largest(dates: impl Iterator<Item = Timestamp>) -> usize {
    let mut counts: HashMap<Timestamp, usize> = HashMap::new();
    dates.for_each(|date| *counts.entry(date).or_default() += 1);
    counts.into_values().max().unwrap_or_default()
}

/// A request that Close refuses.
pub(super) fn rejected(message: &str) -> CloseError {
    CloseError::Rejected {
        status: 400,
        message: message.to_owned(),
    }
}

/// Orders things by nothing that means anything.
pub(super) fn shuffled(salt: u64, number: usize) -> u64 {
    let mixed = (salt ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
