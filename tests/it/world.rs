//! The stack, a Close, and the questions that tests ask of them.

mod counts;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use jsonschema::Validator;
use local_stack::aws::eventbridge::event::Event;
use local_stack::aws::lambda::invocation::FunctionError;
use local_stack::aws::sdk;
use local_stack::close::CloseSimulator;
use local_stack::close::organization::Organization;
use local_stack::close::settings::Settings;
use local_stack::stack::LocalStack;
use local_stack::stack::builder::Builder;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::health::Health;
use shared::store::instances::InstanceTable;
use shared::store::instances::lease::PollEnd;

use crate::privileges;

/// Longer than anything takes that works; what does not is a failure, not a slow test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

// Secrets that must not be found again in anything that the functions write.
pub(crate) const API_KEY: &str = "api_1secretOfTheTests.0123456789abcdef";
pub(crate) const USER_SECRET: &str = "user-secret-of-the-tests";
pub(crate) const ORGANIZATION_SECRET: &str = "organization-secret-of-the-tests";
/// The key of the published signature vector.
pub(crate) const SIGNATURE_KEY: &str =
    "b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4";

/// The published schema of an event.
pub(crate) static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = include_str!("../../docs/event.schema.json");
    let schema = serde_json::from_str(schema).unwrap();
    jsonschema::draft4::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
});

/// A stack and a Close of one organization.
pub(crate) struct World {
    pub(crate) stack: LocalStack,
    pub(crate) close: CloseSimulator,
    pub(crate) organization: Organization,
    instances: InstanceTable,
    http: reqwest::Client,
    /// Tokens and keys that the run made.
    secrets: Mutex<Vec<String>>,
    /// Answers of the API, to be searched for secrets.
    answers: Mutex<Vec<String>>,
}

/// An item of a table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// An answer of the HTTP API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let close = CloseSimulator::start(Settings::quick()).await.unwrap();
        let organization = close.organization("Acme", API_KEY);
        let builder = LocalStack::builder()
            .parameter("CloseBaseUrls", close.base_url())
            // What is logged at this level must be as free of secrets.
            .parameter("LogLevel", "TRACE")
            .secret("UserSecret", USER_SECRET)
            .secret("OrganizationSecret", ORGANIZATION_SECRET);
        let stack = change(builder).start().await.unwrap();
        let secrets = [API_KEY, USER_SECRET, ORGANIZATION_SECRET, SIGNATURE_KEY];
        let config = sdk::config(&stack.store().url()).unwrap();
        let table = stack.store().table("InstancesTable").unwrap();
        Self {
            instances: InstanceTable::new(&config, table),
            stack,
            close,
            organization,
            http: reqwest::Client::builder()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
            secrets: Mutex::new(secrets.map(str::to_owned).to_vec()),
            answers: Mutex::default(),
        }
    }

    /// Ends the world and checks what holds in every test: nobody asked for what is not there, each event fits the
    /// published schema, no secret has come out, no role was asked for what it does not allow, and what was measured is what
    /// was done.
    pub(crate) async fn finish(self) {
        assert_eq!(self.close.unexpected(), Vec::<String>::new());
        crate::close::export::check(&self.close);
        for event in self.events() {
            let json: Value = serde_json::from_str(&event.to_json().unwrap()).unwrap();
            let errors: Vec<_> = SCHEMA
                .iter_errors(&json)
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{json:#}");
        }
        let lines = self.stack.output().snapshot();
        let lines = lines.iter().map(|line| line.text.clone());
        let entries = self.stack.bus().calls().snapshot();
        let entries = entries.iter().map(|call| call.body.clone());
        let answers = self.answers.lock().unwrap().clone();
        let secrets = self.secrets.lock().unwrap().clone();
        for text in lines.chain(entries).chain(answers) {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "a secret came out: {text}");
            }
        }
        self.assert_counts().await;
        privileges::record(self.stack.access());
        self.stack.shutdown().await.unwrap();
    }

    /// The events about changes, in the order in which the bus took them.
    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        let events = self.stack.bus().events().snapshot();
        events
            .into_iter()
            .filter(|event| event.source == "closeio")
            .collect()
    }

    /// The details of these events.
    pub(crate) fn details(&self) -> Vec<Value> {
        self.events()
            .iter()
            .map(|event| event.parse_detail().unwrap())
            .collect()
    }

    /// What was said of instances, as type and detail, in the order of its saying.
    pub(crate) fn notices(&self) -> Vec<(String, Value)> {
        let of = |source: &str| -> Vec<_> {
            let events = self.stack.bus().events().snapshot().into_iter();
            let said = events.filter(|event| event.source == source);
            let said = said.filter(|event| event.detail_type != "poll.requested");
            said.map(|event| (event.detail_type.clone(), event.parse_detail().unwrap()))
                .collect()
        };
        let all = of("closeio.instances");
        // Rules of earlier versions know another source.
        let known = all.iter().filter(|(name, _)| name.starts_with("instance."));
        assert!(known.eq(&of("closeio.poller")));
        all
    }

    /// The details of what was said of instances under this name.
    pub(crate) fn notices_of(&self, detail_type: &str) -> Vec<Value> {
        let notices = self.notices().into_iter();
        let notices = notices.filter(|(name, _)| name == detail_type);
        notices.map(|(_, detail)| detail).collect()
    }

    /// Sends a request to the API, with both secrets unless `authorization` says otherwise; empty, it is left out.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = format!("{}/elements/api-v2{path}", self.stack.url());
        let secrets = format!("User {USER_SECRET}, Organization {ORGANIZATION_SECRET}");
        let mut request = self.http.request(method.parse().unwrap(), url);
        let authorization = authorization.unwrap_or(&secrets);
        if !authorization.is_empty() {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        self.answer(request.body(body)).await
    }

    /// Sends a webhook's body to a URL, as Close does, with these headers over the usual one.
    pub(crate) async fn deliver(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        self.send("POST", url, headers, body).await
    }

    /// Sends a request to a URL, with these headers over the usual one.
    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut all = HeaderMap::new();
        all.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            all.insert(name, value.parse().unwrap());
        }
        let request = self.http.request(method.parse().unwrap(), url);
        self.answer(request.headers(all).body(body)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        let mut shown = text;
        // The token is shown once, to whoever provisions the instance or replaces the token.
        if let Some(token) = body["token"].as_str() {
            shown = shown.replace(token, "");
            self.secrets.lock().unwrap().push(token.to_owned());
        }
        self.answers.lock().unwrap().push(shown);
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Provisions an instance whose configuration is `configuration` and what every one needs.
    pub(crate) async fn provision(&self, configuration: Value) -> Answer {
        let mut whole = json!({
            "username": API_KEY,
            "event.notification.enabled": "true",
            "event.notification.type": "eventbridge",
        });
        for (key, value) in configuration.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let body = json!({"element": {"key": "closeio"}, "name": "Test", "configuration": whole});
        let answer = self
            .call("POST", "/instances", None, body.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer
    }

    /// Provisions an instance that polls `resources` with the documented query. Returns its id.
    pub(crate) async fn polling(&self, resources: &[&str]) -> u64 {
        let members = resources
            .iter()
            .map(|name| ((*name).to_owned(), json!({"url": query(name)})));
        self.polling_with(Value::Object(members.collect())).await
    }

    /// Provisions an instance with this `event.poller.configuration`. Returns its id.
    pub(crate) async fn polling_with(&self, configuration: Value) -> u64 {
        self.polling_since("2026-01-01T00:00:00Z", configuration)
            .await
    }

    /// The same with the time from which it polls.
    pub(crate) async fn polling_since(&self, start: &str, configuration: Value) -> u64 {
        let configuration = json!({
            "event.vendor.type": "polling",
            "event.poller.start": start,
            "event.poller.configuration": configuration,
        });
        self.provision(configuration).await.body["id"]
            .as_u64()
            .unwrap()
    }

    /// Provisions an instance that polls the event log from `start` on with a key that is no administrator's, from which Close
    /// hides what happened long ago. Returns its id.
    pub(crate) async fn polling_hidden(&self, start: Timestamp) -> u64 {
        let key = "api_of_no_administrator_in_the_tests";
        self.keep_secret(key);
        self.organization.add_user_key(key);
        let configuration = json!({
            "username": key,
            "event.vendor.type": "polling",
            "event.poller.start": start,
            "event.poller.configuration": {"all": {"url": query("events")}},
        });
        self.provision(configuration).await.body["id"]
            .as_u64()
            .unwrap()
    }

    /// Puts an instance with a known id into the table, so that its events' ids are known too. Returns its URL.
    pub(crate) async fn known_instance(&self, id: u64, signature_key: Option<&str>) -> String {
        let mut configuration = Configuration::default();
        configuration.set_default("username", API_KEY);
        if let Some(key) = signature_key {
            configuration.set_default("event.webhook.signature.key", key);
        }
        let instance = Instance::new(
            id.try_into().unwrap(),
            "Test",
            configuration,
            Timestamp::UNIX_EPOCH,
        );
        self.instance_table()
            .insert(&instance, false)
            .await
            .unwrap();
        self.webhook_url(&instance.id.to_base64())
    }

    /// Where webhooks go that name their instance so.
    pub(crate) fn webhook_url(&self, encoded_id: &str) -> String {
        let base = self.stack.url();
        format!("{base}/elements/api-v2/events/closeio/{encoded_id}")
    }

    /// Provisions a webhook instance, has Close post these events to it, and returns its URL.
    pub(crate) async fn subscribed(&self, events: &[(&str, &str)]) -> String {
        // Close shows the key when the subscription is made, and the URL is known when the instance is.
        let nowhere = "http://127.0.0.1:9/";
        let subscription = self.organization.create_webhook(nowhere, events).unwrap();
        let key = subscription.signature_key;
        self.secrets.lock().unwrap().push(key.clone());
        let configuration =
            json!({"event.vendor.type": "webhook", "event.webhook.signature.key": key});
        let answer = self.provision(configuration).await;
        let url = answer.body["webhookUrl"].as_str().unwrap();
        let at_close = format!("{}/webhook/{}/", self.close.base_url(), subscription.id);
        let update = self.http.put(at_close).basic_auth(API_KEY, Some(""));
        let update = update.json(&json!({"url": url})).send().await.unwrap();
        update.error_for_status().unwrap();
        url.to_owned()
    }

    pub(crate) fn instance_table(&self) -> InstanceTable {
        self.instances.clone()
    }

    /// The ids of events that the Ledger holds, without the keys of log entries.
    pub(crate) async fn ledger(&self) -> BTreeSet<String> {
        let items = self.items("LedgerTable").await;
        let id = |item: &Item| item["eventId"].as_s().unwrap().to_owned();
        items
            .iter()
            .map(id)
            .filter(|id| !id.contains('#'))
            .collect()
    }

    /// All items of a table, by its key in the template.
    pub(crate) async fn items(&self, table: &str) -> Vec<Item> {
        let store = self.stack.store();
        let scan = store.client().scan();
        let scan = scan.table_name(store.table(table).unwrap());
        let items = scan.into_paginator().items().send();
        items.collect::<Result<_, _>>().await.unwrap()
    }

    /// Polls an instance once, as the rule on `poll.requested` does, and returns the summary.
    pub(crate) async fn poll(&self, id: u64) -> Value {
        self.try_poll(id).await.unwrap()
    }

    pub(crate) async fn try_poll(&self, id: u64) -> Result<Value, FunctionError> {
        let function = self.stack.function("PollerFunction").unwrap();
        let event = json!({
            "source": "closeio.poller",
            "detail-type": "poll.requested",
            "detail": {"instanceId": id},
        });
        function.invoke(&event).await
    }

    /// Remembers a secret that must not come out.
    pub(crate) fn keep_secret(&self, secret: &str) {
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// Forgets what was counted up to now.
    pub(crate) fn forget_calls(&self) {
        self.stack.bus().calls().clear();
        self.stack.store().calls().clear();
    }
}

/// `close-sig-hash`: HMAC-SHA256 over the timestamp and the body, keyed with the bytes that the key is the hex of.
pub(crate) fn sign(key: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hex::decode(key).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The end of a poll that has read nothing.
pub(crate) fn end_at(next_poll_at: Timestamp, health: &Health) -> PollEnd<'_> {
    PollEnd {
        next_poll_at,
        health,
        found: None,
        stream: None,
    }
}

/// The documented query, as it stands there.
pub(crate) fn query(resource: &str) -> String {
    format!(
        "/hubs/crm/{resource}?where=date_updated>'${{gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}}'"
    )
}

/// `seconds` before now, in whole milliseconds as Close stamps.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests speak of the time that the simulator has too"
    )]
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond() - 1_000 * seconds).unwrap()
}

/// The member `key` of each detail, as text.
pub(crate) fn texts(details: &[Value], key: &str) -> Vec<String> {
    details
        .iter()
        .map(|detail| detail[key].as_str().unwrap().to_owned())
        .collect()
}
