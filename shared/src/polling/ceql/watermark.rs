//! The part of a condition that the watermark stands for.

use super::{CeqlError, Expr, Operator, Value, shortened};

/// Takes out what compares the update date with the time of the last poll, and returns the rest, if any.
///
/// Taken literally, that comparison would lose what becomes visible late, so it is left to the watermark's rules, which
/// read a little before the time of the last poll and leave out what was already published. `>` and `>=` mean the same
/// there. It must be a condition of its own, alone or joined to the others by `AND`.
///
/// # Errors
/// When there is a placeholder anywhere else: nothing could be put for it that would not lose changes.
pub fn take(expr: Expr, updated_field: &str) -> Result<Option<Expr>, CeqlError> {
    let terms = match expr {
        Expr::All(terms) => terms,
        other => vec![other],
    };
    let mut rest = terms;
    rest.retain(|term| !is_watermark(term, updated_field));
    for term in &rest {
        refuse_placeholders(term, updated_field)?;
    }
    Ok((!rest.is_empty()).then(|| Expr::all(rest)))
}

fn is_watermark(term: &Expr, updated_field: &str) -> bool {
    matches!(
        term,
        Expr::Compare {
            field,
            operator: Operator::Greater | Operator::GreaterOrEqual,
            value: Value::Template(_),
        } if field == updated_field
    )
}

fn refuse_placeholders(expr: &Expr, updated_field: &str) -> Result<(), CeqlError> {
    match expr {
        Expr::All(terms) | Expr::Any(terms) => terms
            .iter()
            .try_for_each(|term| refuse_placeholders(term, updated_field)),
        Expr::Compare {
            value: Value::Template(_),
            ..
        } => Err(CeqlError::MisplacedPlaceholder {
            field: updated_field.to_owned(),
            found: shortened(&expr.to_string()),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expr;
    use super::take;

    fn taken(condition: &str) -> Result<String, String> {
        let expr = Expr::parse(condition).map_err(|error| error.to_string())?;
        let rest = take(expr, "date_updated").map_err(|error| error.to_string())?;
        Ok(rest.map_or("-".to_owned(), |rest| rest.to_string()))
    }

    #[track_caller]
    fn check(condition: &str, expected: &str) {
        assert_eq!(taken(condition).as_deref(), Ok(expected), "{condition}");
    }

    #[test]
    fn takes_the_comparison_of_the_update_date() {
        for condition in [
            "date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
            "date_updated >= '${date:yyyy-MM-dd}'",
            "date_updated>=${date}",
            "date_updated>'${dateTimeZone:{America/Denver}:yyyy-MM-dd HH:mm:ss}'",
            "'date_updated' > ${epoch:ms}",
            "'${gmtDate:yyyy-MM-dd'T'HH:mm:ss}Z' <= `date_updated`",
            "((date_updated>${date}))",
            "date_updated>${date} AND date_updated>='${date}'",
        ] {
            check(condition, "-");
        }
    }

    #[test]
    fn leaves_the_rest() {
        check("date_updated>${date} AND name='x'", "name = 'x'");
        check(
            "name='x' AND (date_updated>${date} AND (a=1 OR b=2))",
            "name = 'x' AND (a = 1 OR b = 2)",
        );
        check("a=1 OR b=2", "a = 1 OR b = 2");
        check(
            "date_updated>=2017-02-28T16:11:29-06:00",
            "date_updated >= '2017-02-28T16:11:29-06:00'",
        );
    }

    #[test]
    fn refuses_a_placeholder_anywhere_else() {
        let message = |condition: &str| taken(condition).unwrap_err();
        insta::assert_snapshot!(message("date_created>'${date}'"), @"expected a placeholder only in `date_updated>'${…}'`, alone or joined by AND, but found `date_created > '${date}'`");
        insta::assert_snapshot!(message("a=1 AND (b=2 OR date_updated>'${gmtDate:HH:mm'Z'}')"), @"expected a placeholder only in `date_updated>'${…}'`, alone or joined by AND, but found `date_updated > '${gmtDate:HH:mm'Z'}'`");
        insta::assert_snapshot!(message("date_updated<'${date}'"), @"expected a placeholder only in `date_updated>'${…}'`, alone or joined by AND, but found `date_updated < '${date}'`");
        insta::assert_snapshot!(message("date_updated='${date}'"), @"expected a placeholder only in `date_updated>'${…}'`, alone or joined by AND, but found `date_updated = '${date}'`");
        insta::assert_snapshot!(message("name IN ('${date}')"), @"expected a value (a text or date in single quotes, a number, true or false) at position 10, but found `'${date}'`");
        insta::assert_snapshot!(message("name LIKE '%${date}'"), @"expected a text in single quotes at position 11, but found `'%${date}'`");
    }
}
