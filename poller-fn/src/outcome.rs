//! What came of a poll: how the instance fares, and when it is polled next.

use std::time::Duration;

use jiff::Timestamp;
use shared::health::{Health, MAX_REFUSALS};
use shared::instance_id::InstanceId;

use crate::error::PollError;
use crate::schedule::next_poll;

/// What passes by itself is tried again so soon.
const SOON: Duration = Duration::from_mins(15);
/// What Close refuses is tried ever less often, but so often.
const MAX_INTERVAL: Duration = Duration::from_hours(6);

/// The outcomes of a poll's resources.
#[derive(Debug, Default)]
pub struct Outcome {
    refused: Vec<String>,
    /// Units that were read.
    units: usize,
    /// Failures that are no refusals; of these, those that pass by themselves, and those for want of time.
    others: usize,
    passing: usize,
    unfinished: usize,
}

impl Outcome {
    /// Something was read.
    pub fn read(&mut self) {
        self.units += 1;
    }

    /// A resource was not read to its end.
    pub fn failed(&mut self, resource: &str, error: &PollError) {
        if error.is_refusal() {
            self.refused.push(format!("{resource}: {}", error.reason()));
        } else {
            self.others += 1;
        }
        self.passing += usize::from(error.is_passing());
        self.unfinished += usize::from(matches!(error, PollError::OutOfTime));
    }

    /// How the instance fares now. An outage says nothing of it.
    pub fn health(&self, before: &Health) -> Health {
        let is_refused = !self.refused.is_empty();
        let is_inconclusive = !is_refused && self.units == 0;
        if is_inconclusive {
            return before.clone();
        }
        let is_all_refused = is_refused && self.units == 0 && self.others == 0;
        Health {
            refusals: if is_all_refused {
                before.refusals.saturating_add(1)
            } else {
                0
            },
            reason: is_refused.then(|| self.refused.join(", ")),
        }
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
        if 0 < self.unfinished {
            return now;
        }
        let next = if 0 < health.refusals {
            after(now, patience(interval, health.refusals))
        } else {
            next_poll(id, interval, started)
        };
        if 0 < self.passing {
            next.min(after(now, SOON))
        } else {
            next
        }
    }
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
    use shared::health::Health;

    use super::Outcome;
    use crate::error::PollError;

    fn refused() -> PollError {
        PollError::Close(CloseError::Unauthorized { status: 401 })
    }

    fn outage() -> PollError {
        PollError::Close(CloseError::Unavailable(String::new()))
    }

    fn outcome(errors: &[PollError], is_any_read: bool) -> Outcome {
        let mut outcome = Outcome::default();
        for error in errors {
            outcome.failed("contacts", error);
        }
        if is_any_read {
            outcome.read();
        }
        outcome
    }

    fn health(refusals: u32, reason: Option<&str>) -> Health {
        Health {
            refusals,
            reason: reason.map(str::to_owned),
        }
    }

    /// The minutes to the next poll of an instance with an interval of 30 minutes.
    fn wait(outcome: &Outcome, before: &Health) -> i64 {
        let started: Timestamp = "2026-06-19T12:00:00Z".parse().unwrap();
        let now = started + SignedDuration::from_mins(1);
        let health = outcome.health(before);
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
            outcome(&[refused()], false).health(&before),
            health(4, reason)
        );
        assert_eq!(
            outcome(&[refused()], true).health(&before),
            health(0, reason)
        );
        assert_eq!(
            outcome(&[refused(), outage()], false).health(&before),
            health(0, reason)
        );
        assert_eq!(outcome(&[], true).health(&before), health(0, None));
    }

    #[test]
    fn an_outage_says_nothing_of_the_instance() {
        let before = health(3, Some("contacts: Unauthorized"));
        assert_eq!(outcome(&[outage()], false).health(&before), before);
        assert_eq!(
            outcome(&[outage()], false).health(&Health::default()),
            Health::default()
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
        let unfinished = outcome(&[PollError::OutOfTime, outage()], false);
        assert_eq!(wait(&unfinished, &Health::default()), 0);
    }
}
