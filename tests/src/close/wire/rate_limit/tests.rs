//! Limits of keys and organizations, and the forms of a 429.

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
    let nested = include_str!("../../samples/error-429-2023.json");
    check(ThrottleBody::Nested2023, &documented, Some(nested));
    let flat = include_str!("../../samples/error-429-2017.json");
    check(ThrottleBody::Flat2017, &historic, Some(flat));
    check(ThrottleBody::RetryAfterOnly, &["retry-after"], None);
    check(ThrottleBody::Bare, &[], None);
}
