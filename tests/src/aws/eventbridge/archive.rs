//! What is kept to be replayed.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::event::Event;
use super::pattern::Pattern;
use crate::control::journal::Journal;
use crate::template::specs::bus::ArchiveSpec;

/// A replay goes on from minute to minute, and knows no order within one.
const MINUTE: i64 = 60;

/// An archive of one bus.
#[derive(Debug)]
pub(crate) struct Archive {
    spec: ArchiveSpec,
    pattern: Pattern,
    events: Journal<Event>,
}

impl Archive {
    /// An empty archive that keeps about `keep` events.
    pub(crate) fn new(spec: ArchiveSpec, keep: usize) -> Result<Self> {
        let pattern = Pattern::new(&spec.pattern);
        Ok(Self {
            pattern: pattern.with_context(|| format!("archive {}", spec.logical_id))?,
            events: Journal::new(keep),
            spec,
        })
    }

    /// Keeps an event, which is `text` as JSON, if it is one to keep.
    pub(crate) fn offer(&self, event: &Arc<Event>, text: &str) {
        if self.spec.bus == event.bus && self.pattern.matches(text) {
            self.events.push_shared(event.clone());
        }
    }

    /// The events of a span of their own time, which need not be when they came, earlier minutes first.
    pub(crate) fn within(&self, span: &Range<Timestamp>) -> Vec<Arc<Event>> {
        let time = |event: &Event| event.time.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut events = self.events.snapshot();
        events.retain(|event| span.contains(&time(event)));
        events.sort_by_key(|event| time(event).as_second().div_euclid(MINUTE));
        events
    }
}
