//! What a handler answers when all went well.

use lambda_http::http::HeaderName;
use serde_json::Value;

/// A 200.
#[derive(Debug)]
pub struct Reply {
    /// JSON.
    pub body: Value,
    /// Headers beside those that every answer has.
    pub headers: Vec<(HeaderName, String)>,
}

impl From<Value> for Reply {
    fn from(body: Value) -> Self {
        Self {
            body,
            headers: Vec::new(),
        }
    }
}
