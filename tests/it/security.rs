//! docs/security.md says what each credential opens.

use std::collections::BTreeSet;

use serde_json::json;

use crate::owner::{Owner, delivery};
use crate::world::{ORGANIZATION_SECRET, SIGNATURE_KEY, USER_SECRET, World, query, sign};

const DOCUMENT: &str = include_str!("../../docs/security.md");
const BASE_PATH: &str = "/elements/api-v2";
const TIMESTAMP: &str = "1781870641";
const KEY: &str = "event.webhook.signature.key";
/// Instances whose webhooks are not signed.
const UNSIGNED: &str = "without a signature key";

/// A row of the document's table: a route, for which instances, and what each credential does there.
struct Row {
    method: &'static str,
    path: &'static str,
    instances: &'static str,
    cells: Vec<&'static str>,
}

/// The head of the table, without the routes, and its rows.
fn table() -> (Vec<&'static str>, Vec<Row>) {
    let cells = |line: &'static str| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(line.split(" | ").collect::<Vec<_>>())
    };
    let mut lines = DOCUMENT
        .lines()
        .skip_while(|line| !line.starts_with("| method and path |"));
    let head = cells(lines.next().unwrap()).unwrap();
    let rows = lines.skip(1).map_while(cells).map(|cells| {
        let (_, route) = cells[0].split_once('`').unwrap();
        let (route, instances) = route.split_once('`').unwrap();
        let (method, path) = route.split_once(' ').unwrap();
        Row {
            method,
            path,
            instances: instances.trim(),
            cells: cells[1..].to_vec(),
        }
    });
    (head[1..].to_vec(), rows.collect())
}

/// The headers of a request that has this credential. `other` is another instance's token.
fn headers(
    credential: &str,
    owner: &Owner<'_>,
    other: &str,
    body: &str,
) -> Vec<(&'static str, String)> {
    let (own, both) = (
        format!("Element {}", owner.token),
        format!("User {USER_SECRET}, Organization {ORGANIZATION_SECRET}"),
    );
    let authorization = match credential {
        "nothing" => return Vec::new(),
        "Close's signature" => {
            let hash = sign(SIGNATURE_KEY, TIMESTAMP, body.as_bytes());
            let timestamp = TIMESTAMP.to_owned();
            return vec![("close-sig-hash", hash), ("close-sig-timestamp", timestamp)];
        }
        "its Element token" => own,
        "another instance's" => format!("Element {other}"),
        "User and Organization" => both,
        "both and its token" => format!("{both}, {own}"),
        "both and another's" => format!("{both}, Element {other}"),
        unknown => panic!("nobody knows the credential {unknown}"),
    };
    vec![("authorization", authorization)]
}

/// A body that the route takes.
fn body(row: &Row) -> String {
    let instance = json!({
        "element": {"key": "closeio"}, "name": "Test", "configuration": {"username": "api_key"},
    });
    match (row.method, row.path) {
        ("POST", "/instances") | ("PUT", "/instances/{id}") => instance.to_string(),
        ("PATCH", _) => json!({"name": "Other"}).to_string(),
        ("POST", "/instances/{id}/backfill") => {
            json!({"resource": "leads", "from": "2026-01-01", "to": "2026-02-01"}).to_string()
        }
        ("POST", "/events/closeio/{encodedId}") => delivery(1),
        _ => String::new(),
    }
}

/// A fresh instance for each request, because a request may change its instance.
async fn instance<'a>(world: &'a World, row: &Row) -> Owner<'a> {
    let mut configuration = json!({
        "event.vendor.type": "polling", "event.poller.configuration": {"leads": {"url": query("leads")}},
        KEY: SIGNATURE_KEY,
    });
    if row.instances == UNSIGNED {
        configuration[KEY] = json!("");
    }
    Owner::of(world, configuration).await
}

#[tokio::test]
async fn each_credential_opens_what_the_document_says_and_nothing_else() {
    let world = World::start().await;
    let (credentials, rows) = table();
    let other = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    for row in &rows {
        assert_eq!(row.cells.len(), credentials.len(), "{}", row.path);
        for (credential, cell) in credentials.iter().zip(&row.cells) {
            let owner = instance(&world, row).await;
            let body = body(row);
            let headers = headers(credential, &owner, &other.token, &body);
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let path = row.path.replace("{id}", &owner.id.to_string());
            let url = match row.path {
                "/events/closeio/{encodedId}" => owner.url.clone(),
                _ => format!("{}{BASE_PATH}{path}", world.stack.url()),
            };
            let answer = world.send(row.method, &url, &headers, body).await;
            let shown = match (answer.status.as_u16(), answer.body["id"].as_u64()) {
                (401, _) => "no",
                (200, Some(id)) if (row.method, row.path) == ("GET", "/instances") => {
                    let is_others = credential.contains("another");
                    assert_eq!(id, if is_others { other.id } else { owner.id });
                    "that instance"
                }
                (200 | 202, _) => "yes",
                _ => "neither",
            };
            let context = format!("{} {}, {credential}: {}", row.method, row.path, answer.body);
            assert_eq!(shown, *cell, "{context}");
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn the_document_has_every_route_of_the_template() {
    let world = World::start().await;
    let routes = &world.stack.function("WebhookFunction").unwrap().spec.routes;
    let in_template: BTreeSet<_> = routes
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let (_, rows) = table();
    let documented: BTreeSet<_> = rows
        .iter()
        .map(|row| format!("{} {BASE_PATH}{}", row.method, row.path))
        .collect();
    assert_eq!(documented, in_template);
    world.finish().await;
}
