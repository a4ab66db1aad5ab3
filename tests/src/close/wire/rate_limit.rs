//! Rate limits: per API key and endpoint group, with three times as much for the organization.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::answer::{Answer, Body};
use crate::close::settings::{RateLimit, ThrottleBody};

/// An organization may use this many times what one of its keys may.
const ORGANIZATION_FACTOR: u32 = 3;

/// What was used of each limit: by owner and endpoint group.
#[derive(Debug, Default)]
pub(crate) struct Buckets(HashMap<(String, String), Bucket>);

#[derive(Debug)]
struct Bucket {
    began: Instant,
    used: u32,
}

/// What a limit says of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    limit: u32,
    remaining: Option<u32>,
    reset: Duration,
}

impl Buckets {
    /// Counts one request and says whether it is within the limits, by the tighter one.
    pub(crate) fn charge(
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
    pub(crate) fn clear(&mut self) {
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
    pub(crate) fn allows(&self) -> bool {
        self.remaining.is_some()
    }

    /// What every answer says of the limit.
    pub(crate) fn headers(&self, format: ThrottleBody) -> Vec<Header> {
        headers(format, self.limit, self.remaining.unwrap_or(0), self.reset)
    }

    /// The 429 without what every answer says.
    pub(crate) fn answer(&self, rate: RateLimit) -> Answer {
        Answer {
            status: 429,
            headers: retry_after(rate.body, self.reset).into_iter().collect(),
            body: body(rate.body, self.limit, rate.window, self.reset),
        }
    }
}

/// A 429 out of the blue that asks to wait for `reset`.
pub(crate) fn throttled(reset: Duration, format: ThrottleBody) -> Answer {
    let limit = 100;
    Answer {
        status: 429,
        headers: headers(format, limit, 0, reset)
            .into_iter()
            .chain(retry_after(format, reset))
            .collect(),
        body: body(format, limit, Duration::from_secs(5), reset),
    }
}

/// A header's name and value.
type Header = (&'static str, String);

fn headers(format: ThrottleBody, limit: u32, remaining: u32, reset: Duration) -> Vec<Header> {
    let reset = seconds(reset);
    match format {
        ThrottleBody::Empty => vec![
            (
                "ratelimit",
                format!("limit={limit}; remaining={remaining}; reset={reset}"),
            ),
            ("ratelimit-limit", limit.to_string()),
            ("ratelimit-remaining", remaining.to_string()),
            ("ratelimit-reset", reset.to_string()),
        ],
        ThrottleBody::Nested2023 => vec![(
            "ratelimit",
            format!("limit={limit}, remaining={remaining}, reset={reset}"),
        )],
        ThrottleBody::Flat2017 => vec![
            ("x-rate-limit-limit", limit.to_string()),
            ("x-rate-limit-remaining", remaining.to_string()),
            ("x-rate-limit-reset", reset.to_string()),
        ],
        ThrottleBody::RetryAfterOnly | ThrottleBody::Bare => Vec::new(),
    }
}

/// Whole seconds, rounded up.
fn retry_after(format: ThrottleBody, reset: Duration) -> Option<Header> {
    let whole = reset.as_secs() + u64::from(0 < reset.subsec_nanos());
    match format {
        ThrottleBody::Empty | ThrottleBody::Nested2023 | ThrottleBody::RetryAfterOnly => {
            Some(("retry-after", whole.to_string()))
        }
        ThrottleBody::Flat2017 | ThrottleBody::Bare => None,
    }
}

/// Seconds with a fraction only where there is one, to the millisecond and rounded up, for the wait must suffice.
fn seconds(duration: Duration) -> f64 {
    Duration::from_millis(u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX))
        .as_secs_f64()
}

fn body(format: ThrottleBody, limit: u32, window: Duration, reset: Duration) -> Body {
    let group = "ab60a2938ea23638a0c6f32222cadc8e";
    match format {
        ThrottleBody::Empty | ThrottleBody::RetryAfterOnly | ThrottleBody::Bare => Body::Empty,
        ThrottleBody::Flat2017 => Body::Json(json!({
            "message": "API call count exceeded for this period",
            "rate_endpoint_group": group,
            "rate_limit": limit,
            "rate_limit_type": "key",
            "rate_reset": format!("{:.6}", seconds(reset)),
            "rate_window": window.as_secs(),
        })),
        ThrottleBody::Nested2023 => Body::Json(json!({ "error": {
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
mod tests;
