//! The part of a condition that Close can be asked for.

use jiff::SignedDuration;

use super::{Expr, Operator, Value, instant};
use crate::close::span::Span;

/// The one field that Close filters by and that never changes afterwards.
const DATE_CREATED: &str = "date_created";
/// How far Close's index may be from the date that it shows: it may round to milliseconds, or to seconds.
const INDEX_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// What to ask Close for: every record that matches lies within, and others may.
///
/// Only comparisons of `date_created` that all records must match are asked for, and a second wider. Anything else is
/// left to [`Expr::matches`], since nobody promises that Close answers with all that we would accept: its search folds
/// capitals and splits words, it knows custom fields by other names, it ignores a parameter that it does not know, and
/// a record that it wrongly leaves out is lost without a trace.
pub fn push_down(expr: &Expr) -> Span {
    let bounds = expr.conjuncts().iter().filter_map(bound);
    bounds.fold(Span::default(), |all, bound| Span {
        from: all.from.max(bound.from),
        before: [all.before, bound.before].into_iter().flatten().min(),
    })
}

fn bound(term: &Expr) -> Option<Span> {
    let Expr::Compare {
        field,
        operator,
        value: Value::Text(date),
    } = term
    else {
        return None;
    };
    let date = instant(date).filter(|_| field == DATE_CREATED)?;
    // At either end of time there is nothing to leave out.
    let from = date.checked_sub(INDEX_TOLERANCE).ok();
    let before = date.checked_add(INDEX_TOLERANCE).ok();
    let (from, before) = match operator {
        Operator::Equal => (from, before),
        Operator::Less | Operator::LessOrEqual => (None, before),
        Operator::Greater | Operator::GreaterOrEqual => (from, None),
        Operator::NotEqual => (None, None),
    };
    Some(Span { from, before })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::{prop, proptest};
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::super::Expr;
    use super::push_down;

    #[track_caller]
    fn check(condition: &str, from: &str, before: &str) {
        let created = push_down(&Expr::parse(condition).unwrap());
        let text = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
        assert_eq!(
            (text(created.from), text(created.before)),
            (from.to_owned(), before.to_owned())
        );
    }

    #[test]
    fn asks_for_the_creation_date_a_second_wider() {
        check("date_created > '2017-05-18'", "2017-05-17T23:59:59Z", "-");
        check(
            "2017-05-18T12:00:00-06:00 >= date_created",
            "-",
            "2017-05-18T18:00:01Z",
        );
        check(
            "date_created = '2017-05-18'",
            "2017-05-17T23:59:59Z",
            "2017-05-18T00:00:01Z",
        );
    }

    #[test]
    fn asks_for_the_narrowest_of_several() {
        check(
            "a=1 AND (date_created > '2017-05-18' AND date_created > '2017-05-19') AND date_created < '2018-01-01' AND date_created < '2019-01-01'",
            "2017-05-18T23:59:59Z",
            "2018-01-01T00:00:01Z",
        );
    }

    #[test]
    fn asks_for_nothing_that_a_match_may_lack() {
        for condition in [
            "date_created > '2017-05-18' OR a=1",
            "a=1 AND (date_created > '2017-05-18' OR date_created IS NULL)",
            "date_created != '2017-05-18'",
            "date_created > 'yesterday'",
            "date_created > 5",
            "date_updated > '2017-05-18'",
            "name='x' AND value > 1",
        ] {
            check(condition, "-", "-");
        }
    }

    proptest! {
        #[test]
        fn what_matches_lies_within(
            second in 0..4_i64,
            micro in 0..1_000_000_i32,
            bound in "2017-05-18T00:00:0[0-3](\\.[0-9]{1,6})?Z",
            operator in prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]),
        ) {
            let midnight = "2017-05-18T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
            let time = Timestamp::new(midnight + second, micro * 1000).unwrap();
            let record = to_raw_value(&json!({"date_created": time.to_string()})).unwrap();
            let expr = Expr::parse(&format!("date_created {operator} '{bound}'")).unwrap();
            let created = push_down(&expr);
            if expr.matches(&record) {
                assert!(created.from.is_none_or(|from| from <= time));
                assert!(created.before.is_none_or(|before| time < before));
            }
        }
    }
}
