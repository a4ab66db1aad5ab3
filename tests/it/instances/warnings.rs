//! The warnings about an accepted request.

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{body_with, create, refusal};
use crate::owner::Owner;
use crate::world::{API_KEY, World, query};

/// The lines, one a line.
fn warnings(body: &Value) -> String {
    let lines = body["warnings"].as_array().into_iter().flatten();
    let lines: Vec<_> = lines.map(|line| line.as_str().unwrap()).collect();
    lines.join("\n")
}

#[tokio::test]
async fn each_misspelt_member_is_named_with_the_one_that_is_meant() {
    let world = World::start().await;
    let body = json!({
        "element": {"key": "closeio"}, "name": "Test", "tag": ["Sales"], "disable": true,
        "configuration": {
            "username": API_KEY,
            "event.notification.enable": true,
            "event.poller.refresh_intervall": 5,
            "event.poller.configuration": {
                "leads": {"url": query("leads"), "soure": "event-log", "datesConfiguration": {"updatedDateZone": "GMT"}},
                "contacts": {"url": query("contacts"), "updatedDateField": "date_updated", "xPath": ""},
            },
            "event.helper.kay": 1,
            "something.else": 1,
        },
    });
    let answer = create(&world, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let mut lines: Vec<_> = answer.body["warnings"].as_array().unwrap().clone();
    lines.sort_unstable_by_key(Value::to_string);
    insta::assert_snapshot!(warnings(&json!({"warnings": lines})), @r"
    configuration.event.helper.kay: is not known
    configuration.event.notification.enable: is not known; did you mean event.notification.enabled?
    configuration.event.poller.configuration.contacts.updatedDateField: is not known; did you mean datesConfiguration.updatedDateField?
    configuration.event.poller.configuration.leads.datesConfiguration.updatedDateZone: is not known; did you mean updatedDateTimezone?
    configuration.event.poller.configuration.leads.soure: is not known; did you mean source?
    configuration.event.poller.configuration: is not polled, for event.vendor.type is absent
    configuration.event.poller.refresh_intervall: is not known; did you mean event.poller.refresh_interval?
    configuration.something.else: is not known
    disable: is not known
    tag: is not known; did you mean tags?
    ");
    world.finish().await;
}

#[tokio::test]
async fn a_misspelt_secret_is_not_shown_and_comes_back_by_its_mask() {
    let world = World::start().await;
    let misspelt = [
        (
            "event.notification.signature.keyy",
            "signature-key-of-the-tests",
        ),
        ("pasword", "password-of-the-tests"),
    ];
    let mut given = Map::new();
    for (key, secret) in misspelt {
        world.keep_secret(secret);
        given.insert(key.to_owned(), json!(secret));
    }
    let owner = Owner::of(&world, Value::Object(given)).await;

    let shown = owner.shown().await;
    let replaced = owner.call("PUT", "", &shown).await;

    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.body);
    let stored = owner.stored().await.unwrap().configuration;
    for (key, secret) in misspelt {
        assert_eq!(shown["configuration"][key], "********");
        assert_eq!(stored.get(key), Some(secret));
        assert!(warnings(&replaced.body).contains(key));
    }
    // To remove an unknown key brings no warning.
    let changed = owner.configure(json!({"pasword": null})).await;
    assert_eq!(changed.get("warnings"), None);
    assert_eq!(changed["configuration"].get("pasword"), None);
    world.finish().await;
}

#[tokio::test]
async fn what_an_instance_shows_can_be_sent_back_in_silence() {
    let world = World::start().await;
    let owner = Owner::subscribed(
        &world,
        json!({
            "password": "", "event.vendor.type": "polling", "event.raw.enabled": true, "event.poller.refresh_interval": 60,
            "event.poller.start": "2026-01-01T00:00:00Z",
            "event.poller.configuration": {"leads": {"url": query("leads"), "pageSize": 10}},
        }),
    )
    .await;
    world.organization.revoke_key(API_KEY);
    world.poll(owner.id).await;
    let backfill = json!({"resource": "leads", "from": "2026-01-01", "to": "2026-02-01"});
    owner.call("POST", "/backfill", &backfill).await;
    let shown = owner.shown().await;
    for part in ["polling", "lastPoll", "backfill", "webhook"] {
        assert!(shown.get(part).is_some(), "{part}: {shown}");
    }
    for method in ["PUT", "PATCH"] {
        let answer = owner.call(method, "", &shown).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body.get("warnings"), None, "{}", answer.body);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_change_that_names_nothing_to_change_is_400() {
    let world = World::start().await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let mut refused = Vec::new();
    for body in [
        json!({}),
        json!({"nmae": "Other"}),
        json!({"configuraton": {"username": API_KEY}}),
        json!({"disabled": true}),
    ] {
        refused.push(refusal(&owner.call("PATCH", "", &body).await));
    }
    insta::assert_snapshot!(refused.join("\n"), @r"
    400
    body: expected at least one of name, tags, configuration, for nothing else can be changed
    400
    body: expected at least one of name, tags, configuration, for nothing else can be changed
    nmae: is not known; did you mean name?
    400
    body: expected at least one of name, tags, configuration, for nothing else can be changed
    configuraton: is not known; did you mean configuration?
    400
    body: expected at least one of name, tags, configuration, for nothing else can be changed
    ");
    let body = json!({"name": "Other", "tag": []});
    let answer = owner.call("PATCH", "", &body).await;
    assert_eq!(answer.body["name"], "Other");
    assert_eq!(
        warnings(&answer.body),
        "tag: is not known; did you mean tags?"
    );
    world.finish().await;
}

#[tokio::test]
async fn resources_that_nothing_says_to_poll_are_named() {
    let world = World::start().await;
    let mut configuration = json!({
        "event.notification.enabled": true,
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    let answer = create(&world, body_with(&configuration)).await;
    insta::assert_snapshot!(warnings(&answer.body), @"configuration.event.poller.configuration: is not polled, for event.vendor.type is absent");
    configuration["event.vendor.type"] = json!("webhook");
    let answer = create(&world, body_with(&configuration)).await;
    assert_eq!(answer.body.get("warnings"), None);
    for (vendor_type, enabled) in [
        (json!("polling"), json!(false)),
        (Value::Null, json!(false)),
        (json!("webhook"), Value::Null),
    ] {
        configuration["event.vendor.type"] = vendor_type;
        configuration["event.notification.enabled"] = enabled;
        let answer = create(&world, body_with(&configuration)).await;
        assert_eq!(answer.body.get("warnings"), None, "{configuration}");
    }
    configuration["event.vendor.type"] = json!("polling");
    configuration["event.notification.enabled"] = Value::Null;
    let answer = create(&world, body_with(&configuration)).await;
    insta::assert_snapshot!(warnings(&answer.body), @"configuration.event.poller.configuration: is not polled, for event.notification.enabled is absent");
    world.finish().await;
}

#[tokio::test]
async fn a_field_that_no_record_has_is_named_whenever_the_instance_is_changed() {
    let world = World::start().await;
    let polled = |keys: Value| {
        let mut configuration =
            json!({"event.notification.enabled": true, "event.vendor.type": "polling"});
        for (key, value) in keys.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        body_with(&configuration)
    };
    let url = "/hubs/crm/opportunities?where=vallue > 1000 AND custom.cf_1 = 'x'";
    let resources = json!({"event.poller.configuration": {"deals": {"url": url}}});
    let line = "configuration.event.poller.configuration.deals: `vallue` is no known field of opportunities; did you mean value?";

    let created = create(&world, polled(resources.clone())).await;
    assert_eq!(warnings(&created.body), line);
    let path = format!("/instances/{}", created.body["id"]);
    let renamed = json!({"name": "Other"}).to_string();
    for (method, body) in [("PUT", polled(resources)), ("PATCH", renamed)] {
        let changed = world.call(method, &path, None, body).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        assert_eq!(warnings(&changed.body), line, "{method}");
    }
    let shown = world.call("GET", &path, None, "").await;
    assert_eq!(shown.body.get("warnings"), None);

    let lines = json!({"event.poller.urls": "contacts|/hubs/crm/contacts?where=nmae='Ann'"});
    let by_lines = create(&world, polled(lines)).await;
    let line = "configuration.event.poller.urls.contacts: `nmae` is no known field of contacts; did you mean name?";
    assert_eq!(warnings(&by_lines.body), line);
    world.finish().await;
}

#[tokio::test]
async fn fifty_are_named_and_the_rest_is_counted() {
    let world = World::start().await;
    let mut body = json!({"element": {"key": "closeio"}, "name": "Test", "configuration": {"username": API_KEY}});
    for number in 0..1_000 {
        body[format!("{number}{}", "x".repeat(200))] = json!(1);
    }
    let answer = create(&world, body.to_string()).await;
    let lines = answer.body["warnings"].as_array().unwrap();
    assert_eq!(lines.len(), 51);
    assert_eq!(lines[50], "and 950 more");
    assert!(answer.body.to_string().len() < 20_000);
    world.finish().await;
}
