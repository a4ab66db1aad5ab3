//! From text to time.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::cursor::Cursor;
use super::name::{HALF_DAYS, MONTHS, WEEKDAYS};
use super::written_zone::WrittenZone;
use super::{DatePattern, Item, Length, Unit};

impl DatePattern {
    /// Reads a text that follows the pattern to its end. `zone` counts where the text names none.
    ///
    /// What the pattern leaves out is that of 1970-01-01T00:00:00. A weekday is not checked against the date.
    pub fn read(&self, text: &str, zone: &TimeZone) -> Option<Timestamp> {
        let mut cursor = Cursor { rest: text };
        let mut fields = Fields::new();
        let following = self.items.iter().skip(1).map(Some).chain([None]);
        for (item, next) in self.items.iter().zip(following) {
            fields.read(item, next.is_some_and(is_numeric), &mut cursor)?;
        }
        cursor.rest.is_empty().then(|| fields.time(zone))?
    }
}

fn is_numeric(item: &Item) -> bool {
    matches!(
        item,
        Item::Number(..) | Item::TwoDigitYear | Item::Fraction(_)
    )
}

struct Fields<'a> {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    hour_of_half_day: Option<i8>,
    is_afternoon: bool,
    minute: i8,
    second: i8,
    nanosecond: i32,
    zone: WrittenZone<'a>,
}

impl<'a> Fields<'a> {
    fn new() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            hour_of_half_day: None,
            is_afternoon: false,
            minute: 0,
            second: 0,
            nanosecond: 0,
            zone: WrittenZone::Nothing,
        }
    }

    /// Where a number follows at once, only the pattern's own digits belong to this one.
    fn read(&mut self, item: &Item, number_follows: bool, cursor: &mut Cursor<'a>) -> Option<()> {
        let digits = |width: usize, most: usize| {
            if number_follows {
                width
            } else {
                most.max(width)
            }
        };
        match item {
            Item::Literal(text) => cursor.literal(text)?,
            Item::Number(unit, width) => {
                self.set(*unit, cursor.digits(digits(*width, most_digits(*unit)))?)?;
            }
            Item::TwoDigitYear => self.year = 2000 + cursor.exactly(2)?.parse::<i16>().ok()?,
            Item::Fraction(width) => {
                let fraction = cursor.digits(digits(*width, 9))?;
                self.nanosecond = format!("{fraction:0<9}").parse().ok()?;
            }
            Item::MonthName(length) => self.month = cursor.name(&MONTHS, *length)? + 1,
            Item::WeekdayName(length) => {
                cursor.name(&WEEKDAYS, *length)?;
            }
            Item::HalfDay => self.is_afternoon = cursor.name(&HALF_DAYS, Length::Full)? == 1,
            Item::Offset(style) => self.zone = WrittenZone::Offset(cursor.offset(*style)?),
            Item::ZoneAbbreviation | Item::ZoneId => {
                self.zone = WrittenZone::Name(cursor.zone_name()?);
            }
        }
        Some(())
    }

    fn set(&mut self, unit: Unit, digits: &str) -> Option<()> {
        match unit {
            Unit::Year => self.year = digits.parse().ok()?,
            Unit::Month => self.month = digits.parse().ok()?,
            Unit::Day => self.day = digits.parse().ok()?,
            Unit::Hour => self.hour = digits.parse().ok()?,
            Unit::HourOfHalfDay => self.hour_of_half_day = Some(digits.parse().ok()?),
            Unit::Minute => self.minute = digits.parse().ok()?,
            Unit::Second => self.second = digits.parse().ok()?,
            Unit::Nanosecond => self.nanosecond = digits.parse().ok()?,
        }
        Some(())
    }

    fn time(&self, default: &TimeZone) -> Option<Timestamp> {
        let hour = match self.hour_of_half_day {
            Some(hour @ 1..=12) => hour % 12 + if self.is_afternoon { 12 } else { 0 },
            Some(_) => return None,
            None => self.hour,
        };
        let date = Date::new(self.year, self.month, self.day).ok()?;
        let time = Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        self.zone.time(date.to_datetime(time), default)
    }
}

fn most_digits(unit: Unit) -> usize {
    match unit {
        Unit::Year => 4,
        Unit::Nanosecond => 9,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatePattern, zone};

    #[track_caller]
    fn check(pattern: &str, zone: &str, text: &str, expected: &str) {
        let pattern = DatePattern::parse(pattern).unwrap();
        let read = pattern.read(text, &zone::find(zone).unwrap());
        assert_eq!(
            read.map_or("-".to_owned(), |time| time.to_string()),
            expected
        );
    }

    #[test]
    fn reads_a_fraction_as_one() {
        let pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";
        check(
            pattern,
            "GMT",
            "2017-05-18T21:55:26.451000+00:00",
            "2017-05-18T21:55:26.451Z",
        );
        check(
            pattern,
            "GMT",
            "2017-05-18T21:54:27.795000+00:00",
            "2017-05-18T21:54:27.795Z",
        );
        check(
            pattern,
            "GMT",
            "2017-05-18T21:54:27.7-06:00",
            "2017-05-19T03:54:27.7Z",
        );
        check("ss.SSS", "GMT", "26.451789", "1970-01-01T00:00:26.451789Z");
    }

    #[test]
    fn reads_other_patterns_of_the_field() {
        check(
            "EEE, dd MMM yyyy HH:mm:ss Z",
            "GMT",
            "thu, 18 MAY 2017 21:55:26 -0600",
            "2017-05-19T03:55:26Z",
        );
        check(
            "MM/dd/yyy HH:mm:ss",
            "America/Denver",
            "5/18/2017 15:55:26",
            "2017-05-18T21:55:26Z",
        );
        check(
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            "America/Denver",
            "2017-05-18T15:55:26Z",
            "2017-05-18T21:55:26Z",
        );
        check(
            "yyyyMMddHHmmssSSS",
            "GMT",
            "20170518215526451",
            "2017-05-18T21:55:26.451Z",
        );
        check("yyyy-MM-dd", "-8:00", "2017-05-18", "2017-05-18T08:00:00Z");
        check(
            "EEEE, MMMM d, yy, h:mm a",
            "GMT",
            "Thursday, May 18, 17, 12:05 am",
            "2017-05-18T00:05:00Z",
        );
        check("h a", "GMT", "12 PM", "1970-01-01T12:00:00Z");
        check("HH:mmz", "GMT", "10:30MDT", "1970-01-01T16:30:00Z");
        check("HH:mm z", "GMT", "10:30 GMT-08:00", "1970-01-01T18:30:00Z");
        check(
            "yyyy-MM-dd HH VV",
            "GMT",
            "2017-05-18 15 America/Denver",
            "2017-05-18T21:00:00Z",
        );
        check("HHX", "GMT", "10-0630", "1970-01-01T16:30:00Z");
    }

    #[test]
    fn the_abbreviation_tells_the_hours_that_come_twice() {
        let pattern = "yyyy-MM-dd HH:mm z";
        check(
            pattern,
            "Europe/Paris",
            "2017-10-29 02:30 CEST",
            "2017-10-29T00:30:00Z",
        );
        check(
            pattern,
            "Europe/Paris",
            "2017-10-29 02:30 CET",
            "2017-10-29T01:30:00Z",
        );
        check(
            pattern,
            "GMT",
            "2017-10-29 02:30 MST",
            "2017-10-29T09:30:00Z",
        );
    }

    #[test]
    fn reads_nothing_else() {
        let pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";
        check(pattern, "GMT", "2017-05-18T21:55:26+00:00", "-");
        check(pattern, "GMT", "2017-05-18T21:55:26.4+00:00 ", "-");
        check("HH:mmZ", "GMT", "10:30+00:00", "-");
        check("HH:mmZ", "GMT", "10:30Z", "-");
        check("HHX", "GMT", "10-060", "-");
        check("HHXXX", "GMT", "10-06:60", "-");
        check("HH z", "GMT", "10 XYZ", "-");
        check("yyyy-MM-dd", "GMT", "2017-02-29", "-");
        check("h a", "GMT", "0 AM", "-");
        check("MMM", "GMT", "Mé", "-");
        check("yy", "GMT", "1", "-");
        check("yyyyyyyyy", "GMT", "999999999", "-");
    }
}
