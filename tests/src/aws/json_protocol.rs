//! The AWS JSON protocol, as far as DynamoDB and EventBridge share it.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::iam::denial::Denial;
use crate::control::fault::Failure;
use crate::plumbing::http::Connection;
use crate::plumbing::ids::uuid;

/// How a service spells its content type and its own failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) content_type: &'static str,
    pub(crate) throttled: &'static str,
    pub(crate) internal: &'static str,
    /// What its codes begin with when it does not know or does not let in the caller.
    pub(crate) refused: &'static str,
}

impl Dialect {
    /// A successful answer.
    pub(crate) fn answer(self, body: String) -> Response {
        self.response(StatusCode::OK, body)
    }

    /// An error in the service's form.
    pub(crate) fn error(self, status: StatusCode, code: &str, message: &str) -> Response {
        let body = json!({"__type": code, "message": message});
        self.response(status, body.to_string())
    }

    /// The answer to somebody who may not call so.
    pub(crate) fn refusal(self, refusal: &Denial) -> Response {
        let code = format!("{}{}", self.refused, refusal.code());
        self.error(StatusCode::BAD_REQUEST, &code, &refusal.message())
    }

    /// The answer of a call that a test wants to fail.
    pub(crate) async fn failure(self, failure: &Failure, connection: &Connection) -> Response {
        let message = "A fault that a test asked for.";
        match failure {
            Failure::Throttled => self.error(StatusCode::BAD_REQUEST, self.throttled, message),
            Failure::Internal => {
                self.error(StatusCode::INTERNAL_SERVER_ERROR, self.internal, message)
            }
            Failure::Disconnected => {
                connection.sever();
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Failure::NoAnswer => std::future::pending().await,
            Failure::Error { status, code } => {
                let status = StatusCode::from_u16(*status);
                self.error(status.unwrap_or(StatusCode::BAD_REQUEST), code, message)
            }
            Failure::Bare { status } => {
                let status = StatusCode::from_u16(*status);
                status.unwrap_or(StatusCode::BAD_REQUEST).into_response()
            }
        }
    }

    /// An answer with this body.
    pub(crate) fn response(self, status: StatusCode, body: String) -> Response {
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        if let Ok(id) = HeaderValue::from_str(&uuid()) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }
}

/// The service and the operation that a request names, such as `AWSEvents` and `PutEvents`.
pub(crate) fn target(headers: &HeaderMap) -> Option<(&str, &str)> {
    headers.get("x-amz-target")?.to_str().ok()?.split_once('.')
}
