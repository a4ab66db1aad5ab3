//! A walk by closed windows, of which nothing is missed whatever their order: for lists that cannot be put in order of
//! `date_updated`, for runs of one date that are longer than a page, and for what a search shows newer than its place.
//!
//! A window of a list fits one page; one of a search is read by a cursor, which takes fewer requests. One that proves too
//! large is divided in time. A single moment is divided by when its objects were created, which never changes. Only what
//! even that cannot divide is read by offset, or by a search's cursor.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use shared::close::page::{Page, Request};
use shared::close::span::{RESOLUTION, Span, floor};

use super::kind::{Kind, Place};
use super::unit::{Unit, found, sorted};
use super::window_plan::WindowPlan;
use crate::error::PollError;
use crate::record::Record;

/// One walk of a search by cursor ends here, whatever there is. Source: developer.close.com/resources/advanced-filtering.
pub const MAX_WALK: usize = 10_000;
/// A window of a search is read by one cursor up to so many objects, and made shorter if it holds more.
pub const MAX_CURSOR_WALK: usize = 2_000;
/// What two walks cannot finish within a cursor's life would never be finished.
pub const MAX_EXPIRIES: u32 = 2;
/// Objects that leave a list while it is read by offset make others slip through: it is read again, but not for ever.
const MAX_PASSES: u32 = 5;
/// How full a page is aimed to be, of a hundred: a window is an estimate.
const FILL: usize = 80;

/// The dates of the oldest and of the newest.
type Spread = (Timestamp, Timestamp);

/// The state of a walk.
#[derive(Debug)]
pub struct WindowWalk {
    kind: Kind,
    limit: u16,
    windows: WindowPlan,
    whole: Span,
    /// By date of creation, the parts of the window that are still to be read, the next one last.
    parts: Vec<Span>,
    run: Option<Run>,
    expiries: u32,
}

/// What is read on and on: a window of a search, or objects of one moment in every respect.
#[derive(Debug, Default)]
struct Run {
    read: usize,
    /// With what was deleted since.
    found: usize,
    spread: Option<Spread>,
    cursor: Option<String>,
    total: Option<usize>,
    /// What was read, each once, told by its hash.
    distinct: HashSet<u64>,
    has_shifted: bool,
    passes: u32,
}

impl WindowWalk {
    /// A walk through what was updated within these windows and created within `created`.
    pub fn new(kind: Kind, windows: WindowPlan, created: Span, limit: u16) -> Self {
        Self {
            kind,
            limit,
            windows,
            whole: created,
            parts: vec![created],
            run: None,
            expiries: 0,
        }
    }

    /// What to read next, until the walk is done.
    pub fn next_request(&self) -> Option<Request> {
        let updated = self.windows.current()?;
        let place = self.run.as_ref().map(Run::place).unwrap_or_default();
        let request = |created| self.kind.request(updated, created, self.limit, place);
        self.parts.last().copied().map(request)
    }

    /// Goes on behind a page that was read.
    ///
    /// # Errors
    /// When more objects share a moment than Close lets anybody read.
    pub fn advance(&mut self, page: Page<Record>) -> Result<Option<Unit>, PollError> {
        if self.run.is_some() {
            return self.advance_run(page).map(Some);
        }
        if !page.is_followed() {
            self.finish_part(page.data.len(), spread(&page));
            return Ok(Some(sorted(page.data)));
        }
        if !self.goes_by_cursor() && (self.shrink(&page) || self.divide(&page)) {
            return Ok(None);
        }
        self.run = Some(Run::default());
        self.advance_run(page).map(Some)
    }

    /// Whether there is nothing more to read.
    pub fn is_done(&self) -> bool {
        self.windows.is_done()
    }

    /// Where its last window ends.
    pub fn end(&self) -> Timestamp {
        self.windows.end()
    }

    /// Everything dated before it was read; nothing, where everything was.
    pub fn frontier(&self) -> Option<Timestamp> {
        (!self.is_done()).then(|| self.windows.from())
    }

    /// Ends the walk within a window. Returns where the first window of the next poll ends, unless that is the last one: one
    /// that is read by a cursor is made shorter.
    pub fn interrupt(&mut self) -> Option<Timestamp> {
        if self.run.is_some() && self.goes_by_cursor() {
            self.shorten(None);
        }
        self.windows.before()
    }

    /// Reads the run again after its cursor expired, in a shorter window when that has happened too often.
    ///
    /// # Errors
    /// When there is none.
    pub fn restart(&mut self) -> Result<(), PollError> {
        self.expiries += 1;
        if self.expiries <= MAX_EXPIRIES {
            self.run = self.run.take().map(|_| Run::default());
        } else if self.goes_by_cursor() {
            self.shorten(None);
        } else {
            return Err(self.too_large());
        }
        Ok(())
    }

    /// What Close's refusal of the last request means: there is an end to what can be read by offset.
    pub fn refused(&self, error: PollError) -> PollError {
        match &self.run {
            Some(run) if 0 < run.read => self.too_large(),
            _ => error,
        }
    }

    /// Whether the window is read by a cursor through all its pages, which takes fewer requests than windows of a page. A
    /// single moment is divided first: there may be more of it than a cursor goes through.
    fn goes_by_cursor(&self) -> bool {
        self.kind.is_search() && RESOLUTION < self.windows.width()
    }

    fn shrink(&mut self, page: &Page<Record>) -> bool {
        self.windows.shrink(self.fitting_part(page))
    }

    /// Makes a window shorter that is read by a cursor: up to what was reached, if that can be told, else to half.
    fn shorten(&mut self, reached: Option<Timestamp>) {
        if !reached.is_some_and(|reached| self.windows.shorten(reached)) {
            self.windows.shrink(0.5);
        }
        (self.run, self.expiries) = (None, 0);
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
    fn fitting_part(&self, page: &Page<Record>) -> f64 {
        let total = page.total_results.unwrap_or(2 * page.data.len());
        self.target() as f64 / total.max(1) as f64
    }

    fn target(&self) -> usize {
        let most = if self.kind.is_search() {
            MAX_CURSOR_WALK
        } else {
            self.limit.into()
        };
        most * FILL / 100
    }

    /// Divides the part by date of creation, at one that was read. Returns `false` when all that was read is of one.
    fn divide(&mut self, page: &Page<Record>) -> bool {
        let created = page.data.iter().filter_map(|record| record.created);
        let (Some(part), Some(cut)) = (self.parts.last().copied(), cut(created.collect())) else {
            return false;
        };
        let pieces = match cut {
            Cut::At(time) => vec![
                Span {
                    from: Some(time),
                    ..part
                },
                Span {
                    before: Some(time),
                    ..part
                },
            ],
            Cut::Around(instant) => vec![
                Span {
                    from: instant.before,
                    ..part
                },
                instant,
                Span {
                    before: instant.from,
                    ..part
                },
            ],
        };
        // It is of one date already, or Close ignored the bound, or rounded it.
        if pieces.contains(&part) {
            return false;
        }
        self.parts.pop();
        self.parts
            .extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
        true
    }

    fn finish_part(&mut self, count: usize, spread: Option<Spread>) {
        self.run = None;
        self.expiries = 0;
        self.parts.pop();
        if self.parts.is_empty() {
            let spread = spread.filter(|_| self.kind.is_search());
            let width = spread.map(|(oldest, newest)| newest.duration_since(oldest));
            let width = width.unwrap_or(self.windows.width());
            self.windows.finish_within(width, count, self.target());
            self.parts.push(self.whole);
        }
    }

    fn advance_run(&mut self, page: Page<Record>) -> Result<Unit, PollError> {
        let (is_search, goes_by_cursor) = (self.kind.is_search(), self.goes_by_cursor());
        let run = self.run.get_or_insert_default();
        run.note(&page, self.limit);
        if goes_by_cursor && page.is_followed() && MAX_CURSOR_WALK <= run.found {
            self.shorten(spread(&page).map(|(oldest, _)| oldest));
            return Ok(page.data);
        }
        let is_cut_short = is_search && MAX_WALK <= run.found;
        if page.is_followed() && (is_search || !page.data.is_empty()) && !is_cut_short {
            return Ok(page.data);
        }
        if is_cut_short || MAX_PASSES < run.passes {
            return Err(self.too_large());
        }
        if run.is_incomplete() {
            run.read_again();
        } else {
            let (count, spread) = (run.read, run.spread);
            self.finish_part(count, spread);
        }
        Ok(page.data)
    }

    fn too_large(&self) -> PollError {
        PollError::TieRunTooLarge {
            read: self.run.as_ref().map_or(0, |run| run.read),
            at: self.windows.from(),
        }
    }
}

/// The dates of a page's oldest and newest.
fn spread(page: &Page<Record>) -> Option<Spread> {
    let updated = page.data.iter().filter_map(|record| record.updated);
    updated.map(|date| (date, date)).reduce(both)
}

fn both(one: Spread, other: Spread) -> Spread {
    (one.0.min(other.0), one.1.max(other.1))
}

/// Where to divide a part of which a page was read.
enum Cut {
    At(Timestamp),
    Around(Span),
}

/// Where the page ends, if it is in order of creation, so that one of the pieces is just that page; else in its middle. Out
/// of a page of one date that date is cut.
fn cut(created: Vec<Timestamp>) -> Option<Cut> {
    let (oldest, newest) = (*created.iter().min()?, *created.iter().max()?);
    if floor(oldest) == floor(newest) {
        return Some(Cut::Around(Span::instant(oldest)));
    }
    let time = if created.is_sorted() {
        newest
    } else if created.is_sorted_by(|a, b| b <= a) {
        created
            .iter()
            .copied()
            .filter(|time| *time != oldest)
            .min()?
    } else {
        let mut dates = created;
        dates.sort_unstable();
        dates.dedup();
        dates[dates.len() / 2]
    };
    Some(Cut::At(time))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Run {
    fn place(&self) -> Place {
        Place {
            cursor: self.cursor.clone(),
            skip: self.read,
        }
    }

    fn note(&mut self, page: &Page<Record>, limit: u16) {
        self.has_shifted |= self.total.is_some() && self.total != page.total_results;
        self.total = page.total_results;
        self.read += page.data.len();
        self.found += found(page, limit);
        self.spread = self.spread.into_iter().chain(spread(page)).reduce(both);
        self.distinct
            .extend(page.data.iter().map(|record| hash(record.raw.get())));
        self.cursor.clone_from(&page.cursor);
    }

    /// Some left the list meanwhile, so that others slipped through; or its order is not the same for every page.
    fn is_incomplete(&self) -> bool {
        self.has_shifted || self.total.is_some_and(|total| self.distinct.len() < total)
    }

    fn read_again(&mut self) {
        *self = Self {
            passes: self.passes + 1,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use shared::close::list::Listed;
    use shared::close::page::{Page, Request};
    use shared::close::search::Searched;
    use shared::close::span::Span;

    use super::super::kind::Kind;
    use super::super::tests::{at, millis, numbered, page};
    use super::super::window_plan::WindowPlan;
    use super::{Cut, MAX_CURSOR_WALK, MAX_EXPIRIES, MAX_PASSES, WindowWalk, cut};
    use crate::error::PollError;
    use crate::record::Record;

    /// Tasks, by when they were updated and created.
    struct Tasks(Vec<(i64, i64)>);

    impl Tasks {
        /// In order of creation, as Close has them.
        fn answer(&self, request: &Request) -> Page<Record> {
            let Request::List(list) = request else {
                panic!("{request:?}")
            };
            let mut found: Vec<_> = self.0.iter().copied().enumerate().collect();
            found.retain(|(_, (updated, created))| {
                list.updated.contains(at(*updated)) && list.created.contains(at(*created))
            });
            found.sort_by_key(|(_, (_, created))| *created);
            let limit = usize::from(list.limit);
            let shown = found.iter().skip(list.skip).take(limit);
            Page {
                data: shown.map(|(id, dates)| numbered(*id, *dates)).collect(),
                has_more: list.skip + limit < found.len(),
                total_results: Some(found.len()),
                cursor: None,
            }
        }

        /// The units that a walk makes of them, and how many requests that takes.
        fn walk(&self) -> (Vec<Vec<i64>>, usize) {
            let mut walk = WindowWalk::new(
                Kind::List(Listed::Tasks),
                WindowPlan::new(at(0), at(10_000)),
                Span::default(),
                10,
            );
            let (mut units, mut requests) = (Vec::new(), 0);
            while let Some(request) = walk.next_request() {
                requests += 1;
                assert!(requests < 1_000);
                if let Some(unit) = walk.advance(self.answer(&request)).unwrap() {
                    units.push(millis(&unit));
                }
            }
            (units, requests)
        }
    }

    #[track_caller]
    fn check_all(tasks: &Tasks, most_requests: usize) {
        let (units, requests) = tasks.walk();
        let mut read = units.concat();
        let mut expected: Vec<_> = tasks.0.iter().map(|(updated, _)| *updated).collect();
        expected.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, expected);
        assert!(requests <= most_requests, "{requests}");
    }

    /// Reads leads of these dates, in order, by cursors that are places in it. Returns what was read, and with how many
    /// requests.
    fn search(leads: &[i64]) -> (Vec<i64>, usize) {
        let windows = WindowPlan::new(at(0), at(1_000_000));
        let kind = Kind::Search(Searched::Lead);
        let mut walk = WindowWalk::new(kind, windows, Span::default(), 100);
        let (mut read, mut requests) = (Vec::new(), 0);
        while let Some(Request::Search(search)) = walk.next_request() {
            requests += 1;
            let found = leads.iter().enumerate().filter(|(number, lead)| {
                let created = at(i64::try_from(*number).unwrap());
                search.updated.contains(at(**lead)) && search.created.contains(created)
            });
            let skip = search.cursor.map_or(0, |cursor| cursor.parse().unwrap());
            assert!(skip < MAX_CURSOR_WALK);
            let rest: Vec<_> = found.skip(skip).take(101).collect();
            let shown = rest.iter().take(100);
            let answer = Page {
                data: shown
                    .map(|(number, lead)| {
                        numbered(*number, (**lead, i64::try_from(*number).unwrap()))
                    })
                    .collect(),
                cursor: (100 < rest.len()).then(|| (skip + 100).to_string()),
                ..Page::default()
            };
            read.extend(walk.advance(answer).unwrap().iter().flat_map(millis));
        }
        (read, requests)
    }

    fn tasks(windows: WindowPlan, limit: u16) -> WindowWalk {
        WindowWalk::new(Kind::List(Listed::Tasks), windows, Span::default(), limit)
    }

    fn leads(windows: WindowPlan) -> WindowWalk {
        WindowWalk::new(Kind::Search(Searched::Lead), windows, Span::default(), 100)
    }

    /// Where the window that is read next ends.
    fn before(walk: &WindowWalk) -> i64 {
        let before = match walk.next_request() {
            Some(Request::List(list)) => list.updated.before,
            Some(Request::Search(search)) => search.updated.before,
            other => panic!("{other:?}"),
        };
        before.unwrap().as_millisecond()
    }

    #[test]
    fn a_list_that_is_too_long_is_cut_to_four_fifths_of_a_page() {
        for (total, expected) in [(Some(1_000), 80_000), (None, 400_000)] {
            let mut walk = tasks(WindowPlan::new(at(0), at(1_000_000)), 100);
            let dates: Vec<_> = (0..100).collect();
            let full = Page {
                has_more: true,
                total_results: total,
                ..page(&dates, None)
            };
            assert!(walk.advance(full).unwrap().is_none());
            assert_eq!(before(&walk), expected);
        }
    }

    #[test]
    fn only_a_window_that_is_being_read_by_a_cursor_is_halved_by_an_interruption() {
        let mut fresh = leads(WindowPlan::new(at(0), at(1_000)));
        assert_eq!(fresh.interrupt(), None);
        assert_eq!(before(&fresh), 1_000);
        let mut read = leads(WindowPlan::new(at(0), at(1_000)));
        read.advance(page(&[1, 2], Some("c1"))).unwrap();
        assert_eq!(read.interrupt(), Some(at(500)));
        let mut moment = leads(WindowPlan::instant(at(5)));
        moment.advance(page(&[5, 5], Some("c1"))).unwrap();
        assert_eq!(moment.interrupt(), None);
    }

    #[test]
    fn a_refusal_means_too_much_only_behind_the_first_page() {
        let refusal = || PollError::RepeatedCursor;
        let mut walk = leads(WindowPlan::new(at(0), at(1_000)));
        assert!(matches!(walk.refused(refusal()), PollError::RepeatedCursor));
        walk.advance(page(&[5, 5], Some("c1"))).unwrap();
        assert!(matches!(
            walk.refused(refusal()),
            PollError::TieRunTooLarge { read: 2, .. }
        ));
        walk.restart().unwrap();
        assert!(matches!(walk.refused(refusal()), PollError::RepeatedCursor));
    }

    #[test]
    fn a_search_goes_through_a_window_by_its_cursor() {
        for leads in [
            (0..20_000).map(|n| n * 50).collect::<Vec<_>>(),
            (0..20_000).map(|n| 990_000 + n / 300).collect(),
            (0..20_000).map(|n| 500_000 + n / 100).collect(),
        ] {
            let (mut read, requests) = search(&leads);
            read.sort_unstable();
            // What a window that proved too long had is read again, and known.
            read.dedup();
            let mut dates = leads.clone();
            dates.dedup();
            assert_eq!(read, dates);
            assert!(requests <= 300, "{requests} requests for 200 pages");
        }
    }

    #[test]
    fn a_window_whose_cursor_keeps_expiring_is_made_shorter() {
        let windows = WindowPlan::new(at(0), at(1_000));
        let kind = Kind::Search(Searched::Lead);
        let mut walk = WindowWalk::new(kind, windows, Span::default(), 100);
        walk.advance(page(&[1, 2], Some("c1"))).unwrap();
        for _ in 0..=MAX_EXPIRIES {
            walk.restart().unwrap();
        }
        let Some(Request::Search(search)) = walk.next_request() else {
            panic!("no search");
        };
        assert_eq!(
            (search.updated.before, search.cursor),
            (Some(at(500)), None)
        );
    }

    #[test]
    fn what_fits_a_page_is_one_request_in_order_of_date() {
        let tasks = Tasks(vec![(30, 1), (10, 2), (20, 3)]);
        assert_eq!(tasks.walk(), (vec![vec![10, 20, 30]], 1));
    }

    #[test]
    fn more_is_read_in_windows_that_ascend() {
        let tasks = Tasks((0..500).map(|n| (n * 20, 10_000 - n)).collect());
        let (units, _) = tasks.walk();
        let read = units.concat();
        assert!(read.is_sorted());
        check_all(&tasks, 90);
    }

    #[test]
    fn a_crowd_at_one_end_and_a_desert_before_it() {
        check_all(&Tasks((0..300).map(|n| (9_900 + n / 10, n)).collect()), 120);
    }

    #[test]
    fn one_moment_is_divided_by_date_of_creation() {
        check_all(&Tasks((0..500).map(|n| (5_000, n)).collect()), 250);
    }

    #[test]
    fn one_moment_in_every_respect_is_read_by_offset() {
        let mut tasks: Vec<_> = (0..55).map(|_| (5_000, 700)).collect();
        tasks.extend((0..30).map(|n| (5_000, n)));
        check_all(&Tasks(tasks), 60);
    }

    #[test]
    fn a_search_is_left_for_a_shorter_window_before_its_cursor_leads_too_far() {
        let dates: Vec<_> = (0..5_000).map(|n| n * 100).collect();
        let (mut read, _) = search(&dates);
        read.sort_unstable();
        read.dedup();
        assert_eq!(read, dates);
    }

    #[test]
    fn a_page_is_cut_where_it_ends_or_in_its_middle() {
        let cut_at = |seconds: &[i64]| {
            let dates = seconds.iter().map(|second| at(1_000 * second));
            match cut(dates.collect()) {
                Some(Cut::At(time)) => Some(time.as_millisecond() / 1_000),
                _ => None,
            }
        };
        assert_eq!(cut_at(&[10, 20, 30, 40]), Some(40));
        assert_eq!(cut_at(&[40, 30, 20, 10]), Some(20));
        assert_eq!(cut_at(&[20, 40, 10, 30]), Some(30));
        assert_eq!(cut_at(&[10, 10]), None);
        assert_eq!(cut_at(&[]), None);
    }

    #[test]
    fn out_of_a_part_whose_page_is_of_one_date_that_date_is_cut() {
        let tasks = Tasks((0..30).map(|_| (5_000, 700)).collect());
        let windows = WindowPlan::instant(at(5_000));
        let mut walk = WindowWalk::new(Kind::List(Listed::Tasks), windows, Span::default(), 10);
        let request = walk.next_request().unwrap();
        walk.advance(tasks.answer(&request)).unwrap();
        let Some(Request::List(list)) = walk.next_request() else {
            panic!("no request")
        };
        let before = Span {
            before: Span::instant(at(700)).from,
            ..Span::default()
        };
        assert_eq!(list.created, before);
    }

    #[test]
    fn a_run_that_is_never_complete_is_given_up_after_so_many_passes() {
        let tasks = Tasks((0..25).map(|_| (5_000, 700)).collect());
        let mut walk = WindowWalk::new(
            Kind::List(Listed::Tasks),
            WindowPlan::instant(at(5_000)),
            Span::instant(at(700)),
            10,
        );
        let mut requests = 0;
        let error = loop {
            let request = walk.next_request().unwrap();
            requests += 1;
            // Close says that there are more than it shows.
            let answer = Page {
                total_results: Some(30),
                ..tasks.answer(&request)
            };
            match walk.advance(answer) {
                Ok(_) => assert!(requests < 100),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, PollError::TieRunTooLarge { read: 25, .. }));
        // Three pages a pass.
        assert_eq!(requests, 3 * (MAX_PASSES + 2));
    }

    #[test]
    fn a_run_from_which_some_leave_is_read_again() {
        let mut tasks = Tasks((0..25).map(|_| (5_000, 700)).collect());
        let mut walk = WindowWalk::new(
            Kind::List(Listed::Tasks),
            WindowPlan::instant(at(5_000)),
            Span::instant(at(700)),
            10,
        );
        let mut read = Vec::new();
        while let Some(request) = walk.next_request() {
            read.push(walk.advance(tasks.answer(&request)).unwrap().unwrap().len());
            if read.len() == 1 {
                tasks.0.truncate(20);
            }
        }
        assert_eq!(read, [10, 10, 10, 10]);
    }
}
