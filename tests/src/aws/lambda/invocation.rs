//! What a function is invoked with, and how an invocation fails.

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};

/// What a function is invoked with.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// JSON. Text rather than a tree, so that whatever is in it arrives unchanged.
    pub(crate) payload: String,
    /// The X-Ray trace header, if the caller brought one.
    pub(crate) trace: Option<String>,
}

/// A failed invocation, as Lambda reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// Lambda's or the function's own name for it, such as `Sandbox.Timedout`.
    pub error_type: String,
    /// The message.
    pub message: String,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.error_type, self.message)
    }
}

impl Error for FunctionError {}

impl FunctionError {
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.to_owned(),
            message: message.into(),
        }
    }

    /// The payload that Lambda answers a failed invocation with.
    pub(crate) fn to_json(&self) -> Value {
        json!({"errorMessage": self.message, "errorType": self.error_type})
    }
}
