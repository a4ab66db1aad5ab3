//! Numbers of any length, compared without rounding.

use std::cmp::Ordering;

/// A number as JSON writes it, leading zeros allowed: `0.` and the digits, times ten to the power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    /// Without zeros at either end; zero has none.
    digits: String,
    power: i64,
}

impl Decimal {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        Some(Self::new(is_negative, whole, fraction, exponent))
    }

    fn new(is_negative: bool, whole: &str, fraction: &str, exponent: i64) -> Self {
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX);
        let zeros = i64::try_from(all.len() - significant.len()).unwrap_or(i64::MAX);
        let digits = significant.trim_end_matches('0').to_owned();
        Self {
            // There is but one zero.
            is_negative: is_negative && !digits.is_empty(),
            power: if digits.is_empty() {
                0
            } else {
                (point - zeros).saturating_add(exponent)
            },
            digits,
        }
    }

    fn magnitude(&self) -> (bool, i64, &str) {
        (!self.digits.is_empty(), self.power, &self.digits)
    }
}

/// An exponent beyond 64 bits is the greatest or smallest there is: nobody tells those apart.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let limit = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(text.parse().unwrap_or(limit))
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            // Digits after the point compare as text does.
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::Decimal;

    #[test]
    fn numbers_in_ascending_order() {
        let ascending = [
            "-1e99999999999999999999",
            "-12345678901234567891",
            "-12345678901234567890",
            "-2",
            "-1.5",
            "-1",
            "-0.01",
            "0",
            "1e-99999999999999999999",
            "0.001",
            "0.01",
            "9.99",
            "10",
            "9007199254740992",
            "9007199254740993",
            "9007199254740993.000000001",
            "1E400",
            "1e99999999999999999999",
        ];
        for pair in ascending.windows(2) {
            assert!(
                Decimal::parse(pair[0]) < Decimal::parse(pair[1]),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn one_number_in_many_spellings() {
        for same in [
            ["0", "-0.0e5"],
            ["100", "1e2"],
            ["0.05", "5e-2"],
            ["007", "7.00"],
            ["1E+2", "100.0"],
        ] {
            assert_eq!(Decimal::parse(same[0]), Decimal::parse(same[1]), "{same:?}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "", "-", "+1", ".5", "5.", "1e", "1e+", "1e5.0", "0x1", "1 ", "NaN", "--1", "1.2.3",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(left: i128, right: i128) {
            let decimal = |number: i128| Decimal::parse(&number.to_string()).unwrap();
            assert_eq!(decimal(left).cmp(&decimal(right)), left.cmp(&right));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,12}") {
            let decimal = Decimal::parse(&text);
            assert_eq!(decimal, decimal.clone());
        }
    }
}
