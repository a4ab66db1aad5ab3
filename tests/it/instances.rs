//! The instance API: provisioning, reading, removing.

use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::id::{InstanceId, MAX_INSTANCE_ID};

use crate::world::{API_KEY, Answer, World};

mod authorization;
mod backfill;
mod deletion;
mod documented;
mod health;
mod lines;
mod old_bodies;
mod poller;
mod request;
mod warnings;

/// Asks for an instance with this body.
async fn create(world: &World, body: impl Into<reqwest::Body>) -> Answer {
    world.call("POST", "/instances", None, body).await
}

/// The words of a refusal, and what it says of each field, one a line.
fn refusal(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    let Some(errors) = answer.body["errors"].as_array() else {
        return format!("{status} {}", answer.body["message"].as_str().unwrap());
    };
    let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    let lines: Vec<_> = errors
        .iter()
        .map(|error| format!("{}: {}", text(error, "field"), text(error, "message")))
        .collect();
    assert_eq!(answer.body["message"], lines.join("; "));
    format!("{status}\n{}", lines.join("\n"))
}

#[tokio::test]
async fn ids_are_exact_json_numbers_and_differ() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        let answer = world
            .provision(json!({"event.vendor.type": "webhook"}))
            .await;
        ids.push(answer.body["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert!((1..=MAX_INSTANCE_ID).contains(&ids[0]) && ids[19] <= MAX_INSTANCE_ID);
    // Twenty draws of 53 bits that all miss the upper half would be drawn from fewer.
    assert!(MAX_INSTANCE_ID / 2 < ids[19]);
    world.finish().await;
}

#[tokio::test]
async fn the_token_is_shown_once_and_secrets_never() {
    let world = World::start().await;
    let secrets = json!({
        "password": "password-of-the-tests",
        "event.webhook.signature.key": "ab12",
        "event.notification.signature.key": "notification-key-of-the-tests",
        "event.notification.basic.username": "receiver",
        "event.notification.basic.password": "basic-password-of-the-tests",
        "event.vendor.type": "webhook",
    });
    let created = world.provision(secrets.clone()).await;
    let token = created.body["token"].as_str().unwrap();
    assert_eq!(token.len(), 44);
    let path = format!("/instances/{}", created.body["id"]);

    let read = world.call("GET", &path, None, "").await;

    assert_eq!(read.status, StatusCode::OK);
    let mut expected = created.body.clone();
    expected.as_object_mut().unwrap().remove("token");
    assert_eq!(read.body, expected);
    for key in secrets
        .as_object()
        .unwrap()
        .keys()
        .chain(&["username".to_owned()])
    {
        let shown = &read.body["configuration"][key];
        let expected = match key.as_str() {
            "event.vendor.type" => "webhook",
            "event.notification.basic.username" => "receiver",
            _ => "********",
        };
        assert_eq!(shown, expected, "{key}");
    }
    let items = world.items("InstancesTable").await;
    assert_ne!(items[0]["tokenHash"].as_s().unwrap(), token);
    world.finish().await;
}

#[tokio::test]
async fn the_webhook_url_is_ready_to_be_posted_to() {
    let world = World::start().await;
    let answer = world
        .provision(json!({"event.vendor.type": "webhook"}))
        .await;
    let id = InstanceId::try_from(answer.body["id"].as_u64().unwrap()).unwrap();
    let url = answer.body["webhookUrl"].as_str().unwrap();
    assert_eq!(url, world.webhook_url(&id.to_base64()));
    let body = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    assert_eq!(world.deliver(url, &[], body).await.status, StatusCode::OK);
    assert_eq!(world.details()[0]["instanceId"], u64::from(id));
    world.finish().await;
}

#[tokio::test]
async fn without_a_public_url_webhook_urls_begin_with_the_requests_own_domain() {
    let world = World::start_with(|builder| builder.parameter("PublicUrl", "")).await;
    let answer = world
        .provision(json!({"event.vendor.type": "webhook"}))
        .await;
    let url = answer.body["webhookUrl"].as_str().unwrap();
    let domain_name = world.stack.url().replacen("http://", "https://", 1);
    assert!(
        url.starts_with(&format!("{domain_name}/elements/")),
        "{url}"
    );
    world.finish().await;
}

#[tokio::test]
async fn an_instance_whose_insertion_was_not_answered_is_there_once() {
    let world = World::start().await;
    let insertion = Calls::of("PutItem").table("InstancesTable");
    let lost = Fault::new(Failure::Disconnected, insertion).after_performing();
    world.stack.store().fail(lost);

    let answer = create(&world, body_with(&json!({}))).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let stored = world.items("InstancesTable").await;
    assert_eq!(stored.len(), 1);
    let id = stored[0]["id"].as_n().unwrap();
    assert_eq!(id, &answer.body["id"].to_string());
    world.finish().await;
}

#[tokio::test]
async fn a_request_with_an_absurd_host_scheme_or_query_is_answered() {
    let world = World::start().await;
    let function = world.stack.function("WebhookFunction").unwrap();
    for (header, value, query) in [
        ("host", "a b", ""),
        ("host", "x:99999", ""),
        ("x-forwarded-proto", "https,http", ""),
        ("x-forwarded-proto", "", ""),
        ("accept", "*/*", "tags[]=\"<é> \u{0}"),
    ] {
        let path = "/elements/api-v2/instances";
        let event = json!({
            "version": "2.0", "rawPath": path, "rawQueryString": query, "isBase64Encoded": true,
            "headers": {header: value}, "body": "no base64!",
            "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        });
        let answer = function.invoke(&event).await.unwrap();
        let status = StatusCode::UNAUTHORIZED.as_u16();
        assert_eq!(answer["statusCode"], status, "{header}: {value}");
    }
    world.finish().await;
}

#[tokio::test]
async fn another_route_is_api_gateways_404() {
    let world = World::start().await;
    for (method, path) in [
        ("PUT", "/instances"),
        ("POST", "/instances/12"),
        ("POST", "/instances/"),
        ("GET", "/events/closeio/MjA5MzE="),
        ("POST", "/events/hubspot/MjA5MzE="),
    ] {
        let answer = world.call(method, path, None, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(answer.body, json!({"message": "Not Found"}));
    }
    assert_eq!(
        world
            .stack
            .function("WebhookFunction")
            .unwrap()
            .process_count(),
        0
    );
    world.finish().await;
}

#[tokio::test]
async fn an_id_in_the_path_that_is_none_is_400() {
    let world = World::start().await;
    for method in ["GET", "DELETE"] {
        for id in ["0", "x", "9007199254740992", "-1", "1.5"] {
            let answer = world
                .call(method, &format!("/instances/{id}"), None, "")
                .await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{method} {id}");
        }
    }
    world.finish().await;
}

/// A body with this configuration and what else is needed.
fn body_with(configuration: &Value) -> String {
    let mut whole = json!({"username": API_KEY});
    for (key, value) in configuration.as_object().unwrap() {
        whole[key] = value.clone();
    }
    json!({"element": {"key": "closeio"}, "name": "Test", "configuration": whole}).to_string()
}
