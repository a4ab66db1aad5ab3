//! Java's date patterns, as they stand in `updatedDateFormat` and in a query's placeholders.
//!
//! Java has two readings of a pattern, and nobody knows which one the old service had. They differ in `S`:
//! `SimpleDateFormat` takes it as milliseconds, so that it reads the `.451000` of Close's dates as 451 seconds;
//! `DateTimeFormatter` takes it as a fraction of the second. Here it is a fraction.

mod compile;
mod cursor;
mod name;
mod read;
mod written_zone;
pub mod zone;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::close::timestamp;

/// The text is not a date pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatePatternError {
    /// The pattern is empty.
    #[error("expected a date pattern, but found nothing")]
    Empty,
    /// A letter that Java gives no meaning.
    #[error(
        "`{letter}` at position {position} is no pattern letter; put literal text in single quotes"
    )]
    UnknownLetter {
        /// The letter.
        letter: char,
        /// Counted in characters from 1.
        position: usize,
    },
    /// A field that Java knows, but not we; or one that Java knows only at another length.
    #[error(
        "`{field}` at position {position} is not supported; \
         expected yyyy, MM, dd, HH, hh, a, mm, ss, S, n, E, X, x, Z, z or VV"
    )]
    Unsupported {
        /// The letter, as often as it stands there.
        field: String,
        /// Counted in characters from 1.
        position: usize,
    },
    /// A quote without its closing one.
    #[error("the single quote at position {position} is never closed")]
    OpenQuote {
        /// Counted in characters from 1.
        position: usize,
    },
}

/// A checked pattern: `yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatePattern {
    items: Vec<Item>,
}

/// What a pattern says next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    /// A number of at least so many digits.
    Number(Unit, usize),
    /// The years 2000 to 2099, as `DateTimeFormatter` has it; `SimpleDateFormat` would ask the clock.
    TwoDigitYear,
    /// So many digits after the point.
    Fraction(usize),
    MonthName(Length),
    WeekdayName(Length),
    HalfDay,
    Offset(OffsetStyle),
    ZoneAbbreviation,
    ZoneId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Day,
    Hour,
    HourOfHalfDay,
    Minute,
    Second,
    Nanosecond,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OffsetStyle {
    /// `Z` stands for the offset 0.
    zero_is_z: bool,
    minutes: OffsetMinutes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetMinutes {
    /// `-06`, but `+0530`.
    IfAny,
    /// `-0600`.
    Plain,
    /// `-06:00`.
    AfterColon,
}

/// What `updatedDateFormat` and `createdDateFormat` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateFormat {
    /// `milliseconds`: since 1970.
    Milliseconds,
    /// `10 digit integer Unix time`: seconds since 1970.
    Seconds,
    /// Any other text.
    Pattern(DatePattern),
}

impl DateFormat {
    /// Reads the configured text.
    ///
    /// # Errors
    /// The pattern's first fault.
    pub fn parse(text: &str) -> Result<Self, DatePatternError> {
        match text {
            "milliseconds" => Ok(Self::Milliseconds),
            "10 digit integer Unix time" => Ok(Self::Seconds),
            pattern => DatePattern::parse(pattern).map(Self::Pattern),
        }
    }

    /// Reads a date. `zone` counts where the text names none.
    ///
    /// What does not follow the format is read as Close writes it, or as a number since 1970: the configured formats
    /// were never right for every date (`.SSSSSS` fails where Close drops a zero fraction).
    pub fn read(&self, text: &str, zone: &TimeZone) -> Option<Timestamp> {
        let read = match self {
            Self::Milliseconds => from_millisecond(text),
            Self::Seconds => from_second(text),
            Self::Pattern(pattern) => pattern.read(text, zone),
        };
        read.or_else(|| read_any(text))
    }
}

/// Reads a date of no known format: Close's spellings, ten digits of seconds since 1970, or milliseconds.
pub fn read_any(text: &str) -> Option<Timestamp> {
    let since_1970 = match text.len() {
        10 => from_second(text),
        _ => from_millisecond(text),
    };
    since_1970.or_else(|| timestamp::parse(text))
}

fn from_millisecond(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

fn from_second(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{DateFormat, zone};

    #[track_caller]
    fn check(format: &str, text: &str, expected: &str) {
        let read = DateFormat::parse(format).unwrap().read(text, &zone::gmt());
        assert_eq!(
            read.map_or("-".to_owned(), |time| time.to_string()),
            expected
        );
    }

    #[test]
    fn reads_numbers_since_1970() {
        check("milliseconds", "1495144526451", "2017-05-18T21:55:26.451Z");
        check("milliseconds", "1495144526", "1970-01-18T07:19:04.526Z");
        check("milliseconds", "-1", "1969-12-31T23:59:59.999Z");
        check(
            "10 digit integer Unix time",
            "1495144526",
            "2017-05-18T21:55:26Z",
        );
        check("yyyy-MM-dd", "1495144526", "2017-05-18T21:55:26Z");
        check("yyyy-MM-dd", "1495144526451", "2017-05-18T21:55:26.451Z");
    }

    #[test]
    fn falls_back_to_what_close_writes() {
        let format = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";
        check(
            format,
            "2017-05-18T21:55:26.451000+00:00",
            "2017-05-18T21:55:26.451Z",
        );
        check(format, "2017-05-18T21:55:26+00:00", "2017-05-18T21:55:26Z");
        check(
            format,
            "2017-05-18T21:55:26.451",
            "2017-05-18T21:55:26.451Z",
        );
        check(
            "milliseconds",
            "2017-05-18T21:55:26Z",
            "2017-05-18T21:55:26Z",
        );
        check(
            "yyyy-MM-dd",
            "2017-05-18T21:55:26-06:00",
            "2017-05-19T03:55:26Z",
        );
        for text in [
            "",
            "-",
            "yesterday",
            "2017-05-18T25:00:00",
            "99999999999999999999",
        ] {
            check(format, text, "-");
            check("milliseconds", text, "-");
        }
    }
}
