//! When a notification that failed is tried again.

use jiff::{SignedDuration, Timestamp};

use super::message::{Message, Retry};
use super::queues::MAX_DELAY;

/// After the first failure, in seconds: 8, 64 … 8^5, which is 9.1 h.
/// Source: the retries of the Cloud Elements service, help centre, "Event Retry and Queueing".
const OFFSETS: [i64; 5] = [8, 64, 512, 4_096, 32_768];
/// Callbacks that failed together are not tried again together: a tenth earlier or later.
const JITTER: f64 = 0.1;
/// Also where an attempt came late, the next leaves the receiver some time.
const MIN_WAIT: SignedDuration = SignedDuration::from_secs(8);
/// A receiver may ask for so much more time.
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(12);
/// An open circuit counts so many attempts as failed: the next comes after 512 s, when the circuit is closed again.
const SPARED: u32 = 3;

/// Longer chains of messages and invocations continue in the table, where a tick starts a new chain. Lambda ends a chain after about
/// 16 without a word in a log, and a batch may count as its longest chain, so that a busy queue lengthens chains on and on.
const MAX_HOPS: u32 = 8;

/// Whether a message waits in the table and not in the retry queue.
pub fn waits_in_table(message: &Message, delay: SignedDuration) -> bool {
    MAX_DELAY < delay || MAX_HOPS <= message.hops
}

/// When the next attempt is due after `attempts` have failed; nothing, after the last. `random` is from -1 to 1.
pub fn next(
    attempts: u32,
    first_failure: Timestamp,
    now: Timestamp,
    retry_after: Option<SignedDuration>,
    random: f64,
) -> Option<Timestamp> {
    let offset = OFFSETS.get(usize::try_from(attempts).ok()?.checked_sub(1)?)?;
    let offset = SignedDuration::from_secs(*offset).mul_f64(1.0 + JITTER * random);
    let asked_for = retry_after.unwrap_or_default().max(MIN_WAIT).min(MAX_WAIT);
    let scheduled = first_failure.saturating_add(offset).ok()?;
    Some(scheduled.max(after(now, asked_for)))
}

/// Whether an attempt after `attempts` that have failed is the last.
pub fn is_last(attempts: u32) -> bool {
    usize::try_from(attempts).map_or(true, |attempts| OFFSETS.len() <= attempts)
}

/// The next attempt of a notification that an open circuit spares its first attempts.
pub fn spared(now: Timestamp, random: f64) -> Option<Retry> {
    Some(Retry {
        attempts: SPARED,
        first_failure: now,
        due: next(SPARED, now, now, None, random)?,
    })
}

pub(super) fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{is_last, next, spared};
    use crate::callback::circuit::OPEN_FOR;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);

    fn seconds(attempts: u32, late: i64, retry_after: Option<i64>, random: f64) -> Option<f64> {
        let first_failure = NOW - SignedDuration::from_secs(late);
        let retry_after = retry_after.map(SignedDuration::from_secs);
        let due = next(attempts, first_failure, NOW, retry_after, random)?;
        Some(due.duration_since(NOW).as_secs_f64())
    }

    #[test]
    fn five_more_attempts_are_made_at_powers_of_eight_seconds() {
        let waits: Vec<_> = (1..=6)
            .map(|attempts| seconds(attempts, 0, None, 0.0))
            .collect();
        let expected = [
            Some(8.0),
            Some(64.0),
            Some(512.0),
            Some(4_096.0),
            Some(32_768.0),
            None,
        ];
        assert_eq!(waits, expected);
        assert_eq!(seconds(0, 0, None, 0.0), None);
        let last: Vec<_> = (0..=6).filter(|attempts| is_last(*attempts)).collect();
        assert_eq!(last, [5, 6]);
    }

    #[test]
    fn what_an_open_circuit_spares_is_tried_once_the_circuit_is_closed() {
        for random in [-1.0, 1.0] {
            let retry = spared(NOW, random).unwrap();
            assert_eq!(retry.first_failure, NOW);
            assert!(OPEN_FOR < retry.due.duration_since(NOW));
            assert!(!is_last(retry.attempts));
        }
    }

    #[test]
    fn they_count_from_the_first_failure() {
        assert_eq!(seconds(2, 10, None, 0.0), Some(54.0));
        assert_eq!(seconds(2, 60, None, 0.0), Some(8.0));
        assert_eq!(seconds(2, 600, None, 0.0), Some(8.0));
    }

    #[test]
    fn they_are_spread_by_a_tenth() {
        assert_eq!(seconds(3, 0, None, 1.0), Some(563.2));
        assert_eq!(seconds(3, 0, None, -1.0), Some(460.8));
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_up_to_12_hours() {
        assert_eq!(seconds(1, 0, Some(120), 0.0), Some(120.0));
        assert_eq!(seconds(2, 0, Some(1), 0.0), Some(64.0));
        assert_eq!(seconds(1, 0, Some(1_000_000), 0.0), Some(43_200.0));
    }
}
