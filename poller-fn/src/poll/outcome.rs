//! What came of a poll: how the instance fares, and when it is polled next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::instance::health::{Health, MAX_REFUSALS};
use shared::instance::id::InstanceId;

use crate::error::ErrorKind;
use crate::poll::failure::Failure;
use crate::poll::schedule::next_poll;

/// What passes by itself is tried again so soon.
const SOON: Duration = Duration::from_mins(15);
/// What Close refuses is tried ever less often, but so often.
const MAX_INTERVAL: Duration = Duration::from_hours(6);

/// The units that a poll read, and its failures. Everything else derives from them.
#[derive(Debug, Default)]
pub struct PollOutcome {
    units: usize,
    failures: Vec<Failure>,
    /// Whether the poll came to its jobs.
    has_worked: bool,
}

/// How far a poll came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It read nothing.
    Nowhere,
    /// Everything that Close lets be read was read to its end.
    End,
    /// The resource that is furthest behind was read so far.
    Behind(Timestamp),
    /// Another poll goes on.
    LeaseLost,
}

impl PollOutcome {
    /// Adds what came of the jobs: the units that were read, and the jobs that failed.
    pub fn add(&mut self, units: usize, failures: Vec<Failure>) {
        self.has_worked = true;
        self.units += units;
        self.failures.extend(failures);
    }

    /// Adds a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Whether Close did not answer for its event log.
    pub fn is_log_silent(&self) -> bool {
        let mut failures = self.failures.iter();
        failures.any(|failure| failure.is_logged && !failure.has_read)
    }

    /// The failures that are the owner's to mend, and the others.
    fn split_refused(&self) -> (Vec<&Failure>, Vec<&Failure>) {
        let mut failures = self.failures.iter();
        failures
            .by_ref()
            .partition(|failure| failure.reason.kind == ErrorKind::Refused)
    }

    /// Everything was read to its end but the resources that failed. Those that Close refuses are not among them, for that is
    /// the owner's to change and no lag.
    fn reach(&self) -> Reach {
        let (_, others) = self.split_refused();
        if others
            .iter()
            .any(|it| it.reason.kind == ErrorKind::LeaseLost)
        {
            return Reach::LeaseLost;
        }
        if !self.has_worked {
            return Reach::Nowhere;
        }
        let behind = others.iter().flat_map(|failure| &failure.behind);
        behind
            .min()
            .map_or(Reach::End, |position| Reach::Behind(*position))
    }

    /// How the instance fares now, after a poll that ended at `until`. An outage says nothing of it.
    pub fn health(&self, before: &Health, until: Timestamp) -> Health {
        let (refused, others) = self.split_refused();
        let is_refused = !refused.is_empty();
        let is_inconclusive = !is_refused && self.units == 0;
        if is_inconclusive {
            return before.clone();
        }
        let caught_up_at = match self.reach() {
            Reach::End if !is_refused => Some(until),
            _ => before.caught_up_at,
        };
        let is_all_refused = is_refused && self.units == 0 && others.is_empty();
        let refusals = if is_all_refused {
            before.refusals.saturating_add(1)
        } else {
            0
        };
        Health {
            refusals,
            reason: is_refused.then(|| describe(&refused)),
            caught_up_at,
            notice_due: MAX_REFUSALS <= refusals && (before.notice_due || !before.is_suspended()),
        }
    }

    /// How far the instance is behind, which is not how long nothing has changed: nothing where all was read to its end,
    /// else since the watermark of the resource that is furthest behind, or since all was read to its end if that is
    /// later. Unknown where another poll goes on; and where Close refuses everything, which is the owner's to change.
    pub fn lag(&self, health: &Health, until: Timestamp) -> Option<SignedDuration> {
        if 0 < health.refusals {
            return None;
        }
        let since = match self.reach() {
            Reach::End => return Some(SignedDuration::ZERO),
            Reach::Behind(position) => Some(position).max(health.caught_up_at),
            Reach::Nowhere => health.caught_up_at,
            Reach::LeaseLost => None,
        };
        since.map(|since| until.duration_since(since).max(SignedDuration::ZERO))
    }

    /// When to poll next: on the instance's grid, or sooner where something is left to do or passes, or ever later where
    /// Close refuses everything.
    pub fn next_poll(
        &self,
        id: InstanceId,
        interval: Duration,
        health: &Health,
        started: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        if self.failures.iter().any(Failure::is_unfinished) {
            return now;
        }
        let next = if 0 < health.refusals {
            after(now, patience(interval, health.refusals))
        } else {
            next_poll(id, interval, started)
        };
        if self.failures.iter().any(Failure::is_passing) {
            next.min(after(now, SOON))
        } else {
            next
        }
    }
}

fn describe(refused: &[&Failure]) -> String {
    let each = |failure: &&Failure| {
        let resources = failure.resources.iter();
        resources
            .map(|name| format!("{name}: {}", failure.reason))
            .collect::<Vec<_>>()
    };
    refused.iter().flat_map(each).collect::<Vec<_>>().join(", ")
}

/// The interval doubled with each refusal, up to six hours, or to itself where that is longer.
fn patience(interval: Duration, refusals: u32) -> Duration {
    let factor = 2_u32.saturating_pow(refusals.min(MAX_REFUSALS));
    let doubled = interval.saturating_mul(factor);
    doubled.min(MAX_INTERVAL.max(interval))
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use shared::close::error::CloseError;
    use shared::instance::health::Health;

    use super::PollOutcome;
    use crate::error::PollError;
    use crate::poll::failure::Failure;

    fn refused() -> PollError {
        PollError::Close(CloseError::Unauthorized { status: 401 })
    }

    fn outage() -> PollError {
        PollError::Close(CloseError::Unavailable(String::new()))
    }

    fn outcome(errors: &[PollError], is_any_read: bool) -> PollOutcome {
        let failure = |error: &PollError| Failure {
            resources: vec!["contacts".to_owned()],
            behind: Vec::new(),
            has_read: is_any_read,
            is_logged: false,
            reason: error.reason(),
        };
        PollOutcome {
            units: is_any_read.into(),
            failures: errors.iter().map(failure).collect(),
            has_worked: false,
        }
    }

    fn health(refusals: u32, reason: Option<&str>) -> Health {
        Health {
            refusals,
            reason: reason.map(str::to_owned),
            ..Health::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The lag in seconds of a poll until 10,000 s of an instance that had caught up at so many seconds.
    fn lag(outcome: &PollOutcome, caught_up_at: Option<i64>) -> Option<i64> {
        let before = Health {
            caught_up_at: caught_up_at.map(at),
            ..Health::default()
        };
        let health = outcome.health(&before, at(10_000));
        outcome.lag(&health, at(10_000)).map(|lag| lag.as_secs())
    }

    fn behind(error: &PollError, positions: &[i64]) -> PollOutcome {
        let failure = Failure {
            resources: vec!["contacts".to_owned()],
            behind: positions.iter().copied().map(at).collect(),
            has_read: true,
            is_logged: false,
            reason: error.reason(),
        };
        PollOutcome {
            units: 0,
            failures: vec![failure],
            has_worked: true,
        }
    }

    /// The minutes to the next poll of an instance with an interval of 30 minutes.
    fn wait(outcome: &PollOutcome, before: &Health) -> i64 {
        let started: Timestamp = "2026-06-19T12:00:00Z".parse().unwrap();
        let now = started + SignedDuration::from_mins(1);
        let health = outcome.health(before, started);
        // Its phase is nought, so its grid is at the full and half hours.
        let id = 1_800.try_into().unwrap();
        let next = outcome.next_poll(id, Duration::from_mins(30), &health, started, now);
        next.duration_since(now).as_mins()
    }

    #[test]
    fn refusals_count_only_when_everything_is_refused() {
        let reason = Some("contacts: Unauthorized");
        let before = health(3, reason);
        assert_eq!(
            outcome(&[refused()], false).health(&before, at(0)),
            health(4, reason)
        );
        assert_eq!(
            outcome(&[refused()], true).health(&before, at(0)),
            health(0, reason)
        );
        assert_eq!(
            outcome(&[refused(), outage()], false).health(&before, at(0)),
            health(0, reason)
        );
        assert_eq!(outcome(&[], true).health(&before, at(0)), health(0, None));
    }

    #[test]
    fn the_notice_is_due_from_the_hundredth_refusal_until_it_is_said_or_close_answers() {
        let is_due =
            |before: &Health, outcome: &PollOutcome| outcome.health(before, at(0)).notice_due;
        assert!(!is_due(&health(98, None), &outcome(&[refused()], false)));
        assert!(is_due(&health(99, None), &outcome(&[refused()], false)));
        assert!(!is_due(&health(100, None), &outcome(&[refused()], false)));
        let unsaid = Health {
            notice_due: true,
            ..health(100, None)
        };
        assert!(is_due(&unsaid, &outcome(&[refused()], false)));
        assert!(is_due(&unsaid, &outcome(&[outage()], false)));
        assert!(!is_due(&unsaid, &outcome(&[], true)));
    }

    #[test]
    fn an_outage_says_nothing_of_the_instance() {
        let before = health(3, Some("contacts: Unauthorized"));
        assert_eq!(outcome(&[outage()], false).health(&before, at(0)), before);
        assert_eq!(
            outcome(&[outage()], false).health(&Health::default(), at(0)),
            Health::default()
        );
    }

    #[test]
    fn who_read_all_to_its_end_lags_behind_nothing_however_long_nothing_has_changed() {
        let mut all = outcome(&[], true);
        all.has_worked = true;
        assert_eq!(lag(&all, None), Some(0));
        let health = all.health(&Health::default(), at(10_000));
        assert_eq!(health.caught_up_at, Some(at(10_000)));
    }

    #[test]
    fn what_close_refuses_is_no_lag_of_the_rest() {
        let mut rest = outcome(&[refused()], true);
        rest.has_worked = true;
        assert_eq!(lag(&rest, Some(9_000)), Some(0));
        let health = rest.health(&Health::default(), at(10_000));
        assert_eq!(health.caught_up_at, None);
    }

    #[test]
    fn who_did_not_lags_since_the_watermark_or_since_it_last_did() {
        let late = behind(&outage(), &[7_000, 3_000]);
        assert_eq!(lag(&late, None), Some(7_000));
        assert_eq!(lag(&late, Some(2_000)), Some(7_000));
        // Nothing changed from 3,000 s on until the last poll that saw it all.
        assert_eq!(lag(&late, Some(9_000)), Some(1_000));
        assert_eq!(lag(&outcome(&[outage()], false), Some(9_000)), Some(1_000));
        assert_eq!(lag(&outcome(&[outage()], false), None), None);
    }

    #[test]
    fn whom_close_refuses_and_who_lost_the_lease_says_nothing_of_a_lag() {
        assert_eq!(lag(&behind(&refused(), &[3_000]), Some(9_000)), None);
        assert_eq!(
            lag(&behind(&PollError::LeaseLost, &[3_000]), Some(9_000)),
            None
        );
    }

    #[test]
    fn what_close_refuses_is_tried_ever_less_often() {
        let waits = [0, 1, 2, 3, 50]
            .map(|refusals| wait(&outcome(&[refused()], false), &health(refusals, None)));
        assert_eq!(waits, [60, 120, 240, 360, 360]);
    }

    #[test]
    fn what_passes_is_tried_soon_and_what_is_left_at_once() {
        assert_eq!(wait(&outcome(&[], true), &Health::default()), 29);
        assert_eq!(wait(&outcome(&[outage()], true), &Health::default()), 15);
        assert_eq!(wait(&outcome(&[outage()], false), &health(99, None)), 15);
        let unfinished = outcome(&[PollError::OutOfTime, outage()], true);
        assert_eq!(wait(&unfinished, &Health::default()), 0);
        let hanging = outcome(&[PollError::OutOfTime], false);
        assert_eq!(wait(&hanging, &Health::default()), 15);
    }
}
