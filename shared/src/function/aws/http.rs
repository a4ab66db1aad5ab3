//! The SDK's calls over the HTTP client that Close is asked with.
//!
//! The SDK's own client is a second copy of the same layers with HTTP/2, which neither DynamoDB nor EventBridge speaks: a
//! seventh of a function.

use std::error::Error;

use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;

/// One pool of connections. The SDK itself ends what takes too long.
#[derive(Debug, Clone)]
pub(super) struct Http(reqwest::Client);

impl Http {
    /// A client without connections.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(super) fn new() -> reqwest::Result<Self> {
        let builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy();
        Ok(Self(builder.build()?))
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move {
            let response = http.execute(to_reqwest(request)?).await.map_err(failed)?;
            let status = response.status().as_u16();
            let headers = response.headers().clone();
            let body = response.bytes().await.map_err(failed)?;
            let status = status.try_into().map_err(unreadable)?;
            let mut response = HttpResponse::new(status, body.into());
            copy(&headers, &mut response);
            Ok(response)
        })
    }
}

fn to_reqwest(request: HttpRequest) -> Result<reqwest::Request, ConnectorError> {
    let request = request.try_into_http1x().map_err(unsendable)?;
    let (parts, body) = request.into_parts();
    // None of the calls of ours has a body that is a stream.
    let body = body.bytes().ok_or("the body is a stream");
    let body = body.map_err(unsendable)?.to_vec();
    http::Request::from_parts(parts, body)
        .try_into()
        .map_err(unsendable)
}

/// Skips headers that are not text; nothing reads them.
fn copy(headers: &HeaderMap, response: &mut HttpResponse) {
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            let name = name.as_str().to_owned();
            response.headers_mut().append(name, value.to_owned());
        }
    }
}

/// Both kinds are tried again.
fn failed(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

fn unsendable(error: impl Into<Box<dyn Error + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn unreadable(error: impl Into<Box<dyn Error + Send + Sync>>) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}
