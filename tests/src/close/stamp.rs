//! The ways in which Close writes a time.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// As in objects: six digits, omitted when zero, and the zone.
pub(super) fn zoned(timestamp: Timestamp) -> String {
    format!("{}+00:00", naive(timestamp))
}

/// As in the event log and in webhook subscriptions: no zone, UTC is meant.
pub(super) fn naive(timestamp: Timestamp) -> String {
    let format = if timestamp.subsec_nanosecond() / 1_000 == 0 {
        "%Y-%m-%dT%H:%M:%S"
    } else {
        "%Y-%m-%dT%H:%M:%S.%6f"
    };
    timestamp.strftime(format).to_string()
}

/// The day in UTC, as in a task's `date`.
pub(super) fn day(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%d").to_string()
}

/// As in the `Date` header; empty for a year that the header cannot write.
pub(super) fn http_date(timestamp: Timestamp) -> String {
    let printer = DateTimePrinter::new();
    printer
        .timestamp_to_rfc9110_string(&timestamp)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
