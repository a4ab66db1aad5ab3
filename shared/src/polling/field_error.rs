//! What is wrong with a field of a request or a configuration.
//!
//! It is about any request. It stands here because `polling` is the first room that reads what a client sent; `instance` and
//! both functions take it from here.

use std::fmt;

use serde::Serialize;

use crate::text::shortened::shortened;

/// Of what is wrong with a request, so much is said: the rest is seen when that is mended.
pub const MAX_ERRORS: usize = 50;
/// Of an error's field and message, so many characters are shown.
const MAX_FIELD: usize = 200;
const MAX_MESSAGE: usize = 500;

/// One thing that is wrong with what a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The member, with its path.
    pub field: String,
    /// What was expected and what was found, never a secret.
    pub message: String,
}

impl FieldError {
    /// An error about `field`. Both texts may hold what was found, which may be long.
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: shortened(field, MAX_FIELD),
            message: shortened(&message.into(), MAX_MESSAGE),
        }
    }

    /// An error about a field that is missing, with what belongs there.
    pub fn required(field: &str, what: &str) -> Self {
        Self::new(field, format!("is required: {what}"))
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Errors on one line, and how many more there are.
pub fn describe(errors: &[FieldError]) -> String {
    let shown = errors.iter().take(MAX_ERRORS).map(ToString::to_string);
    let more = errors.len().saturating_sub(MAX_ERRORS);
    let more = (0 < more).then(|| format!("and {more} more"));
    shown.chain(more).collect::<Vec<_>>().join("; ")
}
