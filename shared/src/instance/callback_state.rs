//! How an instance's callback has fared, as its item has it, and what is written of that.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::optional;
use serde::{Deserialize, Serialize};

/// How an instance's callback has fared. Times are stored as milliseconds since 1970. Every member but `waiting` is about the
/// callback URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallbackState {
    /// Notifications that wait for another attempt, about: a crash may count one twice, or not at all.
    pub waiting: i64,
    /// Which URL the rest is about: the instance's `callback_since` when it was noted.
    #[serde(skip_serializing_if = "is_zero")]
    pub since: u64,
    /// When one was last delivered, to the minute while all goes well.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When one last failed.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why it failed: `Status 500`, `Timeout` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reason: Option<String>,
    /// When the first failed since one was last delivered.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Whether the URL has answered that it is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Until then no first attempts are made.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// Until then the URL counts as slow.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub slow_until: Option<Timestamp>,
}

/// What attempts change of a [`CallbackState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackChange {
    /// When it was found.
    pub now: Timestamp,
    /// Which URL was called: the instance's `callback_since`.
    pub since: u64,
    /// Whether what is stored is about another URL.
    pub is_another_url: bool,
    /// The number of those that wait.
    pub waiting: Count,
    /// Whether a delivery is worth noting.
    pub is_delivered: bool,
    /// Why one failed, if one did.
    pub failure: Option<CallbackFailure>,
    /// Whether the URL has answered that it is gone.
    pub is_gone: bool,
    /// Opens the circuit.
    pub open: Option<Open>,
    /// Until when the URL counts as slow, if that is news.
    pub slow_until: Option<Timestamp>,
}

/// A change of a number that others change at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// By so many; not below nothing.
    Add(i64),
    /// What was counted cannot be true any more.
    Set(i64),
}

/// A failure to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackFailure {
    /// Why.
    pub reason: String,
    /// Whether none had failed before, since one was last delivered.
    pub is_first: bool,
}

/// The circuit opens, unless a delivery was noted meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Until when.
    pub until: Timestamp,
    /// Since when all have failed, as it was read.
    pub failing_since: Timestamp,
}

impl CallbackState {
    /// The state of the callback URL that was set with `since`. If this state is about another URL, only `waiting` is kept.
    #[must_use]
    pub fn of(&self, since: u64) -> Self {
        if self.since == since {
            return self.clone();
        }
        Self {
            waiting: self.waiting,
            since,
            ..Self::default()
        }
    }

    /// Whether no first attempts are made.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    /// Whether the URL counts as slow.
    pub fn is_slow(&self, now: Timestamp) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::CallbackState;
    use crate::json::read;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);
    const SINCE: u64 = 3;

    fn later(seconds: i64) -> Timestamp {
        NOW + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn the_circuit_is_open_and_the_url_slow_until_then() {
        let open = |until| CallbackState {
            open_until: Some(until),
            ..CallbackState::default()
        };
        assert!(open(later(1)).is_open(NOW));
        assert!(!open(NOW).is_open(NOW));
        assert!(!CallbackState::default().is_open(NOW));
        let slow = |until| CallbackState {
            slow_until: Some(until),
            ..CallbackState::default()
        };
        assert!(slow(later(1)).is_slow(NOW));
        assert!(!slow(NOW).is_slow(NOW));
        assert!(!CallbackState::default().is_slow(NOW));
    }

    #[test]
    fn what_was_found_of_another_url_is_not_said_of_this_one() {
        let old = CallbackState {
            since: SINCE,
            waiting: 1_500,
            last_failure: Some(later(-1)),
            failing_since: Some(later(-360)),
            gone: true,
            open_until: Some(later(60)),
            slow_until: Some(later(60)),
            ..CallbackState::default()
        };
        let new = CallbackState {
            waiting: 1_500,
            since: SINCE + 1,
            ..CallbackState::default()
        };
        assert_eq!(old.of(SINCE + 1), new);
        assert_eq!(old.of(SINCE), old);
    }

    #[test]
    fn is_stored_in_milliseconds_and_read_with_gaps() {
        let json = json!({"waiting": 2, "lastSuccess": 1_781_870_400_000_i64});
        let state = CallbackState {
            waiting: 2,
            last_success: Some(NOW),
            ..CallbackState::default()
        };
        assert_eq!(serde_json::to_value(&state).unwrap(), json);
        assert_eq!(read::<CallbackState>(&json.to_string()).unwrap(), state);
        assert_eq!(
            read::<CallbackState>("{}").unwrap(),
            CallbackState::default()
        );
    }
}
