//! The HTTP client of Close's API.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::CloseError;
use super::page::{Page, Request};
use super::rate_limit;
use super::webhook::{
    CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Subscription,
    SubscriptionList, Wanted,
};
use crate::close::base_url::{BaseUrls, at_present_host};
use crate::json;
use crate::text::causes::causes;
use crate::text::http_time;
use crate::text::shortened::shortened;

/// The user of the API key; reading it costs Close next to nothing.
const ME: &str = "me/";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a rejection's body, so many characters are kept: it may name each of many events.
const MAX_MESSAGE: usize = 10_000;

/// Speaks to Close for any number of instances.
#[derive(Debug, Clone)]
pub struct CloseClient {
    http: reqwest::Client,
    base_urls: BaseUrls,
}

/// Whose Close is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Without a slash at the end.
    pub base_url: &'a str,
    /// The user name of Basic authentication; the password is empty.
    pub api_key: &'a SecretString,
}

impl Account<'_> {
    /// Whether both speak to Close with one key at one address.
    pub fn is(self, other: Account<'_>) -> bool {
        self.base_url == other.base_url
            && self.api_key.expose_secret() == other.api_key.expose_secret()
    }
}

/// What Close answered and when, by its own clock.
#[derive(Debug, Default)]
pub struct Answer<T> {
    /// The body.
    pub body: T,
    /// The `Date` header.
    pub date: Option<Timestamp>,
    /// How long the endpoint takes no further request.
    pub pause: Option<Duration>,
}

/// What Close answers to a change of a subscription.
#[derive(Debug, Deserialize)]
struct Changed {
    #[serde(default)]
    events: Vec<ListedEvent>,
}

impl CloseClient {
    /// A client with its own pool of connections, each of whose requests ends within `timeout` and goes to a base URL that
    /// `base_urls` allows, whatever an instance has stored.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(timeout: Duration, base_urls: BaseUrls) -> Result<Self, CloseError> {
        let builder = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect could carry the API key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("closeio-events/", env!("CARGO_PKG_VERSION")));
        let http = builder.build().map_err(unavailable)?;
        Ok(Self { http, base_urls })
    }

    /// One page of what changed.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn read(
        &self,
        account: Account<'_>,
        page: &Request,
    ) -> Result<Answer<Page>, CloseError> {
        let path = page.path();
        let request = match page {
            Request::Search(search) => self
                .request(Method::POST, account, path)?
                .json(&search.to_body()),
            Request::List(list) => self
                .request(Method::GET, account, path)?
                .query(&list.to_query()),
            Request::EventLog(log) => self
                .request(Method::GET, account, path)?
                .query(&log.to_query()),
            Request::CustomFields(_) => self.request(Method::GET, account, path)?,
        };
        let result = self.send(account, request).await;
        result.map_err(|error| {
            if page.has_cursor() && is_about_the_cursor(&error) {
                CloseError::ExpiredCursor
            } else {
                error
            }
        })
    }

    /// An object as it is now, by its path, or nothing where Close has it no more.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn object(
        &self,
        account: Account<'_>,
        path: &str,
    ) -> Result<Answer<Option<Box<RawValue>>>, CloseError> {
        let request = self.request(Method::GET, account, path)?;
        let answer = unless_missing(self.send::<Box<RawValue>>(account, request).await)?;
        Ok(answer.map_or_else(Answer::default, |answer| Answer {
            body: Some(answer.body),
            date: answer.date,
            pause: answer.pause,
        }))
    }

    /// Asks whether the API key is good.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn probe(&self, account: Account<'_>) -> Result<(), CloseError> {
        let request = self.request(Method::GET, account, ME)?;
        self.send::<IgnoredAny>(account, request).await.map(drop)
    }

    /// Subscribes `url` to events.
    ///
    /// # Errors
    /// As [`CloseError`] says; a rejection may name an active subscription of the same URL and events.
    pub async fn create_webhook(
        &self,
        account: Account<'_>,
        url: &str,
        events: &[SubscribedEvent],
    ) -> Result<CreatedSubscription, CloseError> {
        let body = json!({"url": url, "events": events, "verify_ssl": true});
        let request = self.request(Method::POST, account, "webhook/")?.json(&body);
        Ok(self.send(account, request).await?.body)
    }

    /// A subscription, or nothing where Close has none of that id.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn webhook(
        &self,
        account: Account<'_>,
        id: &str,
    ) -> Result<Option<Subscription>, CloseError> {
        let request = self.request(Method::GET, account, &format!("webhook/{id}/"))?;
        let answer = unless_missing(self.send(account, request).await)?;
        Ok(answer.map(|answer| answer.body))
    }

    /// All subscriptions of the organization.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn webhooks(
        &self,
        account: Account<'_>,
    ) -> Result<Vec<ListedSubscription>, CloseError> {
        let request = self.request(Method::GET, account, "webhook/")?;
        let listed: Answer<SubscriptionList> = self.send(account, request).await?;
        Ok(listed.body.data)
    }

    /// Changes which events a subscription covers. Returns what it covers then, if Close has it.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn set_webhook_events(
        &self,
        account: Account<'_>,
        id: &str,
        events: &[SubscribedEvent],
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        self.change_webhook(account, id, &json!({"events": events}))
            .await
    }

    /// Makes a subscription what it should be. Returns what it covers then, if Close has it.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn set_webhook(
        &self,
        account: Account<'_>,
        id: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        self.change_webhook(account, id, &json!(wanted)).await
    }

    /// Removes a subscription, if Close has it.
    ///
    /// # Errors
    /// As [`CloseError`] says.
    pub async fn delete_webhook(&self, account: Account<'_>, id: &str) -> Result<(), CloseError> {
        let request = self.request(Method::DELETE, account, &format!("webhook/{id}/"))?;
        unless_missing(self.send::<IgnoredAny>(account, request).await).map(drop)
    }

    async fn change_webhook(
        &self,
        account: Account<'_>,
        id: &str,
        body: &Value,
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        let path = format!("webhook/{id}/");
        let request = self.request(Method::PUT, account, &path)?.json(body);
        let answer = unless_missing(self.send::<Changed>(account, request).await)?;
        Ok(answer.map(|answer| answer.body.events))
    }

    /// Sends a request. Close has answered 401 to a key that it took seconds later, so a 401 counts only where `GET /me/` is
    /// refused, too.
    async fn send<T: DeserializeOwned>(
        &self,
        account: Account<'_>,
        request: RequestBuilder,
    ) -> Result<Answer<T>, CloseError> {
        let result = send(request).await;
        if !matches!(result, Err(CloseError::Unauthorized { status: 401 })) {
            return result;
        }
        let me = self.request(Method::GET, account, ME)?;
        match send::<IgnoredAny>(me).await {
            Err(CloseError::Unauthorized { .. }) => result,
            _ => Err(CloseError::Unavailable(
                "status 401, which GET /me/ did not confirm".to_owned(),
            )),
        }
    }

    /// The one place from which an API key goes out.
    fn request(
        &self,
        method: Method,
        account: Account<'_>,
        path: &str,
    ) -> Result<RequestBuilder, CloseError> {
        if !self.base_urls.allows(account.base_url) {
            return Err(CloseError::HostNotAllowed);
        }
        // An instance may name a former subscription's account as an earlier version stored it.
        let base_url = at_present_host(account.base_url);
        let request = self.http.request(method, format!("{base_url}/{path}"));
        Ok(request.basic_auth(account.api_key.expose_secret(), Some("")))
    }
}

async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<Answer<T>, CloseError> {
    let response = request.send().await.map_err(unavailable)?;
    let status = response.status();
    let headers = response.headers().clone();
    let date = http_time::date(&headers);
    let body = response.text().await.map_err(unavailable)?;
    if status.is_success() {
        let body = json::read(&body);
        let body = body.map_err(|error| {
            CloseError::Unavailable(format!("an answer cannot be read: {error}"))
        })?;
        let pause = rate_limit::pause(&headers);
        return Ok(Answer { body, date, pause });
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
            message: shortened(&body, MAX_MESSAGE),
        },
        _ => CloseError::Unavailable(format!("status {}", status.as_u16())),
    })
}

/// What Close has not is no failure to whoever wants it gone or asks whether it is there.
fn unless_missing<T>(result: Result<T, CloseError>) -> Result<Option<T>, CloseError> {
    match result {
        Err(CloseError::Rejected { status: 404, .. }) => Ok(None),
        other => other.map(Some),
    }
}

fn is_about_the_cursor(error: &CloseError) -> bool {
    matches!(error, CloseError::Rejected { status: 400, message } if message.to_lowercase().contains("cursor"))
}

/// `reqwest` prints the URL, which holds no secret, and the causes.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn unavailable(error: reqwest::Error) -> CloseError {
    CloseError::Unavailable(causes(&error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::Method;
    use secrecy::SecretString;

    use super::{Account, CloseClient};
    use crate::close::base_url::BaseUrls;

    #[test]
    fn close_is_asked_at_its_present_host() {
        let client = CloseClient::new(Duration::from_secs(1), BaseUrls::default()).unwrap();
        let account = Account {
            base_url: "https://app.close.io/api/v1",
            api_key: &SecretString::from("api_key"),
        };
        let request = client.request(Method::GET, account, "me/").unwrap();
        let url = request.build().unwrap().url().to_string();
        assert_eq!(url, "https://api.close.com/api/v1/me/");
    }
}
