//! Cutting a stretch of time into windows that hold about as much as can be read at once.

use jiff::{SignedDuration, Timestamp};
use shared::close::span::{RESOLUTION, Span, floor};

/// The next window is at most this many times as long as the last one.
const MAX_GROWTH: f64 = 4.0;
/// A window that held so many times less than its target says nothing of the next one.
const SPARSE: usize = 8;
/// A rest that is longer than a window by no more than this is one window.
const SLACK: f64 = 1.25;

/// The windows of a stretch of time, from its start on. Until one proves too large, the whole is one window.
#[derive(Debug)]
pub struct WindowPlan {
    from: Timestamp,
    before: Timestamp,
    end: Timestamp,
    /// Moments at which records are known to begin or to end, the nearest last.
    marks: Vec<Timestamp>,
    follows_silence: bool,
}

impl WindowPlan {
    /// The windows from a moment on and before another.
    pub fn new(from: Timestamp, end: Timestamp) -> Self {
        Self {
            from,
            before: end,
            end,
            marks: Vec::new(),
            follows_silence: false,
        }
    }

    /// The millisecond that `time` is in.
    pub fn instant(time: Timestamp) -> Self {
        let from = floor(time);
        Self::new(
            from,
            from.saturating_add(RESOLUTION).unwrap_or(Timestamp::MAX),
        )
    }

    /// The window to read, until all were.
    pub fn current(&self) -> Option<Span> {
        let window = || Span {
            from: Some(self.from),
            before: Some(self.before),
        };
        (!self.is_done()).then(window)
    }

    /// Whether all were read.
    pub fn is_done(&self) -> bool {
        self.end <= self.from
    }

    /// When the current window starts.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Where the last window ends.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// The current window's length.
    pub fn width(&self) -> SignedDuration {
        self.before.duration_since(self.from).max(RESOLUTION)
    }

    /// Makes the current window smaller: to that part of itself, to half at most. Returns `false` when it is the shortest
    /// there is.
    pub fn shrink(&mut self, part: f64) -> bool {
        if self.width() <= RESOLUTION {
            return false;
        }
        self.before = self.after(self.width().mul_f64(part.clamp(0.0, 0.5)));
        true
    }

    /// Makes the current window end sooner. Returns `false` when that would be no sooner, or leave nothing of it.
    pub fn shorten(&mut self, end: Timestamp) -> bool {
        let end = floor(end);
        let is_shorter = self.after(SignedDuration::ZERO) <= end && end < self.before;
        if is_shorter {
            self.before = end;
        }
        is_shorter
    }

    /// Where the current window ends, if there is another behind it.
    pub fn before(&self) -> Option<Timestamp> {
        (self.before < self.end).then_some(self.before)
    }

    /// Whether the window before the current one held next to nothing, which says nothing of the current one.
    pub fn follows_silence(&self) -> bool {
        self.follows_silence
    }

    /// Marks the oldest and the newest date of records that were read at the end of the current window and are read again
    /// later. A window of next to nothing is followed by one up to the next mark: the end of what comes last is one.
    pub fn mark(&mut self, oldest: Timestamp, newest: Timestamp) {
        let behind = floor(newest).saturating_add(RESOLUTION);
        let behind = behind.unwrap_or(Timestamp::MAX);
        self.marks.extend([floor(oldest), behind, self.end]);
        self.marks.sort_unstable_by(|one, other| other.cmp(one));
        self.marks.dedup();
    }

    /// Goes on to the next window after the current one, which held `count` where `target` would have been right.
    pub fn finish(&mut self, count: usize, target: usize) {
        self.finish_within(self.width(), count, target);
    }

    /// The same, where all that the window held was within a stretch of that length.
    pub fn finish_within(&mut self, width: SignedDuration, count: usize, target: usize) {
        let width = width.min(self.width()).max(RESOLUTION);
        let step = width.mul_f64(growth(count, target));
        self.from = self.before;
        let rest = self.end.duration_since(self.from);
        self.before = if rest <= step.mul_f64(SLACK) {
            self.end
        } else {
            self.after(step).min(self.end)
        };
        self.follows_silence = count.saturating_mul(SPARSE) < target;
        while self.marks.last().is_some_and(|mark| *mark <= self.from) {
            self.marks.pop();
        }
        if let Some(mark) = self.marks.last().filter(|_| self.follows_silence) {
            self.before = (*mark).min(self.end);
        }
    }

    /// The moment that far behind the start of the window, but always behind it.
    fn after(&self, width: SignedDuration) -> Timestamp {
        let end = self.from.saturating_add(width).unwrap_or(Timestamp::MAX);
        let first = floor(self.from).saturating_add(RESOLUTION);
        floor(end).max(first.unwrap_or(Timestamp::MAX))
    }
}

/// By how much longer the next window is. An empty one says only that it was too short, whatever would have been right.
#[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
fn growth(count: usize, target: usize) -> f64 {
    if count == 0 {
        MAX_GROWTH
    } else {
        (target as f64 / count as f64).min(MAX_GROWTH)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::super::tests::at;
    use super::WindowPlan;

    fn windows(from: i64, end: i64) -> WindowPlan {
        WindowPlan::new(at(from), at(end))
    }

    fn current(windows: &WindowPlan) -> Option<(i64, i64)> {
        let span = windows.current()?;
        Some((span.from?.as_millisecond(), span.before?.as_millisecond()))
    }

    #[test]
    fn the_whole_is_one_window_until_it_proves_too_large() {
        let mut windows = windows(1_000, 2_000);
        assert_eq!(current(&windows), Some((1_000, 2_000)));
        assert!(windows.shrink(0.1));
        assert_eq!(current(&windows), Some((1_000, 1_100)));
        windows.finish(50, 100);
        assert_eq!(current(&windows), Some((1_100, 1_300)));
        windows.finish(0, 100);
        assert_eq!(current(&windows), Some((1_300, 2_000)));
        windows.finish(1, 100);
        assert_eq!(current(&windows), None);
    }

    #[test]
    fn an_instant_cannot_be_made_smaller() {
        let mut windows = windows(1_000, 1_003);
        assert!(windows.shrink(0.9));
        assert_eq!(current(&windows), Some((1_000, 1_001)));
        assert!(!windows.shrink(0.5));
    }

    #[test]
    fn a_window_ends_sooner_only_within_itself() {
        for (end, before) in [
            (1_500, 1_500),
            (1_001, 1_001),
            (1_000, 2_000),
            (2_000, 2_000),
            (3_000, 2_000),
        ] {
            let mut windows = windows(1_000, 4_000);
            windows.shrink(0.5);
            windows.shorten(at(2_000));
            assert_eq!(windows.shorten(at(end)), before < 2_000, "{end}");
            assert_eq!(current(&windows), Some((1_000, before)), "{end}");
        }
    }

    #[test]
    fn a_window_of_an_eighth_of_its_target_tells_of_the_next_and_one_of_less_does_not() {
        for (count, follows_silence) in [(99, true), (100, false)] {
            let mut windows = windows(1_000, 100_000);
            windows.shrink(0.1);
            windows.finish(count, 800);
            assert_eq!(windows.follows_silence(), follows_silence, "{count}");
        }
    }

    #[test]
    fn an_empty_window_grows_however_little_would_have_been_right() {
        let mut windows = windows(1_000, 100_000);
        assert!(windows.shrink(0.0));
        assert_eq!(current(&windows), Some((1_000, 1_001)));
        for _ in 0..8 {
            windows.finish(0, 0);
        }
        assert_eq!(current(&windows), Some((22_845, 100_000)));
    }

    #[test]
    fn nothing_between_two_equal_moments() {
        assert_eq!(current(&windows(5, 5)), None);
    }

    proptest! {
        #[test]
        fn windows_meet_and_cover_the_whole(
            end in 1..100_000_i64,
            acts in prop::collection::vec((0..4_u8, 0.0..1.0_f64, 0..200_usize), 1..100),
        ) {
            let mut windows = windows(0, end);
            let mut covered = 0;
            for (act, part, count) in acts {
                let Some((from, before)) = current(&windows) else { break };
                assert_eq!(from, covered);
                assert!(from < before && before <= end);
                if act == 0 {
                    windows.finish(count, 100);
                    covered = before;
                } else {
                    windows.shrink(part);
                }
            }
            if current(&windows).is_none() {
                assert_eq!(covered, end);
            }
        }
    }
}
