//! The body of a request for a backfill.

use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::instance::settings::{EXPECTED_TIME, parse_time};
use shared::polling::field_error::FieldError;
use shared::polling::resource::Resource;

use super::members::is_label;

const RESOURCE: &str = "resource";
const FROM: &str = "from";
const TO: &str = "to";

/// A request for a backfill, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRequest {
    /// Which resource.
    pub resource: String,
    /// The earliest date, inclusive.
    pub from: Timestamp,
    /// The latest, exclusive; now, where the request names none.
    pub to: Timestamp,
}

/// Reads and checks a request to an instance whose `resources` can be backfilled.
///
/// # Errors
/// Everything that is missing or wrong.
pub fn parse(
    members: &Map<String, Value>,
    resources: &[Resource],
    now: Timestamp,
) -> Result<BackfillRequest, Vec<FieldError>> {
    let mut errors = Vec::new();
    let resource = parse_resource(members, resources, &mut errors);
    let from = parse_date(members, FROM, &mut errors);
    let to = parse_date(members, TO, &mut errors);
    if from.is_none() && is_absent(members, FROM) {
        let message = "is required: the earliest date to publish";
        errors.push(FieldError::new(FROM, message));
    }
    if to.is_some_and(|to| now < to) {
        let message = format!("expected no time in the future; it is {now:.3}");
        errors.push(FieldError::new(TO, message));
    }
    check_from(from, to.unwrap_or(now), resource, now, &mut errors);
    // A misspelt `to` would publish everything up to now.
    let is_known = |key: &&String| [RESOURCE, FROM, TO].contains(&key.as_str());
    for key in members.keys().filter(|key| !is_known(key)) {
        let field = if is_label(key) { key } else { "body" };
        let message = "expected no member but resource, from and to";
        errors.push(FieldError::new(field, message));
    }
    match (resource, from) {
        (Some(resource), Some(from)) if errors.is_empty() => Ok(BackfillRequest {
            resource: resource.name.clone(),
            from,
            to: to.unwrap_or_else(|| in_milliseconds(now)),
        }),
        _ => Err(errors),
    }
}

fn parse_resource<'a>(
    members: &Map<String, Value>,
    resources: &'a [Resource],
    errors: &mut Vec<FieldError>,
) -> Option<&'a Resource> {
    let name = members.get(RESOURCE).and_then(Value::as_str);
    let found = resources
        .iter()
        .find(|resource| Some(resource.name.as_str()) == name);
    if found.is_none() {
        let names: Vec<_> = resources
            .iter()
            .map(|resource| resource.name.as_str())
            .collect();
        let names = names.join(", ");
        let message = if is_absent(members, RESOURCE) {
            format!("is required: one of {names}")
        } else {
            format!("expected one of {names}")
        };
        errors.push(FieldError::new(RESOURCE, message));
    }
    found
}

fn parse_date(
    members: &Map<String, Value>,
    key: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Timestamp> {
    let date = members
        .get(key)
        .and_then(Value::as_str)
        .and_then(parse_time);
    if date.is_none() && !is_absent(members, key) {
        errors.push(FieldError::new(key, EXPECTED_TIME));
    }
    date
}

fn check_from(
    from: Option<Timestamp>,
    to: Timestamp,
    resource: Option<&Resource>,
    now: Timestamp,
    errors: &mut Vec<FieldError>,
) {
    let Some(from) = from else {
        return;
    };
    if to <= from {
        let message = format!("expected a time before the end of the span, {to:.3}");
        errors.push(FieldError::new(FROM, message));
    }
    let retention = resource.and_then(|resource| resource.source.retention());
    if let Some(kept) = retention.filter(|kept| *kept < now.duration_since(from)) {
        let days = kept.as_hours() / 24;
        let message = format!(
            "expected a time within the last {days} days: Close keeps no more of its event log, where this resource is read"
        );
        errors.push(FieldError::new(FROM, message));
    }
}

fn is_absent(members: &Map<String, Value>, key: &str) -> bool {
    let member = members.get(key);
    member.is_none_or(|value| value.is_null() || value.as_str() == Some(""))
}

/// As Close stamps.
fn in_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shared::polling::poller_configuration;

    use super::{BackfillRequest, parse};

    const NOW: &str = "2026-06-19T12:00:00.123456789Z";

    fn parsed(body: Value) -> Result<BackfillRequest, String> {
        let Value::Object(members) = body else {
            panic!("an object")
        };
        let resources =
            r#"{"leads":{"url":"/hubs/crm/leads"},"calls":{"url":"/hubs/crm/activities"}}"#;
        let resources = poller_configuration::parse(resources).unwrap();
        parse(&members, &resources, NOW.parse().unwrap()).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
    }

    #[track_caller]
    fn check(body: Value, from: &str, to: &str) {
        let request = parsed(body).unwrap();
        assert_eq!(
            (request.from.to_string(), request.to.to_string()),
            (from.into(), to.into())
        );
    }

    #[test]
    fn times_are_read_as_everywhere_and_the_end_is_now() {
        check(
            json!({"resource": "leads", "from": "2026-01-01T01:00:00+01:00"}),
            "2026-01-01T00:00:00Z",
            "2026-06-19T12:00:00.123Z",
        );
        check(
            json!({"resource": "leads", "from": "1970-01-01T00:00:00", "to": "2026-06-19T12:00:00.123456789Z"}),
            "1970-01-01T00:00:00Z",
            "2026-06-19T12:00:00.123456789Z",
        );
        check(
            json!({"resource": "calls", "from": "2026-05-20T12:00:01Z", "to": null}),
            "2026-05-20T12:00:01Z",
            "2026-06-19T12:00:00.123Z",
        );
    }

    #[test]
    fn everything_that_is_missing_or_wrong_is_named() {
        let message = |body: Value| parsed(body).unwrap_err();
        insta::assert_snapshot!(message(json!({})), @r"
        resource: is required: one of leads, calls
        from: is required: the earliest date to publish
        ");
        insta::assert_snapshot!(message(json!({"resource": "contacts", "from": "yesterday", "to": 5, "until": null})), @r"
        resource: expected one of leads, calls
        from: expected a time since 1970, such as 2026-06-19T12:00:00Z
        to: expected a time since 1970, such as 2026-06-19T12:00:00Z
        until: expected no member but resource, from and to
        ");
        insta::assert_snapshot!(message(json!({"resource": 7, "from": "1969-12-31T23:59:59Z", "to": "2026-06-19T12:00:00.2Z"})), @r"
        resource: expected one of leads, calls
        from: expected a time since 1970, such as 2026-06-19T12:00:00Z
        to: expected no time in the future; it is 2026-06-19T12:00:00.123Z
        ");
        insta::assert_snapshot!(message(json!({"resource": "leads", "from": "2026-06-19T12:00:00.2Z"})), @"from: expected a time before the end of the span, 2026-06-19T12:00:00.123Z");
        insta::assert_snapshot!(message(json!({"resource": "leads", "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"})), @"from: expected a time before the end of the span, 2026-01-01T00:00:00.000Z");
        insta::assert_snapshot!(message(json!({"resource": "calls", "from": "2026-05-20T12:00:00Z"})), @"from: expected a time within the last 30 days: Close keeps no more of its event log, where this resource is read");
    }
}
