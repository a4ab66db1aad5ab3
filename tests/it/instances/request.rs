//! What a provisioning request may look like, and what is said of one that may not.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{body_with, create, refusal};
use crate::owner::Owner;
use crate::world::{API_KEY, World, ago, query};

#[tokio::test]
async fn everything_that_is_missing_is_named_at_once() {
    let world = World::start().await;
    insta::assert_snapshot!(refusal(&create(&world, "{}").await), @r"
    400
    element.key: is required: closeio
    name: is required: what to call the instance
    configuration.username: is required: the Close API key
    ");
    let wanted = json!({"configuration": {"event.notification.enabled": true, "event.notification.type": "webhook"}});
    insta::assert_snapshot!(refusal(&create(&world, wanted.to_string()).await), @r"
    400
    element.key: is required: closeio
    name: is required: what to call the instance
    configuration.username: is required: the Close API key
    configuration.event.notification.callback.url: is required: event.notification.type webhook asks for it; without that type events are on the bus alone
    ");
    let polling = json!({
        "element": {}, "name": "", "configuration": {
            "username": "", "event.notification.enabled": true, "event.vendor.type": "polling",
            "event.poller.configuration": {"contacts": {}, "leads": {"idField": "id"}},
        },
    });
    insta::assert_snapshot!(refusal(&create(&world, polling.to_string()).await), @r"
    400
    element.key: is required: closeio
    name: expected a text of 1 to 256 characters
    configuration.username: is required: the Close API key
    configuration.event.poller.configuration.contacts.url: is required: the query to poll with, such as /hubs/crm/contacts
    configuration.event.poller.configuration.leads.url: is required: the query to poll with, such as /hubs/crm/contacts
    ");
    assert_eq!(world.items("InstancesTable").await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let world = World::start().await;
    let body = json!({
        "element": {"key": "hubspot"}, "name": "n".repeat(257), "tags": "Sales", "configuration": {
            "username": API_KEY,
            "base.url": "https://api.close.com.example.com/api/v1",
            "event.notification.enabled": "yes",
            "event.notification.type": "carrier pigeon",
            "event.notification.callback.url": "http://app.example.com/events",
            "event.vendor.type": "pull",
            "event.webhook.signature.key": "not hex",
        },
    });
    insta::assert_snapshot!(refusal(&create(&world, body.to_string()).await), @r"
    400
    element.key: expected closeio
    name: expected a text of 1 to 256 characters
    tags: expected a list of up to 50 texts of 1 to 256 characters
    configuration.event.notification.enabled: expected true or false
    configuration.base.url: expected the https URL of Close's API, https://api.close.com/api/v1
    configuration.event.notification.type: expected webhook or eventbridge
    configuration.event.notification.callback.url: expected an https URL
    configuration.event.webhook.signature.key: expected the signature_key of the webhook subscription, in hex
    configuration.event.vendor.type: expected polling or webhook
    ");

    let url = query("contacts");
    let body = json!({
        "element": {"key": 7}, "name": 7, "tags": ["Sales", ""], "configuration": {
            "username": API_KEY,
            "base.url": "http://api.close.com/api/v1",
            "event.notification.enabled": true,
            "event.notification.callback.url": "app.example.com",
            "event.vendor.type": "polling",
            "event.webhook.signature.key": "ab1",
            "event.poller.refresh_interval": 0,
            "event.poller.start": "yesterday",
            "event.poller.configuration": {
                "contacts": {"url": url, "datesConfiguration": {"updatedDateFormat": "yyyy-MM'"}},
                "leads": {"url": "/hubs/crm/leads?where=status_label = 'won' OR ("},
                "accounts": {"url": "/hubs/crm/tickets", "pageSize": "many"},
            },
        },
    });
    insta::assert_snapshot!(refusal(&create(&world, body.to_string()).await), @r"
    400
    element.key: expected closeio
    name: expected a text of 1 to 256 characters
    tags: expected a list of up to 50 texts of 1 to 256 characters
    configuration.base.url: expected the https URL of Close's API, https://api.close.com/api/v1
    configuration.event.notification.callback.url: expected an https URL
    configuration.event.webhook.signature.key: expected the signature_key of the webhook subscription, in hex
    configuration.event.poller.refresh_interval: expected whole minutes, 1 to 527040
    configuration.event.poller.start: expected a time since 1970, such as 2026-06-19T12:00:00Z
    configuration.event.poller.configuration.contacts.datesConfiguration.updatedDateFormat: the single quote at position 8 is never closed
    configuration.event.poller.configuration.leads.url: the condition: expected a field at position 26, but found the end
    configuration.event.poller.configuration.accounts.url: expected one of accounts, leads, contacts, opportunities, tasks, activities, events as the resource, but found `tickets`
    configuration.event.poller.configuration.accounts.pageSize: expected a whole number
    ");
    assert_eq!(world.items("InstancesTable").await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_poller_configuration_that_is_no_json_says_where() {
    let world = World::start().await;
    let mut refused = Vec::new();
    for poller in [
        json!("{\"contacts\": {\"url\": }}"),
        json!("contacts"),
        json!([]),
        json!(true),
    ] {
        let body = body_with(&json!({
            "event.notification.enabled": true,
            "event.notification.type": "eventbridge",
            "event.vendor.type": "polling",
            "event.poller.configuration": poller,
        }));
        refused.push(refusal(&create(&world, body).await));
    }
    insta::assert_snapshot!(refused.join("\n"), @r"
    400
    configuration.event.poller.configuration: expected JSON, but found expected value at line 1 column 22
    400
    configuration.event.poller.configuration: expected JSON, but found expected value at line 1 column 1
    400
    configuration.event.poller.configuration: expected an object with a `url` per resource
    400
    configuration.event.poller.configuration: expected an object with a `url` per resource
    ");
    world.finish().await;
}

#[tokio::test]
async fn a_body_that_is_no_object_is_400() {
    let world = World::start().await;
    insta::assert_snapshot!(refusal(&create(&world, "").await), @"400 expected JSON: EOF while parsing a value at line 1 column 0");
    insta::assert_snapshot!(refusal(&create(&world, "[]").await), @"400 expected JSON: the body is no object");
    insta::assert_snapshot!(refusal(&create(&world, "{} {}").await), @"400 expected JSON: trailing characters at line 1 column 4");
    insta::assert_snapshot!(refusal(&create(&world, &b"{\"name\": \"\xff\"}"[..]).await), @"400 expected JSON: invalid utf-8 sequence of 1 bytes from index 10");
    let listed =
        json!({"element": {"key": "closeio"}, "name": "Test", "configuration": ["username"]});
    insta::assert_snapshot!(refusal(&create(&world, listed.to_string()).await), @r"
    400
    configuration: expected an object
    configuration.username: is required: the Close API key
    ");
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_host_never_gets_the_api_key() {
    let world = World::start().await;
    for base_url in [
        "https://example.com/api/v1",
        "https://api.close.com@example.com/api/v1",
        "https://user:password@api.close.com/api/v1",
        "https://api.close.com:8443/api/v1",
        "https://api.close.com.example.com",
        "http://127.0.0.1:1/api/v1",
        "ftp://api.close.com/api/v1",
        "api.close.com",
        "https://API.CLOSE.COM.",
        r"https://api.close.com\@evil.example",
    ] {
        let answer = create(&world, body_with(&json!({"base.url": base_url}))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{base_url}");
        assert_eq!(answer.body["errors"][0]["field"], "configuration.base.url");
    }
    let simulated = world.close.base_url();
    for (base_url, stored) in [
        (
            "https://api.close.com/api/v1",
            "https://api.close.com/api/v1",
        ),
        (
            "https://app.close.io/api/v1/",
            "https://api.close.com/api/v1",
        ),
        (&simulated, &simulated),
        ("", &simulated),
    ] {
        let answer = create(&world, body_with(&json!({"base.url": base_url}))).await;
        assert_eq!(answer.status, StatusCode::OK, "{base_url}: {}", answer.body);
        assert_eq!(answer.body["configuration"]["base.url"], stored);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_base_url_that_was_stored_in_another_form_is_used_in_its_parsed_one() {
    let world = World::start().await;
    let owner = Owner::subscribed(
        &world,
        json!({
            "event.vendor.type": "polling",
            "event.poller.configuration": {"leads": {"url": query("leads")}},
        }),
    )
    .await;
    let parsed = world.close.base_url();
    let unparsed = parsed.replacen("http://", "HTTP:\\\\", 1);
    let mut instance = owner.stored().await.unwrap();
    instance.configuration.set("base.url", &unparsed);
    let table = world.instance_table();
    table.replace(&instance, true, ago(0)).await.unwrap();

    let poll = world.poll(owner.id).await;
    assert_eq!(poll["polled"], true, "{poll}");
    assert_eq!(poll["failed"], json!({}), "{poll}");
    let shown = owner.shown().await;
    assert_eq!(shown["webhook"]["status"], "active");
    assert_eq!(shown["configuration"]["base.url"], unparsed);
    for (method, body) in [("PATCH", json!({"name": "Other"})), ("PUT", shown)] {
        let mut instance = owner.stored().await.unwrap();
        instance.configuration.set("base.url", &unparsed);
        table.replace(&instance, true, ago(0)).await.unwrap();
        let answer = owner.call(method, "", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["configuration"]["base.url"], parsed);
    }
    // Given by a request it is refused.
    let body = json!({"configuration": {"base.url": unparsed}});
    let refused = owner.call("PATCH", "", &body).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    world.finish().await;
}

#[tokio::test]
async fn an_api_key_with_white_space_or_a_colon_is_named_and_not_repeated() {
    let world = World::start().await;
    for key in [
        format!("{API_KEY}\n"),
        format!("{API_KEY}:"),
        format!("x {API_KEY}"),
    ] {
        let answer = create(&world, body_with(&json!({"username": key}))).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(refusal(&answer), @r"
            400
            configuration.username: expected the Close API key alone, without white space or a colon
            ");
        }
    }
    // One that was stored before it was looked at hinders no other change.
    let owner = Owner::of(&world, json!({})).await;
    let mut stored = owner.stored().await.unwrap();
    stored.configuration.set("username", &format!("{API_KEY}:"));
    let table = world.instance_table();
    table.replace(&stored, false, ago(0)).await.unwrap();
    for change in [json!({"name": "New"}), owner.shown().await] {
        let answer = owner.call("PATCH", "", &change).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_empty_value_is_as_good_as_none() {
    let world = World::start().await;
    let empty = json!({
        "base.url": "", "pagination.max": null, "password": null, "event.vendor.type": "",
        "event.notification.callback.url": "", "event.webhook.signature.key": "",
    });

    let answer = create(&world, body_with(&empty)).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let configuration = &answer.body["configuration"];
    assert_eq!(configuration["base.url"], world.close.base_url());
    assert_eq!(configuration["pagination.max"], "100");
    assert_eq!(configuration.get("password"), None);
    world.finish().await;
}

#[tokio::test]
async fn values_may_be_texts_numbers_booleans_or_an_object() {
    let world = World::start().await;
    let resources = json!({"contacts": {"url": query("contacts")}});
    let common = |values: Value| {
        let mut configuration =
            json!({"event.notification.type": "eventbridge", "event.vendor.type": "POLLING"});
        for (key, value) in values.as_object().unwrap() {
            configuration[key] = value.clone();
        }
        body_with(&configuration)
    };
    let of_json = common(json!({
        "event.notification.enabled": true,
        "event.poller.refresh_interval": 5,
        "event.poller.configuration": resources,
    }));
    let of_text = common(json!({
        "event.notification.enabled": "TRUE",
        "event.poller.refresh_interval": "5",
        "event.poller.configuration": resources.to_string(),
    }));

    let of_json = create(&world, of_json).await;
    let of_text = create(&world, of_text).await;

    for answer in [&of_json, &of_text] {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let configuration = &answer.body["configuration"];
        assert_eq!(answer.body["eventsEnabled"], true);
        assert_eq!(configuration["event.poller.refresh_interval"], "5");
        assert_eq!(
            configuration["event.poller.configuration"],
            resources.to_string()
        );
        assert_eq!(
            world.poll(answer.body["id"].as_u64().unwrap()).await["polled"],
            true
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn webhooks_is_as_good_as_webhook_and_events_need_not_be_wanted() {
    let world = World::start().await;
    for configuration in [
        json!({"event.vendor.type": "webhooks", "event.notification.enabled": true, "event.notification.type": "eventbridge"}),
        json!({"event.vendor.type": "polling", "event.notification.enabled": false}),
        json!({}),
    ] {
        let answer = create(&world, body_with(&configuration)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            world.poll(answer.body["id"].as_u64().unwrap()).await["polled"],
            false
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn name_and_tags_are_kept_without_the_spaces_around_them() {
    let world = World::start().await;
    let body = |tags: Value| {
        json!({"element": {"key": "closeio"}, "name": " Tést ", "tags": tags, "configuration": {"username": API_KEY}}).to_string()
    };
    for (tags, kept) in [
        (json!([" Sales", "EMEA"]), json!(["Sales", "EMEA"])),
        (json!([]), json!([])),
        (Value::Null, json!(["Tést"])),
    ] {
        let answer = create(&world, body(tags)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["name"], "Tést");
        assert_eq!(answer.body["tags"], kept);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_body_over_256_kib_is_413() {
    let world = World::start().await;
    let with_length = |length: usize| {
        let body = body_with(&json!({}));
        let filler = " ".repeat(length - body.len());
        format!("{body}{filler}")
    };
    let limit = 256 * 1024;

    let fits = create(&world, with_length(limit)).await;
    assert_eq!(fits.status, StatusCode::OK, "{}", fits.body);
    let exceeds = create(&world, with_length(limit + 1)).await;
    insta::assert_snapshot!(refusal(&exceeds), @"413 expected a body of at most 262144 bytes, but found 262145");
    world.finish().await;
}
