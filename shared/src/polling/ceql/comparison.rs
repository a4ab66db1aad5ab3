//! The two sides of a comparison.

use super::decimal::Decimal;
use super::lex::{Token, TokenKind};
use super::{CeqlError, Expr, Operator, Part, Value, instant, shortened};
use crate::json::path;

/// What stands on the left, as a rule.
pub(super) const A_FIELD: &str = "a field";
const A_SHORT_FIELD: &str = "a field of at most 256 characters";
/// What stands on the right, as a rule.
pub(super) const A_VALUE: &str =
    "a value (a text or date in single quotes, a number, true or false)";
const KEYWORDS: [&str; 7] = ["AND", "OR", "LIKE", "IN", "IS", "NOT", "NULL"];

/// One side of a comparison.
pub(super) enum Operand {
    Field(String),
    /// A text that may also be a field's name.
    Quoted(String),
    Value(Value),
}

/// Joins both sides, whichever of them is the field: `'2017-02-28' < date_created` is turned round.
pub(super) fn comparison(
    left: (Operand, &Token),
    operator: (Operator, usize),
    right: (Operand, &Token),
) -> Result<Expr, CeqlError> {
    let (is_mirrored, named, other) = match (&left.0, &right.0) {
        (Operand::Value(_), Operand::Field(_) | Operand::Quoted(_))
        | (Operand::Quoted(_), Operand::Field(_)) => (true, right, left),
        _ => (false, left, right),
    };
    let field = field(named.0, named.1)?;
    let value = match other.0 {
        Operand::Value(value) => value,
        Operand::Quoted(text) => Value::Text(text),
        Operand::Field(_) => return Err(unexpected(A_VALUE, other.1)),
    };
    let (operator, position) = operator;
    let is_ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
    if is_ordered && matches!(value, Value::Boolean(_)) {
        return Err(CeqlError::Unexpected {
            expected: "= or != beside true or false",
            found: format!("`{operator}`"),
            position,
        });
    }
    Ok(Expr::Compare {
        field,
        operator: if is_mirrored {
            operator.mirrored()
        } else {
            operator
        },
        value,
    })
}

impl Operator {
    /// The operator that says the same when the sides change places.
    fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// Reads a token as one side; `expected` is what an error says.
pub(super) fn operand(token: &Token, expected: &'static str) -> Result<Operand, CeqlError> {
    match &token.kind {
        TokenKind::Backticked(name) => Ok(Operand::Field(name.clone())),
        TokenKind::Quoted(parts) => Ok(match &parts[..] {
            [] => Operand::Quoted(String::new()),
            [Part::Text(text)] => Operand::Quoted(text.clone()),
            parts => Operand::Value(Value::Template(parts.to_vec())),
        }),
        TokenKind::Word(parts) => match &parts[..] {
            [Part::Text(text)] => bare(text).ok_or_else(|| unexpected(expected, token)),
            parts => Ok(Operand::Value(Value::Template(parts.to_vec()))),
        },
        _ => Err(unexpected(expected, token)),
    }
}

/// The name of a field, which may stand in single quotes.
pub(super) fn field(operand: Operand, token: &Token) -> Result<String, CeqlError> {
    match operand {
        Operand::Field(name) | Operand::Quoted(name)
            if name.split('.').all(|step| !step.is_empty()) =>
        {
            if path::is_short(&name) {
                Ok(name)
            } else {
                Err(unexpected(A_SHORT_FIELD, token))
            }
        }
        _ => Err(unexpected(A_FIELD, token)),
    }
}

/// Whether a field's name needs no backticks.
pub(super) fn is_bare_field(name: &str) -> bool {
    matches!(bare(name), Some(Operand::Field(_)))
}

fn bare(word: &str) -> Option<Operand> {
    let is = |keyword: &&str| word.eq_ignore_ascii_case(keyword);
    if KEYWORDS.iter().any(is) {
        None
    } else if is(&"true") || is(&"false") {
        Some(Operand::Value(Value::Boolean(is(&"true"))))
    } else if Decimal::parse(word).is_some() {
        Some(Operand::Value(Value::Number(word.to_owned())))
    } else if instant(word).is_some() {
        Some(Operand::Value(Value::Text(word.to_owned())))
    } else {
        is_name(word).then(|| Operand::Field(word.to_owned()))
    }
}

fn is_name(word: &str) -> bool {
    let belongs = |character: char| character.is_alphanumeric() || "_.-".contains(character);
    let first = word.chars().next();
    first.is_some_and(|first| first.is_alphabetic() || first == '_') && word.chars().all(belongs)
}

/// An error about a token.
pub(super) fn unexpected(expected: &'static str, token: &Token) -> CeqlError {
    CeqlError::Unexpected {
        expected,
        found: match &token.kind {
            TokenKind::End => "the end".to_owned(),
            kind => format!("`{}`", shortened(&kind.to_string())),
        },
        position: token.position,
    }
}
