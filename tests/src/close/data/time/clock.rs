//! Close's clock: the real one, moved by a skew.

use jiff::{SignedDuration, Timestamp};

/// The one place that reads the time of day.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    skew: SignedDuration,
}

impl Clock {
    /// The time in whole milliseconds, as objects and events are stamped.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.now_micros();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// The time in whole microseconds, as webhook subscriptions are stamped.
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulator stands in for Close, whose clock is the real one"
    )]
    pub(crate) fn now_micros(&self) -> Timestamp {
        let now = Timestamp::now() + self.skew;
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Sets how far this clock is ahead of the real one.
    pub(crate) fn set_skew(&mut self, skew: SignedDuration) {
        self.skew = skew;
    }
}
