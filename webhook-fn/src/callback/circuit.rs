//! What attempts at a callback URL change of its state, and when its circuit opens.

use jiff::{SignedDuration, Timestamp};
use shared::instance::callback_state::{
    CallbackChange, CallbackFailure, CallbackState, Count, Open,
};

use super::schedule::after;

/// The circuit of a callback URL opens only while so many of the instance's notifications wait.
const MAX_WAITING: i64 = 1_000;
/// How long a circuit stays open.
pub const OPEN_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Deliveries that change nothing are noted no more often, for each note is a write.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// The circuit opens only where nothing was delivered for as long as it stays open. A delivery may go unnoted for
/// [`NOTE_EVERY`].
const FAILING_FOR: SignedDuration = OPEN_FOR.saturating_add(NOTE_EVERY);
/// How long a callback URL counts as slow after a slow attempt.
const SLOW_FOR: SignedDuration = SignedDuration::from_mins(5);
/// No notification waits longer than 12 h for its next attempt, so one that waits has failed within a day.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What some attempts at a callback URL have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackNote {
    /// Notifications that wait now and did not before, less those that wait no more.
    pub waiting: i64,
    /// Whether one was delivered.
    pub is_delivered: bool,
    /// Why one failed, if one did.
    pub failure: Option<String>,
    /// Whether the URL has answered that it is gone.
    pub is_gone: bool,
    /// Whether an attempt was slow.
    pub is_slow: bool,
}

/// The change to write after attempts at the URL that was set with `since`; `None` if nothing changes.
pub fn change(
    stored: &CallbackState,
    since: u64,
    note: CallbackNote,
    now: Timestamp,
) -> Option<CallbackChange> {
    let state = stored.of(since);
    let (waiting, total) = count(stored, note.waiting, now);
    let change = CallbackChange {
        now,
        since,
        is_another_url: stored.since != since,
        waiting,
        is_delivered: note.is_delivered && is_news(&state, now),
        open: open(&state, &note, total, now),
        slow_until: slow_until(&state, &note, now),
        failure: note.failure.map(|reason| CallbackFailure {
            reason,
            is_first: !note.is_delivered && state.failing_since.is_none(),
        }),
        is_gone: note.is_gone && !state.gone,
    };
    let is_nothing = change.waiting == Count::Add(0)
        && change.open.is_none()
        && change.slow_until.is_none()
        && !change.is_delivered
        && change.failure.is_none()
        && !change.is_gone;
    (!is_nothing).then_some(change)
}

/// How the number of those that wait changes, and what it is then. It does not fall below nothing: what is put into the
/// retry queue by hand was never counted.
fn count(stored: &CallbackState, more: i64, now: Timestamp) -> (Count, i64) {
    let is_stale = |failure| STALE_AFTER < now.duration_since(failure);
    if 0 < stored.waiting && stored.last_failure.is_some_and(is_stale) {
        let total = more.max(0);
        return (Count::Set(total), total);
    }
    let more = more.max(-stored.waiting.max(0));
    (Count::Add(more), stored.waiting + more)
}

/// Whether a delivery says more than what is known. One that ends a stretch of failures always does.
fn is_news(state: &CallbackState, now: Timestamp) -> bool {
    let is_old = |success| NOTE_EVERY <= now.duration_since(success);
    let is_failing = state.failing_since.is_some() || state.open_until.is_some();
    is_failing || state.last_success.is_none_or(is_old)
}

fn open(state: &CallbackState, note: &CallbackNote, waiting: i64, now: Timestamp) -> Option<Open> {
    let failing_since = state.failing_since?;
    let takes_nothing = !note.is_delivered
        && note.failure.is_some()
        && FAILING_FOR <= now.duration_since(failing_since);
    (takes_nothing && MAX_WAITING <= waiting).then(|| Open {
        until: after(now, OPEN_FOR),
        failing_since,
    })
}

fn slow_until(state: &CallbackState, note: &CallbackNote, now: Timestamp) -> Option<Timestamp> {
    let until = after(now, SLOW_FOR);
    let is_known = |known: Timestamp| until.duration_since(known) < NOTE_EVERY;
    (note.is_slow && !state.slow_until.is_some_and(is_known)).then_some(until)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::instance::callback_state::{
        CallbackChange, CallbackFailure, CallbackState, Count, Open,
    };

    use super::CallbackNote;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);
    const SINCE: u64 = 3;

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

    fn slow() -> CallbackNote {
        CallbackNote {
            is_slow: true,
            ..CallbackNote::default()
        }
    }

    fn state() -> CallbackState {
        CallbackState {
            since: SINCE,
            ..CallbackState::default()
        }
    }

    /// Of a URL at which everything has failed for so long.
    fn failing(seconds: i64, waiting: i64) -> CallbackState {
        CallbackState {
            waiting,
            last_failure: Some(ago(1)),
            failing_since: Some(ago(seconds)),
            ..state()
        }
    }

    fn change(state: &CallbackState, note: CallbackNote) -> Option<CallbackChange> {
        super::change(state, SINCE, note, NOW)
    }

    fn open(state: &CallbackState, note: CallbackNote) -> Option<Open> {
        change(state, note).and_then(|change| change.open)
    }

    #[test]
    fn nothing_that_waits_is_not_counted_anew_however_old_the_failure() {
        let state = CallbackState {
            last_failure: Some(ago(25 * 60 * 60)),
            ..state()
        };
        assert_eq!(change(&state, CallbackNote::default()), None);
    }

    #[test]
    fn a_callback_that_works_is_noted_once_a_minute() {
        let works = |since: i64| CallbackState {
            last_success: Some(ago(since)),
            ..state()
        };
        assert_eq!(change(&works(59), delivered(0)), None);
        for state in [works(60), state()] {
            let noted = CallbackChange {
                now: NOW,
                since: SINCE,
                is_another_url: false,
                waiting: Count::Add(0),
                is_delivered: true,
                failure: None,
                is_gone: false,
                open: None,
                slow_until: None,
            };
            assert_eq!(change(&state, delivered(0)), Some(noted));
        }
        let back = CallbackState {
            failing_since: Some(ago(5)),
            ..works(10)
        };
        assert!(change(&back, delivered(0)).unwrap().is_delivered);
        let open = CallbackState {
            open_until: Some(ago(5)),
            ..works(10)
        };
        assert!(change(&open, delivered(0)).unwrap().is_delivered);
    }

    #[test]
    fn the_first_failure_begins_a_stretch_of_failures() {
        let failure = |state: &CallbackState, note| change(state, note).unwrap().failure.unwrap();
        let first = |is_first| CallbackFailure {
            reason: "Timeout".to_owned(),
            is_first,
        };
        assert_eq!(failure(&state(), failed(1)), first(true));
        assert_eq!(failure(&failing(60, 1), failed(1)), first(false));
        let both = CallbackNote {
            failure: Some("Timeout".to_owned()),
            ..delivered(1)
        };
        assert_eq!(failure(&state(), both), first(false));
    }

    #[test]
    fn the_circuit_opens_where_1000_wait_and_nothing_was_delivered_for_6_minutes() {
        let opened = |seconds| Open {
            until: "2026-06-19T12:05:00Z".parse().unwrap(),
            failing_since: ago(seconds),
        };
        assert_eq!(open(&failing(360, 998), failed(1)), None);
        assert_eq!(open(&failing(360, 999), failed(1)), Some(opened(360)));
        assert_eq!(open(&failing(9_000, 1_500), failed(0)), Some(opened(9_000)));
        assert_eq!(open(&failing(359, 1_500), failed(1)), None);
        assert_eq!(open(&state(), failed(1_500)), None);
        assert_eq!(open(&failing(360, 1_500), slow()), None);
        let both = CallbackNote {
            failure: Some("Timeout".to_owned()),
            ..delivered(5)
        };
        assert_eq!(open(&failing(360, 1_500), both), None);
    }

    #[test]
    fn a_url_is_slow_for_5_minutes_after_a_slow_attempt() {
        let until =
            |state: &CallbackState| change(state, slow()).and_then(|found| found.slow_until);
        let noted = Some("2026-06-19T12:05:00Z".parse().unwrap());
        assert_eq!(until(&state()), noted);
        let known = |seconds: i64| CallbackState {
            slow_until: Some(NOW + SignedDuration::from_secs(seconds)),
            ..state()
        };
        assert_eq!(until(&known(240)), noted);
        assert_eq!(until(&known(241)), None);
    }

    #[test]
    fn fewer_than_none_cannot_wait_and_those_of_yesterday_no_longer() {
        let count = |state: &CallbackState, more| {
            let change = super::change(state, state.since, delivered(more), NOW);
            change.map(|change| change.waiting)
        };
        let waiting = |waiting, seconds| CallbackState {
            waiting,
            last_failure: Some(ago(seconds)),
            ..state()
        };
        assert_eq!(count(&waiting(3, 60), -5), Some(Count::Add(-3)));
        assert_eq!(count(&waiting(-2, 60), -1), Some(Count::Add(0)));
        let day = 24 * 3_600;
        assert_eq!(count(&waiting(2_000, day), 1), Some(Count::Add(1)));
        assert_eq!(count(&waiting(2_000, day + 1), 1), Some(Count::Set(1)));
        assert_eq!(count(&waiting(2_000, day + 1), -1), Some(Count::Set(0)));
    }

    #[test]
    fn what_was_found_of_another_url_is_not_said_of_this_one() {
        let old = CallbackState {
            gone: true,
            open_until: Some(NOW + SignedDuration::from_secs(60)),
            slow_until: Some(NOW + SignedDuration::from_secs(60)),
            ..failing(360, 1_500)
        };
        let change = super::change(&old, SINCE + 1, failed(1), NOW).unwrap();
        assert!(change.is_another_url);
        assert_eq!((change.open, change.waiting), (None, Count::Add(1)));
        assert!(change.failure.unwrap().is_first);
    }
}
