//! Single values of a record, and how they compare.

use std::cmp::Ordering;

use serde_json::value::RawValue;

use super::decimal::Decimal;
use super::{Operator, Value, instant};
use crate::json::path;
use crate::json::string;

/// A field's value, where it can be compared.
pub(super) enum Scalar {
    Text(String),
    Number(String),
    Boolean(bool),
}

impl Scalar {
    /// The value at a dotted path, if it is neither null, list nor object.
    pub(super) fn at(record: &RawValue, field: &str) -> Option<Self> {
        let value = path::at(record, field)?.get();
        match value.as_bytes().first()? {
            b'"' => string(value).map(Self::Text),
            b'-' | b'0'..=b'9' => Some(Self::Number(value.to_owned())),
            b't' | b'f' => Some(Self::Boolean(value == "true")),
            _ => None,
        }
    }

    /// As `LIKE` sees it.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Boolean(boolean) => boolean.to_string(),
        }
    }

    /// Whether this stands to the value as the operator says.
    pub(super) fn compares(&self, operator: Operator, value: &Value) -> bool {
        let ordering = match value {
            Value::Text(text) => self.cmp_text(text),
            Value::Number(number) => self.cmp_number(number),
            Value::Boolean(boolean) => self.cmp_boolean(*boolean),
            Value::Template(_) => return false,
        };
        match operator {
            Operator::Equal => ordering.is_some_and(Ordering::is_eq),
            Operator::NotEqual => !ordering.is_some_and(Ordering::is_eq),
            Operator::Less => ordering.is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            Operator::Greater => ordering.is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        }
    }

    fn cmp_text(&self, text: &str) -> Option<Ordering> {
        match self {
            Self::Text(found) => Some(match (instant(found), instant(text)) {
                (Some(found), Some(text)) => found.cmp(&text),
                _ => found.as_str().cmp(text),
            }),
            Self::Number(found) => cmp_numbers(found, text),
            Self::Boolean(found) => (found.to_string() == text).then_some(Ordering::Equal),
        }
    }

    fn cmp_number(&self, number: &str) -> Option<Ordering> {
        match self {
            Self::Text(found) | Self::Number(found) => cmp_numbers(found, number),
            Self::Boolean(_) => None,
        }
    }

    fn cmp_boolean(&self, boolean: bool) -> Option<Ordering> {
        let is_same = match self {
            Self::Text(found) => *found == boolean.to_string(),
            Self::Number(_) => false,
            Self::Boolean(found) => *found == boolean,
        };
        is_same.then_some(Ordering::Equal)
    }
}

fn cmp_numbers(left: &str, right: &str) -> Option<Ordering> {
    Some(Decimal::parse(left)?.cmp(&Decimal::parse(right)?))
}
