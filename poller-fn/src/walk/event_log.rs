//! A walk through the event log, which Close shows newest first.
//!
//! A window is read from its newest entry to its oldest, then published the other way round, so it must fit in memory: one
//! that does not is made shorter. In a single moment that holds more, only the cursors are kept on the way down, and its
//! pages are read once more on the way back.

use jiff::Timestamp;
use shared::close::event_log::LogPage;
use shared::close::page::{Page, Request};
use shared::close::span::Span;

use super::window::MAX_EXPIRIES;
use super::windows::Windows;
use super::{Unit, sorted};
use crate::error::PollError;
use crate::record;

/// Entries of a window: what memory bears, some kilobytes each.
const MAX_UNIT: usize = 1_000;
/// Their bytes, which count twice while they are published.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What a window is aimed to hold: its length is an estimate.
const TARGET: usize = 700;

/// The state of a walk.
#[derive(Debug)]
pub struct LogWalk {
    windows: Windows,
    entries: Unit,
    bytes: usize,
    /// Of the pages of this window that were read, the last one's last; the first page has none.
    cursors: Vec<Option<String>>,
    way: Way,
    expiries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Down, keeping the entries.
    Collecting,
    /// Down, keeping only the cursors.
    Descending,
    /// Up again, a page at a time.
    Returning,
}

impl LogWalk {
    /// A walk through the entries of a stretch of time.
    pub fn new(updated: Span, now: Timestamp) -> Self {
        Self {
            windows: Windows::new(updated, now),
            entries: Vec::new(),
            bytes: 0,
            cursors: vec![None],
            way: Way::Collecting,
            expiries: 0,
        }
    }

    /// What to read next, until the walk is done.
    pub fn next_request(&self) -> Option<Request> {
        let updated = self.windows.current()?;
        let cursor = self.cursors.last().cloned().flatten();
        Some(Request::EventLog(LogPage { updated, cursor }))
    }

    /// Goes on behind a page that was read.
    ///
    /// # Errors
    /// When Close leads in a circle.
    pub fn advance(&mut self, page: Page) -> Result<Option<Unit>, PollError> {
        let Some(window) = self.windows.current() else {
            return Ok(None);
        };
        let is_bottom = is_bottom(window, &page);
        let next = page.cursor.clone();
        let entries = page
            .data
            .into_iter()
            .filter(|entry| record::date_updated(entry).is_none_or(|date| window.contains(date)));
        match self.way {
            Way::Returning => {
                let unit = ascending(entries.collect());
                self.cursors.pop();
                if self.cursors.is_empty() {
                    self.finish(MAX_UNIT);
                }
                return Ok(Some(unit));
            }
            Way::Descending if is_bottom => self.way = Way::Returning,
            Way::Descending => self.go_down(next)?,
            Way::Collecting => {
                self.entries.extend(entries);
                self.bytes = self.entries.iter().map(|entry| entry.get().len()).sum();
                return self.collected(is_bottom, next);
            }
        }
        Ok(None)
    }

    /// Everything dated before it was read, as long as there is more to read.
    pub fn frontier(&self) -> Timestamp {
        self.windows.from()
    }

    /// Reads the window again after its cursor expired.
    ///
    /// # Errors
    /// When that has happened too often.
    pub fn restart(&mut self) -> Result<(), PollError> {
        self.expiries += 1;
        if MAX_EXPIRIES < self.expiries {
            return Err(PollError::CursorsExpire);
        }
        self.begin();
        Ok(())
    }

    fn collected(
        &mut self,
        is_bottom: bool,
        next: Option<String>,
    ) -> Result<Option<Unit>, PollError> {
        if is_bottom {
            let unit = ascending(std::mem::take(&mut self.entries));
            self.finish(unit.len());
            return Ok(Some(unit));
        }
        if self.entries.len() < MAX_UNIT && self.bytes < MAX_BYTES {
            self.go_down(next)?;
        } else if self.windows.shrink(self.fitting_part()) {
            self.begin();
        } else {
            self.entries.clear();
            self.way = Way::Descending;
            self.go_down(next)?;
        }
        Ok(None)
    }

    fn go_down(&mut self, next: Option<String>) -> Result<(), PollError> {
        if self.cursors.contains(&next) {
            return Err(PollError::RepeatedCursor);
        }
        self.cursors.push(next);
        Ok(())
    }

    /// The part of the window that would hold the right number, were it as full everywhere as where it was read.
    fn fitting_part(&self) -> f64 {
        let dates = self
            .entries
            .iter()
            .filter_map(|entry| record::date_updated(entry));
        let (oldest, newest) = (dates.clone().min(), dates.max());
        let (Some(oldest), Some(newest)) = (oldest, newest) else {
            return 0.0;
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
        let fill = (TARGET as f64 / self.entries.len() as f64)
            .min(MAX_BYTES as f64 / (2 * self.bytes.max(1)) as f64);
        let read = newest.duration_since(oldest).as_secs_f64();
        fill * read / self.windows.width().as_secs_f64()
    }

    fn finish(&mut self, count: usize) {
        self.windows.finish(count, TARGET);
        self.expiries = 0;
        self.begin();
    }

    fn begin(&mut self) {
        self.bytes = 0;
        self.entries.clear();
        self.cursors = vec![None];
        self.way = Way::Collecting;
    }
}

/// The page holds nothing of the window any more, or there is none behind it.
fn is_bottom(window: Span, page: &Page) -> bool {
    let is_older = |date| window.from.is_some_and(|from| date < from);
    let mut dates = page
        .data
        .iter()
        .filter_map(|entry| record::date_updated(entry))
        .peekable();
    page.cursor.is_none() || (dates.peek().is_some() && dates.all(is_older))
}

/// Entries of one date keep Close's order, which is right for each object.
fn ascending(mut newest_first: Unit) -> Unit {
    newest_first.reverse();
    sorted(newest_first)
}

#[cfg(test)]
mod tests {
    use shared::close::event_log::{LogPage, PAGE_SIZE};
    use shared::close::page::{Page, Request};
    use shared::close::span::Span;

    use super::super::tests::{at, millis, page, record};
    use super::LogWalk;
    use crate::error::PollError;

    /// The dates of entries, newest first.
    struct Log(Vec<i64>);

    impl Log {
        /// Behind a cursor there is everything older, whatever was asked for at first.
        fn answer(&self, request: &Request) -> Page {
            let Request::EventLog(request) = request else {
                panic!("{request:?}")
            };
            let start = match &request.cursor {
                Some(cursor) => cursor.parse().unwrap(),
                None => self
                    .0
                    .iter()
                    .position(|date| {
                        request
                            .updated
                            .before
                            .is_none_or(|before| at(*date) < before)
                    })
                    .unwrap_or(self.0.len()),
            };
            let shown = self.0[start..]
                .iter()
                .take(PAGE_SIZE)
                .filter(|date| request.cursor.is_some() || request.updated.contains(at(**date)));
            let end = start + PAGE_SIZE;
            Page {
                data: shown.map(|date| record(*date, 0)).collect(),
                cursor: self.cursor_behind(end, request),
                ..Page::default()
            }
        }

        /// The first page's respects what was asked for.
        fn cursor_behind(&self, end: usize, request: &LogPage) -> Option<String> {
            let next = at(*self.0.get(end)?);
            let is_shown = request.cursor.is_some() || request.updated.contains(next);
            is_shown.then(|| end.to_string())
        }

        fn walk(&self, from: i64) -> (Vec<Vec<i64>>, usize) {
            let mut walk = LogWalk::new(Span::since(at(from)), at(1_000_000));
            let (mut units, mut requests) = (Vec::new(), 0);
            while let Some(request) = walk.next_request() {
                requests += 1;
                assert!(requests < 10_000);
                if let Some(unit) = walk.advance(self.answer(&request)).unwrap() {
                    units.push(millis(&unit));
                }
            }
            (units, requests)
        }
    }

    #[track_caller]
    fn check_all(log: &Log, from: i64, most_requests: usize) {
        let (units, requests) = log.walk(from);
        let read = units.concat();
        let mut expected = log.0.clone();
        expected.retain(|date| from <= *date);
        expected.reverse();
        assert_eq!(read, expected);
        assert!(units.iter().all(|unit| unit.len() < 1_050));
        assert!(requests <= most_requests, "{requests}");
    }

    #[test]
    fn a_short_first_page_is_all_there_is() {
        let log = Log((0..200).rev().map(|n| n * 1_000).collect());
        assert_eq!(log.walk(198_000), (vec![vec![198_000, 199_000]], 1));
        assert_eq!(log.walk(200_000), (vec![vec![]], 1));
    }

    #[test]
    fn several_pages_are_one_unit_oldest_first_down_to_the_lower_bound() {
        let log = Log((0..2_000).rev().map(|n| n * 500).collect());
        check_all(&log, 900_000, 7);
    }

    #[test]
    fn a_backlog_is_read_in_windows_at_little_more_than_its_pages() {
        let log = Log((0..20_000).rev().map(|n| n * 50).collect());
        check_all(&log, 0, 600);
    }

    #[test]
    fn one_moment_that_holds_too_much_is_read_on_the_way_back() {
        let mut dates: Vec<_> = (0..100).map(|n| 900_000 - n).collect();
        dates.extend(vec![500_000; 3_000]);
        dates.extend((0..100).map(|n| 400_000 - n));
        check_all(&Log(dates), 0, 500);
    }

    #[test]
    fn a_cursor_that_leads_back_is_noticed() {
        let mut walk = LogWalk::new(Span::since(at(0)), at(1_000_000));
        let full = |cursor| page(&[5; PAGE_SIZE], Some(cursor));
        walk.advance(full("a")).unwrap();
        walk.advance(full("b")).unwrap();
        assert!(matches!(
            walk.advance(full("a")),
            Err(PollError::RepeatedCursor)
        ));
    }

    #[test]
    fn an_expired_cursor_starts_the_window_again_but_not_for_ever() {
        let mut walk = LogWalk::new(Span::since(at(0)), at(1_000_000));
        walk.advance(page(&[5; PAGE_SIZE], Some("a"))).unwrap();
        walk.restart().unwrap();
        let request = walk.next_request().unwrap();
        assert!(!request.has_cursor());
        walk.restart().unwrap();
        assert!(walk.restart().is_err());
    }
}
