//! A walk by keyset, in ascending order: each page starts at a date where the last one ended.
//!
//! Starting anew at that date, inclusive, loses nothing: the records from there on come again and are skipped as seen.
//!
//! Close's search sorts by an index that is behind, and shows records as they are: one that has just been edited stands where
//! it stood before, with its new date. To start anew there would skip all between. So only what is so old that the index has
//! it for certain tells where a page is. Where nothing of a page does, or all of it has the date where it began, a search goes
//! on by its cursor; what is too long for that, and every run of one date in a list, is walked by [`WindowWalk`].

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use shared::close::page::{Page, Request};
use shared::close::span::Span;

use super::kind::{Kind, MAX_LIMIT, Place};
use super::unit::{Unit, found};
use super::window::{MAX_CURSOR_WALK, MAX_EXPIRIES, MAX_WALK, WindowWalk};
use super::window_plan::WindowPlan;
use crate::error::PollError;
use crate::record::Record;

/// Records by which the place of a search's page is told, should the index be further behind than it ought to be: to go by a
/// single one could mean to skip all between.
const SAMPLE: usize = 9;
/// What is dated further ahead is published at once, so it is looked for.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);

/// The state of a walk.
#[derive(Debug)]
pub struct KeysetWalk {
    kind: Kind,
    before: Option<Timestamp>,
    created: Span,
    limit: u16,
    /// What is dated from here on is not wanted, or the next poll's.
    end: Timestamp,
    /// Records older than this hold their final index position.
    settled: Timestamp,
    anchor: Timestamp,
    /// Records at the anchor that were read already and come again.
    known: usize,
    cursor: Option<String>,
    found_since_anchor: usize,
    newest: Timestamp,
    expiries: u32,
    run: Option<Box<WindowWalk>>,
    /// Up to where the walk has read everything, once it looks for what is dated far ahead alone.
    left_at: Option<Timestamp>,
    is_done: bool,
}

impl KeysetWalk {
    /// A walk through what was updated from a moment on, and before another if there is an end, and created within
    /// `created`, by a poll that began at the first of `times`; what is dated before the second shows itself at its date.
    pub fn new(
        kind: Kind,
        (anchor, before): (Timestamp, Option<Timestamp>),
        created: Span,
        limit: u16,
        (now, settled): (Timestamp, Timestamp),
    ) -> Self {
        let end = before.unwrap_or(now);
        Self {
            kind,
            before,
            created,
            limit,
            end,
            settled: settled.min(end),
            anchor,
            known: 0,
            cursor: None,
            found_since_anchor: 0,
            newest: anchor,
            expiries: 0,
            run: None,
            left_at: None,
            is_done: before.is_some_and(|before| before <= anchor),
        }
    }

    /// Begins with a window up to `end`, within which an earlier poll was interrupted.
    pub fn begin_with(&mut self, end: Timestamp) {
        let mut windows = WindowPlan::new(self.anchor, self.end);
        if self.kind.is_search() && windows.shorten(end) {
            self.read_in(windows);
        }
    }

    /// Where the first window of the next poll ends, unless that is to go on from the last page: half of what is read by
    /// windows or by a cursor.
    pub fn interrupt(&mut self) -> Option<Timestamp> {
        if let Some(run) = &mut self.run {
            return run.interrupt();
        }
        let mut windows = WindowPlan::new(self.anchor, self.end);
        let goes_by_cursor = self.cursor.is_some() || 0 < self.expiries;
        let is_halved = goes_by_cursor && !self.is_one_date() && windows.shrink(0.5);
        windows.before().filter(|_| is_halved)
    }

    /// What to read next, until the walk is done.
    pub fn next_request(&self) -> Option<Request> {
        if let Some(run) = &self.run {
            return run.next_request();
        }
        let updated = Span {
            from: Some(self.anchor),
            before: self.before,
        };
        let place = Place {
            cursor: self.cursor.clone(),
            skip: 0,
        };
        let request = || {
            self.kind
                .request(updated, self.created, self.page_size(), place)
        };
        (!self.is_done).then(request)
    }

    /// Goes on behind a page that was read.
    ///
    /// # Errors
    /// When the page is not in ascending order, or more records share one date than can be read: going on would lose some.
    pub fn advance(&mut self, page: Page<Record>) -> Result<Option<Unit>, PollError> {
        if let Some(run) = &mut self.run {
            let unit = run.advance(page)?;
            self.leave_run();
            return Ok(unit);
        }
        let dates: Vec<_> = page
            .data
            .iter()
            .filter_map(|record| record.updated)
            .collect();
        self.found_since_anchor += found(&page, self.page_size());
        self.newest = dates.iter().copied().fold(self.newest, Timestamp::max);
        let next_end = self.found_since_anchor + usize::from(self.page_size());
        let is_cut_short = self.kind.is_search() && MAX_WALK < next_end;
        if !page.is_followed() && !is_cut_short {
            self.is_done = true;
            return Ok(Some(page.data));
        }
        self.go_on(&dates, page.cursor.as_ref().filter(|_| !is_cut_short))?;
        Ok(Some(page.data))
    }

    /// Whether there is nothing more to read.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Everything dated before it was read; nothing, where everything was.
    pub fn frontier(&self) -> Option<Timestamp> {
        let here = || match &self.run {
            Some(run) => run.frontier(),
            None => (!self.is_done).then_some(self.anchor),
        };
        self.left_at.or_else(here)
    }

    /// Starts the run again after its cursor expired, another way when that has happened too often.
    ///
    /// # Errors
    /// When there is no other way.
    pub fn restart(&mut self) -> Result<(), PollError> {
        if let Some(run) = &mut self.run {
            return run.restart();
        }
        self.expiries += 1;
        (self.cursor, self.found_since_anchor) = (None, 0);
        if MAX_EXPIRIES < self.expiries {
            self.enter_run();
        }
        Ok(())
    }

    /// What Close's refusal of the last request means.
    pub fn refused(&self, error: PollError) -> PollError {
        match &self.run {
            Some(run) => run.refused(error),
            None => error,
        }
    }

    /// Chooses where to read behind a page of these dates.
    fn go_on(&mut self, dates: &[Timestamp], cursor: Option<&String>) -> Result<(), PollError> {
        let place = self.place(dates)?;
        let is_within = dates.is_empty() || dates.iter().any(|date| *date < self.end);
        match place {
            Some(place) if self.anchor < place => self.anchor_at(place, dates),
            _ if cursor.is_some() && is_within && !self.is_long() => {
                self.cursor = cursor.cloned();
            }
            _ => self.enter_run(),
        }
        Ok(())
    }

    /// Whether windows are the better way through what follows the anchor: they come forward piece by piece.
    fn is_long(&self) -> bool {
        !self.is_one_date() && MAX_CURSOR_WALK <= self.found_since_anchor
    }

    /// Whether all that was read since the anchor is of the anchor's moment.
    fn is_one_date(&self) -> bool {
        Span::instant(self.anchor).contains(self.newest)
    }

    /// Where a page of these dates ends for certain, as far as that can be told.
    fn place(&mut self, dates: &[Timestamp]) -> Result<Option<Timestamp>, PollError> {
        let settled = dates.iter().copied().filter(|date| *date < self.settled);
        let mut settled: Vec<_> = settled.collect();
        let count = |order| {
            let pairs = settled.windows(2).map(|pair| pair[0].cmp(&pair[1]));
            pairs.filter(|found| *found == order).count()
        };
        if count(Ordering::Less) < count(Ordering::Greater) {
            return Err(PollError::OutOfOrder);
        }
        // What stands before an older one shows that the index is as far behind.
        let mut oldest = Timestamp::MAX;
        for date in settled.iter().rev() {
            if oldest < *date {
                self.settled = self.settled.min(*date);
            }
            oldest = oldest.min(*date);
        }
        settled.retain(|date| *date < self.settled);
        let sample = if self.kind.is_search() { SAMPLE } else { 1 };
        let sample = sample.min(settled.len() / 2).max(1);
        Ok(settled.into_iter().rev().take(sample).min())
    }

    /// What comes again is asked for on top, so that each page brings as many new records.
    fn page_size(&self) -> u16 {
        let known = u16::try_from(self.known).unwrap_or(MAX_LIMIT);
        self.limit.saturating_add(known).min(MAX_LIMIT)
    }

    fn anchor_at(&mut self, date: Timestamp, read: &[Timestamp]) {
        self.anchor = date;
        self.known = read.iter().filter(|other| date <= **other).count();
        self.newest = date;
        (self.cursor, self.found_since_anchor, self.expiries) = (None, 0, 0);
    }

    /// Reads on in windows: of the anchor's moment, if there was nothing else since, or else of all up to the end.
    fn enter_run(&mut self) {
        let windows = if self.is_one_date() {
            WindowPlan::instant(self.anchor)
        } else {
            WindowPlan::new(self.anchor, self.end)
        };
        self.cursor = None;
        self.read_in(windows);
        self.leave_run();
    }

    fn read_in(&mut self, windows: WindowPlan) {
        let run = WindowWalk::new(self.kind, windows, self.created, self.limit);
        self.run = Some(Box::new(run));
    }

    /// Goes on behind the run, when it was walked to its end; or behind one of its windows, if what follows is settled.
    fn leave_run(&mut self) {
        let Some(run) = &self.run else { return };
        let behind = run.frontier().unwrap_or(run.end());
        let is_settled = self.anchor < behind && behind < self.settled;
        if !run.is_done() && !is_settled {
            return;
        }
        self.run = None;
        if behind < self.end {
            self.anchor_at(behind, &[]);
        } else if self.before.is_some() || self.left_at.is_some() {
            self.is_done = true;
        } else {
            self.leave_out();
        }
    }

    /// What is dated after the end is the next poll's, and it may be much: goes on with what is dated far ahead alone.
    fn leave_out(&mut self) {
        self.left_at = Some(self.end);
        let ahead = self.end.saturating_add(FUTURE).unwrap_or(Timestamp::MAX);
        (self.end, self.settled) = (Timestamp::MAX, Timestamp::MAX);
        self.anchor_at(ahead, &[]);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::close::list::Listed;
    use shared::close::page::{Page, Request};
    use shared::close::search::Searched;
    use shared::close::span::Span;

    use super::super::kind::Kind;
    use super::super::tests::{at, page, record};
    use super::{KeysetWalk, MAX_EXPIRIES};

    fn walk() -> KeysetWalk {
        let kind = Kind::Search(Searched::Contact);
        let times = (at(1_000_000), at(50_000));
        KeysetWalk::new(kind, (at(0), None), Span::default(), 100, times)
    }

    fn next(walk: &KeysetWalk) -> Option<(i64, Option<String>)> {
        match walk.next_request()? {
            Request::Search(search) => Some((search.updated.from?.as_millisecond(), search.cursor)),
            other => panic!("{other:?}"),
        }
    }

    /// Where the window that is read next ends.
    fn end(walk: &KeysetWalk) -> Option<Timestamp> {
        match walk.next_request() {
            Some(Request::Search(search)) => search.updated.before,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_page_starts_where_the_last_one_ended() {
        let mut walk = walk();
        walk.advance(page(&[1, 2, 2], Some("c1"))).unwrap();
        assert_eq!(next(&walk), Some((2, None)));
        walk.advance(page(&[2, 2, 3], None)).unwrap();
        assert_eq!(next(&walk), None);
    }

    #[test]
    fn what_comes_again_is_asked_for_on_top() {
        let mut walk = walk();
        walk.advance(page(&[1, 2, 2], Some("c1"))).unwrap();
        match walk.next_request() {
            Some(Request::Search(search)) => assert_eq!(search.limit, 102),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_of_one_date_is_walked_by_cursor() {
        let mut walk = walk();
        walk.advance(page(&[1, 5], Some("c1"))).unwrap();
        walk.advance(page(&[5, 5], Some("c2"))).unwrap();
        assert_eq!(next(&walk), Some((5, Some("c2".to_owned()))));
        walk.advance(page(&[5, 6], Some("c3"))).unwrap();
        assert_eq!(next(&walk), Some((6, None)));
    }

    #[test]
    fn a_run_whose_cursor_keeps_expiring_is_divided_by_date_of_creation() {
        let mut walk = walk();
        walk.advance(page(&[0, 0], Some("c1"))).unwrap();
        for _ in 0..2 {
            walk.restart().unwrap();
            assert_eq!(next(&walk), Some((0, None)));
            assert_eq!(end(&walk), None);
        }
        walk.restart().unwrap();
        assert_eq!(end(&walk), Some(at(1)));
        let parts = Page {
            data: vec![record(0, 10), record(0, 20), record(0, 30)],
            cursor: Some("c2".to_owned()),
            ..Page::default()
        };
        assert!(walk.advance(parts).unwrap().is_none());
        let created = |walk: &KeysetWalk| match walk.next_request() {
            Some(Request::Search(search)) => search.created.before,
            other => panic!("{other:?}"),
        };
        assert_eq!(created(&walk), Some(at(30)));
        for _ in 0..2 {
            walk.advance(page(&[0], None)).unwrap();
        }
        assert_eq!(next(&walk), Some((1, None)));
    }

    #[test]
    fn a_window_that_a_poll_had_no_time_for_is_half_as_long_in_the_next() {
        let mut interrupted = walk();
        assert_eq!(interrupted.interrupt(), None);
        interrupted
            .advance(page(&[0, 60_000, 70_000], Some("c1")))
            .unwrap();
        for _ in 0..=MAX_EXPIRIES {
            assert_eq!(interrupted.interrupt(), Some(at(500_000)));
            interrupted.restart().unwrap();
        }
        interrupted.advance(page(&[0, 60_000], Some("c2"))).unwrap();
        let end = interrupted.interrupt().unwrap();
        let mut next = walk();
        next.begin_with(end);
        let Some(Request::Search(search)) = next.next_request() else {
            panic!("no search");
        };
        assert_eq!(search.updated.before, Some(end));
        assert!(end < interrupted.end);
    }

    #[test]
    fn a_window_is_left_behind_for_pages_where_what_follows_is_settled() {
        for (window_end, is_settled) in [(20_000, true), (50_000, false)] {
            let mut walk = walk();
            walk.begin_with(at(window_end));
            assert_eq!(end(&walk), Some(at(window_end)));
            walk.advance(page(&[5], None)).unwrap();
            assert_eq!(next(&walk), Some((window_end, None)));
            assert_eq!(end(&walk).is_none(), is_settled);
        }
    }

    #[test]
    fn the_end_of_the_last_window_is_the_end_of_a_walk_that_has_one() {
        let kind = Kind::Search(Searched::Contact);
        let (span, times) = ((at(0), Some(at(100_000))), (at(1_000_000), at(50_000)));
        let mut walk = KeysetWalk::new(kind, span, Span::default(), 100, times);
        walk.begin_with(at(60_000));
        while !walk.is_done() {
            assert!(end(&walk) <= Some(at(100_000)));
            walk.advance(page(&[], None)).unwrap();
        }
        assert_eq!(next(&walk), None);
    }

    #[test]
    fn the_end_of_a_full_walk_is_not_the_end_of_the_records() {
        let mut growing = walk();
        growing
            .advance(page(&(0..10_000).collect::<Vec<_>>(), None))
            .unwrap();
        assert_eq!(next(&growing), Some((9_991, None)));
        let mut ties = walk();
        ties.advance(page(&vec![0; 10_000], None)).unwrap();
        assert_eq!(next(&ties), Some((0, None)));
    }

    #[test]
    fn records_that_are_newer_than_their_place_skip_nothing() {
        let mut walk = walk();
        walk.advance(page(&[1, 80_000, 3, 4, 90_000, 90_000], Some("c1")))
            .unwrap();
        assert_eq!(next(&walk), Some((4, None)));
        walk.advance(page(&[4, 90_000, 90_001, 90_002], Some("c2")))
            .unwrap();
        assert_eq!(next(&walk), Some((4, Some("c2".to_owned()))));
        walk.advance(page(&[90_003, 6], Some("c3"))).unwrap();
        assert_eq!(next(&walk), Some((6, None)));
        assert_eq!(walk.frontier(), Some(at(6)));
    }

    #[test]
    fn an_index_that_is_further_behind_than_it_ought_to_be_skips_nothing_either() {
        for (dates, place) in [
            (&[1, 40_000, 3, 4, 5][..], 4),
            (&[40_000, 2, 3, 4], 4),
            (&[1, 2, 3, 4, 5, 40_000], 4),
            (&[1, 40_000, 3, 5], 5),
            (&[1, 50_000], 1),
            (&[50_000, 3], 3),
        ] {
            let mut walk = walk();
            walk.advance(page(dates, Some("c1"))).unwrap();
            assert_eq!(next(&walk), Some((place, None)), "{dates:?}");
        }
    }

    #[test]
    fn a_page_of_what_was_deleted_since_is_not_the_end() {
        let mut walk = walk();
        walk.advance(page(&[], Some("c1"))).unwrap();
        assert_eq!(next(&walk), Some((0, Some("c1".to_owned()))));
        for _ in 0..99 {
            walk.advance(page(&[], Some("c1"))).unwrap();
        }
        assert_eq!(
            next(&walk),
            Some((0, None)),
            "but it is not gone on for ever"
        );
    }

    #[test]
    fn newer_records_that_a_cursor_cannot_finish_are_read_in_windows() {
        let mut walk = walk();
        walk.advance(page(&[7, 90_000], Some("c1"))).unwrap();
        walk.advance(page(&[90_000; 1_999], Some("c2"))).unwrap();
        assert_eq!(next(&walk), Some((7, Some("c2".to_owned()))));
        walk.advance(page(&[90_000], Some("c3"))).unwrap();
        assert_eq!(next(&walk), Some((7, None)));
        assert_eq!(end(&walk), Some(at(1_000_000)));
    }

    #[test]
    fn what_is_dated_after_the_poll_began_is_left_out_but_for_what_is_far_ahead() {
        let mut walk = walk();
        walk.advance(page(&[1, 4], Some("c1"))).unwrap();
        walk.advance(page(&[4, 1_000_000, 1_000_001], Some("c2")))
            .unwrap();
        assert_eq!(next(&walk), Some((4, Some("c2".to_owned()))));
        walk.advance(page(&[1_000_000, 1_000_003], Some("c3")))
            .unwrap();
        assert_eq!(next(&walk), Some((4, None)));
        walk.advance(page(&[4, 5], None)).unwrap();
        assert_eq!(next(&walk), Some((1_300_000, None)));
        walk.advance(page(&[2_000_000], None)).unwrap();
        assert_eq!(next(&walk), None);
        assert_eq!(walk.frontier(), Some(at(1_000_000)));
    }

    #[test]
    fn a_watermark_that_our_clock_has_not_reached_ends_the_walk_at_once() {
        let kind = Kind::List(Listed::Opportunities);
        let times = (at(10), Timestamp::MAX);
        let mut walk = KeysetWalk::new(kind, (at(20), None), Span::default(), 2, times);
        let followed = Page {
            has_more: true,
            ..page(&[30, 31], None)
        };
        walk.advance(followed).unwrap();
        let Some(Request::List(list)) = walk.next_request() else {
            panic!("no list");
        };
        assert_eq!(list.updated.from, Some(at(300_010)));
    }

    #[test]
    fn a_page_in_descending_order_is_refused() {
        assert!(walk().advance(page(&[5, 4, 3], Some("c1"))).is_err());
    }

    #[test]
    fn nothing_more_ends_the_walk() {
        for page in [page(&[], None), page(&[0], None)] {
            let mut walk = walk();
            assert!(!walk.is_done());
            walk.advance(page).unwrap();
            assert_eq!(next(&walk), None);
            assert!(walk.is_done());
        }
    }

    #[test]
    fn a_run_of_a_list_is_divided_at_once_and_left_behind() {
        let kind = Kind::List(Listed::Opportunities);
        let times = (at(1_000_000), Timestamp::MAX);
        let mut walk = KeysetWalk::new(kind, (at(0), None), Span::default(), 2, times);
        let list = |updated: &[i64], has_more| Page {
            has_more,
            ..page(updated, None)
        };
        walk.advance(list(&[1, 5], true)).unwrap();
        walk.advance(list(&[5, 5, 5], true)).unwrap();
        let updated = |walk: &KeysetWalk| match walk.next_request() {
            Some(Request::List(list)) => list.updated,
            other => panic!("{other:?}"),
        };
        assert_eq!(updated(&walk), Span::instant(at(5)));
        walk.advance(list(&[5, 5], false)).unwrap();
        let behind = Span {
            from: Some(at(6)),
            before: None,
        };
        assert_eq!(updated(&walk), behind);
    }
}
