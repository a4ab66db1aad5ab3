//! What was learned of callbacks just now, by this sandbox.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::instance::id::InstanceId;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::reason::Reason;

/// Shorter than the first wait, so that a retry is an attempt again. In that time a sandbox can go through hundreds of a dead
/// callback's messages, instead of one in 15 s.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// Attempts that need not be made again at once: a URL that did not answer in time, or that is gone.
#[derive(Debug, Default)]
pub struct Recent(Mutex<HashMap<InstanceId, RecentAttempt>>);

#[derive(Debug)]
struct RecentAttempt {
    since: u64,
    attempt: Attempt,
    until: Instant,
}

impl Recent {
    /// How an attempt would end at the URL that was set with `since`.
    pub fn recall(&self, id: InstanceId, since: u64, now: Instant) -> Option<Attempt> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = attempts.get(&id)?;
        (now < recent.until && recent.since == since).then_some(recent.attempt)
    }

    /// Remembers how an attempt at the URL that was set with `since` has ended, if that tells of others.
    pub fn remember(&self, id: InstanceId, since: u64, attempt: Attempt, now: Instant) {
        let tells = matches!(
            attempt,
            Attempt::Failed {
                reason: Reason::Timeout,
                ..
            } | Attempt::Refused(Reason::Gone)
        );
        if !tells {
            return;
        }
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, recent| now < recent.until);
        let recent = RecentAttempt {
            since,
            attempt,
            until: now + REMEMBERED_FOR,
        };
        attempts.insert(id, recent);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{REMEMBERED_FOR, Recent};
    use crate::callback::attempt::Attempt;
    use crate::callback::reason::Reason;

    fn failed(reason: Reason) -> Attempt {
        Attempt::Failed {
            reason,
            retry_after: None,
        }
    }

    #[test]
    fn a_callback_that_timed_out_is_spared_for_a_moment() {
        let (recent, now) = (Recent::default(), Instant::now());
        let id = |id: u64| id.try_into().unwrap();
        let timeout = failed(Reason::Timeout);
        recent.remember(id(1), 3, timeout, now);
        let later = now + REMEMBERED_FOR / 2;
        assert_eq!(recent.recall(id(1), 3, later), Some(timeout));
        assert_eq!(recent.recall(id(1), 3, now + REMEMBERED_FOR), None);
        assert_eq!(recent.recall(id(2), 3, later), None);
        assert_eq!(recent.recall(id(1), 4, later), None);
    }

    #[test]
    fn one_that_answered_is_not() {
        let (recent, now) = (Recent::default(), Instant::now());
        let id = 1.try_into().unwrap();
        for attempt in [Attempt::Delivered, failed(Reason::Status(500))] {
            recent.remember(id, 3, attempt, now);
            assert_eq!(recent.recall(id, 3, now), None);
        }
        recent.remember(id, 3, Attempt::Refused(Reason::Gone), now);
        assert!(recent.recall(id, 3, now).is_some());
    }
}
