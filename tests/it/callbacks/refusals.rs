//! What is not delivered, and is given up at once.

use std::sync::Arc;

use jiff::Timestamp;
use local_stack::aws::sqs::queue::message::Message;
use serde_json::{Value, json};
use shared::instance::callback_state::CallbackState;

use super::receiver::Reply;
use super::{Called, DEAD_LETTERS, FAILURES, FIRST, RETRIES, Stage};
use crate::world::{PATIENCE, ago};

/// The reason of each message that was given up, once there are `count`.
async fn reasons(stage: &Stage, count: usize) -> Vec<String> {
    let messages = stage.queue(DEAD_LETTERS).messages();
    let messages = messages.wait_for_count(count, PATIENCE).await.unwrap();
    let reason = |message: &Arc<Message>| message.text("reason").unwrap().to_owned();
    messages.iter().map(reason).collect()
}

impl Stage {
    /// Sets another callback URL. Returns the instance as the answer shows it.
    async fn set_url(&self, called: &Called, path: &str) -> Value {
        let url = self.receiver.url(path);
        let change = json!({"configuration": {"event.notification.callback.url": url}});
        let path = format!("/instances/{}", called.id);
        let changed = self.world.call("PATCH", &path, None, change.to_string());
        changed.await.body
    }
}

#[tokio::test]
async fn a_url_that_is_gone_is_asked_no_more_until_there_is_another() {
    let stage = Stage::start().await;
    stage.receiver.reply("/hook", [Reply::status(410)]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;
    assert_eq!(reasons(&stage, 1).await, ["Gone"]);
    stage.drained(FIRST).await;
    let callback = &stage.shown(&called).await["callback"];
    assert_eq!(
        (&callback["gone"], &callback["reason"]),
        (&json!(true), &json!("Gone"))
    );

    stage.publish(&called, "2").await;
    assert_eq!(reasons(&stage, 2).await, ["Gone"; 2]);
    assert_eq!(stage.receiver.requests("/hook").len(), 1);

    let changed = stage.set_url(&called, "/new").await;
    let callback = &changed["callback"];
    assert_eq!(
        (&callback["gone"], &callback["reason"]),
        (&json!(false), &Value::Null)
    );
    stage.publish(&called, "3").await;
    stage.receiver.wait_for("/new", 1).await;

    // Set again, it may be back.
    stage.receiver.reply("/hook", [Reply::status(200)]);
    stage.drained(FIRST).await;
    stage.set_url(&called, "/hook").await;
    stage.publish(&called, "4").await;
    stage.receiver.wait_for("/hook", 2).await;
    stage.finish().await;
}

#[tokio::test]
async fn what_an_old_url_answers_late_is_not_said_of_the_new_one() {
    let stage = Stage::start().await;
    let gate = stage.receiver.hold("/hook", 410);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    stage.set_url(&called, "/new").await;
    gate.open();
    assert_eq!(reasons(&stage, 1).await, ["Gone"]);
    stage.drained(FIRST).await;

    assert!(!stage.state(&called).await.gone);
    stage.publish(&called, "2").await;
    stage.receiver.wait_for("/new", 1).await;
    stage.receiver.reply("/hook", [Reply::status(200)]);
    stage.set_url(&called, "/hook").await;
    stage.publish(&called, "3").await;
    stage.receiver.wait_for("/hook", 2).await;
    stage.finish().await;
}

#[tokio::test]
async fn a_corrected_url_is_tried_while_the_old_ones_circuit_is_open() {
    let stage = Stage::start().await;
    let called = stage.instance("/typo", json!({})).await;
    let open = CallbackState {
        waiting: 1_000,
        failing_since: Some(ago(600)),
        open_until: Some(ago(-300)),
        slow_until: Some(ago(-300)),
        ..CallbackState::default()
    };
    stage.set_state(&called, &open).await;
    stage.set_url(&called, "/hook").await;
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;
    stage.drained(FIRST).await;
    let noted = stage.state(&called).await;
    assert_eq!((noted.open_until, noted.slow_until), (None, None));
    assert_eq!(noted.waiting, 1_000);
    assert_eq!(stage.queue(RETRIES).messages().snapshot().len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stage = Stage::start().await;
    let elsewhere = stage.receiver.url("/elsewhere");
    let redirect = Reply::with(307, "location", &elsewhere);
    stage.receiver.reply("/hook", [redirect]);
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;

    let waiting = stage.message(RETRIES, 1).await;
    assert_eq!(waiting.text("reason"), Some("Status 307"));
    assert_eq!(stage.receiver.requests("/elsewhere").len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn a_private_address_is_not_called_by_whatever_name() {
    // The API is told that all is local, and callback-fn is not: what the table holds is not trusted.
    let stage = Stage::start_with(&["WebhookFunction"]).await;
    let port = stage
        .receiver
        .url("")
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    for (count, url) in (1..).zip([
        format!("http://127.0.0.1:{port}/hook"),
        format!("https://127.0.0.1:{port}/hook"),
        format!("https://2130706433:{port}/hook"),
        format!("https://[::ffff:127.0.0.1]:{port}/hook"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        format!("https://localhost:{port}/hook"),
    ]) {
        let called = stage.instance_at(&url, json!({})).await;
        stage.publish(&called, "1").await;
        assert_eq!(
            reasons(&stage, count).await[count - 1],
            "AddressNotAllowed",
            "{url}"
        );
    }
    assert_eq!(stage.receiver.requests("/hook").len(), 0);
    assert_eq!(stage.queue(RETRIES).messages().snapshot().len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn a_private_address_is_refused_by_the_api_where_the_stack_is_not_local() {
    let stage = Stage::start_with(&[]).await;
    for url in [
        "http://app.example.com/",
        "https://10.0.0.1/",
        "https://[fd00::1]/",
    ] {
        let configuration = json!({
            "username": "api_key", "event.notification.enabled": true, "event.vendor.type": "webhook",
            "event.notification.callback.url": url,
        });
        let body =
            json!({"element": {"key": "closeio"}, "name": "Test", "configuration": configuration});
        let answer = stage
            .world
            .call("POST", "/instances", None, body.to_string())
            .await;
        assert_eq!(answer.status.as_u16(), 400, "{url}");
        let field = &answer.body["errors"][0]["field"];
        assert_eq!(field, "configuration.event.notification.callback.url");
    }
    stage.finish().await;
}

#[tokio::test]
async fn a_message_that_is_no_event_does_not_hold_up_its_batch() {
    let stage = Stage::start().await;
    let called = stage.instance("/hook", json!({})).await;
    stage.world.stack.disable_mappings();
    let poison = [
        "not JSON",
        "{}",
        r#"{"source": "closeio", "detail": {"instanceId": 1}}"#,
    ];
    for body in poison {
        stage.queue(FIRST).send(Message::new(body)).unwrap();
    }
    stage.publish(&called, "1").await;
    stage.message(FIRST, poison.len() + 1).await;
    stage.world.stack.enable_mappings();

    stage.receiver.wait_for("/hook", 1).await;
    stage.drained(FIRST).await;
    let failures = stage.queue(FAILURES).messages();
    let failures = failures.wait_for_count(3, PATIENCE).await.unwrap();
    for message in &failures {
        assert_eq!(message.text("reason"), Some("NotAnEvent"));
        assert!(poison.contains(&message.body.as_str()));
    }
    assert_eq!(stage.queue(DEAD_LETTERS).messages().snapshot().len(), 0);
    stage.finish().await;
}

#[tokio::test]
async fn an_instance_that_is_gone_or_wants_no_more_is_not_called_back() {
    let stage = Stage::start().await;
    let removed = stage.instance("/hook", json!({})).await;
    let changed = stage.instance("/hook", json!({})).await;
    stage.world.stack.disable_mappings();
    stage.publish(&removed, "1").await;
    stage.publish(&changed, "2").await;
    stage.message(FIRST, 2).await;
    let remove = format!("/instances/{}", removed.id);
    stage.world.call("DELETE", &remove, None, "").await;
    let by_rule = json!({"configuration": {"event.notification.type": "eventbridge"}});
    let change = format!("/instances/{}", changed.id);
    stage
        .world
        .call("PATCH", &change, None, by_rule.to_string())
        .await;
    stage.world.stack.enable_mappings();

    let mut reasons = reasons(&stage, 2).await;
    reasons.sort();
    assert_eq!(reasons, ["NoCallback", "UnknownInstance"]);
    assert_eq!(stage.receiver.requests("/hook").len(), 0);
    // A note of how it fared has not brought it back.
    let shown = stage.shown(&removed).await;
    assert!(shown["message"].is_string(), "{shown}");
    stage.finish().await;
}

#[tokio::test]
async fn a_replayed_event_is_not_delivered_again() {
    let stage = Stage::start().await;
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;
    stage.receiver.wait_for("/hook", 1).await;

    let ever = Timestamp::UNIX_EPOCH..Timestamp::MAX;
    assert_eq!(stage.world.stack.bus().replay("again", ever), 1);
    // What is published later comes later.
    stage.publish(&called, "2").await;
    stage.receiver.wait_for("/hook", 2).await;
    stage.drained(FIRST).await;
    let queued = stage.queue(FIRST).messages().snapshot();
    assert_eq!(queued.len(), 2);
    let body: Value = serde_json::from_str(&queued[1].body).unwrap();
    assert_eq!(body.get("replay-name"), None);
    stage.finish().await;
}
