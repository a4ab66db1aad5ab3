//! What opportunities are worth: each of them, and the sums that their list shows.

use serde_json::{Map, Value, json};

/// The worth of one opportunity, in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Valuation {
    pub(crate) value: i64,
    /// By the confidence in it.
    pub(crate) expected: i64,
    pub(crate) period: Period,
}

/// How often it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    OneTime,
    Monthly,
    Annual,
}

/// The confidence in an opportunity that says nothing of it, in percent.
pub(crate) const CONFIDENCE: i64 = 50;

impl Valuation {
    /// The worth by an opportunity's fields; none without a value.
    pub(crate) fn of(fields: &Map<String, Value>) -> Option<Self> {
        let number = |name| fields.get(name).and_then(Value::as_i64);
        let value = number("value")?;
        let confidence = number("confidence").unwrap_or(CONFIDENCE);
        let period = fields.get("value_period").and_then(Value::as_str);
        Some(Self {
            value,
            expected: value.saturating_mul(confidence) / 100,
            period: period
                .and_then(Period::from_name)
                .unwrap_or(Period::OneTime),
        })
    }

    /// An amount of it, as it would be in a year.
    pub(crate) fn annualized(self, amount: i64) -> i64 {
        match self.period {
            Period::Monthly => amount.saturating_mul(12),
            Period::OneTime | Period::Annual => amount,
        }
    }

    /// The value in words: `$500 annual`.
    pub(crate) fn formatted(self) -> String {
        let dollars = dollars(self.value);
        match self.period {
            Period::OneTime => dollars,
            period => format!("{dollars} {}", period.name()),
        }
    }
}

impl Period {
    const ALL: [Self; 3] = [Self::OneTime, Self::Monthly, Self::Annual];

    /// The period of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// `value_period`
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneTime => "one_time",
            Self::Monthly => "monthly",
            Self::Annual => "annual",
        }
    }
}

/// The sums over a list.
#[derive(Debug, Default)]
pub(crate) struct Totals([Sum; 3]);

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    count: usize,
    value: i64,
    expected: i64,
}

/// One of a sum's amounts.
type Amount = fn(&Sum) -> i64;

impl Totals {
    /// Counts one opportunity.
    pub(crate) fn add(&mut self, valuation: Option<Valuation>) {
        let Some(valuation) = valuation else {
            return self.0[Period::OneTime as usize].count += 1;
        };
        let sum = &mut self.0[valuation.period as usize];
        sum.count += 1;
        sum.value = sum.value.saturating_add(valuation.value);
        sum.expected = sum.expected.saturating_add(valuation.expected);
    }

    /// The members that a list of opportunities has beside its page.
    pub(crate) fn render(&self) -> Map<String, Value> {
        let counted = Period::ALL.into_iter().filter_map(|period| {
            let count = self.0[period as usize].count;
            (0 < count).then(|| (period.name().to_owned(), count.into()))
        });
        let mut counts: Map<String, Value> = counted.collect();
        counts.sort_keys();
        let mut members = Map::from_iter([("count_by_value_period".to_owned(), counts.into())]);
        let expected: Amount = |sum| sum.expected;
        let total: Amount = |sum| sum.value;
        for (kind, amount) in [("expected_value", expected), ("total_value", total)] {
            for period in Period::ALL {
                let sum = &self.0[period as usize];
                insert(
                    &mut members,
                    &format!("{kind}_{}", period.name()),
                    amount(sum),
                    sum.count,
                );
            }
            let annualized = self.annualized(amount);
            insert(&mut members, &format!("{kind}_annualized"), annualized, 1);
        }
        members
    }

    fn annualized(&self, amount: Amount) -> i64 {
        let amounts = Period::ALL.into_iter().map(|period| {
            let amount = amount(&self.0[period as usize]);
            let one = Valuation {
                value: amount,
                expected: amount,
                period,
            };
            one.annualized(amount)
        });
        amounts.fold(0, i64::saturating_add)
    }
}

/// An amount and how it is written; of nothing, it is not written.
fn insert(members: &mut Map<String, Value>, name: &str, amount: i64, count: usize) {
    let formatted = (0 < count).then(|| dollars(amount));
    members.insert(name.to_owned(), amount.into());
    members.insert(format!("{name}_formatted"), json!(formatted));
}

/// Cents as dollars: `$1,000`, `$12.50`.
fn dollars(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if 0 < position && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest {
        0 => format!("{sign}${grouped}"),
        rest => format!("{sign}${grouped}.{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valuation(value: i64, period: &str) -> Option<Valuation> {
        let fields = json!({ "value": value, "confidence": 50, "value_period": period });
        Valuation::of(fields.as_object().unwrap())
    }

    #[test]
    fn money_is_written_as_recorded() {
        let check = |value, period, expect| {
            assert_eq!(valuation(value, period).unwrap().formatted(), expect);
        };
        check(25_000, "one_time", "$250");
        check(50_000, "annual", "$500 annual");
        check(100_000, "one_time", "$1,000");
        check(-123_456_789, "one_time", "-$1,234,567.89");
    }

    #[test]
    fn the_sums_are_the_recorded_ones() {
        let recorded = include_str!("../../samples/list-opportunities.json");
        let mut recorded: Map<String, Value> = serde_json::from_str(recorded).unwrap();
        for key in ["data", "has_more", "total_results"] {
            recorded.remove(key);
        }
        let mut totals = Totals::default();
        totals.add(valuation(50_000, "annual"));
        totals.add(valuation(25_000, "one_time"));
        assert_eq!(totals.render(), recorded);
    }
}
