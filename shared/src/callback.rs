//! How the notifications to an instance's callback URL fare, and when they are held back.

use jiff::fmt::serde::timestamp::millisecond::optional;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

/// While so many notifications wait, a failure stops further ones for [`OPEN_FOR`].
const MAX_WAITING: i64 = 1_000;
/// Then one may show whether the callback is back.
const OPEN_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Deliveries that change nothing are noted no more often, for each note is a write.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// No notification waits longer than 12 h for its next attempt, so one that waits has failed within a day.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What is remembered of an instance's callback. Times are stored as milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallbackState {
    /// Notifications that wait for another attempt, about: a crash may count one twice, or not at all.
    pub waiting: i64,
    /// When one was last delivered, to the minute while all goes well.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When one last failed.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why it failed: `Status 500`, `Timeout` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reason: Option<String>,
    /// The URL that has answered that it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_url: Option<String>,
    /// Until then no first attempts are made, because too many wait for another one.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
}

/// What some attempts have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackNote {
    /// Notifications that wait now and did not before, less those that wait no more.
    pub waiting: i64,
    /// Whether one was delivered.
    pub is_delivered: bool,
    /// Why one failed, if one did.
    pub failure: Option<String>,
    /// The URL that has answered that it is gone.
    pub gone_url: Option<String>,
}

/// What of that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackChange {
    /// When it was found.
    pub now: Timestamp,
    /// The number of those that wait.
    pub waiting: Count,
    /// Whether a delivery is worth noting.
    pub is_delivered: bool,
    /// Why one failed, if one did.
    pub failure: Option<String>,
    /// The URL that has answered that it is gone.
    pub gone_url: Option<String>,
    /// What becomes of [`CallbackState::open_until`].
    pub circuit: Circuit,
}

/// A change of a number that others change at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// By so many.
    Add(i64),
    /// What was counted cannot be true any more.
    Set(i64),
}

/// A change of whether first attempts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// It stays as it is.
    Keep,
    /// None until then.
    Open(Timestamp),
    /// All are made.
    Close,
}

impl CallbackState {
    /// Whether `url` has answered that it is gone.
    pub fn is_gone(&self, url: &Url) -> bool {
        self.gone_url.as_deref() == Some(url.as_str())
    }

    /// Whether no first attempts are made.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    /// What is to be written of what some attempts have shown, if anything.
    pub fn change(&self, note: CallbackNote, now: Timestamp) -> Option<CallbackChange> {
        let (waiting, total) = self.count(note.waiting, now);
        let change = CallbackChange {
            now,
            waiting,
            is_delivered: note.is_delivered && self.is_news(now),
            circuit: self.circuit(&note, total, now),
            failure: note.failure,
            gone_url: note.gone_url,
        };
        let is_nothing = change.waiting == Count::Add(0)
            && change.circuit == Circuit::Keep
            && !change.is_delivered
            && change.failure.is_none()
            && change.gone_url.is_none();
        (!is_nothing).then_some(change)
    }

    /// How the number of those that wait changes, and what it is then. It does not fall below nothing: what is put into the
    /// retry queue by hand was never counted.
    fn count(&self, more: i64, now: Timestamp) -> (Count, i64) {
        let is_stale = |failure| STALE_AFTER < now.duration_since(failure);
        if 0 < self.waiting && self.last_failure.is_some_and(is_stale) {
            let total = more.max(0);
            return (Count::Set(total), total);
        }
        let more = more.max(-self.waiting.max(0));
        (Count::Add(more), self.waiting + more)
    }

    /// Whether a delivery says more than what is known.
    fn is_news(&self, now: Timestamp) -> bool {
        let is_old = |success| NOTE_EVERY <= now.duration_since(success);
        self.last_success.is_none_or(is_old) || self.last_success <= self.last_failure
    }

    fn circuit(&self, note: &CallbackNote, waiting: i64, now: Timestamp) -> Circuit {
        if note.is_delivered {
            let is_set = self.open_until.is_some();
            return if is_set {
                Circuit::Close
            } else {
                Circuit::Keep
            };
        }
        if note.failure.is_none() || waiting < MAX_WAITING {
            return Circuit::Keep;
        }
        Circuit::Open(now.saturating_add(OPEN_FOR).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::{CallbackChange, CallbackNote, CallbackState, Circuit, Count};
    use crate::json::read;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);

    fn ago(seconds: i64) -> Timestamp {
        NOW.checked_sub(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn delivered(waiting: i64) -> CallbackNote {
        CallbackNote {
            waiting,
            is_delivered: true,
            ..CallbackNote::default()
        }
    }

    fn failed(waiting: i64) -> CallbackNote {
        CallbackNote {
            waiting,
            failure: Some("Timeout".to_owned()),
            ..CallbackNote::default()
        }
    }

    fn waiting(waiting: i64) -> CallbackState {
        CallbackState {
            waiting,
            last_failure: Some(ago(60)),
            ..CallbackState::default()
        }
    }

    fn circuit(state: &CallbackState, note: CallbackNote) -> Circuit {
        state
            .change(note, NOW)
            .map_or(Circuit::Keep, |change| change.circuit)
    }

    #[test]
    fn nothing_that_waits_is_not_counted_anew_however_old_the_failure() {
        let state = CallbackState {
            last_failure: Some(ago(25 * 60 * 60)),
            ..CallbackState::default()
        };
        assert_eq!(state.change(CallbackNote::default(), NOW), None);
    }

    #[test]
    fn a_callback_that_works_is_noted_once_a_minute() {
        let works = |since: i64| CallbackState {
            last_success: Some(ago(since)),
            ..CallbackState::default()
        };
        assert_eq!(works(59).change(delivered(0), NOW), None);
        for state in [works(60), CallbackState::default()] {
            let change = CallbackChange {
                now: NOW,
                waiting: Count::Add(0),
                is_delivered: true,
                failure: None,
                gone_url: None,
                circuit: Circuit::Keep,
            };
            assert_eq!(state.change(delivered(0), NOW), Some(change));
        }
        let back = CallbackState {
            last_failure: Some(ago(5)),
            ..works(10)
        };
        assert!(back.change(delivered(0), NOW).unwrap().is_delivered);
    }

    #[test]
    fn a_failure_while_1000_wait_stops_further_ones_for_5_minutes() {
        let open = Circuit::Open("2026-06-19T12:05:00Z".parse().unwrap());
        assert_eq!(circuit(&waiting(998), failed(1)), Circuit::Keep);
        assert_eq!(circuit(&waiting(999), failed(1)), open);
        assert_eq!(circuit(&waiting(1_500), failed(0)), open);
        assert_eq!(circuit(&waiting(1_500), delivered(-1)), Circuit::Keep);
        let state = |until| CallbackState {
            open_until: Some(until),
            ..waiting(1_500)
        };
        assert!(state(NOW + SignedDuration::from_secs(1)).is_open(NOW));
        assert!(!state(NOW).is_open(NOW));
        assert!(!waiting(1_500).is_open(NOW));
    }

    #[test]
    fn a_delivery_ends_that() {
        let state = CallbackState {
            open_until: Some(NOW),
            ..waiting(1_500)
        };
        assert_eq!(circuit(&state, delivered(-1)), Circuit::Close);
        let both = CallbackNote {
            failure: Some("Timeout".to_owned()),
            ..delivered(5)
        };
        assert_eq!(circuit(&state, both), Circuit::Close);
    }

    #[test]
    fn fewer_than_none_cannot_wait_and_those_of_yesterday_no_longer() {
        let count = |state: &CallbackState, more| {
            state
                .change(delivered(more), NOW)
                .map(|change| change.waiting)
        };
        assert_eq!(count(&waiting(3), -5), Some(Count::Add(-3)));
        assert_eq!(count(&waiting(-2), -1), Some(Count::Add(0)));
        let day = 24 * 3_600;
        let old = |seconds| CallbackState {
            last_failure: Some(ago(seconds)),
            ..waiting(2_000)
        };
        assert_eq!(count(&old(day), 1), Some(Count::Add(1)));
        assert_eq!(count(&old(day + 1), 1), Some(Count::Set(1)));
        assert_eq!(count(&old(day + 1), -1), Some(Count::Set(0)));
    }

    #[test]
    fn a_url_is_gone_until_there_is_another() {
        let state = CallbackState {
            gone_url: Some("https://app.example.com/hook".to_owned()),
            ..CallbackState::default()
        };
        assert!(state.is_gone(&"https://app.example.com/hook".parse().unwrap()));
        assert!(!state.is_gone(&"https://app.example.com/hook?2".parse().unwrap()));
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
