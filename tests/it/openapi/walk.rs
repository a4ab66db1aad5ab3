//! Requests whose answers are held against the document.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::instance::configuration::Configuration;
use shared::instance::{Instance, Phase};

use super::document::{BASE_PATH, Document};
use crate::world::{API_KEY, Answer, World};

/// The key in the document's examples, which is that of `cargo local`.
const EXAMPLE_KEY: &str = "api_local_simulated_key";

/// Requests, each of whose answers is held against the document.
pub(super) struct Walk {
    pub(super) world: World,
    pub(super) document: Document,
    /// The operations and statuses that were answered.
    pub(super) seen: BTreeSet<(String, u16)>,
}

impl Walk {
    pub(super) async fn start() -> Self {
        Self {
            world: World::start().await,
            document: Document::read(),
            seen: BTreeSet::new(),
        }
    }

    /// Sends a request about the instance `id`, with both secrets unless `authorization` says otherwise.
    pub(super) async fn send(
        &mut self,
        operation: &str,
        id: &str,
        authorization: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let operation = self.document.operation(operation);
        let path = operation.path.replace("{id}", id);
        let method = &operation.method;
        let answer = self.world.call(method, &path, authorization, body).await;
        let id = operation.id.to_owned();
        self.document.check(&operation, &answer);
        self.seen.insert((id, answer.status.as_u16()));
        answer
    }

    /// Asks for a page.
    pub(super) async fn list(&mut self, query: &str) -> Answer {
        let operation = self.document.operation("listInstances");
        let path = format!("{}?{query}", operation.path);
        let answer = self.world.call("GET", &path, None, "").await;
        let id = operation.id.to_owned();
        self.document.check(&operation, &answer);
        self.seen.insert((id, answer.status.as_u16()));
        answer
    }

    /// Posts a webhook.
    pub(super) async fn deliver(
        &mut self,
        encoded_id: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let operation = self.document.operation("receiveWebhook");
        let path = operation.path.replace("{encodedId}", encoded_id);
        let url = format!("{}{BASE_PATH}{path}", self.world.stack.url());
        let answer = self.world.deliver(&url, &[], body).await;
        let id = operation.id.to_owned();
        self.document.check(&operation, &answer);
        self.seen.insert((id, answer.status.as_u16()));
        answer
    }

    /// The examples of an operation's body, with an API key that the simulated Close knows.
    pub(super) fn examples(&self, operation: &str) -> Vec<(String, String)> {
        let operation = self.document.operation(operation);
        let (_, examples) = operation.body().unwrap();
        let examples = examples.into_iter();
        let known = |body: &Value| body.to_string().replace(EXAMPLE_KEY, API_KEY);
        examples
            .map(|(name, body)| (name.to_owned(), known(body)))
            .collect()
    }

    /// Provisions by the example called `name`. Returns the id.
    pub(super) async fn provision(&mut self, name: &str) -> String {
        let mut examples = self.examples("createInstance").into_iter();
        let (_, body) = examples.find(|(found, _)| found == name).unwrap();
        let answer = self.send("createInstance", "", None, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.body["id"].to_string()
    }

    /// Puts an instance with this id into the table. Its token is the id.
    pub(super) async fn store(&self, id: u64, configuration: &[(&str, &str)], phase: Phase) {
        let mut whole = Configuration::default();
        whole.set("username", API_KEY);
        for (key, value) in configuration {
            whole.set(key, value);
        }
        let id = id.try_into().unwrap();
        let mut instance = Instance::new(id, "Test", whole, Timestamp::UNIX_EPOCH);
        instance.phase = phase;
        instance.token_hash = hex::encode(Sha256::digest(instance.id.to_string()));
        let table = self.world.instance_table();
        table.insert(&instance, false).await.unwrap();
    }

    /// The operations on one instance, with a body that each takes.
    pub(super) fn of_one_instance(&self) -> Vec<(String, String)> {
        let operations = self.document.operations().into_iter();
        let operations = operations.filter(|operation| operation.path.contains("{id}"));
        let ids: Vec<_> = operations
            .map(|operation| operation.id.to_owned())
            .collect();
        let replacement = self.examples("replaceInstance").swap_remove(0).1;
        let backfill = self.examples("backfillInstance").swap_remove(0).1;
        let body = |id: &str| match id {
            "replaceInstance" => replacement.clone(),
            "backfillInstance" => backfill.clone(),
            "changeInstance" => json!({"name": "Other"}).to_string(),
            _ => String::new(),
        };
        ids.into_iter().map(|id| (id.clone(), body(&id))).collect()
    }
}
