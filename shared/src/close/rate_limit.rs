//! How long Close wants us to wait, in every form it has used.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::value::RawValue;

use super::json;

/// Where Close says nothing.
const DEFAULT_WAIT: Duration = Duration::from_secs(2);
/// A longer wait is not believed: limits reset within seconds.
const MAX_WAIT: Duration = Duration::from_mins(10);

/// Reads the wait of a 429: the `reset` of the `RateLimit` header, which is exact; else `retry-after`, which is rounded
/// up; else the body's `rate_reset`, which was dropped in 2024; else two seconds.
pub fn wait(headers: &HeaderMap, body: &str) -> Duration {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let seconds = header("ratelimit")
        .and_then(reset)
        .or_else(|| header("retry-after")?.trim().parse().ok())
        .or_else(|| header("x-rate-limit-reset")?.trim().parse().ok())
        .or_else(|| in_body(body));
    seconds
        .and_then(to_duration)
        .unwrap_or(DEFAULT_WAIT)
        .min(MAX_WAIT)
}

/// How long an answer that is no 429 says that the next request would be one.
pub fn pause(headers: &HeaderMap) -> Option<Duration> {
    let header = headers.get("ratelimit")?.to_str().ok()?;
    let is_used_up = number(header, "remaining") == Some(0.0);
    let reset = reset(header).and_then(to_duration)?;
    is_used_up.then_some(reset.min(MAX_WAIT))
}

fn reset(header: &str) -> Option<f64> {
    number(header, "reset")
}

/// One number of `limit=100, remaining=50, reset=0.5`.
fn number(header: &str, name: &str) -> Option<f64> {
    let mut parts = header.split(',').filter_map(|part| part.split_once('='));
    let (_, text) = parts.find(|(key, _)| key.trim() == name)?;
    text.trim().parse().ok()
}

fn to_duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn in_body(body: &str) -> Option<f64> {
    let body: &RawValue = crate::json::read(body).ok()?;
    let reset =
        json::text_at(body, "rate_reset").or_else(|| json::text_at(body, "error.rate_reset"));
    reset?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{pause, wait};

    fn waited(headers: &[(&'static str, &'static str)], body: &str) -> Duration {
        wait(&map(headers), body)
    }

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        headers.iter().map(pair).collect()
    }

    #[test]
    fn reads_every_form() {
        let millis = Duration::from_millis;
        assert_eq!(
            waited(
                &[
                    ("ratelimit", "limit=100, remaining=0, reset=0.25"),
                    ("retry-after", "1")
                ],
                ""
            ),
            millis(250)
        );
        assert_eq!(
            waited(&[("retry-after", "3")], r#"{"rate_reset":"9"}"#),
            millis(3_000)
        );
        assert_eq!(
            waited(
                &[],
                r#"{"message":"API call count exceeded","rate_reset":"0.595956"}"#
            )
            .as_millis(),
            595
        );
        assert_eq!(waited(&[], r#"{"error":{"rate_reset":0.87}}"#), millis(870));
    }

    #[test]
    fn nonsense_waits_two_seconds_and_never_longer_than_ten_minutes() {
        for (headers, body) in [
            (vec![("ratelimit", "reset=soon")], "<html>"),
            (vec![("retry-after", "-1")], ""),
            (vec![], "{}"),
        ] {
            assert_eq!(
                waited(&headers, body),
                Duration::from_secs(2),
                "{headers:?}"
            );
        }
        assert_eq!(
            waited(&[("retry-after", "86400")], ""),
            Duration::from_mins(10)
        );
    }

    #[test]
    fn pauses_only_when_nothing_remains() {
        let paused = |header: &'static str| pause(&map(&[("ratelimit", header)]));
        assert_eq!(
            paused("limit=100, remaining=0, reset=0.25"),
            Some(Duration::from_millis(250))
        );
        assert_eq!(paused("limit=100,remaining=1,reset=0.25"), None);
        assert_eq!(paused("limit=100, remaining=0"), None);
        assert_eq!(pause(&map(&[])), None);
    }
}
