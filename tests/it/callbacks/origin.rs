//! The secrets of a callback go to no origin but the one they were given for.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{FIRST, Stage};
use crate::world::Answer;

const URL: &str = "event.notification.callback.url";
const HEADERS: &str = "event.notification.callback.headers";
const USERNAME: &str = "event.notification.basic.username";
const PASSWORD: &str = "event.notification.basic.password";
const KEY: &str = "event.notification.signature.key";

async fn send(stage: &Stage, id: u64, method: &str, body: &Value) -> Answer {
    let path = format!("/instances/{id}");
    let call = stage.world.call(method, &path, None, body.to_string());
    call.await
}

#[tokio::test]
async fn a_new_origin_receives_only_secrets_that_were_given_for_it() {
    let stage = Stage::start().await;
    let thief = Receiver::start().await;
    for secret in ["tenant-secret", "open sesame", "notification-secret"] {
        stage.world.keep_secret(secret);
    }
    let secrets = json!({
        HEADERS: {"x-tenant": "tenant-secret"}, USERNAME: "Aladdin", PASSWORD: "open sesame", KEY: "notification-secret",
    });
    let called = stage.instance("/hook", secrets).await;
    let url = thief.url("/hook");
    let fields = [HEADERS, PASSWORD, KEY].map(|key| format!("configuration.{key}"));

    let patch = json!({"configuration": {URL: url}});
    let mut put = stage.shown(&called).await;
    put["configuration"][URL] = json!(url);
    for (method, body) in [("PATCH", &patch), ("PUT", &put)] {
        let answer = send(&stage, called.id, method, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        let errors = answer.body["errors"].as_array().unwrap();
        let named = errors.iter().map(|error| error["field"].as_str().unwrap());
        assert_eq!(named.collect::<Vec<_>>(), fields, "{method}");
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains("give the value anew, or remove the key"));
    }
    // Without a URL between the two, the secrets would follow just the same.
    let without = json!({"configuration": {"event.notification.type": "eventbridge", URL: null}});
    let answer = send(&stage, called.id, "PATCH", &without).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let back = json!({"configuration": {"event.notification.type": "webhook", URL: url}});
    let answer = send(&stage, called.id, "PATCH", &back).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);

    let given = json!({"configuration": {
        "event.notification.type": "webhook", URL: url,
        HEADERS: {"x-tenant": "other"}, USERNAME: null, PASSWORD: null, KEY: null,
    }});
    let answer = send(&stage, called.id, "PATCH", &given).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    stage.publish(&called, "1").await;
    let request = thief.wait_for("/hook", 1).await.remove(0);
    assert_eq!(request.headers["x-tenant"], "other");
    for name in ["authorization", "elements-webhook-signature"] {
        assert!(!request.headers.contains_key(name), "{name}");
    }
    stage.drained(FIRST).await;
    stage.finish().await;
}

#[tokio::test]
async fn another_path_of_the_origin_keeps_the_secrets() {
    let stage = Stage::start().await;
    stage.world.keep_secret("tenant-secret");
    let secrets = json!({HEADERS: {"x-tenant": "tenant-secret"}});
    let called = stage.instance("/hook", secrets).await;
    let patch = json!({"configuration": {URL: stage.receiver.url("/other")}});
    let answer = send(&stage, called.id, "PATCH", &patch).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    stage.publish(&called, "1").await;
    let request = stage.receiver.wait_for("/other", 1).await.remove(0);
    assert_eq!(request.headers["x-tenant"], "tenant-secret");
    stage.drained(FIRST).await;
    stage.finish().await;
}
