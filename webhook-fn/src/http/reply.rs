//! What a handler answers when all went well.

use lambda_http::http::{HeaderName, StatusCode};
use serde_json::Value;

/// An answer that is no refusal.
#[derive(Debug)]
pub struct Reply {
    /// 2xx.
    pub status: StatusCode,
    /// JSON.
    pub body: Value,
    /// Headers beside those that every answer has.
    pub headers: Vec<(HeaderName, String)>,
}

impl Reply {
    /// A 202: the rest is done later.
    pub fn accepted(body: Value) -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            ..body.into()
        }
    }
}

impl From<Value> for Reply {
    fn from(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            headers: Vec::new(),
        }
    }
}
