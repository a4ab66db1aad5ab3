//! CEQL, the condition of a polled query: `date_updated>'${gmtDate:…}' AND (name LIKE 'A%' OR value >= 100)`.
//!
//! The language: `AND`, `OR` and parentheses; `=`, `!=`, `<`, `>`, `<=`, `>=`, `LIKE` with the one wildcard `%`, `IN`,
//! `IS NULL` and `IS NOT NULL`. Keywords come in any case, spaces round operators are free. Fields are dotted paths,
//! bare, in backticks or (left of an operator) in single quotes. Texts and dates stand in single quotes, where `''` is
//! a quote; numbers, dates, `true` and `false` may stand bare. There is no other `NOT`.
//!
//! What a condition means for a record is told at [`Expr::matches`].

mod comparison;
mod decimal;
mod evaluate;
mod lex;
mod parse;
mod placeholder;
mod print;
pub mod push_down;
mod scalar;
pub mod watermark;

use jiff::Timestamp;

use crate::close::timestamp;
use crate::polling::date_pattern::DatePatternError;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// `… AND …`: two or more, none of them an `All`.
    All(Vec<Expr>),
    /// `… OR …`: two or more, none of them an `Any`.
    Any(Vec<Expr>),
    /// `field < value`.
    Compare {
        /// A dotted path.
        field: String,
        /// How the field's value stands to the other.
        operator: Operator,
        /// What it is compared with.
        value: Value,
    },
    /// `field LIKE 'A%'`.
    Like {
        /// A dotted path.
        field: String,
        /// `%` stands for any text; nothing else is special.
        pattern: String,
    },
    /// `field IN (…)`.
    In {
        /// A dotted path.
        field: String,
        /// One or more.
        values: Vec<Value>,
    },
    /// `field IS NULL`.
    IsNull {
        /// A dotted path.
        field: String,
    },
    /// `field IS NOT NULL`.
    IsNotNull {
        /// A dotted path.
        field: String,
    },
}

impl Expr {
    /// All of one or more.
    fn all(terms: Vec<Self>) -> Self {
        Self::joined(terms, Self::All, |term| match term {
            Self::All(terms) => Ok(terms),
            other => Err(other),
        })
    }

    /// Any of one or more.
    fn any(terms: Vec<Self>) -> Self {
        Self::joined(terms, Self::Any, |term| match term {
            Self::Any(terms) => Ok(terms),
            other => Err(other),
        })
    }

    fn joined(
        terms: Vec<Self>,
        join: fn(Vec<Self>) -> Self,
        split: fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let parts = |term| split(term).unwrap_or_else(|other| vec![other]);
        let mut terms: Vec<_> = terms.into_iter().flat_map(parts).collect();
        match terms.pop() {
            Some(only) if terms.is_empty() => only,
            last => {
                terms.extend(last);
                join(terms)
            }
        }
    }

    /// The paths of all fields that are compared.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter().flat_map(Self::fields).collect(),
            Self::Compare { field, .. }
            | Self::Like { field, .. }
            | Self::In { field, .. }
            | Self::IsNull { field }
            | Self::IsNotNull { field } => vec![field],
        }
    }

    /// What all must be true of a record that matches.
    fn conjuncts(&self) -> &[Self] {
        match self {
            Self::All(terms) => terms,
            other => std::slice::from_ref(other),
        }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text or a date.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// `true` or `false`; only ever equal or not.
    Boolean(bool),
    /// A text with one or more placeholders.
    Template(Vec<Part>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Itself.
    Text(String),
    /// A checked placeholder, braces and all: the time of the last poll.
    Placeholder(String),
}

/// The condition cannot be polled with. Positions are counted in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeqlError {
    /// Not what may stand there.
    #[error("expected {expected} at position {position}, but found {found}")]
    Unexpected {
        /// What may.
        expected: &'static str,
        /// What does.
        found: String,
        /// Where.
        position: usize,
    },
    /// A quote, backtick or placeholder without its end.
    #[error("the {opening} at position {position} is never closed")]
    Open {
        /// Its name.
        opening: &'static str,
        /// Where.
        position: usize,
    },
    /// Parentheses in parentheses in parentheses.
    #[error("expected at most {most} levels of parentheses, but found more at position {position}")]
    TooDeep {
        /// So many are read.
        most: usize,
        /// Where the next one begins.
        position: usize,
    },
    /// A placeholder whose pattern we cannot read.
    #[error("the date pattern of `{placeholder}` at position {position}: {error}")]
    DatePattern {
        /// The placeholder, braces and all.
        placeholder: String,
        /// Where.
        position: usize,
        /// What is wrong with the pattern.
        error: DatePatternError,
    },
    /// A placeholder where there is no time of the last poll to put.
    #[error(
        "expected a placeholder only in `{field}>'${{…}}'`, alone or joined by AND, but found `{found}`"
    )]
    MisplacedPlaceholder {
        /// The update date's field.
        field: String,
        /// The condition with the placeholder.
        found: String,
    },
}

/// An error shows so many characters of what it found.
const SHOWN_CHARACTERS: usize = 80;

fn shortened(text: &str) -> String {
    crate::text::shortened::shortened(text, SHOWN_CHARACTERS)
}

/// The instant that a text names: a date with dashes, perhaps a time, perhaps a zone. Without a zone it is UTC.
fn instant(text: &str) -> Option<Timestamp> {
    // Digits alone (`20170228`) are more likely a number than ISO 8601's basic form.
    let is_date = |index, byte: u8| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let day = text.as_bytes().first_chunk::<10>()?;
    let is_day = day
        .iter()
        .enumerate()
        .all(|(index, byte)| is_date(index, *byte));
    is_day.then(|| timestamp::parse(text))?
}
