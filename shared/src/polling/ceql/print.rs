//! A condition as text, which reads as itself.

use std::fmt::{Display, Formatter, Result};

use super::comparison::is_bare_field;
use super::lex::TokenKind;
use super::{Expr, Operator, Part, Value};

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::All(terms) => join(formatter, terms, " AND ", |term, formatter| match term {
                Self::Any(_) => write!(formatter, "({term})"),
                term => term.fmt(formatter),
            }),
            Self::Any(terms) => join(formatter, terms, " OR ", Self::fmt),
            Self::Compare {
                field,
                operator,
                value,
            } => write!(formatter, "{} {operator} {value}", Field(field)),
            Self::Like { field, pattern } => {
                write!(formatter, "{} LIKE {}", Field(field), Quoted(pattern))
            }
            Self::In { field, values } => {
                write!(formatter, "{} IN (", Field(field))?;
                join(formatter, values, ", ", Value::fmt)?;
                formatter.write_str(")")
            }
            Self::IsNull { field } => write!(formatter, "{} IS NULL", Field(field)),
            Self::IsNotNull { field } => write!(formatter, "{} IS NOT NULL", Field(field)),
        }
    }
}

fn join<T>(
    formatter: &mut Formatter<'_>,
    items: &[T],
    between: &str,
    write: impl Fn(&T, &mut Formatter<'_>) -> Result,
) -> Result {
    for (index, item) in items.iter().enumerate() {
        if 0 < index {
            formatter.write_str(between)?;
        }
        write(item, formatter)?;
    }
    Ok(())
}

impl Display for Operator {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl Display for Value {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(formatter),
            Self::Number(number) => formatter.write_str(number),
            Self::Boolean(boolean) => boolean.fmt(formatter),
            Self::Template(parts) => quoted_parts(formatter, parts),
        }
    }
}

/// As it was written, but for the spaces and a bare text's missing quotes.
impl Display for TokenKind {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Word(parts) => join(formatter, parts, "", |part, formatter| match part {
                Part::Text(text) | Part::Placeholder(text) => formatter.write_str(text),
            }),
            Self::Quoted(parts) => quoted_parts(formatter, parts),
            Self::Backticked(name) => write!(formatter, "`{name}`"),
            Self::Operator(operator) => operator.fmt(formatter),
            Self::Open => formatter.write_str("("),
            Self::Close => formatter.write_str(")"),
            Self::Comma => formatter.write_str(","),
            Self::End => Ok(()),
        }
    }
}

fn quoted_parts(formatter: &mut Formatter<'_>, parts: &[Part]) -> Result {
    formatter.write_str("'")?;
    for part in parts {
        match part {
            Part::Text(text) => formatter.write_str(&text.replace('\'', "''"))?,
            Part::Placeholder(placeholder) => formatter.write_str(placeholder)?,
        }
    }
    formatter.write_str("'")
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "'{}'", self.0.replace('\'', "''"))
    }
}

/// A name with a backtick can only have come in quotes.
struct Field<'a>(&'a str);

impl Display for Field<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let Self(name) = self;
        if is_bare_field(name) {
            formatter.write_str(name)
        } else if name.contains('`') {
            Quoted(name).fmt(formatter)
        } else {
            write!(formatter, "`{name}`")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    use super::super::{Expr, Operator, Part, Value};

    fn field() -> impl Strategy<Value = String> {
        let odd = "[a-zé_` 1-]{1,8}(\\.['a-z]{1,3})?";
        prop_oneof![odd, "and|IN|true|-1|2017-02-28"]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[^$]{0,8}".prop_map(Value::Text),
            "-?[0-9]{1,20}(\\.[0-9]{1,3})?".prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
        ]
    }

    fn template() -> impl Strategy<Value = Value> {
        let parts = |text: String| {
            let placeholder = Part::Placeholder("${gmtDate:yyyy'T'HH:mm}".to_owned());
            if text.is_empty() {
                vec![placeholder]
            } else {
                vec![placeholder, Part::Text(text)]
            }
        };
        "[^$]{0,8}".prop_map(parts).prop_map(Value::Template)
    }

    fn leaf() -> impl Strategy<Value = Expr> {
        let operator = prop_oneof![Just(Operator::Less), Just(Operator::GreaterOrEqual)];
        prop_oneof![
            (field(), value()).prop_map(|(field, value)| Expr::Compare {
                field,
                operator: Operator::NotEqual,
                value
            }),
            (field(), operator, template()).prop_map(|(field, operator, value)| Expr::Compare {
                field,
                operator,
                value
            }),
            (field(), "[^$]{0,8}").prop_map(|(field, pattern)| Expr::Like { field, pattern }),
            (field(), vec(value(), 1..4)).prop_map(|(field, values)| Expr::In { field, values }),
            field().prop_map(|field| Expr::IsNull { field }),
            field().prop_map(|field| Expr::IsNotNull { field }),
        ]
    }

    fn expr() -> impl Strategy<Value = Expr> {
        leaf().prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 1..4).prop_map(Expr::all),
                vec(inner, 1..4).prop_map(Expr::any),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_printed_condition_reads_as_itself(expr in expr()) {
            let printed = expr.to_string();
            assert_eq!(Expr::parse(&printed), Ok(expr), "{printed}");
        }

        #[test]
        fn a_row_of_words_is_refused_or_reads_as_itself(words in vec(prop_oneof![
            Just("a"), Just("'x'"), Just("1"), Just("("), Just(")"), Just("AND"), Just("or"), Just("="), Just(">="),
            Just("LIKE"), Just("IN"), Just(","), Just("IS"), Just("NOT"), Just("NULL"), Just("'${date}'"), Just("`b`"),
        ], 0..12)) {
            if let Ok(expr) = Expr::parse(&words.join(" ")) {
                let printed = expr.to_string();
                assert_eq!(Expr::parse(&printed), Ok(expr), "{printed}");
            }
        }
    }
}
