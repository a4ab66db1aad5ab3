//! How long Close wants us to wait, in every form it has used.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::value::RawValue;

use super::json;
use crate::http_time;

/// Where Close says nothing.
const DEFAULT_WAIT: Duration = Duration::from_secs(2);
/// A longer wait is not believed: limits reset within seconds.
const MAX_WAIT: Duration = Duration::from_mins(10);

/// Reads the wait of a 429: the `reset` of the `RateLimit` header, which is exact; else `retry-after`, which is rounded
/// up; else the body's `rate_reset`, which was dropped in 2024; else two seconds. What cannot be used, such as a `reset`
/// below zero, is as good as not there.
pub fn wait(headers: &HeaderMap, body: &str) -> Duration {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let wait = header("ratelimit")
        .and_then(reset)
        .or_else(|| http_time::retry_after(headers, None))
        .or_else(|| seconds(header("x-rate-limit-reset")?))
        .or_else(|| in_body(body));
    wait.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT)
}

/// How long an answer that is no 429 says that the next request would be one.
pub fn pause(headers: &HeaderMap) -> Option<Duration> {
    let header = headers.get("ratelimit")?.to_str().ok()?;
    let is_used_up = number(header, "remaining") == Some(0.0);
    let reset = reset(header)?;
    is_used_up.then_some(reset.min(MAX_WAIT))
}

fn reset(header: &str) -> Option<Duration> {
    number(header, "reset").and_then(to_duration)
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

fn seconds(text: &str) -> Option<Duration> {
    to_duration(text.trim().parse().ok()?)
}

fn in_body(body: &str) -> Option<Duration> {
    let body: &RawValue = crate::json::read(body).ok()?;
    let reset =
        json::text_at(body, "rate_reset").or_else(|| json::text_at(body, "error.rate_reset"));
    seconds(&reset?)
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
    fn a_retry_after_may_be_a_date_and_counts_beside_a_reset_that_cannot_be_used() {
        let seconds = Duration::from_secs;
        let sent = ("date", "Fri, 19 Jun 2026 12:00:00 GMT");
        for text in [
            "Fri, 19 Jun 2026 12:00:07 GMT",
            "Friday, 19-Jun-26 12:00:07 GMT",
            "Fri Jun 19 12:00:07 2026",
            "7",
        ] {
            let retry_after = ("retry-after", text);
            assert_eq!(waited(&[sent, retry_after], "<html>"), seconds(7), "{text}");
            for reset in ["-1", "soon", "nan", "inf", "1e300", ""] {
                let unusable = format!("limit=100, remaining=0, reset={reset}").leak();
                let headers = [sent, retry_after, ("ratelimit", unusable)];
                assert_eq!(waited(&headers, ""), seconds(7), "{reset}");
            }
        }
        assert_eq!(
            waited(&[("retry-after", "soon"), ("x-rate-limit-reset", "4")], ""),
            seconds(4)
        );
        assert_eq!(
            waited(&[("x-rate-limit-reset", "-4")], r#"{"rate_reset":"5"}"#),
            seconds(5)
        );
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
