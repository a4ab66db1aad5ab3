//! When an instance is polled next.

use std::time::Duration;

use jiff::Timestamp;
use shared::instance::id::InstanceId;

/// The first moment after `start` on the instance's own grid: multiples of `interval`, shifted by a phase that its id
/// decides, so that instances of one interval spread over it. Ids are drawn at random, so the remainder is hash enough.
pub fn next_poll(id: InstanceId, interval: Duration, start: Timestamp) -> Timestamp {
    let interval = i64::try_from(interval.as_secs()).unwrap_or(i64::MAX).max(1);
    let phase = i64::try_from(u64::from(id)).unwrap_or_default() % interval;
    let periods = (start.as_second() - phase).div_euclid(interval) + 1;
    let next = periods
        .checked_mul(interval)
        .and_then(|seconds| seconds.checked_add(phase));
    next.and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::next_poll;

    fn next(id: u64, start: i64) -> i64 {
        let start = Timestamp::from_second(start).unwrap();
        next_poll(id.try_into().unwrap(), Duration::from_mins(15), start).as_second()
    }

    #[test]
    fn a_poll_that_starts_on_time_or_a_little_late_comes_again_one_interval_after_its_slot() {
        assert_eq!(next(7, 9_007), 9_907);
        assert_eq!(next(7, 9_067), 9_907);
        assert_eq!(next(907, 9_067), 9_907);
    }

    #[test]
    fn the_next_poll_is_never_further_away_than_one_interval() {
        for id in [1, 899, 900, 901, 9_007_199_254_740_991] {
            for start in [0, 1, 899, 900, 1_000_000_007] {
                let wait = next(id, start) - start;
                assert!((1..=900).contains(&wait), "{id} {start}: {wait}");
            }
        }
    }
}
