//! A walk by keyset, in ascending order: each page starts at a date where the last one ended.
//!
//! Starting anew at that date, inclusive, loses nothing: the records from there on come again and are skipped as seen.
//! Within a run of one date that is longer than a page, a search goes on by its cursor; what is too long for that, and
//! every such run of a list, is walked by [`WindowWalk`].

use jiff::{SignedDuration, Timestamp};
use shared::close::page::{Page, Request};
use shared::close::span::Span;

use super::Unit;
use super::kind::{Kind, MAX_LIMIT, Place};
use super::window::{MAX_EXPIRIES, MAX_WALK, WindowWalk};
use crate::error::PollError;
use crate::record;

/// Records by which a page's place in the order is told. Close sorts by its index, which may be a little behind, and shows
/// records as they are: one that has just been edited stands where it stood before, with its new date. To go by a single
/// record could mean to skip all between.
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
    anchor: Timestamp,
    /// Records at the anchor that were read already and come again.
    known: usize,
    cursor: Option<String>,
    read_since_anchor: usize,
    expiries: u32,
    run: Option<WindowWalk>,
    /// Where the walk left out what is dated after its end.
    left_at: Option<Timestamp>,
    is_done: bool,
}

impl KeysetWalk {
    /// A walk through what was updated and created within these spans, by a poll that began `now`.
    pub fn new(kind: Kind, updated: Span, created: Span, limit: u16, now: Timestamp) -> Self {
        let anchor = updated.from.unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            kind,
            before: updated.before,
            created,
            limit,
            end: updated.before.unwrap_or(now),
            anchor,
            known: 0,
            cursor: None,
            read_since_anchor: 0,
            expiries: 0,
            run: None,
            left_at: None,
            is_done: updated.before.is_some_and(|before| before <= anchor),
        }
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
    pub fn advance(&mut self, page: Page) -> Result<Option<Unit>, PollError> {
        if let Some(run) = &mut self.run {
            let unit = run.advance(page)?;
            self.leave_run();
            return Ok(unit);
        }
        let dates: Vec<_> = page
            .data
            .iter()
            .filter_map(|record| record::date_updated(record))
            .collect();
        self.read_since_anchor += page.data.len();
        let is_cut_short = self.is_search() && MAX_WALK < self.read_since_anchor + page.data.len();
        if page.data.is_empty() || (!page.is_followed() && !is_cut_short) {
            self.is_done = true;
            return Ok(Some(page.data));
        }
        let (first, last) = ends(&dates);
        if is_descending(first, last) {
            return Err(PollError::OutOfOrder);
        }
        // A record dated after the end of the walk says nothing of where the page is.
        match last.iter().filter(|date| **date < self.end).min() {
            None if !last.is_empty() && self.before.is_none() => self.leave_out(&dates),
            Some(last) if self.anchor < *last => self.anchor_at(*last, &dates),
            _ if page.cursor.is_some() && !is_cut_short => self.cursor.clone_from(&page.cursor),
            _ => self.enter_run(),
        }
        Ok(Some(page.data))
    }

    /// Everything dated before it was read; nothing, where everything was.
    pub fn frontier(&self) -> Option<Timestamp> {
        self.left_at.or((!self.is_done).then_some(self.anchor))
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
        (self.cursor, self.read_since_anchor) = (None, 0);
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

    fn is_search(&self) -> bool {
        matches!(self.kind, Kind::Search(_))
    }

    /// What comes again is asked for on top, so that each page brings as many new records.
    fn page_size(&self) -> u16 {
        let known = u16::try_from(self.known).unwrap_or(MAX_LIMIT);
        self.limit.saturating_add(known).min(MAX_LIMIT)
    }

    fn anchor_at(&mut self, date: Timestamp, read: &[Timestamp]) {
        self.anchor = date;
        self.known = read.iter().filter(|other| date <= **other).count();
        (self.cursor, self.read_since_anchor, self.expiries) = (None, 0, 0);
    }

    /// All that ends the page is the next poll's, and much may follow: goes on with what is dated far ahead alone. The walk
    /// has come no further than its anchor, for it may be that only what it was shown is so new.
    fn leave_out(&mut self, read: &[Timestamp]) {
        self.left_at.get_or_insert(self.anchor);
        let ahead = self.end.saturating_add(FUTURE).unwrap_or(Timestamp::MAX);
        self.end = Timestamp::MAX;
        self.anchor_at(ahead, read);
    }

    fn enter_run(&mut self) {
        let run = Span::instant(self.anchor);
        self.cursor = None;
        self.run = Some(WindowWalk::new(
            self.kind,
            run,
            self.created,
            self.limit,
            self.anchor,
        ));
    }

    /// Goes on behind the run, when it was walked to its end.
    fn leave_run(&mut self) {
        if self
            .run
            .as_ref()
            .is_some_and(|run| run.next_request().is_none())
        {
            self.run = None;
            let behind = Span::instant(self.anchor).before.unwrap_or(Timestamp::MAX);
            self.anchor_at(behind, &[]);
            self.is_done = self.before.is_some_and(|before| before <= behind);
        }
    }
}

/// What the page begins and ends with.
fn ends(dates: &[Timestamp]) -> (&[Timestamp], &[Timestamp]) {
    let sample = (dates.len() / 2).clamp(1, SAMPLE).min(dates.len());
    (&dates[..sample], &dates[dates.len() - sample..])
}

fn is_descending(first: &[Timestamp], last: &[Timestamp]) -> bool {
    last.iter().max() < first.iter().min()
}

#[cfg(test)]
mod tests {
    use shared::close::list::Listed;
    use shared::close::page::{Page, Request};
    use shared::close::search::ObjectType;
    use shared::close::span::Span;

    use super::super::kind::Kind;
    use super::super::tests::{at, page, record};
    use super::KeysetWalk;

    fn walk() -> KeysetWalk {
        let kind = Kind::Search(ObjectType::Contact);
        KeysetWalk::new(
            kind,
            Span::since(at(0)),
            Span::default(),
            100,
            at(1_000_000),
        )
    }

    fn next(walk: &KeysetWalk) -> Option<(i64, Option<String>)> {
        match walk.next_request()? {
            Request::Search(search) => Some((search.updated.from?.as_millisecond(), search.cursor)),
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
        }
        walk.restart().unwrap();
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
        let mut dates: Vec<_> = (1..=20).collect();
        dates[4] = 8_000;
        dates[13..].fill(9_000);
        walk.advance(page(&dates, Some("c1"))).unwrap();
        assert_eq!(next(&walk), Some((12, None)));
        assert_eq!(walk.frontier(), Some(at(12)));
    }

    #[test]
    fn what_is_dated_after_the_poll_began_is_left_out_but_for_what_is_far_ahead() {
        let mut walk = walk();
        walk.advance(page(&[1, 2, 3, 4], Some("c1"))).unwrap();
        walk.advance(page(&[3, 4, 1_000_000, 1_000_001], Some("c2")))
            .unwrap();
        assert_eq!(next(&walk), Some((1_300_000, None)));
        walk.advance(page(&[2_000_000], None)).unwrap();
        assert_eq!(next(&walk), None);
        assert_eq!(walk.frontier(), Some(at(3)));
    }

    #[test]
    fn a_page_in_descending_order_is_refused() {
        assert!(walk().advance(page(&[5, 4, 3], Some("c1"))).is_err());
    }

    #[test]
    fn nothing_more_ends_the_walk() {
        for page in [page(&[], None), page(&[], Some("c1")), page(&[0], None)] {
            let mut walk = walk();
            walk.advance(page).unwrap();
            assert_eq!(next(&walk), None);
        }
    }

    #[test]
    fn a_run_of_a_list_is_divided_at_once_and_left_behind() {
        let kind = Kind::List(Listed::Opportunities);
        let mut walk = KeysetWalk::new(kind, Span::since(at(0)), Span::default(), 2, at(1_000_000));
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
        assert_eq!(updated(&walk), Span::since(at(6)));
    }
}
