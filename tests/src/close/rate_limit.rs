//! Rate limits: per API key and endpoint group, with three times as much for the organization.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::answer::{Answer, Body};

/// A limit for every endpoint group.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// Requests of one API key to one endpoint group within the window.
    pub limit: u32,
    /// The window's length; it begins with the first request in it.
    pub window: Duration,
    /// The form of a 429, which decides what every answer says of the limit.
    pub body: ThrottleBody,
}

/// The forms that a 429 has had, and two that come from elsewhere on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleBody {
    /// Today's, as seen on the wire: `RateLimit` with semicolons, its members alone, `Retry-After`, and no body to rely on.
    Empty,
    /// As in 2017: the headers `X-Rate-Limit-*` and a body with `rate_reset` at its top level, as text.
    Flat2017,
    /// As until 2024: the headers as documented, with commas and nothing alone, and a body with `rate_reset` within `error`, as a number.
    Nested2023,
    /// `Retry-After` and nothing else.
    RetryAfterOnly,
    /// The status and nothing else.
    Bare,
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

    /// What every answer says of the limit.
    pub(super) fn headers(&self, format: ThrottleBody) -> Vec<Header> {
        headers(format, self.limit, self.remaining.unwrap_or(0), self.reset)
    }

    /// The 429 without what every answer says.
    pub(super) fn answer(&self, rate: RateLimit) -> Answer {
        Answer {
            status: 429,
            headers: retry_after(rate.body, self.reset).into_iter().collect(),
            body: body(rate.body, self.limit, rate.window, self.reset),
        }
    }
}

/// A 429 out of the blue that asks to wait for `reset`.
pub(super) fn throttled(reset: Duration, format: ThrottleBody) -> Answer {
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
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

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
    fn the_headers_count_down_and_retry_after_is_rounded_up() {
        let check = |format, reset, expect: &[&str]| {
            let headers = headers(format, 100, 50, reset);
            let written = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}"));
            assert_eq!(written.collect::<Vec<_>>(), expect);
        };
        let short = Duration::from_millis(870);
        let today = [
            "ratelimit: limit=100; remaining=50; reset=0.87",
            "ratelimit-limit: 100",
            "ratelimit-remaining: 50",
            "ratelimit-reset: 0.87",
        ];
        check(ThrottleBody::Empty, short, &today);
        let documented = "ratelimit: limit=100, remaining=50, reset=5";
        let whole = Duration::from_secs(5);
        check(ThrottleBody::Nested2023, whole, &[documented]);
        let retry_after = retry_after(ThrottleBody::Empty, short);
        assert_eq!(retry_after.unwrap().1, "1");
    }

    #[test]
    fn each_form_has_its_headers_and_the_recorded_body() {
        let check = |format, names: &[&str], recorded: Option<&str>| {
            let answer = throttled(Duration::from_millis(596), format);
            let headers: Vec<_> = answer.headers.iter().map(|(name, _)| *name).collect();
            assert_eq!(headers, names, "{format:?}");
            let keys = |value: &Value| {
                let members = value.as_object().into_iter().flatten();
                members.map(|(key, _)| key.clone()).collect::<BTreeSet<_>>()
            };
            match (answer.body, recorded) {
                (Body::Json(body), Some(recorded)) => {
                    let recorded: Value = serde_json::from_str(recorded).unwrap();
                    assert_eq!(keys(&body), keys(&recorded));
                    assert_eq!(keys(&body["error"]), keys(&recorded["error"]));
                }
                (body, recorded) => assert_eq!((body, recorded), (Body::Empty, None)),
            }
        };
        let today = [
            "ratelimit",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "retry-after",
        ];
        let documented = ["ratelimit", "retry-after"];
        let historic = [
            "x-rate-limit-limit",
            "x-rate-limit-remaining",
            "x-rate-limit-reset",
        ];
        check(ThrottleBody::Empty, &today, None);
        let nested = include_str!("samples/error-429-2023.json");
        check(ThrottleBody::Nested2023, &documented, Some(nested));
        let flat = include_str!("samples/error-429-2017.json");
        check(ThrottleBody::Flat2017, &historic, Some(flat));
        check(ThrottleBody::RetryAfterOnly, &["retry-after"], None);
        check(ThrottleBody::Bare, &[], None);
    }
}
