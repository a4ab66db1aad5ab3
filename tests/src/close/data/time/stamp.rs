//! The ways in which Close writes a time, and reads one.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;

/// As in objects: six digits, omitted when zero, and the zone.
pub(crate) fn zoned(timestamp: Timestamp) -> String {
    format!("{}+00:00", naive(timestamp))
}

/// As in the event log and in webhook subscriptions: no zone, UTC is meant.
pub(crate) fn naive(timestamp: Timestamp) -> String {
    let format = if timestamp.subsec_nanosecond() / 1_000 == 0 {
        "%Y-%m-%dT%H:%M:%S"
    } else {
        "%Y-%m-%dT%H:%M:%S.%6f"
    };
    timestamp.strftime(format).to_string()
}

/// The day in UTC, as in a task's `date`.
pub(crate) fn day(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%d").to_string()
}

/// As in the `Date` header; empty for a year that the header cannot write.
pub(crate) fn http_date(timestamp: Timestamp) -> String {
    let printer = DateTimePrinter::new();
    printer
        .timestamp_to_rfc9110_string(&timestamp)
        .unwrap_or_default()
}

/// A time with a zone, one without, which is UTC, or a date, which is its midnight. The header `x-tz-offset`, which would
/// shift that midnight, is not simulated.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let naive = || {
        TimeZone::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()
    };
    text.parse().ok().or_else(naive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_time_are_read_and_nothing_else() {
        let noon: Timestamp = "2026-06-19T12:00:00.5Z".parse().unwrap();
        for text in [
            "2026-06-19T12:00:00.500000+00:00",
            "2026-06-19T12:00:00.500000",
            "2026-06-19T14:00:00.5+02:00",
        ] {
            assert_eq!(parse(text), Some(noon), "{text}");
        }
        let midnight: Timestamp = "2026-06-19T00:00:00Z".parse().unwrap();
        assert_eq!(parse("2026-06-19"), Some(midnight));
        // A plus that was not encoded arrives as a blank.
        assert_eq!(parse("2026-06-19T12:00:00 00:00"), None);
        assert_eq!(parse("yesterday"), None);
    }

    #[track_caller]
    fn check(timestamp: &str, object: &str, event: &str) {
        let timestamp: Timestamp = timestamp.parse().unwrap();
        assert_eq!(zoned(timestamp), object);
        assert_eq!(naive(timestamp), event);
    }

    #[test]
    fn milliseconds_are_written_with_six_digits() {
        check(
            "2026-06-19T12:06:45.242Z",
            "2026-06-19T12:06:45.242000+00:00",
            "2026-06-19T12:06:45.242000",
        );
    }

    #[test]
    fn a_zero_fraction_is_omitted() {
        check(
            "2021-09-16T19:21:05Z",
            "2021-09-16T19:21:05+00:00",
            "2021-09-16T19:21:05",
        );
    }

    #[test]
    fn the_date_header_is_a_http_date() {
        let timestamp: Timestamp = "2026-06-09T12:06:45.242Z".parse().unwrap();
        assert_eq!(http_date(timestamp), "Tue, 09 Jun 2026 12:06:45 GMT");
    }
}
