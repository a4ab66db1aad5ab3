//! From text to pattern.

use super::{DatePattern, DatePatternError, Item, Length, OffsetMinutes, OffsetStyle, Unit};

/// Pattern letters of `java.time.format.DateTimeFormatter` and `java.text.SimpleDateFormat`.
const JAVA_LETTERS: &str = "GyYuMLwWdDFEeaHkKhmsSAnNzZxXVOQqcBvgp";
/// What `DateTimeFormatter` reads as optional sections or keeps for later.
const RESERVED: &str = "[]{}#";
/// Of a field that is no such thing, an error shows so many letters.
const SHOWN_LETTERS: usize = 20;

impl DatePattern {
    /// Reads a pattern. Literal text may stand in single quotes, letters must; `''` is a quote.
    ///
    /// # Errors
    /// The first fault, with its position.
    pub fn parse(text: &str) -> Result<Self, DatePatternError> {
        let characters: Vec<char> = text.chars().collect();
        let mut compiler = Compiler::default();
        let mut index = 0;
        while let Some(rest @ [first, ..]) = characters.get(index..) {
            let position = index + 1;
            index += match first {
                '\'' => compiler.quoted(rest, position)?,
                letter if letter.is_ascii_alphabetic() || RESERVED.contains(*letter) => {
                    compiler.field(rest, *letter, position)?
                }
                literal => compiler.literal(*literal),
            };
        }
        if compiler.items.is_empty() {
            return Err(DatePatternError::Empty);
        }
        Ok(Self {
            items: compiler.items,
        })
    }
}

/// Each function returns how many characters it took.
#[derive(Default)]
struct Compiler {
    items: Vec<Item>,
}

impl Compiler {
    fn literal(&mut self, character: char) -> usize {
        if let Some(Item::Literal(text)) = self.items.last_mut() {
            text.push(character);
        } else {
            self.items.push(Item::Literal(character.to_string()));
        }
        1
    }

    fn quoted(&mut self, rest: &[char], position: usize) -> Result<usize, DatePatternError> {
        if rest.get(1) == Some(&'\'') {
            self.literal('\'');
            return Ok(2);
        }
        let mut index = 1;
        loop {
            match rest.get(index..).unwrap_or_default() {
                [] => return Err(DatePatternError::OpenQuote { position }),
                ['\'', '\'', ..] => index += 1 + self.literal('\''),
                ['\'', ..] => return Ok(index + 1),
                [character, ..] => index += self.literal(*character),
            }
        }
    }

    fn field(
        &mut self,
        rest: &[char],
        letter: char,
        position: usize,
    ) -> Result<usize, DatePatternError> {
        let count = rest.iter().take_while(|other| **other == letter).count();
        if let Some(item) = item(letter, count) {
            self.items.push(item);
            Ok(count)
        } else if JAVA_LETTERS.contains(letter) || RESERVED.contains(letter) {
            Err(DatePatternError::Unsupported {
                field: rest[..count.min(SHOWN_LETTERS)].iter().collect(),
                position,
            })
        } else {
            Err(DatePatternError::UnknownLetter { letter, position })
        }
    }
}

fn item(letter: char, count: usize) -> Option<Item> {
    let item = match (letter, count) {
        ('y' | 'u', 2) => Item::TwoDigitYear,
        ('y' | 'u', 1..=9) => Item::Number(Unit::Year, count),
        ('M', 1..=2) => Item::Number(Unit::Month, count),
        ('M', 3) => Item::MonthName(Length::Short),
        ('M', 4) => Item::MonthName(Length::Full),
        ('d', 1..=2) => Item::Number(Unit::Day, count),
        ('H', 1..=2) => Item::Number(Unit::Hour, count),
        ('h', 1..=2) => Item::Number(Unit::HourOfHalfDay, count),
        ('m', 1..=2) => Item::Number(Unit::Minute, count),
        ('s', 1..=2) => Item::Number(Unit::Second, count),
        ('n', 1..=9) => Item::Number(Unit::Nanosecond, count),
        ('S', 1..=9) => Item::Fraction(count),
        ('E', 1..=3) => Item::WeekdayName(Length::Short),
        ('E', 4) => Item::WeekdayName(Length::Full),
        ('a', 1..=2) => Item::HalfDay,
        ('X' | 'x', 1..=3) => Item::Offset(offset_style(letter == 'X', count)),
        ('Z', 1..=3) => Item::Offset(offset_style(false, 2)),
        ('z', 1..=3) => Item::ZoneAbbreviation,
        ('V', 2) => Item::ZoneId,
        _ => return None,
    };
    Some(item)
}

fn offset_style(zero_is_z: bool, count: usize) -> OffsetStyle {
    let minutes = match count {
        1 => OffsetMinutes::IfAny,
        2 => OffsetMinutes::Plain,
        _ => OffsetMinutes::AfterColon,
    };
    OffsetStyle { zero_is_z, minutes }
}

#[cfg(test)]
mod tests {
    use super::super::DatePattern;

    #[track_caller]
    fn message(pattern: &str) -> String {
        DatePattern::parse(pattern).unwrap_err().to_string()
    }

    #[test]
    fn takes_the_patterns_of_the_field() {
        for pattern in [
            "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
            "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'",
            "yyyy-MM-dd'T'HH:mm:ssZ",
            "EEE, dd MMM yyyy HH:mm:ss Z",
            "yyyy-MM-dd HH:mm:ss''",
            "MM/dd/yyy'T'HH:mm:ssXXX",
            "HH:mmz",
            "h 'o''clock' a, VV",
        ] {
            assert!(DatePattern::parse(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn says_where_a_pattern_is_wrong() {
        insta::assert_snapshot!(message("yyyy-MM-ddT"), @"`T` at position 11 is no pattern letter; put literal text in single quotes");
        insta::assert_snapshot!(message("yyyy-MM-dd'T'HH:mm:ssXXX'"), @"the single quote at position 25 is never closed");
        insta::assert_snapshot!(message("é'''"), @"the single quote at position 4 is never closed");
        insta::assert_snapshot!(message("yyyy-'W'ww"), @"`ww` at position 9 is not supported; expected yyyy, MM, dd, HH, hh, a, mm, ss, S, n, E, X, x, Z, z or VV");
        insta::assert_snapshot!(message("MMMMM"), @"`MMMMM` at position 1 is not supported; expected yyyy, MM, dd, HH, hh, a, mm, ss, S, n, E, X, x, Z, z or VV");
        insta::assert_snapshot!(message("HH[:mm]"), @"`[` at position 3 is not supported; expected yyyy, MM, dd, HH, hh, a, mm, ss, S, n, E, X, x, Z, z or VV");
        insta::assert_snapshot!(message(""), @"expected a date pattern, but found nothing");
        insta::assert_snapshot!(message(&"S".repeat(100_000)), @"`SSSSSSSSSSSSSSSSSSSS` at position 1 is not supported; expected yyyy, MM, dd, HH, hh, a, mm, ss, S, n, E, X, x, Z, z or VV");
    }
}
