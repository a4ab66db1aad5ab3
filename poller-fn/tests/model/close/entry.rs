//! The entries of the event log.

use jiff::Timestamp;
use poller_fn::record::Record;
use serde_json::value::RawValue;
use shared::event::id::EventId;

use crate::history::Obscurity;

/// An entry.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) object: usize,
    pub(crate) action: &'static str,
    pub(crate) created: Timestamp,
    pub(crate) obscurity: Option<Obscurity>,
    /// It takes up later updates, and so comes anew.
    pub(crate) forms: Vec<Form>,
}

/// An entry as it was for a while.
pub(crate) struct Form {
    pub(crate) own: Timestamp,
    pub(crate) visible: Timestamp,
    /// Of the object.
    pub(crate) version: usize,
    /// It is the change by which the object has its date.
    pub(crate) is_stamping: bool,
    pub(crate) shown: Box<RawValue>,
    pub(crate) hidden: Box<RawValue>,
}

/// Tells a form of an entry from all others, as the poller does.
pub(crate) fn version(json: &RawValue) -> Option<EventId> {
    Record::read(json.to_owned()).entry_version()
}

impl Entry {
    pub(super) fn new(
        number: usize,
        object: usize,
        action: &'static str,
        created: Timestamp,
    ) -> Self {
        Self {
            id: format!("ev_{number}"),
            object,
            action,
            created,
            obscurity: None,
            forms: Vec::new(),
        }
    }

    /// The date of its newest form.
    pub(super) fn own_date(&self) -> Timestamp {
        self.forms.last().map_or(self.created, |form| form.own)
    }

    /// The form that Close shows to whoever asks at `time`.
    pub(super) fn seen_at(&self, time: Timestamp) -> Option<&Form> {
        self.forms.iter().rev().find(|form| form.visible <= time)
    }
}
