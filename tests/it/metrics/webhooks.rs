//! What a webhook measures.

use reqwest::StatusCode;

use super::{assert_reached, is_reached};
use crate::functions::WEBHOOK;
use crate::metric_lines::last;
use crate::world::{SIGNATURE_KEY, World};

const INSTANCE: u64 = 20_931;
const BODY: &str = r#"{"model":"lead","event":"update","data":{"id":"lead_1","date_updated":"2026-06-19T12:04:01.697000+00:00"}}"#;

#[tokio::test]
async fn a_webhook_counts_as_published_once() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    world.deliver(&url, &[], BODY).await;
    let line = last(&world, WEBHOOK);
    assert_eq!(line.value("EventsPublished"), Some(1.0));
    assert_eq!(line.instance, Some(INSTANCE));

    world.deliver(&url, &[], BODY).await;

    let line = last(&world, WEBHOOK);
    assert_eq!(line.value("EventsDuplicate"), Some(1.0));
    assert_eq!(line.value("EventsPublished"), None);
    assert!(!is_reached("WebhooksRejectedAlarm", [&line]));
    world.finish().await;
}

#[tokio::test]
async fn what_the_bus_does_not_take_from_a_webhook_is_an_alarm() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    world.stack.bus().refuse("ThrottlingException", |_| true);

    let answer = world.deliver(&url, &[], BODY).await;

    // What API Gateway counts for ApiFaultsAlarm.
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let line = last(&world, WEBHOOK);
    assert_reached("WebhookPublishFailuresAlarm", [&line]);
    assert_eq!(line.value("EventsPublished"), None);
    assert!(!is_reached("WebhooksRejectedAlarm", [&line]));
    world.finish().await;
}

#[tokio::test]
async fn what_the_bus_refuses_in_every_form_from_a_webhook_is_an_alarm() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, None).await;
    world.stack.bus().refuse("MalformedDetail", |_| true);

    let answer = world.deliver(&url, &[], BODY).await;

    assert_eq!(answer.status, StatusCode::OK);
    let line = last(&world, WEBHOOK);
    assert_reached("WebhookUnpublishableAlarm", [&line]);
    assert!(!is_reached("WebhookPublishFailuresAlarm", [&line]));
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_that_is_refused_is_counted_and_another_request_is_not() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let unknown = world.webhook_url("MTI=");
    for (url, body, status) in [
        (&url, BODY, StatusCode::UNAUTHORIZED),
        (&unknown, BODY, StatusCode::NOT_FOUND),
    ] {
        let answer = world.deliver(url, &[], body).await;
        assert_eq!(answer.status, status);
        let line = last(&world, WEBHOOK);
        assert_reached("WebhooksRejectedAlarm", [&line]);
    }
    let lines = super::lines(&world, WEBHOOK).len();
    let answer = world.call("GET", "/instances/12", None, "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(super::lines(&world, WEBHOOK).len(), lines);
    world.finish().await;
}
