//! How long Close wants us to wait, in every form it has used.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::value::RawValue;

use crate::json::path;
use crate::text::http_time;

/// Where Close says nothing.
const DEFAULT_WAIT: Duration = Duration::from_secs(2);
/// A longer wait is not believed, for limits reset within seconds: a longer `reset` is none, a longer `Retry-After` this.
const MAX_WAIT: Duration = Duration::from_mins(10);

/// The wait that a 429 asks for, from the first of these that can be used: the `reset` of `RateLimit`, which is exact;
/// `RateLimit-Reset`; `Retry-After`, which is rounded up; what Close sent until 2024, `X-Rate-Limit-Reset` and the body's
/// `rate_reset`; else two seconds. A proxy in front of Close sends `Retry-After` alone, or a `reset` below zero beside it.
pub fn wait(headers: &HeaderMap, body: &str) -> Duration {
    let wait = reset(headers)
        .or_else(|| http_time::retry_after(headers, None))
        .or_else(|| seconds(text(headers, "x-rate-limit-reset")?))
        .or_else(|| in_body(body));
    wait.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT)
}

/// How long an answer that is no 429 says that the next request would be one.
pub fn pause(headers: &HeaderMap) -> Option<Duration> {
    let of_all = number(headers, "remaining");
    let alone = text(headers, "ratelimit-remaining").and_then(|text| text.trim().parse().ok());
    // Close has answered `remaining=100` and `RateLimit-Remaining: 99` together.
    let is_used_up = of_all.into_iter().chain(alone).any(|left: f64| left < 1.0);
    reset(headers).filter(|_| is_used_up)
}

fn reset(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "reset")
        .and_then(to_duration)
        .or_else(|| seconds(text(headers, "ratelimit-reset")?))
}

/// One number of `RateLimit`, which is `limit=100; remaining=50; reset=0.5` on the wire and has commas in the documentation.
fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    let mut parts = text(headers, "ratelimit")?
        .split([';', ','])
        .filter_map(|part| part.split_once('='));
    let (_, text) = parts.find(|(key, _)| key.trim() == name)?;
    text.trim().parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn to_duration(seconds: f64) -> Option<Duration> {
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    (wait <= MAX_WAIT).then_some(wait)
}

fn seconds(text: &str) -> Option<Duration> {
    to_duration(text.trim().parse().ok()?)
}

fn in_body(body: &str) -> Option<Duration> {
    let body: &RawValue = crate::json::read(body).ok()?;
    let reset =
        path::text_at(body, "rate_reset").or_else(|| path::text_at(body, "error.rate_reset"));
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
        for (headers, body, wait) in [
            (
                &[
                    ("ratelimit", "limit=100; remaining=0; reset=0.25"),
                    ("ratelimit-reset", "5"),
                    ("retry-after", "1"),
                ][..],
                "",
                250,
            ),
            // As documented.
            (
                &[("ratelimit", "limit=100, remaining=0, reset=0.25")],
                "",
                250,
            ),
            (&[("ratelimit", "reset=0.25;limit=100")], "", 250),
            (
                &[("ratelimit-reset", " 0.5 "), ("retry-after", "1")],
                "",
                500,
            ),
            (&[("retry-after", "3")], r#"{"rate_reset":"9"}"#, 3_000),
            (
                &[],
                r#"{"message":"API call count exceeded","rate_reset":"0.595"}"#,
                595,
            ),
            (&[], r#"{"error":{"rate_reset":0.87}}"#, 870),
        ] {
            assert_eq!(waited(headers, body), millis(wait), "{headers:?} {body}");
        }
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
            for reset in ["-1", "soon", "nan", "inf", "1e300", "1781870407", ""] {
                let unusable = format!("limit=100; remaining=0; reset={reset}").leak();
                let headers = [sent, retry_after, ("ratelimit", unusable)];
                assert_eq!(waited(&headers, ""), seconds(7), "{reset}");
                let headers = [sent, retry_after, ("ratelimit-reset", reset)];
                assert_eq!(waited(&headers, ""), seconds(7), "{reset}");
            }
        }
        assert_eq!(
            waited(&[("ratelimit", "reset=-1"), ("ratelimit-reset", "4")], ""),
            seconds(4)
        );
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
            (vec![("ratelimit", "limit=100; remaining=0")], "<html>"),
            (vec![("ratelimit-reset", "601")], ""),
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
        let paused = |headers: &[(&'static str, &'static str)]| {
            pause(&map(headers)).map(|wait| wait.as_millis())
        };
        let alone = |header| paused(&[("ratelimit", header)]);
        assert_eq!(alone("limit=100; remaining=0; reset=0.25"), Some(250));
        assert_eq!(alone("limit=100, remaining=0, reset=0.25"), Some(250));
        assert_eq!(alone("limit=100;remaining=1;reset=0.25"), None);
        assert_eq!(alone("limit=100; remaining=0"), None);
        assert_eq!(alone("limit=100; remaining=0; reset=-1"), None);
        assert_eq!(alone("limit=100; remaining=soon; reset=1"), None);
        assert_eq!(paused(&[]), None);
        let of_all = ("ratelimit", "limit=100; remaining=1; reset=0.25");
        let [some, none] = ["1", "0"].map(|left| ("ratelimit-remaining", left));
        assert_eq!(paused(&[of_all, some]), None);
        assert_eq!(paused(&[of_all, none]), Some(250));
        assert_eq!(paused(&[none, ("ratelimit-reset", "2")]), Some(2_000));
    }
}
