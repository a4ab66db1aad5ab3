//! Rate limits: per API key and endpoint group, with three times as much for the organization.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::Answer;

/// A limit for every endpoint group.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// Requests of one API key to one endpoint group within the window.
    pub limit: u32,
    /// The window's length; it begins with the first request in it.
    pub window: Duration,
    /// The body of a 429.
    pub body: ThrottleBody,
}

/// The bodies that a 429 has had; today's carries nothing to rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleBody {
    /// No body.
    Empty,
    /// `rate_reset` at the top level, as text, as in 2017.
    Flat2017,
    /// `rate_reset` within `error`, as a number, as until 2024.
    Nested2023,
}

/// An organization may use this many times what one of its keys may.
const ORGANIZATION_FACTOR: u32 = 3;

/// What was used of each limit: by owner and endpoint group.
#[derive(Debug, Default)]
pub(super) struct Buckets(HashMap<(String, String), Bucket>);

#[derive(Debug)]
struct Bucket {
    began: Instant,
    used: u32,
}

/// What a limit says of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    limit: u32,
    remaining: Option<u32>,
    reset: Duration,
}

impl Buckets {
    /// Counts one request and says whether it is within the limits, by the tighter one.
    pub(super) fn charge(
        &mut self,
        key: &str,
        organization: &str,
        group: &str,
        rate: RateLimit,
    ) -> Verdict {
        let of_organization = RateLimit {
            limit: rate.limit.saturating_mul(ORGANIZATION_FACTOR),
            ..rate
        };
        let key = self.take(key, group, rate);
        let organization = self.take(organization, group, of_organization);
        if organization.remaining < key.remaining {
            organization
        } else {
            key
        }
    }

    /// Forgets what was used.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, owner: &str, group: &str, rate: RateLimit) -> Verdict {
        let now = Instant::now();
        let bucket = self.0.entry((owner.to_owned(), group.to_owned()));
        let bucket = bucket.or_insert(Bucket {
            began: now,
            used: 0,
        });
        if rate.window <= now.duration_since(bucket.began) {
            *bucket = Bucket {
                began: now,
                used: 0,
            };
        }
        let remaining = rate.limit.checked_sub(bucket.used + 1);
        bucket.used += u32::from(remaining.is_some());
        Verdict {
            limit: rate.limit,
            remaining,
            reset: rate.window.saturating_sub(now.duration_since(bucket.began)),
        }
    }
}

impl Verdict {
    /// Whether the request may be answered.
    pub(super) fn allows(&self) -> bool {
        self.remaining.is_some()
    }

    /// The `RateLimit` header.
    pub(super) fn header(&self) -> (&'static str, String) {
        header(self.limit, self.remaining.unwrap_or(0), self.reset)
    }

    /// The 429 without its `RateLimit` header, which every answer has.
    pub(super) fn answer(&self, rate: RateLimit) -> Answer {
        Answer {
            status: 429,
            headers: vec![retry_after(self.reset)],
            body: body(rate.body, self.limit, rate.window, self.reset),
        }
    }
}

/// A 429 out of the blue that asks to wait for `reset`.
pub(super) fn throttled(reset: Duration, format: ThrottleBody) -> Answer {
    let limit = 100;
    Answer {
        status: 429,
        headers: vec![header(limit, 0, reset), retry_after(reset)],
        body: body(format, limit, Duration::from_secs(5), reset),
    }
}

fn header(limit: u32, remaining: u32, reset: Duration) -> (&'static str, String) {
    let reset = seconds(reset);
    (
        "ratelimit",
        format!("limit={limit}, remaining={remaining}, reset={reset}"),
    )
}

/// Whole seconds, rounded up.
fn retry_after(reset: Duration) -> (&'static str, String) {
    let whole = reset.as_secs() + u64::from(0 < reset.subsec_nanos());
    ("retry-after", whole.to_string())
}

/// Seconds with a fraction only where there is one, to the millisecond and rounded up, for the wait must suffice.
fn seconds(duration: Duration) -> f64 {
    Duration::from_millis(u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX))
        .as_secs_f64()
}

fn body(format: ThrottleBody, limit: u32, window: Duration, reset: Duration) -> Option<Value> {
    let group = "ab60a2938ea23638a0c6f32222cadc8e";
    match format {
        ThrottleBody::Empty => None,
        ThrottleBody::Flat2017 => Some(json!({
            "message": "API call count exceeded for this period",
            "rate_endpoint_group": group,
            "rate_limit": limit,
            "rate_limit_type": "key",
            "rate_reset": format!("{:.6}", seconds(reset)),
            "rate_window": window.as_secs(),
        })),
        ThrottleBody::Nested2023 => Some(json!({ "error": {
            "message": format!("API call count exceeded for this {:.1} second window", window.as_secs_f64()),
            "rate_reset": seconds(reset),
            "rate_limit": limit,
            "rate_window": window.as_secs(),
            "rate_limit_type": "key",
            "rate_endpoint_group": group,
        } })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: RateLimit = RateLimit {
        limit: 2,
        window: Duration::from_hours(1),
        body: ThrottleBody::Empty,
    };

    #[test]
    fn each_key_and_group_has_its_own_limit() {
        let mut buckets = Buckets::default();
        let mut charge = |key, group| buckets.charge(key, "orga", group, RATE).allows();
        assert!(charge("a", "search") && charge("a", "search"));
        assert!(!charge("a", "search"));
        assert!(charge("a", "lead") && charge("b", "search"));
    }

    #[test]
    fn keys_of_one_organization_share_three_times_the_limit() {
        let mut buckets = Buckets::default();
        let keys = ["a", "a", "b", "b", "c", "c", "d"];
        let verdicts = keys.map(|key| buckets.charge(key, "orga", "search", RATE).allows());
        assert_eq!(verdicts, [true, true, true, true, true, true, false]);
    }

    #[test]
    fn the_header_counts_down_and_retry_after_is_rounded_up() {
        assert_eq!(
            header(100, 50, Duration::from_millis(870)).1,
            "limit=100, remaining=50, reset=0.87"
        );
        assert_eq!(
            header(100, 50, Duration::from_secs(5)).1,
            "limit=100, remaining=50, reset=5"
        );
        assert_eq!(retry_after(Duration::from_millis(870)).1, "1");
    }
}
