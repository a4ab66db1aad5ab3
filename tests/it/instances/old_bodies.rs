//! Instance bodies as they stand in public documents and programs of the service that this one follows.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::create;
use crate::world::{API_KEY, World, query};

/// Events with a callback URL, but nothing of how they come.
fn documented() -> Value {
    json!({
        "element": {"key": "closeio"},
        "providerData": {"code": "Code on Return the URL"},
        "configuration": {
            "username": API_KEY,
            "password": "password-of-the-tests",
            "event.notification.enabled": "true",
            "event.notification.callback.url": "https://app.example.com/events",
        },
        "tags": ["Sales"],
        "name": "Test",
    })
}

/// The body that a test of that service sent: events, but no callback URL.
fn by_webhook() -> Value {
    json!({
        "element": {"key": "closeio"},
        "configuration": {
            "username": API_KEY, "event.notification.enabled": true, "event.vendor.type": "webhook",
        },
        "name": "Test",
    })
}

/// The same for polling, with what an answer of that service's had besides.
fn by_polling() -> Value {
    json!({
        "element": {"key": "closeio"},
        "elementId": 166,
        "externalAuthentication": "none",
        "traceLoggingEnabled": false,
        "configuration": {
            "username": API_KEY,
            "bulk.add_metadata": null,
            "event.notification.enabled": true,
            "event.notification.callback.url": null,
            "event.notification.subscription.id": null,
            "event.vendor.type": "polling",
            "event.poller.refresh_interval": 5,
            "event.poller.urls": "",
            "event.poller.configuration": {
                "contacts": {"url": query("contacts"), "idField": "id", "updatedDateTimezone": "GMT"},
            },
            "filter.response.nulls": "false",
            "pagination.max": "100",
            "pagination.offset": "true",
        },
        "name": "Test",
    })
}

#[tokio::test]
async fn each_is_provisioned_and_polls_if_it_says_so() {
    let world = World::start().await;
    for (body, is_polled, has_callback) in [
        (documented(), false, true),
        (by_webhook(), false, false),
        (by_polling(), true, false),
    ] {
        let answer = create(&world, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["eventsEnabled"], true);
        assert_eq!(answer.body.get("warnings"), None, "{}", answer.body);
        let id = answer.body["id"].as_u64().unwrap();
        assert_eq!(world.poll(id).await["polled"], is_polled, "{body}");
        let url = answer.body["webhookUrl"].as_str().unwrap();
        let deletion = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
        assert_eq!(
            world.deliver(url, &[], deletion).await.status,
            StatusCode::OK
        );
        let detail = world.details().pop().unwrap();
        assert_eq!(detail["callback"], has_callback, "{body}");
    }
    world.finish().await;
}
