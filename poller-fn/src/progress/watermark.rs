//! How far the polling of one resource has come.
//!
//! The invariant: **everything dated up to the watermark that was visible when it was read has been published, and what
//! becomes visible within the overlap behind it still will be.**

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::event::id::EventId;
use shared::store::watermarks::{Commit, StoredPosition, StoredResource};

use crate::progress::seen::Seen;

/// A record dated further ahead than clocks differ has a date that somebody made up.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);
/// Of the records in the overlap so many are read again by each poll; of more, only those that may not have shown
/// themselves yet. Otherwise a poll that continues a long backlog would spend its time on what is known.
const READ_AGAIN: usize = 1_000;

/// The watermark of one resource during one poll.
#[derive(Debug)]
pub struct Watermark {
    position: Timestamp,
    start: Timestamp,
    /// What is dated before this was not asked for; Close ignores a filter that it does not know.
    read_from: Timestamp,
    /// Where the next poll begins at the earliest, if that is no longer the whole overlap before the watermark.
    floor: Option<Timestamp>,
    /// The dates of the records that this poll has handled last, and the date of those before them.
    last: VecDeque<Timestamp>,
    behind: Option<Timestamp>,
    /// What is dated from here on is not wanted.
    end: Option<Timestamp>,
    /// How long before its start this poll ends.
    held_back: SignedDuration,
    /// As long as a change may show itself late where the resource was read until now, and where it is read now.
    overlap: SignedDuration,
    configured_overlap: SignedDuration,
    first_window_end: Option<Timestamp>,
    is_stored: bool,
    is_moved: bool,
    seen: Seen,
    forgotten: usize,
}

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Publish its event: it is new.
    Publish,
    /// Nothing: it was published, or is older than the instance.
    Done,
    /// Leave it to the next poll: it is dated at or after the start of this one.
    Leave,
}

impl Watermark {
    /// The watermark as stored; or at `start`, when the resource was never polled.
    pub fn restore(stored: StoredResource, start: Timestamp, overlap: Duration) -> Self {
        let is_stored = stored.position.is_some();
        let configured_overlap = SignedDuration::try_from(overlap).unwrap_or(SignedDuration::MAX);
        let at = |micros| Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN);
        let stored_position = stored.position.as_ref();
        let position = stored_position.map_or(start, |stored| at(stored.watermark));
        let floor = stored_position.and_then(|stored| stored.floor).map(at);
        let before_now = stored_position.and_then(|stored| stored.overlap);
        let before_now = before_now.map(SignedDuration::from_micros);
        let overlap = before_now.map_or(configured_overlap, |it| it.max(configured_overlap));
        let start = stored_position.map_or(start, |stored| at(stored.start));
        Self {
            position,
            start,
            read_from: latest(before(position, overlap), floor).max(start),
            floor,
            last: VecDeque::new(),
            behind: None,
            end: None,
            held_back: SignedDuration::ZERO,
            overlap,
            configured_overlap,
            first_window_end: stored_position
                .and_then(|stored| stored.first_window_end)
                .map(at),
            is_stored,
            is_moved: false,
            seen: Seen::restore(stored.chunks),
            forgotten: 0,
        }
    }

    /// Leaves alone what is dated from `end` on.
    pub fn end_at(&mut self, end: Timestamp) {
        self.end = Some(end);
    }

    /// Has the poll end so long before its start.
    pub fn hold_back(&mut self, held_back: Duration) {
        self.held_back = SignedDuration::try_from(held_back).unwrap_or(SignedDuration::MAX);
    }

    /// Begins at `start`, if the watermark is not beyond it: what is dated before is not wanted any more.
    pub fn start_from(&mut self, start: Timestamp) {
        // The watermark is stored in whole microseconds.
        if self.position.as_microsecond() < start.as_microsecond() {
            self.skip_to(start);
            self.floor = Some(start);
            self.read_from = start;
        }
    }

    /// The largest date that was read and handled.
    pub fn position(&self) -> Timestamp {
        self.position
    }

    /// The earliest date that this poll reads, inclusive: a little before the watermark, for what became visible late.
    pub fn read_from(&self) -> Timestamp {
        self.read_from
    }

    /// Where this poll's first window ends, if the last poll was interrupted within one.
    pub fn first_window_end(&self) -> Option<Timestamp> {
        self.first_window_end
    }

    /// Notes where a poll that began at `started` was interrupted: behind everything dated before `frontier`, in a window of
    /// which the next poll reads what is dated before `window_end`. Returns whether that is to be stored.
    pub fn interrupt(
        &mut self,
        frontier: Option<Timestamp>,
        window_end: Option<Timestamp>,
        started: Timestamp,
    ) -> bool {
        let is_moved = self.first_window_end != window_end;
        self.first_window_end = window_end;
        let settled = frontier.map(|frontier| frontier.min(before(started, self.overlap)));
        let has_settled = self.move_floor(settled);
        self.is_moved |= is_moved;
        is_moved || has_settled
    }

    /// Notes that a window was read to its end.
    pub fn finish_window(&mut self) {
        self.is_moved |= self.first_window_end.take().is_some();
    }

    /// Notes that everything from [`Self::read_from`] on was read: from here on the configured overlap will do, also where
    /// the last poll had a larger one.
    pub fn reached_end(&mut self) {
        self.is_moved |= self.overlap != self.configured_overlap;
        self.overlap = self.configured_overlap;
    }

    /// Whether the event `id` was published.
    pub fn has_seen(&self, id: EventId) -> bool {
        self.seen.contains(id)
    }

    /// What to do with the event `id` dated `date`, in a poll that ends at `until`. One without a date is published unless
    /// it was.
    pub fn judge(&self, id: EventId, date: Option<Timestamp>, until: Timestamp) -> Verdict {
        let is_before = |time| date.is_some_and(|date| date < time);
        if is_before(self.start) || is_before(self.read_from) || self.has_seen(id) {
            Verdict::Done
        } else if self
            .end
            .is_some_and(|end| date.is_some_and(|date| end <= date))
        {
            Verdict::Leave
        } else if date.is_none_or(|date| date < until || self.is_of_the_future(date, until)) {
            Verdict::Publish
        } else {
            Verdict::Leave
        }
    }

    fn is_of_the_future(&self, date: Timestamp, until: Timestamp) -> bool {
        FUTURE.saturating_add(self.held_back) < date.duration_since(until)
    }

    /// Notes that the event was published. One of the future, or without a date, is remembered but moves nothing.
    pub fn published(&mut self, id: EventId, date: Option<Timestamp>, until: Timestamp) {
        self.seen.insert(id, date);
        self.handled(date, until);
    }

    /// Notes that a record was read and needs nothing more. Precondition: everything dated earlier has been read.
    pub fn handled(&mut self, date: Option<Timestamp>, until: Timestamp) {
        let Some(date) = date.filter(|date| *date < until) else {
            return;
        };
        if self.position < date {
            self.position = date;
            self.is_moved = true;
        }
        self.last.push_back(date);
        if READ_AGAIN < self.last.len() {
            self.behind = self.behind.max(self.last.pop_front());
        }
    }

    /// Settles what was read by a poll that began at `started`: but for the last thousand records, what was more than
    /// the overlap old by then is not read again, for it can no longer show itself late.
    pub fn settle(&mut self, started: Timestamp) {
        self.move_floor(self.behind.min(Some(before(started, self.overlap))));
    }

    fn move_floor(&mut self, settled: Option<Timestamp>) -> bool {
        let is_later = Some(self.next_read_from()) < settled;
        if is_later {
            self.floor = settled;
            self.is_moved = true;
        }
        is_later
    }

    /// Where the next poll begins.
    fn next_read_from(&self) -> Timestamp {
        latest(before(self.position, self.overlap), self.floor)
    }

    /// Moves the watermark to `date`, where it is known that nothing lies between: there is no more of it at Close, or
    /// nothing was.
    pub fn skip_to(&mut self, date: Timestamp) {
        self.handled(Some(date), Timestamp::MAX);
    }

    /// How many ids were forgotten too early, since this was asked.
    pub fn take_forgotten(&mut self) -> usize {
        std::mem::take(&mut self.forgotten)
    }

    /// Whether there is anything to store.
    pub fn is_changed(&self) -> bool {
        !self.is_stored || self.is_moved || self.seen.is_changed()
    }

    /// What to store of the work since the last commit.
    pub fn take_commit(&mut self, resource: &str) -> Commit {
        self.seen.forget_before(self.next_read_from());
        let forgotten = self.seen.shrink_to_capacity();
        if forgotten != 0 {
            tracing::warn!(
                resource,
                forgotten,
                "too many changes inside the overlap: some may be published again, with their ids"
            );
            self.forgotten += forgotten;
        }
        let (put_chunks, delete_chunks) = self.seen.take_changes();
        (self.is_stored, self.is_moved) = (true, false);
        let position = StoredPosition {
            watermark: self.position.as_microsecond(),
            start: self.start.as_microsecond(),
            floor: self.floor.map(Timestamp::as_microsecond),
            overlap: i64::try_from(self.overlap.as_micros()).ok(),
            first_window_end: self.first_window_end.map(Timestamp::as_microsecond),
        };
        Commit {
            resource: resource.to_owned(),
            position,
            put_chunks,
            delete_chunks,
            backfill: None,
            fields: None,
        }
    }
}

fn before(position: Timestamp, overlap: SignedDuration) -> Timestamp {
    position.saturating_sub(overlap).unwrap_or(Timestamp::MIN)
}

fn latest(from: Timestamp, floor: Option<Timestamp>) -> Timestamp {
    floor.map_or(from, |floor| floor.max(from))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use shared::event::id::EventId;
    use shared::store::watermarks::{Commit, StoredPosition, StoredResource};

    use super::{Verdict, Watermark};

    const OVERLAP: Duration = Duration::from_mins(10);
    const ID: EventId = EventId([1; 16]);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A watermark at 10,000 s of an instance that began at 9,000 s.
    fn watermark() -> Watermark {
        let position = Some(StoredPosition {
            watermark: 10_000_000_000,
            start: 9_000_000_000,
            floor: None,
            overlap: None,
            first_window_end: None,
        });
        Watermark::restore(
            StoredResource {
                position,
                ..StoredResource::default()
            },
            at(0),
            OVERLAP,
        )
    }

    fn stored(commit: &Commit) -> Watermark {
        let stored = StoredResource {
            position: Some(commit.position),
            chunks: commit.put_chunks.clone(),
            fields: None,
        };
        Watermark::restore(stored, at(0), OVERLAP)
    }

    #[test]
    fn reads_the_overlap_again_and_publishes_nothing_twice() {
        let mut watermark = watermark();
        assert_eq!(watermark.read_from(), at(9_400));
        assert_eq!(
            watermark.judge(ID, Some(at(9_400)), at(20_000)),
            Verdict::Publish
        );
        watermark.published(ID, Some(at(9_400)), at(20_000));
        let commit = watermark.take_commit("contacts");
        assert_eq!(commit.position.watermark, 10_000_000_000);
        assert_eq!(
            stored(&commit).judge(ID, Some(at(9_400)), at(30_000)),
            Verdict::Done
        );
    }

    #[test]
    fn a_poll_that_holds_back_leaves_what_is_new_and_not_what_is_of_the_future() {
        let mut watermark = watermark();
        watermark.hold_back(Duration::from_mins(10));
        let judge = |second| watermark.judge(ID, Some(at(second)), at(19_400));
        assert_eq!(judge(19_399), Verdict::Publish);
        assert_eq!(judge(19_400), Verdict::Leave);
        assert_eq!(judge(20_300), Verdict::Leave);
        assert_eq!(judge(20_301), Verdict::Publish);
    }

    #[test]
    fn a_later_start_leaves_out_what_is_older_and_an_earlier_one_changes_nothing() {
        let mut watermark = watermark();
        watermark.start_from(at(9_999));
        assert_eq!(watermark.read_from(), at(9_400));
        assert!(!watermark.is_changed());
        watermark.start_from(at(12_000));
        assert_eq!(watermark.read_from(), at(12_000));
        let stored = stored(&watermark.take_commit("webhooks#log"));
        assert_eq!(stored.read_from(), at(12_000));
    }

    #[test]
    fn a_record_exactly_at_the_watermark_is_published() {
        assert_eq!(
            watermark().judge(ID, Some(at(10_000)), at(20_000)),
            Verdict::Publish
        );
    }

    #[test]
    fn what_is_dated_from_the_start_of_the_poll_on_waits_for_the_next_and_moves_nothing() {
        let mut watermark = watermark();
        assert_eq!(
            watermark.judge(ID, Some(at(19_999)), at(20_000)),
            Verdict::Publish
        );
        assert_eq!(
            watermark.judge(ID, Some(at(20_000)), at(20_000)),
            Verdict::Leave
        );
        assert_eq!(
            watermark.judge(ID, Some(at(20_300)), at(20_000)),
            Verdict::Leave
        );
        watermark.handled(Some(at(20_000)), at(20_000));
        assert_eq!(watermark.position(), at(10_000));
    }

    #[test]
    fn the_future_is_published_once_and_never_moves_the_watermark() {
        let mut watermark = watermark();
        assert_eq!(
            watermark.judge(ID, Some(at(20_301)), at(20_000)),
            Verdict::Publish
        );
        watermark.published(ID, Some(at(20_301)), at(20_000));
        assert_eq!(
            watermark.judge(ID, Some(at(20_301)), at(20_000)),
            Verdict::Done
        );
        assert_eq!(watermark.position(), at(10_000));
        let commit = watermark.take_commit("contacts");
        assert_eq!(
            stored(&commit).judge(ID, Some(at(20_301)), at(20_400)),
            Verdict::Done
        );
    }

    #[test]
    fn what_is_older_than_the_instance_is_not_ours() {
        let new = Watermark::restore(StoredResource::default(), at(9_000), OVERLAP);
        assert_eq!(new.judge(ID, Some(at(8_999)), at(20_000)), Verdict::Done);
        assert_eq!(new.judge(ID, Some(at(9_000)), at(20_000)), Verdict::Publish);
    }

    #[test]
    fn what_was_not_asked_for_is_not_published() {
        assert_eq!(
            watermark().judge(ID, Some(at(9_399)), at(20_000)),
            Verdict::Done
        );
    }

    #[test]
    fn a_record_without_a_date_is_published_once_and_moves_nothing() {
        let mut watermark = watermark();
        assert_eq!(watermark.judge(ID, None, at(20_000)), Verdict::Publish);
        watermark.published(ID, None, at(20_000));
        assert_eq!(watermark.position(), at(10_000));
        let commit = watermark.take_commit("contacts");
        assert_eq!(stored(&commit).judge(ID, None, at(30_000)), Verdict::Done);
    }

    #[test]
    fn a_first_poll_stores_where_it_began_and_an_idle_one_stores_nothing() {
        let mut first = Watermark::restore(StoredResource::default(), at(9_000), OVERLAP);
        assert!(first.is_changed());
        let commit = first.take_commit("contacts");
        assert_eq!(
            commit.position,
            StoredPosition {
                watermark: 9_000_000_000,
                start: 9_000_000_000,
                floor: None,
                overlap: Some(600_000_000),
                first_window_end: None,
            }
        );
        assert!(!first.is_changed() && !watermark().is_changed());
    }

    /// Publishes 3,000 changes, one each millisecond from 10,000 s on, in a poll that began at `started`.
    fn bulk(watermark: &mut Watermark, started: Timestamp) -> Commit {
        for number in 1..=3_000 {
            watermark.published(nth(number), Some(after(number)), started);
        }
        watermark.settle(started);
        watermark.take_commit("contacts")
    }

    fn nth(number: i64) -> EventId {
        EventId(i128::from(number).to_be_bytes())
    }

    fn after(millis: i64) -> Timestamp {
        at(10_000) + SignedDuration::from_millis(millis)
    }

    #[test]
    fn of_many_old_records_the_last_thousand_are_read_again() {
        let next = stored(&bulk(&mut watermark(), at(20_000)));
        assert_eq!(next.read_from(), after(2_000));
        let judge = |number| next.judge(nth(number), Some(after(number)), at(30_000));
        assert_eq!([2_000, 3_000].map(judge), [Verdict::Done; 2]);
    }

    #[test]
    fn what_may_still_show_itself_is_read_again_however_much_it_is() {
        let next = stored(&bulk(&mut watermark(), after(601_000)));
        assert_eq!(next.read_from(), after(1_000));
        let next = stored(&bulk(&mut watermark(), at(10_010)));
        assert_eq!(next.read_from(), at(9_410));
    }

    #[test]
    fn a_larger_overlap_holds_until_everything_was_read_with_it() {
        let commit = watermark().take_commit("contacts");
        let restore = |commit: &Commit| {
            let stored = StoredResource {
                position: Some(commit.position),
                ..StoredResource::default()
            };
            Watermark::restore(stored, at(0), OVERLAP / 2)
        };
        let mut switched = restore(&commit);
        assert_eq!(switched.read_from(), at(9_400));
        let interrupted = restore(&switched.take_commit("contacts"));
        assert_eq!(interrupted.read_from(), at(9_400));
        switched.reached_end();
        assert!(switched.is_changed());
        let next = restore(&switched.take_commit("contacts"));
        assert_eq!(next.read_from(), at(9_700));
    }

    #[test]
    fn where_the_first_window_ends_is_stored_and_forgotten() {
        let mut interrupted = watermark();
        interrupted.take_commit("contacts");
        assert!(interrupted.interrupt(None, Some(at(11_000)), at(20_000)));
        assert!(interrupted.is_changed());
        assert!(!interrupted.interrupt(None, Some(at(11_000)), at(20_000)));
        let mut next = stored(&interrupted.take_commit("contacts"));
        assert_eq!(next.first_window_end(), Some(at(11_000)));
        next.finish_window();
        assert!(next.is_changed());
        let next = stored(&next.take_commit("contacts"));
        assert_eq!(next.first_window_end(), None);
    }

    #[test]
    fn an_interruption_where_the_poll_began_stores_nothing() {
        let mut watermark = watermark();
        assert!(!watermark.interrupt(Some(at(9_400)), None, at(20_000)));
        assert!(!watermark.is_changed());
    }

    #[test]
    fn what_the_next_poll_does_not_read_is_forgotten() {
        let mut watermark = watermark();
        watermark.published(nth(1), Some(at(9_500)), at(20_000));
        watermark.published(nth(2), Some(at(12_000)), at(20_000));
        let commit = watermark.take_commit("contacts");
        assert_eq!(commit.put_chunks[0].1.len(), 24);
        let next = stored(&commit);
        assert!(next.has_seen(nth(2)) && !next.has_seen(nth(1)));
    }

    #[test]
    fn what_is_forgotten_too_early_is_counted_once() {
        let mut watermark = watermark();
        for number in 0..=200_000 {
            watermark.published(nth(number), Some(at(10_000)), at(20_000));
        }
        watermark.take_commit("contacts");
        assert_eq!(watermark.take_forgotten(), 1_000);
        watermark.take_commit("contacts");
        assert_eq!(watermark.take_forgotten(), 0);
    }

    #[test]
    fn a_skip_moves_the_watermark() {
        let mut watermark = watermark();
        watermark.skip_to(at(11_000));
        assert_eq!(watermark.position(), at(11_000));
        assert!(watermark.is_changed());
    }

    #[test]
    fn what_an_interrupted_poll_has_read_is_read_again_only_if_it_may_still_show_itself() {
        let read_from = |frontier, started| {
            let mut watermark = watermark();
            watermark.interrupt(Some(at(frontier)), None, at(started));
            stored(&watermark.take_commit("contacts")).read_from()
        };
        assert_eq!(read_from(9_900, 20_000), at(9_900));
        assert_eq!(read_from(9_900, 10_400), at(9_800));
        assert_eq!(read_from(9_900, 9_950), at(9_400));
    }

    #[test]
    fn what_settles_while_it_is_read_again_is_stored_though_nothing_is_new() {
        let mut next = stored(&bulk(&mut watermark(), at(10_010)));
        for number in 1..=3_000 {
            next.handled(Some(after(number)), at(20_000));
        }
        assert!(!next.is_changed());
        next.settle(at(20_000));
        assert!(next.is_changed());
        let next = stored(&next.take_commit("contacts"));
        assert_eq!(next.read_from(), after(2_000));
    }

    #[test]
    fn the_watermark_never_moves_back() {
        let mut watermark = watermark();
        watermark.published(ID, Some(at(9_500)), at(20_000));
        assert_eq!(watermark.position(), at(10_000));
        watermark.handled(Some(at(12_000)), at(20_000));
        assert_eq!(watermark.position(), at(12_000));
    }

    #[test]
    fn what_is_dated_behind_the_end_is_left_alone_however_far() {
        let mut backfill = watermark();
        backfill.end_at(at(12_000));
        assert_eq!(
            backfill.judge(ID, Some(at(11_999)), at(20_000)),
            Verdict::Publish
        );
        for second in [12_000, 30_000] {
            assert_eq!(
                backfill.judge(ID, Some(at(second)), at(20_000)),
                Verdict::Leave
            );
        }
    }
}
