//! Reading a text from its start.

use jiff::tz::Offset;

use super::name::of_length;
use super::{Length, OffsetMinutes, OffsetStyle};

/// What is left to read.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Skips a text that must be there.
    pub(super) fn literal(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool, most: usize) -> Option<&'a str> {
        let bytes = self.rest.bytes().take(most);
        let length = bytes.take_while(|byte| belongs(*byte)).count();
        self.take(length).filter(|taken| !taken.is_empty())
    }

    /// One digit or more.
    pub(super) fn digits(&mut self, most: usize) -> Option<&'a str> {
        self.take_while(|byte| byte.is_ascii_digit(), most)
    }

    /// Digits, all of them.
    pub(super) fn exactly(&mut self, count: usize) -> Option<&'a str> {
        self.digits(count).filter(|digits| digits.len() == count)
    }

    /// One of the names, as its index.
    pub(super) fn name<const N: usize>(
        &mut self,
        names: &[&'static str; N],
        length: Length,
    ) -> Option<i8> {
        let starts = |name: &&'static str| {
            let name = of_length(name, length);
            let start = self.rest.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let index = names.iter().position(starts)?;
        self.take(of_length(names[index], length).len())?;
        i8::try_from(index).ok()
    }

    /// `-06:00` and the like.
    pub(super) fn offset(&mut self, style: OffsetStyle) -> Option<Offset> {
        if style.zero_is_z && self.rest.starts_with('Z') {
            self.take(1)?;
            return Some(Offset::UTC);
        }
        let sign = match self.take(1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let hours: i32 = self.exactly(2)?.parse().ok()?;
        let minutes: i32 = match style.minutes {
            OffsetMinutes::IfAny => self.digits(2).map_or(Some(0), two_digits)?,
            OffsetMinutes::Plain => two_digits(self.digits(2)?)?,
            OffsetMinutes::AfterColon => {
                self.literal(":")?;
                two_digits(self.digits(2)?)?
            }
        };
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
    }

    /// `MDT`, `America/Denver` or `GMT-08:00`.
    pub(super) fn zone_name(&mut self) -> Option<&'a str> {
        let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-:".contains(&byte);
        self.take_while(belongs, self.rest.len())
    }
}

fn two_digits(digits: &str) -> Option<i32> {
    let minutes = (digits.len() == 2).then(|| digits.parse().ok())?;
    minutes.filter(|minutes| *minutes < 60)
}
