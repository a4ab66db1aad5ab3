//! Who may do what.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::body_with;
use crate::world::{ORGANIZATION_SECRET, USER_SECRET, World};

/// Provisions an instance. Returns its path and its token.
async fn provision(world: &World) -> (String, String) {
    let answer = world
        .provision(json!({"event.vendor.type": "webhook"}))
        .await;
    let token = answer.body["token"].as_str().unwrap();
    (
        format!("/instances/{}", answer.body["id"]),
        token.to_owned(),
    )
}

/// Asserts that a request with this header is refused, in words that do not say why.
async fn assert_refused(world: &World, method: &str, path: &str, authorization: &str) {
    let body = if method == "POST" {
        body_with(&json!({}))
    } else {
        String::new()
    };
    let mut answer = world.call(method, path, Some(authorization), body).await;
    assert_eq!(
        answer.status,
        StatusCode::UNAUTHORIZED,
        "{method} {path} {authorization}"
    );
    let id = answer.headers["elements-request-id"].to_str().unwrap();
    assert_eq!(answer.body["requestId"], id);
    answer.body["requestId"] = Value::Null;
    let message = "Invalid Organization or User secret, or invalid Element token provided.";
    assert_eq!(answer.body, json!({"requestId": null, "message": message}));
}

/// Headers that open nothing.
fn wrong_headers() -> Vec<String> {
    let (user, organization) = (USER_SECRET, ORGANIZATION_SECRET);
    vec![
        String::new(),
        "User".to_owned(),
        format!("User {user}"),
        format!("Organization {organization}"),
        format!("User x{user}, Organization {organization}"),
        format!("User {user}, Organization {organization}x"),
        format!("User {organization}, Organization {user}"),
        format!("User {user}, Organization "),
        format!("User {user} Organization {organization}"),
        format!("Bearer {user}, Bearer {organization}"),
    ]
}

#[tokio::test]
async fn without_both_secrets_nothing_is_provisioned_read_or_removed() {
    let world = World::start().await;
    let (path, _token) = provision(&world).await;

    for authorization in wrong_headers() {
        assert_refused(&world, "POST", "/instances", &authorization).await;
        assert_refused(&world, "GET", &path, &authorization).await;
        assert_refused(&world, "DELETE", &path, &authorization).await;
    }

    assert_eq!(world.items("InstancesTable").await.len(), 1);
    assert_eq!(
        world.call("GET", &path, None, "").await.status,
        StatusCode::OK
    );
    world.finish().await;
}

#[tokio::test]
async fn a_token_opens_its_own_instance_and_no_other() {
    let world = World::start().await;
    let (path, token) = provision(&world).await;
    let (_other_path, other_token) = provision(&world).await;
    let secrets = format!("User {USER_SECRET}, Organization {ORGANIZATION_SECRET}");

    for method in ["GET", "DELETE"] {
        for authorization in [
            "Element".to_owned(),
            format!("Element x{token}"),
            format!("Element {other_token}"),
            format!("{secrets}, Element {other_token}"),
            format!("User {USER_SECRET}, Organization x, Element {token}"),
            format!("User {USER_SECRET}, Element {token}"),
        ] {
            assert_refused(&world, method, &path, &authorization).await;
        }
        assert_refused(&world, method, "/instances/12", &format!("Element {token}")).await;
    }
    assert_refused(&world, "POST", "/instances", &format!("Element {token}")).await;

    for authorization in [
        format!("Element {token}"),
        format!("{secrets}, Element {token}"),
        format!("element {token} ,organization  {ORGANIZATION_SECRET},USER {USER_SECRET}"),
    ] {
        let answer = world.call("GET", &path, Some(&authorization), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{authorization}");
    }
    let token = format!("Element {token}");
    let answer = world.call("DELETE", &path, Some(&token), "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_refused(&world, "GET", &path, &token).await;
    let answer = world.call("GET", &path, None, "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    world.finish().await;
}
