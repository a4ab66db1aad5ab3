//! Ways through what Close has: which page to read next, and when what was read makes a unit that can be published and
//! committed.
//!
//! A walk decides and does no I/O. Pages by offset shift while people edit, and cursors die, so none is relied on where
//! there is a choice.

pub mod event_log;
pub mod keyset;
pub mod kind;
pub mod overlap;
pub mod unit;
pub mod window;
pub mod window_plan;

use jiff::{SignedDuration, Timestamp};
use shared::close::list::Listed;
use shared::close::page::{Page, Request};
use shared::polling::ceql::push_down;
use shared::polling::resource::{Resource, Source};

use crate::error::PollError;
use crate::record::Record;
use event_log::LogWalk;
use keyset::KeysetWalk;
use kind::Kind;
use overlap::overlap;
use unit::Unit;
use window::WindowWalk;
use window_plan::WindowPlan;

/// By so much our clock may be ahead.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A walk through one source.
#[derive(Debug)]
pub enum Walk {
    /// In ascending order, each page from where the last one ended.
    Keyset(KeysetWalk),
    /// In closed windows of one page.
    Windows(WindowWalk),
    /// In closed windows of several pages, each read from its end.
    EventLog(LogWalk),
}

impl Walk {
    /// A walk through what a resource polls and was updated from a moment on, and before another if there is an end, by a
    /// poll that began `now`. Where an earlier poll was interrupted within a window, the first one ends at `first_end`.
    pub fn new(
        resource: &Resource,
        from: Timestamp,
        before: Option<Timestamp>,
        first_end: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let filter = resource.query.filter.as_ref();
        let created = filter.map(push_down::push_down).unwrap_or_default();
        let limit = resource.page_size;
        let keyset = |kind, settled| {
            let span = (from, before);
            let mut walk = KeysetWalk::new(kind, span, created, limit, (now, settled));
            if let Some(end) = first_end {
                walk.begin_with(end);
            }
            Self::Keyset(walk)
        };
        // What is dated later is for the next poll, and there may be much of it.
        let windows = || {
            let mut windows = WindowPlan::new(from, before.unwrap_or(now));
            first_end.map(|end| windows.shorten(end));
            windows
        };
        match resource.source {
            Source::Search(object_type) => {
                let behind = SignedDuration::try_from(overlap(resource));
                let behind = behind.unwrap_or(SignedDuration::MAX).saturating_add(SKEW);
                let settled = now.saturating_sub(behind).unwrap_or(Timestamp::MIN);
                keyset(Kind::Search(object_type), settled)
            }
            Source::Opportunities => keyset(Kind::List(Listed::Opportunities), Timestamp::MAX),
            Source::Tasks => {
                let kind = Kind::List(Listed::Tasks);
                Self::Windows(WindowWalk::new(kind, windows(), created, limit))
            }
            Source::EventLog => Self::EventLog(LogWalk::new(windows())),
        }
    }

    /// Whether there is nothing more to read.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Keyset(walk) => walk.is_done(),
            Self::Windows(walk) => walk.is_done(),
            Self::EventLog(walk) => walk.is_done(),
        }
    }

    /// What to read next, until the walk is done.
    pub fn next_request(&self) -> Option<Request> {
        match self {
            Self::Keyset(walk) => walk.next_request(),
            Self::Windows(walk) => walk.next_request(),
            Self::EventLog(walk) => walk.next_request(),
        }
    }

    /// Goes on behind a page that was read. Returns a unit when there is a whole one.
    ///
    /// # Errors
    /// When going on would lose something.
    pub fn advance(&mut self, page: Page<Record>) -> Result<Option<Unit>, PollError> {
        match self {
            Self::Keyset(walk) => walk.advance(page),
            Self::Windows(walk) => walk.advance(page),
            Self::EventLog(walk) => walk.advance(page),
        }
    }

    /// Everything dated before it was read; nothing, where everything was.
    pub fn frontier(&self) -> Option<Timestamp> {
        match self {
            Self::Keyset(walk) => walk.frontier(),
            Self::Windows(walk) => walk.frontier(),
            Self::EventLog(walk) => walk.frontier(),
        }
    }

    /// Reads again, or a part of, what the cursor that expired was for; what was published of it is seen.
    ///
    /// # Errors
    /// When that has happened too often.
    pub fn restart(&mut self) -> Result<(), PollError> {
        match self {
            Self::Keyset(walk) => walk.restart(),
            Self::Windows(walk) => walk.restart(),
            Self::EventLog(walk) => walk.restart(),
        }
    }

    /// Ends the walk within a window, if it is in one. Returns where the first window of the next poll ends, so that it has
    /// less to read than this one had.
    pub fn interrupt(&mut self) -> Option<Timestamp> {
        match self {
            Self::Keyset(walk) => walk.interrupt(),
            Self::Windows(walk) => walk.interrupt(),
            Self::EventLog(walk) => walk.interrupt(),
        }
    }

    /// What Close's refusal of the last request means to the walk.
    pub fn refused(&self, error: PollError) -> PollError {
        match self {
            Self::Keyset(walk) => walk.refused(error),
            Self::Windows(walk) => walk.refused(error),
            Self::EventLog(_) => error,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use serde_json::value::to_raw_value;
    use shared::close::page::Page;
    use shared::polling::poller_configuration::parse;

    use super::{Unit, Walk};
    use crate::record::Record;

    pub(crate) fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    /// A record, by when it was updated and created, in milliseconds.
    pub(crate) fn record(updated: i64, created: i64) -> Record {
        let record = json!({"date_updated": at(updated), "date_created": at(created)});
        Record::read(to_raw_value(&record).unwrap())
    }

    /// The same, with an id.
    pub(crate) fn numbered(id: usize, (updated, created): (i64, i64)) -> Record {
        let record = json!({"id": id, "date_updated": at(updated), "date_created": at(created)});
        Record::read(to_raw_value(&record).unwrap())
    }

    pub(crate) fn page(updated: &[i64], cursor: Option<&str>) -> Page<Record> {
        Page {
            data: updated.iter().map(|updated| record(*updated, 0)).collect(),
            cursor: cursor.map(str::to_owned),
            ..Page::default()
        }
    }

    pub(crate) fn millis(unit: &Unit) -> Vec<i64> {
        let millis = |record: &Record| record.updated.unwrap().as_millisecond();
        unit.iter().map(millis).collect()
    }

    #[test]
    fn a_walk_is_done_where_its_span_is_empty() {
        let resource = |name: &str| json!({"url": format!("/hubs/crm/{name}")});
        let configuration = json!({
            "leads": resource("leads"), "opportunities": resource("opportunities"),
            "tasks": resource("tasks"), "events": resource("events"),
        });
        for resource in &parse(&configuration.to_string()).unwrap() {
            for (before, is_done) in [(0, true), (10, false)] {
                let walk = Walk::new(resource, at(0), Some(at(before)), None, at(1_000_000));
                assert_eq!(walk.is_done(), is_done, "{}", resource.name);
                assert_eq!(walk.next_request().is_none(), is_done);
                assert_eq!(walk.frontier(), (!is_done).then(|| at(0)));
            }
        }
    }

    #[test]
    fn each_way_through_close_reads_pages_and_takes_interruptions() {
        for name in ["leads", "tasks", "events"] {
            let configuration = json!({name: {"url": format!("/hubs/crm/{name}")}}).to_string();
            let resource = &parse(&configuration).unwrap()[0];
            let walk = || Walk::new(resource, at(0), None, None, at(1_000_000));
            let mut read = walk();
            let unit = read.advance(page(&[1], None)).unwrap().unwrap();
            assert_eq!(millis(&unit), [1], "{name}");
            assert!(read.is_done(), "{name}");

            let mut cut_off = walk();
            let dates: Vec<_> = (0..50).map(|number| 999_999 - number).collect();
            let _ = cut_off.advance(page(&dates, Some("c1")));
            cut_off.restart().unwrap();
            assert!(!cut_off.next_request().unwrap().has_cursor(), "{name}");
            let end = cut_off.interrupt();
            assert!(Some(at(0)) < end && end < Some(at(1_000_000)), "{name}");
        }
    }
}
