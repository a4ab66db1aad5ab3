//! Who may do what.

use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::{Instance, Phase};
use shared::store::error::TableError;

use super::body_with;
use crate::owner::{Owner, plant, stored_configuration};
use crate::world::{API_KEY, ORGANIZATION_SECRET, USER_SECRET, World, ago};

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
        // Both secrets are right, and something beside them is not.
        format!("User {user}, Organization {organization}, Bearer x"),
        format!("Bearer x Element wrong, User {user}, Organization {organization}"),
        format!("User {user}, x Element wrong, Organization {organization}"),
        format!("User {user} Element wrong, Organization {organization}"),
        format!("User {user}, Organization {organization} Element wrong"),
        format!("User {user}, Organization {organization}, ;Element wrong"),
        format!("User wrong, User {user}, Organization {organization}"),
        format!("User {user}, Organization {organization}, organization"),
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
            format!("Element {other_token}, Element {token}"),
            format!("Bearer x Element {other_token}, {secrets}, Element {token}"),
        ] {
            assert_refused(&world, method, &path, &authorization).await;
        }
        assert_refused(&world, method, "/instances/12", &format!("Element {token}")).await;
    }
    assert_refused(&world, "POST", "/instances", &format!("Element {token}")).await;

    for authorization in [
        format!("Element {token}"),
        format!(", Element {token},Element {token},"),
        format!("{secrets}, Element {token}"),
        format!("element {token} ,organization  {ORGANIZATION_SECRET},USER {USER_SECRET}"),
    ] {
        let answer = world.call("GET", &path, Some(&authorization), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{authorization}");
    }
    let element = format!("Element {token}");
    assert_refused(&world, "DELETE", &path, &element).await;
    let all = format!("{secrets}, {element}");
    let answer = world.call("DELETE", &path, Some(&all), "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_refused(&world, "GET", &path, &element).await;
    let answer = world.call("GET", &path, None, "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    world.finish().await;
}

#[tokio::test]
async fn a_token_alone_decides_neither_what_is_read_nor_where_it_goes() {
    let world = World::start().await;
    let configuration = json!({"event.vendor.type": "webhook"});
    let owner = Owner::of(&world, configuration).await;
    let before = owner.stored().await.unwrap();
    let path = format!("/instances/{}", owner.id);
    let element = format!("Element {}", owner.token);
    let everything = json!({
        "event.vendor.type": "polling", "event.poller.start": "1970-01-01", "event.poller.urls": "leads",
        "event.notification.type": "webhook", "event.notification.callback.url": "https://evil.example/",
    });
    let change = json!({"configuration": everything}).to_string();
    for (method, path, body) in [
        ("PATCH", path.clone(), change),
        ("PUT", path.clone(), body_with(&everything)),
        ("DELETE", path.clone(), String::new()),
        (
            "POST",
            format!("{path}/backfill"),
            json!({"resource": "leads", "from": "1970-01-01"}).to_string(),
        ),
    ] {
        let answer = world.call(method, &path, Some(&element), body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    assert_eq!(owner.stored().await.unwrap(), before);
    world.finish().await;
}

#[tokio::test]
async fn a_replaced_token_is_refused_at_once_and_all_else_stays() {
    let world = World::start().await;
    let polling = json!({"event.vendor.type": "polling", "event.poller.urls": "leads"});
    let owner = Owner::of(&world, polling).await;
    let path = format!("/instances/{}", owner.id);
    let renew = format!("{path}/token");
    let mut before = world.items("InstancesTable").await.remove(0);
    let old = format!("Element {}", owner.token);

    let answer = world.call("POST", &renew, Some(&old), "").await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let token = answer.body["token"].as_str().unwrap();
    assert_eq!(answer.body, json!({"id": owner.id, "token": token}));
    assert_ne!(token, owner.token);
    let new = format!("Element {token}");
    for (method, path) in [("GET", &path), ("POST", &renew)] {
        let body = String::new();
        let answer = world.call(method, path, Some(&old), body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    for listing in [&path, "/instances"] {
        let answer = world.call("GET", listing, Some(&new), "").await;
        assert_eq!(answer.body["id"], owner.id);
    }
    assert_refused(&world, "GET", "/instances", &old).await;
    let mut after = world.items("InstancesTable").await.remove(0);
    for changed in ["tokenHash", "previousCallbackKeys", "version"] {
        assert_ne!(before.remove(changed), after.remove(changed), "{changed}");
    }
    assert_eq!(before, after);
    world.finish().await;
}

#[tokio::test]
async fn a_change_that_was_read_before_does_not_bring_the_old_token_back() {
    let world = World::start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let before = owner.stored().await.unwrap();
    let answer = owner.call("POST", "/token", &Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let overtaken = world.instance_table().replace(&before, false, ago(0)).await;
    assert!(
        matches!(overtaken, Err(TableError::Conflict)),
        "{overtaken:?}"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_token_whose_replacement_was_not_answered_or_was_overtaken_is_the_one_that_is_shown() {
    let world = World::start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let mut token = owner.token.clone();
    let path = format!("/instances/{}", owner.id);
    let update = || Calls::of("UpdateItem").table("InstancesTable");
    let code = "ConditionalCheckFailedException".to_owned();
    for fault in [
        Fault::new(Failure::Disconnected, update()).after_performing(),
        Fault::new(Failure::Error { status: 400, code }, update()),
    ] {
        world.stack.store().fail(fault);
        let element = format!("Element {token}");
        let renew = format!("{path}/token");
        let answer = world.call("POST", &renew, Some(&element), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["token"]
            .as_str()
            .unwrap()
            .clone_into(&mut token);
        let element = format!("Element {token}");
        let answer = world.call("GET", &path, Some(&element), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_instance_that_is_being_set_up_cannot_be_changed_but_removed() {
    let world = World::start().await;
    let configuration = stored_configuration(json!({"username": API_KEY}));
    let id = 20_931_u64.try_into().unwrap();
    let mut instance = Instance::new(id, "Half", configuration, ago(0));
    instance.phase = Phase::Provisioning;
    plant(&world, &instance).await;
    let before = world.instance_table().get(id).await.unwrap();

    let rename = json!({"name": "Whole"}).to_string();
    for (method, path, body) in [
        ("POST", "/token", ""),
        ("PATCH", "", rename.as_str()),
        ("PUT", "/enabled", ""),
        ("DELETE", "/enabled", ""),
    ] {
        let path = format!("/instances/20931{path}");
        let answer = world.call(method, &path, None, body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{method} {path}");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains("DELETE"), "{message}");
    }
    assert_eq!(world.instance_table().get(id).await.unwrap(), before);

    let removed = world.call("DELETE", "/instances/20931", None, "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.body);
    world.finish().await;
}
