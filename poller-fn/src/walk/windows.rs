//! Cutting a stretch of time into windows that hold about as much as can be read at once.

use jiff::{SignedDuration, Timestamp};
use shared::close::span::{RESOLUTION, Span, floor};

/// The next window is at most this many times as long as the last one.
const MAX_GROWTH: f64 = 4.0;
/// A rest that is longer than a window by no more than this is one window.
const SLACK: f64 = 1.25;
/// The windows of a stretch of time, from its start on. Until one proves too large, the whole is one window.
#[derive(Debug)]
pub struct Windows {
    from: Timestamp,
    before: Option<Timestamp>,
    end: Option<Timestamp>,
    /// Where what Close has ends for now, to judge a window without an end by.
    now: Timestamp,
    is_done: bool,
}

impl Windows {
    /// The windows of `whole`.
    pub fn new(whole: Span, now: Timestamp) -> Self {
        let from = whole.from.unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            from,
            before: whole.before,
            end: whole.before,
            now,
            is_done: whole.before.is_some_and(|before| before <= from),
        }
    }

    /// The window to read, until all were.
    pub fn current(&self) -> Option<Span> {
        let window = || Span {
            from: Some(self.from),
            before: self.before,
        };
        (!self.is_done).then(window)
    }

    /// When the current window starts.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The current window's length, as far as it lies in the past.
    pub fn width(&self) -> SignedDuration {
        let before = self.before.unwrap_or(self.now);
        before.duration_since(self.from).max(RESOLUTION)
    }

    /// Makes the current window smaller: to that part of itself, to half at most. Returns `false` when it is the shortest
    /// there is.
    pub fn shrink(&mut self, part: f64) -> bool {
        if self.before.is_some() && self.width() <= RESOLUTION {
            return false;
        }
        self.before = Some(self.after(self.width().mul_f64(part.clamp(0.0, 0.5))));
        true
    }

    /// Goes on to the next window after the current one, which held `count` where `target` would have been right.
    pub fn finish(&mut self, count: usize, target: usize) {
        let Some(before) = self.before.filter(|_| self.before != self.end) else {
            self.is_done = true;
            return;
        };
        let growth = growth(count, target);
        let step = self.width().mul_f64(growth);
        self.from = before;
        let rest = self.end.unwrap_or(self.now).duration_since(before);
        self.before = if rest <= step.mul_f64(SLACK) {
            self.end
        } else {
            Some(self.after(step))
        };
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
    use shared::close::span::Span;

    use super::super::tests::at;
    use super::Windows;

    fn windows(from: i64, before: Option<i64>, now: i64) -> Windows {
        let whole = Span {
            from: Some(at(from)),
            before: before.map(at),
        };
        Windows::new(whole, at(now))
    }

    fn current(windows: &Windows) -> Option<(i64, Option<i64>)> {
        let span = windows.current()?;
        let millis = |time: jiff::Timestamp| time.as_millisecond();
        Some((millis(span.from?), span.before.map(millis)))
    }

    #[test]
    fn the_whole_is_one_window_until_it_proves_too_large() {
        let mut windows = windows(1_000, None, 2_000);
        assert_eq!(current(&windows), Some((1_000, None)));
        assert!(windows.shrink(0.1));
        assert_eq!(current(&windows), Some((1_000, Some(1_100))));
        windows.finish(50, 100);
        assert_eq!(current(&windows), Some((1_100, Some(1_300))));
        windows.finish(0, 100);
        assert_eq!(current(&windows), Some((1_300, None)));
        windows.finish(1, 100);
        assert_eq!(current(&windows), None);
    }

    #[test]
    fn an_instant_cannot_be_made_smaller() {
        let mut windows = windows(1_000, Some(1_003), 0);
        assert!(windows.shrink(0.9));
        assert_eq!(current(&windows), Some((1_000, Some(1_001))));
        assert!(!windows.shrink(0.5));
    }

    #[test]
    fn an_empty_window_grows_however_little_would_have_been_right() {
        let mut windows = windows(1_000, None, 100_000);
        assert!(windows.shrink(0.0));
        assert_eq!(current(&windows), Some((1_000, Some(1_001))));
        for _ in 0..8 {
            windows.finish(0, 0);
        }
        assert_eq!(current(&windows), Some((22_845, None)));
    }

    #[test]
    fn nothing_between_two_equal_moments() {
        assert_eq!(current(&windows(5, Some(5), 9)), None);
    }

    proptest! {
        #[test]
        fn windows_meet_and_cover_the_whole(
            now in 0..100_000_i64,
            is_open in proptest::bool::ANY,
            acts in prop::collection::vec((0..4_u8, 0.0..1.0_f64, 0..200_usize), 1..100),
        ) {
            let mut windows = windows(0, (!is_open).then_some(now + 1), now);
            let mut covered = 0;
            for (act, part, count) in acts {
                let Some((from, before)) = current(&windows) else { break };
                assert_eq!(from, covered);
                assert!(before.is_none_or(|before| from < before));
                if act == 0 {
                    windows.finish(count, 100);
                    covered = before.unwrap_or(i64::MAX);
                } else {
                    windows.shrink(part);
                }
            }
            if current(&windows).is_none() {
                assert!(covered == i64::MAX || covered == now + 1);
            }
        }
    }
}
