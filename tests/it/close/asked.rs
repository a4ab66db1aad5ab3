//! A Close and somebody who asks.

use std::time::Duration;

use local_stack::close::CloseSimulator;
use local_stack::close::organization::Organization;
use local_stack::close::settings::Settings;
use reqwest::Method;
use serde_json::Value;

use super::export;

pub(super) const API_KEY: &str = "api_1.secret";

/// A Close and somebody who asks it.
pub(super) struct Asked {
    pub(super) close: CloseSimulator,
    pub(super) organization: Organization,
    http: reqwest::Client,
}

impl Asked {
    pub(super) async fn start() -> Self {
        let close = CloseSimulator::start(Settings::quick()).await.unwrap();
        let organization = close.organization("Acme", API_KEY);
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            close,
            organization,
            http,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, &Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.close.base_url());
        let request = self.http.request(method, url).json(body);
        let request = request.basic_auth(API_KEY, Some(""));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Nothing was asked that is not simulated, and nothing answered that Close does not have.
    pub(super) fn finish(self) {
        assert_eq!(self.close.unexpected(), Vec::<String>::new());
        export::check(&self.close);
    }
}
