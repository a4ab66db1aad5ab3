//! A stretch of time.

use jiff::{SignedDuration, Timestamp};

/// From a moment on, inclusive, and before another, exclusive; either may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The earliest moment.
    pub from: Option<Timestamp>,
    /// The first moment that is no longer part of it.
    pub before: Option<Timestamp>,
}

/// Close's dates have six digits, of which the last three are zero.
pub const RESOLUTION: SignedDuration = SignedDuration::from_millis(1);

impl Span {
    /// The millisecond that `time` is in: the shortest stretch that Close can be asked for.
    pub fn instant(time: Timestamp) -> Self {
        let start = floor(time);
        Self {
            from: Some(start),
            before: start.checked_add(RESOLUTION).ok(),
        }
    }

    /// Whether nothing can lie within.
    pub fn is_empty(&self) -> bool {
        self.from
            .zip(self.before)
            .is_some_and(|(from, before)| before <= from)
    }

    /// Whether `time` lies within.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.before.is_none_or(|before| time < before)
    }
}

/// The start of the millisecond that `time` is in.
pub fn floor(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond())
        .ok()
        .filter(|floor| *floor <= time)
        .unwrap_or_else(|| time.saturating_sub(RESOLUTION).unwrap_or(Timestamp::MIN))
}
