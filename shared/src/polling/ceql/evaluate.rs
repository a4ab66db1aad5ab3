//! Whether a record matches a condition.

use serde_json::value::RawValue;

use super::scalar::Scalar;
use super::{Expr, Operator};
use crate::json::path;

impl Expr {
    /// Whether a record of Close's matches.
    ///
    /// - A field that is absent or null is `IS NULL` and matches nothing else, not even `!=`, as in SQL. Nor does a
    ///   list or an object match any comparison; what is inside a list has its index in its path.
    /// - Two dates compare as instants, whatever their spelling; a date without a zone is UTC. Other texts compare
    ///   letter by letter, capitals apart from small ones, also in `LIKE`.
    /// - Numbers compare exactly. A number and a text that is one compare as numbers.
    /// - Whatever cannot be compared, `'abc'` with 5, is `!=` and nothing else.
    ///
    /// A placeholder matches nothing: [`watermark::take`](super::watermark::take) has taken them out or refused.
    pub fn matches(&self, record: &RawValue) -> bool {
        let scalar = |field: &str| Scalar::at(record, field);
        match self {
            Self::All(terms) => terms.iter().all(|term| term.matches(record)),
            Self::Any(terms) => terms.iter().any(|term| term.matches(record)),
            Self::Compare {
                field,
                operator,
                value,
            } => scalar(field).is_some_and(|found| found.compares(*operator, value)),
            Self::Like { field, pattern } => {
                scalar(field).is_some_and(|found| is_like(&found.into_text(), pattern))
            }
            Self::In { field, values } => scalar(field).is_some_and(|found| {
                values
                    .iter()
                    .any(|value| found.compares(Operator::Equal, value))
            }),
            Self::IsNull { field } => is_null(record, field),
            Self::IsNotNull { field } => !is_null(record, field),
        }
    }
}

fn is_null(record: &RawValue, field: &str) -> bool {
    path::at(record, field).is_none_or(|value| value.get() == "null")
}

fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('%') else {
        return text == pattern;
    };
    let (middle, end) = rest.rsplit_once('%').unwrap_or(("", rest));
    let within = text
        .strip_prefix(start)
        .and_then(|text| text.strip_suffix(end));
    // The first place for each is the best: it leaves the most for the next.
    within.is_some_and(|within| {
        let mut parts = middle.split('%');
        parts
            .try_fold(within, |rest, part| Some(rest.split_once(part)?.1))
            .is_some()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::super::Expr;
    use super::is_like;
    use crate::json::raw;

    const RECORD: &str = r#"{
        "name": "Édouard O'Neil", "status": "Active", "empty": "", "true_text": "true",
        "value": 100, "big": 12345678901234567890, "fraction": 0.10, "digits": "42",
        "is_open": true, "none": null, "list": ["x"], "odd": "cut \ud83d",
        "date_created": "2017-05-18T21:54:27.795000+00:00", "day": "2017-05-18",
        "custom": {"cf_1": "a%b_c", "Modified Time": 7}, "custom.cf_2": "flat", "Modified Time": "2017"
    }"#;

    #[track_caller]
    fn check(condition: &str, expected: bool) {
        let record = raw(RECORD).unwrap();
        let matches = Expr::parse(condition).unwrap().matches(&record);
        assert_eq!(matches, expected, "{condition}");
    }

    #[track_caller]
    fn all_match(conditions: &[&str]) {
        for condition in conditions {
            check(condition, true);
        }
    }

    #[track_caller]
    fn none_matches(conditions: &[&str]) {
        for condition in conditions {
            check(condition, false);
        }
    }

    #[test]
    fn texts_compare_letter_by_letter() {
        all_match(&[
            "name='Édouard O''Neil'",
            "status = 'Active'",
            "status != 'active'",
            "status < 'B'",
            "empty = ''",
            "'Modified Time' = '2017'",
            "custom.cf_1 = 'a%b_c'",
            "`custom.Modified Time` = 7",
            "custom.cf_2 = 'flat'",
            "`list[0]` = 'x'",
            "odd = 'cut \u{fffd}'",
            "odd != 'x'",
            "odd LIKE 'cut%'",
            "status IN ('x', 'Active')",
            "status >= 'Active' and status <= 'Active'",
        ]);
        none_matches(&["status = 'active'", "status IN ('x')", "status > 'Active'"]);
    }

    #[test]
    fn numbers_compare_exactly() {
        all_match(&[
            "value = 100",
            "value = 1e2",
            "value >= 100.0",
            "value < 100.000000000000000000001",
            "value = '100'",
            "big > 12345678901234567889",
            "big != 12345678901234567891",
            "fraction = 0.1",
            "digits = 42",
            "digits < 42.5",
            "digits IN (1, 42)",
            "5 < value",
            "value > -1",
        ]);
        none_matches(&[
            "big = 12345678901234567891",
            "value = 'hundred'",
            "status = 5",
            "status > 5",
            "status < 5",
        ]);
    }

    #[test]
    fn what_cannot_be_compared_is_unequal() {
        all_match(&[
            "status != 5",
            "value != 'hundred'",
            "is_open != 1",
            "is_open != 'yes'",
        ]);
    }

    #[test]
    fn dates_compare_as_instants() {
        all_match(&[
            "date_created = '2017-05-18T15:54:27.795-06:00'",
            "date_created > '2017-05-18'",
            "date_created < 2017-05-19",
            "'2017-05-19' > date_created",
            "day = '2017-05-18T00:00:00Z'",
            "date_created >= 2017-05-18T21:54:27.795",
            "date_created IN ('2017-05-18T21:54:27.795Z')",
        ]);
        none_matches(&[
            "date_created < '2017-05-18T15:54:27.795-06:00'",
            "day = '20170518'",
        ]);
    }

    #[test]
    fn booleans_are_equal_or_not() {
        all_match(&[
            "is_open = true",
            "is_open != FALSE",
            "is_open = 'true'",
            "true_text = true",
            "true = is_open",
        ]);
        none_matches(&["is_open = false", "is_open != true", "is_open > 'a'"]);
    }

    #[test]
    fn null_matches_nothing_else() {
        all_match(&[
            "none IS NULL",
            "absent is null",
            "name.deeper IS NULL",
            "list IS NOT NULL",
            "name IS NOT NULL",
        ]);
        none_matches(&[
            "none = ''",
            "none != 'x'",
            "absent != 'x'",
            "absent LIKE '%'",
            "none IN ('')",
            "list = 'x'",
            "list != 'x'",
            "custom != 'x'",
            "name IS NULL",
            "list.0 IS NOT NULL",
        ]);
    }

    #[test]
    fn and_binds_closer_than_or() {
        all_match(&[
            "value=100 OR value=1 AND value=2",
            "(value=1 OR value=100) AND status='Active'",
        ]);
        none_matches(&["(value=100 OR value=1) AND value=2"]);
    }

    #[test]
    fn only_percent_is_a_wildcard() {
        for (text, pattern) in [
            ("abc", "abc"),
            ("abc", "%"),
            ("", "%"),
            ("", "%%"),
            ("abc", "a%"),
            ("abc", "%c"),
            ("abc", "%b%"),
            ("abc", "a%c"),
            ("abcbc", "a%bc"),
            ("a.b.c", "a%.%c"),
            ("100%", "100%"),
            ("ééé", "é%é"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [
            ("abc", ""),
            ("abc", "ab"),
            ("aba", "aba%ba"),
            ("a", "a%a"),
            ("abc", "a_c"),
            ("abc", "A%"),
            ("abc", "%b%b%"),
            ("abc", "%d%"),
            ("a.c", "a\\%c"),
        ] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
        all_match(&[
            "name LIKE 'Éd%Neil'",
            "value LIKE '1%'",
            "custom.cf_1 like '%_c'",
            "is_open LIKE 't%'",
        ]);
    }

    proptest! {
        #[test]
        fn no_condition_panics_on_any_record(
            field in prop::sample::select(vec!["name", "value", "date", "a.b", "none"]),
            operator in prop::sample::select(vec!["=", "!=", "<", ">=", " LIKE "]),
            text in "\\PC{0,12}|[0-9TZ:+-]{0,25}",
            json in r#"\{"(name|value|date)":("[0-9a-z-]{0,12}"|-?[0-9.eE+-]{1,9}|true|null|\[1\])\}"#,
        ) {
            let condition = format!("{field}{operator}'{}'", text.replace('\'', "''"));
            if let (Ok(expr), Ok(record)) = (Expr::parse(&condition), raw(&json)) {
                expr.matches(&record);
            }
        }
    }
}
