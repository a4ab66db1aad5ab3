//! When and how a change happens, everything decided.

use jiff::{SignedDuration, Timestamp};

use crate::close::settings::IndexDelay;

/// When and how a change happens.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) date_created: Option<Timestamp>,
    pub(crate) date_updated: Option<Timestamp>,
    pub(crate) index: IndexDelay,
    /// The date of the entry in the log, if it is not to follow from the object's.
    pub(crate) logged_at: Option<Timestamp>,
    /// When the log shows the entry.
    pub(crate) visible: IndexDelay,
    pub(crate) consolidation: SignedDuration,
    pub(crate) quiet: bool,
    /// Whether the activity that Close makes of a new lead has an entry as well.
    pub(crate) logs_creations: bool,
    /// Of many objects at once, so many to a millisecond; all, unless given.
    pub(crate) per_millisecond: Option<usize>,
}

impl Moment {
    /// Now, without delay or consolidation.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            date_created: None,
            date_updated: None,
            index: IndexDelay::Immediately,
            logged_at: None,
            visible: IndexDelay::Immediately,
            consolidation: SignedDuration::ZERO,
            quiet: false,
            logs_creations: false,
            per_millisecond: None,
        }
    }

    /// The moment of one object of many, counted from 0.
    pub(crate) fn nth(&self, position: usize) -> Self {
        let step = self
            .per_millisecond
            .map_or(0, |many| position / many.max(1));
        let step = SignedDuration::from_millis(i64::try_from(step).unwrap_or(i64::MAX));
        let moved = |time: Option<Timestamp>| Some(time? + step);
        Self {
            now: self.now + step,
            date_created: moved(self.date_created),
            date_updated: moved(self.date_updated),
            logged_at: moved(self.logged_at),
            ..self.clone()
        }
    }

    /// The same without an entry in the log.
    pub(crate) fn quietly(&self) -> Self {
        Self {
            quiet: true,
            ..self.clone()
        }
    }

    /// The stamp of an object that was stamped `previous` before: always a later one, unless given.
    pub(crate) fn stamp_after(&self, previous: Timestamp) -> Timestamp {
        let later = self.now.max(previous + MILLISECOND);
        self.date_updated.unwrap_or(later)
    }

    /// The stamp of something without an earlier one.
    pub(crate) fn stamp(&self) -> Timestamp {
        self.date_updated.unwrap_or(self.now)
    }
}

/// The finest step of an object's dates.
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// So many seconds after noon, which is also what the changed object bears.
    pub(crate) fn at(second: i64) -> Moment {
        let start: Timestamp = "2026-06-19T12:00:00Z".parse().unwrap();
        let mut moment = Moment::new(start + SignedDuration::from_secs(second));
        moment.date_updated = Some(moment.now);
        moment
    }

    #[test]
    fn many_at_once_are_so_many_to_a_millisecond() {
        let moment = Moment {
            date_updated: Some(Timestamp::UNIX_EPOCH),
            per_millisecond: Some(3),
            ..Moment::new(Timestamp::UNIX_EPOCH)
        };
        let at = |position| moment.nth(position).stamp().as_millisecond();
        assert_eq!([0, 2, 3, 5, 6].map(at), [0, 0, 1, 1, 2]);
    }
}
