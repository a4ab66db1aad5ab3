//! The time within one invocation.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// One reading of the system's clock, carried forward by the monotonic one, so that a stepped clock cannot bend an
/// invocation.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Timestamp,
    since: Instant,
}

impl Clock {
    /// Reads the system's clock. Call it once per invocation and pass the value down.
    pub fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the clock"
        )]
        let started = Timestamp::now();
        Self::at(started)
    }

    /// A clock that shows `started` now.
    pub fn at(started: Timestamp) -> Self {
        Self {
            started,
            since: Instant::now(),
        }
    }

    /// When the invocation began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.started
            .saturating_add(elapsed)
            .unwrap_or(Timestamp::MAX)
    }

    /// The monotonic instant at which [`Self::now`] will be `time`; now, when that has passed.
    pub fn instant_at(&self, time: Timestamp) -> Instant {
        let ahead = time.duration_since(self.now());
        Instant::now() + std::time::Duration::try_from(ahead).unwrap_or_default()
    }
}
