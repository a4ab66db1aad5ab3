//! One attempt: a request, and what its answer means.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use shared::instance::settings::callback::Callback;
use shared::text::causes::causes;
use shared::text::http_time;

use super::reason::Reason;
use super::resolver::{NoPublicAddress, PublicResolver, SystemResolver};

/// One attempt, with all that belongs to it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer is read so far, in bytes and in time, for its connection to be used again. What it says is nobody's business.
const MAX_ANSWER: usize = 16 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// A notification to be sent.
#[derive(Debug)]
pub struct CallbackRequest<'a> {
    /// Where it goes.
    pub callback: &'a Callback,
    /// What signs it.
    pub signature: HeaderMap,
    /// What it says.
    pub body: String,
}

/// How an attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// With 2xx.
    Delivered,
    /// It may work later.
    Failed {
        /// Why it did not.
        reason: Reason,
        /// How much time the receiver asks for.
        retry_after: Option<SignedDuration>,
    },
    /// It will not work later.
    Refused(Reason),
}

/// The client of all callbacks. It keeps connections.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn client(allow_loopback: bool) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // Another place, perhaps a private one, would be chosen by whoever answers.
        .redirect(Policy::none())
        // A proxy would look names up by itself.
        .no_proxy()
        .user_agent(concat!("closeio-events/", env!("CARGO_PKG_VERSION")));
    if allow_loopback {
        return builder.build();
    }
    let builder = builder.https_only(true);
    builder
        .dns_resolver(PublicResolver::new(SystemResolver))
        .build()
}

/// Sends a notification. Every attempt has 15 s of its own.
pub async fn send(client: &Client, request: CallbackRequest<'_>, now: Timestamp) -> Attempt {
    let CallbackRequest {
        callback,
        signature,
        body,
    } = request;
    let request = client
        .post(callback.url.clone())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .headers(callback.headers.clone())
        .headers(signature)
        .timeout(ATTEMPT_TIMEOUT)
        .body(body);
    match request.send().await {
        Ok(response) => {
            let attempt = judge(response.status(), response.headers(), now);
            read_out(response).await;
            attempt
        }
        Err(error) => explain(error),
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Attempt {
    let failed = |retry_after| Attempt::Failed {
        reason: Reason::Status(status.as_u16()),
        retry_after,
    };
    match status {
        _ if status.is_success() => Attempt::Delivered,
        StatusCode::GONE => Attempt::Refused(Reason::Gone),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let wait = http_time::retry_after(headers, Some(now));
            failed(wait.and_then(|wait| SignedDuration::try_from(wait).ok()))
        }
        _ => failed(None),
    }
}

/// A connection whose answer was not read to its end is closed. That is all that a failure here means.
async fn read_out(mut response: Response) {
    let read = async {
        let mut bytes = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes += chunk.len();
            if MAX_ANSWER < bytes {
                break;
            }
        }
    };
    // Late is as good as broken.
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, read).await;
}

/// The URL may hold credentials, so the log is told the causes without it.
fn explain(error: reqwest::Error) -> Attempt {
    let error = error.without_url();
    if NoPublicAddress::caused(&error) {
        return Attempt::Refused(Reason::AddressNotAllowed);
    }
    let reason = if error.is_timeout() {
        Reason::Timeout
    } else {
        Reason::ConnectionFailed
    };
    tracing::info!(%reason, cause = causes(&error), "a callback URL did not answer");
    Attempt::Failed {
        reason,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, RETRY_AFTER};

    use super::{Attempt, judge};
    use crate::callback::reason::Reason;

    fn judged(status: u16, retry_after: Option<&'static str>) -> Attempt {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, text.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        judge(status, &headers, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_notification_is_delivered_by_2xx_and_nothing_else() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(status, None), Attempt::Delivered, "{status}");
        }
        for status in [301, 302, 307, 308, 400, 401, 404, 409, 500, 502, 504] {
            let failed = Attempt::Failed {
                reason: Reason::Status(status),
                retry_after: None,
            };
            assert_eq!(judged(status, Some("60")), failed, "{status}");
        }
        assert_eq!(judged(410, None), Attempt::Refused(Reason::Gone));
    }

    #[test]
    fn whoever_has_too_much_to_do_may_ask_for_time() {
        for status in [429, 503] {
            let failed = |retry_after| Attempt::Failed {
                reason: Reason::Status(status),
                retry_after,
            };
            let minute = SignedDuration::from_secs(60);
            assert_eq!(judged(status, Some("60")), failed(Some(minute)));
            assert_eq!(judged(status, Some("soon")), failed(None));
            assert_eq!(judged(status, None), failed(None));
        }
    }
}
