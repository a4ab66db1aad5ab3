//! Times in the headers of answers, as RFC 9110 has them.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A wait that is written in more digits than a number holds: 136 years.
const ENDLESS: Duration = Duration::from_secs(u32::MAX as u64);
/// A year of two digits that would be further ahead is one of the century before. Source: RFC 9110, section 5.6.7.
const MAX_AHEAD_YEARS: i16 = 50;

/// When an answer was sent, by the clock of whoever sent it.
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    preferred(headers.get(DATE)?.to_str().ok()?)
}

/// How long `Retry-After` asks to wait: seconds, or until a date. It is now what the answer's own clock says, or else `now`.
/// Source: RFC 9110, section 10.2.3.
pub fn retry_after(headers: &HeaderMap, now: Option<Timestamp>) -> Option<Duration> {
    let now = date(headers).or(now);
    let texts = headers.get_all(RETRY_AFTER).iter();
    let texts = texts.filter_map(|value| value.to_str().ok());
    texts.map(str::trim).find_map(|text| wait(text, now))
}

fn wait(text: &str, now: Option<Timestamp>) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse::<u32>().ok();
        return Some(seconds.map_or(ENDLESS, |seconds| Duration::from_secs(seconds.into())));
    }
    let now = now?;
    let until = preferred(text)
        .or_else(|| of_rfc_850(text, now))
        .or_else(|| of_asctime(text))?;
    let wait = until.duration_since(now).max(SignedDuration::ZERO);
    Duration::try_from(wait).ok()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn preferred(text: &str) -> Option<Timestamp> {
    let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(text).ok()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn of_rfc_850(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (_, date) = text.split_once(", ")?;
    let date = DateTime::strptime("%d-%b-%y %H:%M:%S GMT", date).ok()?;
    let this_year = Offset::UTC.to_datetime(now).year();
    let year = this_year - this_year % 100 + date.year() % 100;
    let of_year = |year: i16| {
        let date = date.with().year(year).build().ok()?;
        Offset::UTC.to_timestamp(date).ok()
    };
    if this_year + MAX_AHEAD_YEARS < year {
        of_year(year - 100)
    } else {
        of_year(year)
    }
}

/// `Sun Nov  6 08:49:37 1994`
fn of_asctime(text: &str) -> Option<Timestamp> {
    let (_, date) = text.split_once(' ')?;
    let date = DateTime::strptime("%b %e %H:%M:%S %Y", date).ok()?;
    Offset::UTC.to_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use http::header::{DATE, RETRY_AFTER};
    use http::{HeaderMap, HeaderValue};
    use jiff::Timestamp;

    use super::retry_after;

    fn waits(texts: &[&str], now: &str) -> Option<u64> {
        let values = texts
            .iter()
            .map(|text| (RETRY_AFTER, text.parse().unwrap()));
        let headers: HeaderMap = values.collect();
        retry_after(&headers, now.parse().ok()).map(|wait| wait.as_secs())
    }

    #[test]
    fn is_seconds_or_a_date_in_three_forms() {
        let read = |text| waits(&[text], "1994-11-06T08:49:00Z");
        for (text, wait) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("00007", Some(7)),
            ("99999999999999999999", Some(u64::from(u32::MAX))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("Sun Nov 13 08:49:00 1994", Some(7 * 24 * 3_600)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:48:00 GMT", Some(0)),
            ("Sun Nov  6 08:48:00 1994", Some(0)),
        ] {
            assert_eq!(read(text), wait, "{text}");
        }
        for text in [
            "",
            "-1",
            "+1",
            "1.5",
            "soon",
            "inf",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sunday, 31-Feb-94 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 PST",
            "Sun Nov  6 08:49:37",
            "Sun Nov  6 08:49:37 99999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_near() {
        let read = |text, now: &str| waits(&[text], now);
        let in_a_second = "Wednesday, 01-Jan-75 00:00:01 GMT";
        assert_eq!(read(in_a_second, "2075-01-01T00:00:00Z"), Some(1));
        assert_eq!(read(in_a_second, "1975-01-01T00:00:00Z"), Some(1));
        assert_eq!(read(in_a_second, "2024-06-19T12:00:00Z"), Some(0));
        let leap = "Thursday, 29-Feb-24 00:00:01 GMT";
        assert_eq!(read(leap, "2024-02-29T00:00:00Z"), Some(1));
        assert_eq!(read(leap, "1924-02-29T00:00:00Z"), Some(1));
    }

    #[test]
    fn of_several_the_first_that_can_be_read_counts() {
        assert_eq!(waits(&["soon", "3", "4"], "1994-11-06T08:49:00Z"), Some(3));
        assert_eq!(waits(&[], "1994-11-06T08:49:00Z"), None);
        assert_eq!(waits(&["é"], "1994-11-06T08:49:00Z"), None);
    }

    #[test]
    fn a_date_is_told_by_the_clock_of_whoever_wrote_it() {
        let waits = |sent: Option<&'static str>, text: &'static str, now: Option<Timestamp>| {
            let sent = sent.map(|sent| (DATE, HeaderValue::from_static(sent)));
            let text = (RETRY_AFTER, HeaderValue::from_static(text));
            let headers: HeaderMap = [text].into_iter().chain(sent).collect();
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        let sent = Some("Sun, 06 Nov 1994 08:49:30 GMT");
        let until = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(waits(sent, until, None), Some(7));
        assert_eq!(waits(sent, until, Some(Timestamp::MAX)), Some(7));
        assert_eq!(waits(None, until, None), None);
        assert_eq!(waits(None, "7", None), Some(7));
    }
}
