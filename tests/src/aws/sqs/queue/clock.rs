//! A queue's own time: the real one, and whatever a test has put on top of it.

use std::time::Duration;

use tokio::sync::watch;

use crate::plumbing::clock;

/// Milliseconds since 1970, which can be moved forward.
#[derive(Debug, Default)]
pub(crate) struct QueueClock {
    ahead: watch::Sender<i64>,
}

impl QueueClock {
    pub(crate) fn now(&self) -> i64 {
        clock::now().as_millisecond() + self.ahead()
    }

    /// How many milliseconds a test has put on top.
    pub(crate) fn ahead(&self) -> i64 {
        *self.ahead.borrow()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.ahead.send_modify(|ahead| *ahead += milliseconds(span));
    }

    /// Waits until it is `moment`.
    pub(crate) async fn reached(&self, moment: i64) {
        let mut ahead = self.ahead.subscribe();
        while let Ok(rest @ 1..) = u64::try_from(moment - self.now()) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(rest)) => {}
                // The sender is this clock's own, so the channel cannot be closed.
                _ = ahead.changed() => {}
            }
        }
    }
}

/// A span in whole milliseconds.
pub(crate) fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_by_the_time_that_is_put_on_top() {
        let clock = QueueClock::default();
        let tomorrow = clock.now() + 86_400_000;
        let waiting = tokio::time::timeout(Duration::from_secs(5), clock.reached(tomorrow));
        let (reached, ()) = tokio::join!(waiting, async {
            clock.advance(Duration::from_hours(12));
            tokio::task::yield_now().await;
            clock.advance(Duration::from_hours(12));
        });
        assert!(reached.is_ok());
    }
}
