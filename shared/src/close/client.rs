//! The HTTP client of Close's API.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::error::CloseError;
use super::rate_limit;
use super::search::{Page, Search};
use crate::aws;

/// Close answers a search in well under a second; a page of large leads may take some.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a rejection's body, what a log line can bear.
const MAX_MESSAGE: usize = 300;

/// Speaks to Close for any number of instances.
#[derive(Debug, Clone)]
pub struct CloseClient {
    http: reqwest::Client,
}

/// Whose Close is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Without a slash at the end.
    pub base_url: &'a str,
    /// The user name of Basic authentication; the password is empty.
    pub api_key: &'a SecretString,
}

/// What Close answered and when, by its own clock.
#[derive(Debug)]
pub struct Answer<T> {
    /// The body.
    pub body: T,
    /// The `Date` header.
    pub date: Option<Timestamp>,
}

impl CloseClient {
    /// A client with its own pool of connections.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new() -> Result<Self, CloseError> {
        let builder = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT);
        // A redirect could carry the API key to another host.
        let builder = builder.redirect(reqwest::redirect::Policy::none());
        let http = builder
            .user_agent(concat!("closeio-events/", env!("CARGO_PKG_VERSION")))
            .build();
        http.map(|http| Self { http }).map_err(unavailable)
    }

    /// One page of a search.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn search(
        &self,
        account: Account<'_>,
        search: &Search,
    ) -> Result<Answer<Page>, CloseError> {
        let request = self
            .request(Method::POST, account, "data/search/")
            .json(&search.to_body());
        let result = send(request).await;
        let has_cursor = search.cursor.is_some();
        result.map_err(|error| {
            if has_cursor && is_about_the_cursor(&error) {
                CloseError::ExpiredCursor
            } else {
                error
            }
        })
    }

    fn request(&self, method: Method, account: Account<'_>, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}/{path}", account.base_url));
        request.basic_auth(account.api_key.expose_secret(), Some(""))
    }
}

async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<Answer<T>, CloseError> {
    let response = request.send().await.map_err(unavailable)?;
    let date = date_of(&response);
    let status = response.status();
    let headers = response.headers().clone();
    let body = response.text().await.map_err(unavailable)?;
    if status.is_success() {
        let body = serde_json::from_str(&body);
        let body = body.map_err(|error| {
            CloseError::Unavailable(format!("an answer cannot be read: {error}"))
        })?;
        return Ok(Answer { body, date });
    }
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => CloseError::RateLimited {
            wait: rate_limit::wait(&headers, &body),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CloseError::Unauthorized {
            status: status.as_u16(),
        },
        StatusCode::REQUEST_TIMEOUT => CloseError::Unavailable("status 408".to_owned()),
        _ if status.is_client_error() => CloseError::Rejected {
            status: status.as_u16(),
            message: shortened(&body),
        },
        _ => CloseError::Unavailable(format!("status {}", status.as_u16())),
    })
}

fn date_of(response: &Response) -> Option<Timestamp> {
    let text = response.headers().get(header::DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()
}

fn is_about_the_cursor(error: &CloseError) -> bool {
    matches!(error, CloseError::Rejected { status: 400, message } if message.to_lowercase().contains("cursor"))
}

fn shortened(body: &str) -> String {
    body.chars().take(MAX_MESSAGE).collect()
}

/// `reqwest` prints the URL, which holds no secret, and the causes.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn unavailable(error: reqwest::Error) -> CloseError {
    CloseError::Unavailable(aws::causes(&error))
}
