//! When and how a change of an organization's data happens, and the news of it.

use jiff::Timestamp;

use crate::close::settings::IndexDelay;

/// When and how a change happens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// The object's `date_created`; now for a new object, unchanged for others, unless given.
    pub date_created: Option<Timestamp>,
    /// The object's `date_updated`, or the time of a deletion; now unless given.
    pub date_updated: Option<Timestamp>,
    /// When the search index learns of it, unless as the settings say.
    pub index: Option<IndexDelay>,
    /// The date of the log's entry; some milliseconds after the object's unless given.
    pub logged_at: Option<Timestamp>,
    /// When the event log shows the entry; at once unless given.
    pub visible: Option<IndexDelay>,
    /// Of many objects that one call makes, so many are of one millisecond, and the next of the one after; all, unless given.
    pub per_millisecond: Option<usize>,
    /// No event, no webhook: for filling an organization with data.
    pub quiet: bool,
}

impl Change {
    /// A change that happens now.
    pub fn now() -> Self {
        Self::default()
    }

    /// A change that is dated `time`, which also is the `date_created` of a new object.
    pub fn at(time: Timestamp) -> Self {
        Self {
            date_updated: Some(time),
            ..Self::default()
        }
    }

    /// Sets the object's `date_created`.
    #[must_use]
    pub fn created_at(mut self, time: Timestamp) -> Self {
        self.date_created = Some(time);
        self
    }

    /// Says when the search index learns of the change.
    #[must_use]
    pub fn indexed(mut self, delay: IndexDelay) -> Self {
        self.index = Some(delay);
        self
    }

    /// Sets the date of the log's entry.
    #[must_use]
    pub fn logged_at(mut self, time: Timestamp) -> Self {
        self.logged_at = Some(time);
        self
    }

    /// Says when the event log shows the change, behind newer ones that it shows already.
    #[must_use]
    pub fn visible(mut self, delay: IndexDelay) -> Self {
        self.visible = Some(delay);
        self
    }

    /// Spreads many objects that one call makes over time, so many to a millisecond.
    #[must_use]
    pub fn spread(mut self, per_millisecond: usize) -> Self {
        self.per_millisecond = Some(per_millisecond);
        self
    }

    /// Makes it a change without an event.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }
}

/// News of a change.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The organization.
    pub organization_id: String,
    /// `lead`, `contact`, …
    pub object_type: String,
    /// The object.
    pub object_id: String,
    /// `created`, `updated`, `deleted`, `merged`, …
    pub action: String,
}
