//! Every route, with what is right and with each kind of wrong: the status and the body.

use serde_json::{Value, json};

use crate::world::{Answer, SIGNATURE_KEY, World};

const ID: u64 = 20931;
/// A second instance, so that there is one that is not the one.
const OTHER: u64 = 12;
const UNKNOWN: &str = "/instances/404";
const WRONG: &str = "User wrong, Organization wrong";

/// What differs from run to run.
const REDACTED: [&str; 6] = [
    "requestId",
    "id",
    "token",
    "createdDate",
    "requestedDate",
    "webhookUrl",
];

#[tokio::test]
async fn every_route_answers_as_it_should() {
    let world = World::start().await;
    world.known_instance(ID, None).await;
    world.known_instance(OTHER, Some(SIGNATURE_KEY)).await;
    let mut table = Table {
        world: &world,
        lines: Vec::new(),
    };

    let instance = json!({"element": {"key": "closeio"}, "name": "Test", "configuration": {"username": "api_key"}});
    let instance = instance.to_string();
    let large = " ".repeat(256 * 1024 + 1);
    let one = format!("/instances/{ID}");
    let enabled = format!("/instances/{ID}/enabled");

    table
        .add("POST", "/instances", "good", None, &instance)
        .await;
    table.bad_bodies("POST", "/instances", &large).await;
    table
        .add("POST", "/instances", "bad secrets", Some(WRONG), &instance)
        .await;

    table
        .add("GET", "/instances?tags[]=None", "good", None, "")
        .await;
    table
        .add(
            "GET",
            "/instances?pageSize=0&nextPage=!",
            "bad query",
            None,
            "",
        )
        .await;
    table
        .add("GET", "/instances", "bad secrets", Some(WRONG), "")
        .await;
    table
        .add("GET", "/instances", "bad token", Some("Element none"), "")
        .await;

    table.add("GET", &one, "good", None, "").await;
    table.bad_paths("GET", "").await;
    table
        .add("GET", &one, "bad token", Some("Element none"), "")
        .await;

    table.add("PUT", &one, "good", None, &instance).await;
    table.bad_bodies("PUT", &one, &large).await;
    table.bad_paths("PUT", "").await;

    table
        .add("PATCH", &one, "good", None, r#"{"tags": ["A"]}"#)
        .await;
    table.add("PATCH", &one, "nothing", None, "{}").await;
    let bad = r#"{"name": "", "tags": 1, "configuration": {"username": null, "base.url": "http://evil"}}"#;
    table.add("PATCH", &one, "bad parts", None, bad).await;
    table.add("PATCH", &one, "no JSON", None, "{").await;
    table.bad_paths("PATCH", "").await;

    table.add("DELETE", &enabled, "good", None, "").await;
    table.bad_paths("DELETE", "/enabled").await;
    table.webhook(ID, "disabled", "{}").await;
    table.add("PUT", &enabled, "good", None, "").await;
    table.bad_paths("PUT", "/enabled").await;

    let token = format!("{one}/token");
    table.add("POST", &token, "good", None, "").await;
    table
        .add("POST", &token, "bad token", Some("Element none"), "")
        .await;
    table.bad_paths("POST", "/token").await;

    table.backfills(&one, &large).await;

    let deletion = r#"{"model": "lead", "event": "delete", "data": {"id": "lead_1"}}"#;
    table.webhook(ID, "good", deletion).await;
    table.webhook(ID, "again", deletion).await;
    table.webhook(ID, "no JSON", "{").await;
    table.webhook(ID, "no webhook", "[]").await;
    table
        .webhook(ID, "an event that says nothing", r#"{"event": {}}"#)
        .await;
    table
        .webhook(
            ID,
            "2014's without an id",
            r#"{"model": "lead", "event": "update", "data": {}}"#,
        )
        .await;
    table.webhook(OTHER, "unsigned", deletion).await;
    table.webhook(404, "unknown", deletion).await;
    table
        .add("POST", "/events/closeio/!", "bad id", None, deletion)
        .await;
    table
        .add("POST", "/events/hubspot/MTI=", "no route", None, deletion)
        .await;

    table.add("DELETE", &one, "good", None, "").await;
    table.bad_paths("DELETE", "").await;
    table.add("DELETE", &one, "again", None, "").await;

    insta::assert_snapshot!(table.lines.join("\n"));
    world.finish().await;
}

struct Table<'a> {
    world: &'a World,
    lines: Vec<String>,
}

impl Table<'_> {
    async fn add(
        &mut self,
        method: &str,
        path: &str,
        case: &str,
        secrets: Option<&str>,
        body: &str,
    ) {
        let answer = self
            .world
            .call(method, path, secrets, body.to_owned())
            .await;
        self.lines
            .push(format!("{method} {path}, {case}: {}", shown(&answer)));
    }

    async fn webhook(&mut self, id: u64, case: &str, body: &str) {
        let encoded = shared::instance::id::InstanceId::try_from(id)
            .unwrap()
            .to_base64();
        self.add(
            "POST",
            &format!("/events/closeio/{encoded}"),
            case,
            None,
            body,
        )
        .await;
    }

    async fn bad_bodies(&mut self, method: &str, path: &str, large: &str) {
        for (case, body) in [
            ("no JSON", "{"),
            ("no object", "[]"),
            ("nothing in it", "{}"),
            (
                "another element",
                r#"{"element": {"key": "sfdc"}, "name": "x", "configuration": {"username": "k"}}"#,
            ),
            ("too large", large),
        ] {
            self.add(method, path, case, None, body).await;
        }
    }

    async fn backfills(&mut self, one: &str, large: &str) {
        let backfill = format!("{one}/backfill");
        let january = r#"{"resource": "leads", "from": "2026-01-01", "to": "2026-02-01"}"#;
        self.add("POST", &backfill, "not polled", None, january)
            .await;
        let polled = r#"{"configuration": {"event.notification.enabled": true, "event.notification.type": "eventbridge", "event.vendor.type": "polling", "event.poller.urls": "leads"}}"#;
        self.add("PATCH", one, "polled", None, polled).await;
        self.add("POST", &backfill, "good", None, january).await;
        self.add("POST", &backfill, "again", None, january).await;
        self.add("POST", &backfill, "no JSON", None, "{").await;
        self.add("POST", &backfill, "no object", None, "[]").await;
        self.add("POST", &backfill, "nothing in it", None, "{}")
            .await;
        self.add("POST", &backfill, "too large", None, large).await;
        self.bad_paths("POST", "/backfill").await;
    }

    async fn bad_paths(&mut self, method: &str, rest: &str) {
        self.add(method, &format!("/instances/0{rest}"), "bad id", None, "{}")
            .await;
        self.add(method, &format!("{UNKNOWN}{rest}"), "unknown", None, "{}")
            .await;
        self.add(
            method,
            &format!("{UNKNOWN}{rest}"),
            "bad secrets",
            Some(WRONG),
            "{}",
        )
        .await;
    }
}

fn shown(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    redact(&mut body);
    format!("{} {body}", answer.status.as_u16())
}

fn redact(body: &mut Value) {
    let Some(members) = body.as_object_mut() else {
        return;
    };
    for (name, value) in members {
        if REDACTED.contains(&name.as_str()) {
            *value = json!(format!("[{name}]"));
        } else if name == "element" {
            *value = json!("[element]");
        } else if name == "events" {
            *value = json!("[events]");
        } else if name == "backfill" {
            redact(value);
        } else if name == "configuration" {
            value["base.url"] = json!("[base.url]");
        }
    }
}
