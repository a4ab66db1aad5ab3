//! A walk through the event log, which Close shows newest first.
//!
//! A window is read from its newest entry to its oldest, then published the other way round, so it must fit in memory, the
//! poll's time and a cursor's life: one that does not is made shorter. A single moment cannot be, so its pages are published
//! as they come.

use std::collections::HashSet;

use jiff::Timestamp;
use shared::close::event_log::{LogPage, PAGE_SIZE};
use shared::close::page::{Page, Request};
use shared::close::span::{RESOLUTION, Span};

use super::unit::{Unit, sorted};
use super::window::MAX_EXPIRIES;
use super::window_plan::WindowPlan;
use crate::error::PollError;
use crate::record::Record;

/// Entries of a window: what memory bears, some kilobytes each.
const MAX_UNIT: usize = 1_000;
/// Their bytes, which count twice while they are published.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Target entries of a window, whose length is an estimate. With a multiple of the page size, the walk would need one more
/// request to see the end of the window.
const TARGET: usize = 775;
/// From so many entries on, a window is given up before it is full that would hold far too much were it as full everywhere
/// as where it was read; from the first page on, once one was.
const FORESEEABLE: usize = MAX_UNIT / 2;
const FAR_TOO_MUCH: f64 = 1_250.0;
/// The last entries of a page tell whether it ends below the window: to go by a single one could mean to skip others.
const SAMPLE: usize = 9;

/// The state of a walk.
#[derive(Debug)]
pub struct LogWalk {
    windows: WindowPlan,
    /// Target entries of a window; fewer once a cursor has expired within one.
    target: usize,
    /// Whether all there is has proved too much for one window.
    is_backlog: bool,
    /// Entries that were read so far.
    read: usize,
    /// Those of the window.
    entries: Unit,
    bytes: usize,
    cursor: Option<String>,
    /// Those of this window so far.
    cursors: HashSet<String>,
    /// Whether the window is a moment that holds too much, of which each page is published by itself.
    by_page: bool,
    expiries: u32,
}

impl LogWalk {
    /// A walk through the entries of these windows.
    pub fn new(windows: WindowPlan) -> Self {
        Self {
            is_backlog: windows.before().is_some(),
            windows,
            target: TARGET,
            read: 0,
            entries: Vec::new(),
            bytes: 0,
            cursor: None,
            cursors: HashSet::new(),
            by_page: false,
            expiries: 0,
        }
    }

    /// What to read next, until the walk is done.
    pub fn next_request(&self) -> Option<Request> {
        let updated = self.windows.current()?;
        let cursor = self.cursor.clone();
        Some(Request::EventLog(LogPage { updated, cursor }))
    }

    /// Goes on behind a page that was read.
    ///
    /// # Errors
    /// When Close leads in a circle.
    pub fn advance(&mut self, page: Page<Record>) -> Result<Option<Unit>, PollError> {
        let Some(window) = self.windows.current() else {
            return Ok(None);
        };
        let next = page.cursor.clone().filter(|_| !is_bottom(window, &page));
        let is_within = |entry: &Record| entry.updated.is_none_or(|date| window.contains(date));
        for entry in page.data.into_iter().filter(is_within) {
            self.bytes += entry.raw.get().len();
            self.entries.push(entry);
            self.read += 1;
        }
        let Some(next) = next else {
            let unit = ascending(std::mem::take(&mut self.entries));
            let count = if self.by_page {
                self.target
            } else {
                unit.len()
            };
            self.windows.finish(count, self.target);
            self.expiries = 0;
            self.begin();
            return Ok(Some(unit));
        };
        if !self.by_page && self.is_too_much() {
            let part = if self.windows.follows_silence() {
                0.5
            } else {
                self.fitting_part(self.target)
            };
            if self.shrink(part) {
                return Ok(None);
            }
            self.by_page = true;
        }
        self.go_down(next)?;
        Ok(self.by_page.then(|| self.take_page()))
    }

    /// Whether there is nothing more to read.
    pub fn is_done(&self) -> bool {
        self.windows.is_done()
    }

    /// Everything dated before it was read; nothing, where everything was.
    pub fn frontier(&self) -> Option<Timestamp> {
        (!self.is_done()).then(|| self.windows.from())
    }

    /// Goes on with another part of the window after its cursor expired.
    ///
    /// # Errors
    /// When that has happened too often in a moment, which has no parts.
    pub fn restart(&mut self) -> Result<(), PollError> {
        if RESOLUTION < self.windows.width() {
            self.target = self.target.min(self.entries.len()).max(PAGE_SIZE);
        }
        if !self.shrink(self.fitting_part(self.entries.len() / 2)) {
            self.expiries += 1;
            if MAX_EXPIRIES < self.expiries {
                return Err(PollError::CursorsExpire);
            }
            self.begin();
        }
        Ok(())
    }

    /// Where the first window of the next poll ends, if this one ends within a window: it is aimed to hold what a poll has
    /// time for.
    pub fn interrupt(&mut self) -> Option<Timestamp> {
        if self.cursor.is_some() {
            let target = self.target.min(self.read / 4 * 3);
            self.shrink(self.fitting_part(target));
        }
        self.windows.before()
    }

    fn shrink(&mut self, part: f64) -> bool {
        if !self.windows.shrink(part) {
            return false;
        }
        self.is_backlog = true;
        if let Some((oldest, newest)) = self.spread() {
            self.windows.mark(oldest, newest);
        }
        self.begin();
        true
    }

    fn is_too_much(&self) -> bool {
        let is_full = MAX_UNIT <= self.entries.len() || MAX_BYTES <= self.bytes;
        // A moment cannot be made shorter, so what it holds is read as far as memory bears.
        let is_foreseeable = RESOLUTION < self.windows.width()
            && (self.is_backlog || FORESEEABLE <= self.entries.len());
        is_full || (is_foreseeable && FAR_TOO_MUCH < self.foreseen())
    }

    /// Estimated entries of the window, from the density of the part that was read.
    #[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
    fn foreseen(&self) -> f64 {
        let read = self
            .spread()
            .map(|(oldest, newest)| newest.duration_since(oldest));
        let part = read.unwrap_or_default().as_secs_f64() / self.windows.width().as_secs_f64();
        self.entries.len() as f64 / part
    }

    /// The part of the window that would hold as much, were it as full everywhere as where it was read.
    #[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
    fn fitting_part(&self, target: usize) -> f64 {
        if self.entries.is_empty() {
            return 1.0;
        }
        let by_bytes = MAX_BYTES as f64 / (2 * self.bytes.max(1)) as f64;
        let target = (target as f64).min(by_bytes * self.entries.len() as f64);
        target / self.foreseen()
    }

    /// The dates of the oldest and of the newest entry that was read of the window.
    fn spread(&self) -> Option<(Timestamp, Timestamp)> {
        let dates = self.entries.iter().filter_map(|entry| entry.updated);
        dates
            .map(|date| (date, date))
            .reduce(|(oldest, newest), (date, _)| (oldest.min(date), newest.max(date)))
    }

    fn go_down(&mut self, next: String) -> Result<(), PollError> {
        if !self.cursors.insert(next.clone()) {
            return Err(PollError::RepeatedCursor);
        }
        self.cursor = Some(next);
        Ok(())
    }

    fn take_page(&mut self) -> Unit {
        self.bytes = 0;
        ascending(std::mem::take(&mut self.entries))
    }

    fn begin(&mut self) {
        self.entries.clear();
        self.cursors.clear();
        (self.cursor, self.bytes, self.by_page) = (None, 0, false);
    }
}

/// There is nothing of the window behind the page.
fn is_bottom(window: Span, page: &Page<Record>) -> bool {
    let is_older = |date| window.from.is_some_and(|from| date < from);
    let dates = page.data.iter().rev().filter_map(|entry| entry.updated);
    let mut last = dates.take(SAMPLE).peekable();
    page.cursor.is_none() || (last.peek().is_some() && last.all(is_older))
}

/// Entries of one date keep Close's order, which is right for each object. One that two pages show is kept as the first page
/// shows it: Close may have hidden its data since.
fn ascending(mut newest_first: Unit) -> Unit {
    let mut known = HashSet::new();
    newest_first.retain(|entry| {
        entry
            .entry_version()
            .is_none_or(|version| known.insert(version))
    });
    newest_first.reverse();
    sorted(newest_first)
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};
    use shared::close::event_log::{LogPage, PAGE_SIZE};
    use shared::close::page::{Page, Request};

    use super::super::tests::{at, millis, page, record};
    use super::super::window_plan::WindowPlan;
    use super::{LogWalk, TARGET};
    use crate::error::PollError;
    use crate::record::Record;

    /// The dates of entries, newest first.
    struct Log(Vec<i64>);

    impl Log {
        /// Behind a cursor there is everything older, whatever was asked for at first.
        fn answer(&self, request: &Request) -> Page<Record> {
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
            let mut walk = LogWalk::new(WindowPlan::new(at(from), at(1_000_000)));
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
        let evenly = Log((0..20_000).rev().map(|n| n * 50).collect());
        check_all(&evenly, 0, 436);
        let at_once = Log((0..20_000).rev().map(|n| 1_000 + n / 10).collect());
        check_all(&at_once, 0, 440);
        let more = Log((0..50_000).rev().map(|n| n / 10).collect());
        check_all(&more, 0, 1_060);
    }

    #[test]
    fn a_burst_in_a_long_silence_costs_a_few_requests_more() {
        for first in [0, 400_000, 997_000] {
            let burst = Log((0..2_000).rev().map(|n| first + n).collect());
            check_all(&burst, 0, 40 + 35);
        }
    }

    /// Reads a log in polls that each have time for so many requests, and returns how many polls that takes.
    #[track_caller]
    fn polls(log: &Log, requests: usize) -> usize {
        let (mut from, mut first_end, mut read) = (0, None, Vec::new());
        for poll in 1..100 {
            let mut windows = WindowPlan::new(at(from), at(1_000_000));
            first_end.map(|end| windows.shorten(end));
            let mut walk = LogWalk::new(windows);
            for _ in 0..requests {
                let Some(request) = walk.next_request() else {
                    break;
                };
                if let Some(unit) = walk.advance(log.answer(&request)).unwrap() {
                    read.extend(millis(&unit));
                }
            }
            let Some(frontier) = walk.frontier() else {
                assert_eq!(read.len(), log.0.len());
                return poll;
            };
            let end = walk.interrupt();
            assert!(from < frontier.as_millisecond() || end < first_end || first_end.is_none());
            (from, first_end) = (frontier.as_millisecond(), end);
        }
        panic!("it comes to no end");
    }

    #[test]
    fn a_poll_without_time_for_a_window_leaves_the_next_less_to_do() {
        let evenly = Log((0..1_400).rev().map(|n| n * 700).collect());
        let at_once = Log((0..1_400).rev().map(|n| 500_000 + n).collect());
        for (requests, most) in [(31, (2, 3)), (10, (6, 8)), (3, (25, 42))] {
            let polls = (polls(&evenly, requests), polls(&at_once, requests));
            assert!(
                polls.0 <= most.0 && polls.1 <= most.1,
                "{requests}: {polls:?}"
            );
        }
    }

    /// A walk that has read a page of entries a second apart and is to go on.
    fn begun() -> LogWalk {
        let mut walk = LogWalk::new(WindowPlan::new(at(0), at(1_000_000)));
        let dates: Vec<_> = (1..=50).map(|n| 1_000_000 - n * 1_000).collect();
        assert!(walk.advance(page(&dates, Some("a"))).unwrap().is_none());
        walk
    }

    #[test]
    fn an_interruption_aims_at_most_of_what_the_poll_has_read() {
        let end = begun().interrupt().unwrap();
        assert!(at(30_000) < end && end < at(40_000), "{end}");
    }

    #[test]
    fn a_window_of_large_entries_is_made_to_hold_half_of_what_memory_bears() {
        let mut walk = LogWalk::new(WindowPlan::new(at(0), at(1_000_000)));
        let text = "x".repeat(400_000);
        let entry = |n: i64| {
            let date = at(1_000_000 - n * 1_000);
            Record::read(to_raw_value(&json!({"date_updated": date, "text": text})).unwrap())
        };
        let large = Page {
            data: (1..=50).map(entry).collect(),
            cursor: Some("a".to_owned()),
            ..Page::default()
        };
        assert!(walk.advance(large).unwrap().is_none());
        let end = walk.windows.before().unwrap();
        assert!(at(15_000) < end && end < at(25_000), "{end}");
    }

    #[test]
    fn an_expired_cursor_aims_at_half_of_what_was_read_but_for_a_moment() {
        let mut walk = begun();
        walk.restart().unwrap();
        let end = walk.windows.before().unwrap();
        assert!(at(20_000) < end && end < at(30_000), "{end}");
        assert_eq!(walk.target, PAGE_SIZE);
        let mut moment = LogWalk::new(WindowPlan::instant(at(5)));
        moment.advance(page(&[5; PAGE_SIZE], Some("a"))).unwrap();
        moment.restart().unwrap();
        assert_eq!(moment.target, TARGET);
    }

    #[test]
    fn a_window_that_outlives_its_cursor_is_made_shorter() {
        let log = Log((0..900).rev().map(|n| n * 1_000).collect());
        let mut walk = LogWalk::new(WindowPlan::new(at(0), at(1_000_000)));
        let (mut read, mut age) = (Vec::new(), 0);
        for _ in 0..200 {
            let Some(request) = walk.next_request() else {
                break;
            };
            age = if request.has_cursor() { age + 1 } else { 0 };
            if 2 < age {
                walk.restart().unwrap();
            } else if let Some(unit) = walk.advance(log.answer(&request)).unwrap() {
                read.extend(millis(&unit));
            }
        }
        assert!(walk.is_done());
        assert_eq!(read.len(), 900);
    }

    #[test]
    fn a_moment_is_one_unit_as_long_as_memory_bears_it() {
        let mut walk = LogWalk::new(WindowPlan::instant(at(5)));
        assert!(walk.advance(page(&[5; 999], Some("a"))).unwrap().is_none());
        let unit = walk.advance(page(&[5], Some("b"))).unwrap().unwrap();
        assert_eq!(unit.len(), 1_000);
    }

    #[test]
    fn a_moment_that_holds_too_much_is_published_page_by_page() {
        let mut dates: Vec<_> = (0..100).map(|n| 900_000 - n).collect();
        dates.extend(vec![500_000; 3_000]);
        dates.extend((0..100).map(|n| 400_000 - n));
        check_all(&Log(dates), 0, 64 + 60);
    }

    #[test]
    fn an_entry_on_two_pages_is_kept_as_the_first_one_shows_it() {
        let entry = |id: &str, data: &Value| {
            let entry = json!({"id": id, "date_updated": at(5), "data": data});
            Record::read(to_raw_value(&entry).unwrap())
        };
        let (shown, hidden) = (json!({}), Value::Null);
        let mut walk = LogWalk::new(WindowPlan::new(at(0), at(1_000)));
        let first = Page {
            data: vec![entry("ev_2", &shown), entry("ev_1", &shown)],
            cursor: Some("a".to_owned()),
            ..Page::default()
        };
        assert!(walk.advance(first).unwrap().is_none());
        let second = Page {
            data: vec![entry("ev_1", &hidden), entry("ev_0", &shown)],
            ..Page::default()
        };
        let unit = walk.advance(second).unwrap().unwrap();
        let texts: Vec<_> = unit
            .iter()
            .map(|entry| entry.raw.get().to_owned())
            .collect();
        let expected = ["ev_0", "ev_1", "ev_2"].map(|id| entry(id, &shown).raw.get().to_owned());
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_cursor_that_leads_back_is_noticed() {
        let mut walk = LogWalk::new(WindowPlan::new(at(0), at(1_000_000)));
        let full = |cursor| page(&[5; PAGE_SIZE], Some(cursor));
        walk.advance(full("a")).unwrap();
        walk.advance(full("b")).unwrap();
        assert!(matches!(
            walk.advance(full("a")),
            Err(PollError::RepeatedCursor)
        ));
    }

    #[test]
    fn an_expired_cursor_starts_a_moment_again_but_not_for_ever() {
        let mut walk = LogWalk::new(WindowPlan::instant(at(5)));
        walk.advance(page(&[5; PAGE_SIZE], Some("a"))).unwrap();
        walk.restart().unwrap();
        let request = walk.next_request().unwrap();
        assert!(!request.has_cursor());
        walk.restart().unwrap();
        assert!(walk.restart().is_err());
    }
}
