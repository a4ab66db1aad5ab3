//! Close's ways of writing a time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Reads a time of Close's.
///
/// Objects carry a zone and drop a zero fraction (`2021-09-16T19:21:05+00:00`); the event log, webhooks and webhook
/// subscriptions carry none and mean UTC (`2023-04-07T10:01:14.670000`).
pub fn parse(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| {
        Offset::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()
    })
}

/// Writes a time as Close's objects do: six digits and `+00:00`.
pub fn format(time: Timestamp) -> String {
    format!("{:.6}+00:00", Offset::UTC.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn reads_all_spellings() {
        let micros = |text: &str| parse(text).map(jiff::Timestamp::as_microsecond);
        assert_eq!(micros("1970-01-01T00:00:01.242000+00:00"), Some(1_242_000));
        assert_eq!(micros("1970-01-01T00:00:01+00:00"), Some(1_000_000));
        assert_eq!(micros("1970-01-01T00:00:01.670000"), Some(1_670_000));
        assert_eq!(micros("1970-01-01T02:00:01.5+02:00"), Some(1_500_000));
        assert_eq!(micros("1970-01-01T00:00:01Z"), Some(1_000_000));
        for text in ["", "yesterday", "1970-13-01T00:00:00+00:00", "12"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    #[test]
    fn writes_as_objects_do() {
        assert_eq!(
            format(parse("2026-06-19T11:04:37.985Z").unwrap()),
            "2026-06-19T11:04:37.985000+00:00"
        );
        assert_eq!(
            format(parse("2026-06-19T11:04:37Z").unwrap()),
            "2026-06-19T11:04:37.000000+00:00"
        );
    }
}
